/* Why TLS failed, in words that a person can act on.
 *
 * The library's error queue is read for its first entry, which is the cause; later ones are its echo.
 * Alerts from the peer come as reasons above SSL_AD_REASON_OFFSET. Whatever is not in the table below is
 * told in the library's own words. */
#include "net/tls.h"
#include "net/tls_internal.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

struct explanation {
    int reason;
    const char *sentence;
};

static const struct explanation EXPLANATIONS[] = {
    {SSL_R_WRONG_VERSION_NUMBER, "the peer does not speak TLS"},
    {SSL_R_HTTP_REQUEST, "the peer speaks clear HTTP, not TLS"},
    {SSL_R_HTTPS_PROXY_REQUEST, "the peer speaks clear HTTP, not TLS"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "the peer offers no TLS version that is spoken here (1.2 or 1.3)"},
    {SSL_R_UNKNOWN_PROTOCOL, "the peer does not speak TLS"},
    {SSL_R_NO_SHARED_CIPHER, "the peer offers no cipher that is spoken here"},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE,
     "the client showed no certificate, and one is required"},
    {SSL_R_NO_APPLICATION_PROTOCOL, "the client offers no protocol that is spoken here (http/1.1)"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, "a record was damaged on its way"},
    {SSL_R_DH_KEY_TOO_SMALL, "the peer's key exchange is too weak"},
    {SSL_R_EE_KEY_TOO_SMALL, "the peer's certificate has a key that is too short"},
};

/* What the library says in its own terms of the most usual refusals. */
static const char *explain_verdict(long verdict)
{
    switch (verdict) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "its issuer is not trusted here, or a certificate of its chain was not sent";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return "the authority at the end of its chain is not trusted here";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return "it is self-signed, and not trusted here";
    case X509_V_ERR_CERT_HAS_EXPIRED: return "it has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID: return "it is not valid yet";
    case X509_V_ERR_HOSTNAME_MISMATCH: return "it is not valid for this name";
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return "it is not valid for this address";
    default: return X509_verify_cert_error_string(verdict);
    }
}

bool tls_lacks_trust(const SSL *ssl)
{
    switch (SSL_get_verify_result(ssl)) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return true;
    default: return false;
    }
}

const char *tls_explain_verdict(const SSL *ssl)
{
    long verdict = SSL_get_verify_result(ssl);
    return verdict == X509_V_OK ? NULL : explain_verdict(verdict);
}

static void explain_certificate(SSL *ssl, const char *host, struct text *into)
{
    long verdict = SSL_get_verify_result(ssl);
    if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH) {
        text_add_format(into, "the server's certificate was refused: it is not valid for %s", host);
        return;
    }
    text_add_format(into, "the %s's certificate was refused: %s",
                    SSL_is_server(ssl) ? "client" : "server", explain_verdict(verdict));
}

static const char *explanation_find(int reason)
{
    for (size_t i = 0; i < COUNT_OF(EXPLANATIONS); i++) {
        if (EXPLANATIONS[i].reason == reason)
            return EXPLANATIONS[i].sentence;
    }
    return NULL;
}

static void explain_reason(unsigned long error, struct text *into)
{
    const char *sentence = NULL;
    if (ERR_GET_LIB(error) == ERR_LIB_SSL)
        sentence = explanation_find(ERR_GET_REASON(error));
    if (sentence != NULL) {
        text_add(into, slice_from_string(sentence));
        return;
    }
    const char *words = ERR_reason_error_string(error);
    text_add(into, slice_from_string(words != NULL ? words : "no reason is known"));
}

int tls_explain(SSL *ssl, const char *host, struct text *into)
{
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_REASON(error);
    int alert = -1;
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET &&
        reason <= SSL_AD_REASON_OFFSET + UINT8_MAX) {
        alert = reason - SSL_AD_REASON_OFFSET;
        text_add_format(into, "the peer sent the alert \"%s\"", SSL_alert_desc_string_long(alert));
    } else if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        explain_certificate(ssl, host, into);
    } else {
        explain_reason(error, into);
    }
    ERR_clear_error();
    return alert;
}
