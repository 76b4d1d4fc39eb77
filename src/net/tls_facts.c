/* What is known of a TLS connection: version, cipher, names, verdicts. Nothing here changes anything. */
#include "net/tls_stream_internal.h"

struct record_tls tls_record(const struct transport *transport)
{
    const struct tls *tls = tls_of_const(transport);
    if (!tls->is_open)
        return (struct record_tls){0};
    const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);
    return (struct record_tls){
        .version = (uint16_t)SSL_version(tls->ssl),
        .cipher = cipher != NULL ? SSL_CIPHER_get_protocol_id(cipher) : 0,
        .resumed = SSL_session_reused(tls->ssl),
        .cipher_name = cipher != NULL ? SSL_CIPHER_standard_name(cipher) : NULL,
    };
}

struct slice tls_sni(const struct transport *transport)
{
    const struct tls *tls = tls_of_const(transport);
    if (tls->server == NULL)
        return SLICE_NONE;
    return slice_from_string(SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name));
}

struct slice tls_alpn(const struct transport *transport)
{
    const struct tls *tls = tls_of_const(transport);
    const unsigned char *at = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(tls->ssl, &at, &len);
    return len > 0 ? slice_of((const char *)at, len) : SLICE_NONE;
}

const char *tls_verify_error(const struct transport *transport)
{
    return tls_explain_verdict(tls_of_const(transport)->ssl);
}

bool tls_is_untrusted(const struct transport *transport)
{
    return tls_lacks_trust(tls_of_const(transport)->ssl);
}

int tls_peer_alert(const struct transport *transport)
{
    return tls_of_const(transport)->peer_alert;
}

bool tls_peer_spoke_http(const struct transport *transport)
{
    return tls_of_const(transport)->spoke_http;
}
