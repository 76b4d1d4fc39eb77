/* What is known of a TLS connection: version, cipher, names, verdicts. Nothing here changes anything. */
#include "net/tls_stream_internal.h"

uint16_t tls_version(const struct transport *transport)
{
    const struct tls *tls = tls_of_const(transport);
    return tls->is_open ? (uint16_t)SSL_version(tls->ssl) : 0;
}

uint16_t tls_cipher(const struct transport *transport)
{
    const struct tls *tls = tls_of_const(transport);
    const SSL_CIPHER *cipher = tls->is_open ? SSL_get_current_cipher(tls->ssl) : NULL;
    return cipher != NULL ? SSL_CIPHER_get_protocol_id(cipher) : 0;
}

const char *tls_cipher_text(const struct transport *transport)
{
    const struct tls *tls = tls_of_const(transport);
    const SSL_CIPHER *cipher = tls->is_open ? SSL_get_current_cipher(tls->ssl) : NULL;
    const char *name = cipher != NULL ? SSL_CIPHER_standard_name(cipher) : NULL;
    return name != NULL ? name : "";
}

bool tls_is_resumed(const struct transport *transport)
{
    const struct tls *tls = tls_of_const(transport);
    return tls->is_open && SSL_session_reused(tls->ssl);
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

bool tls_has_pending(const struct transport *transport)
{
    return SSL_has_pending(tls_of_const(transport)->ssl) == 1;
}

int tls_peer_alert(const struct transport *transport)
{
    return tls_of_const(transport)->peer_alert;
}

bool tls_peer_spoke_http(const struct transport *transport)
{
    return tls_of_const(transport)->spoke_http;
}
