/* Server and client contexts: what is spoken, whom we trust, what we show.
 *
 * A context is made from PEM in memory when a configuration snapshot is compiled, and is never changed
 * afterwards: workers share it without a lock (the library counts its own references). Everything that
 * can be wrong with the operator's files is found here, before a listener opens, and told in a sentence.
 *
 * Spoken: TLS 1.2 with forward secrecy and AEAD ciphers, and TLS 1.3; no renegotiation, no compression,
 * no early data. ALPN is http/1.1; a client whose ALPN offers nothing of ours is refused as RFC 7301
 * §3.2 asks. The client side also takes the older CBC and RSA key exchange ciphers of TLS 1.2, since
 * origins are as they are.
 *
 * Authorities that were named are the only ones. A file of them that is empty (a rotation that truncates first) is
 * an error as any other damage is: to take it for none would trust the system's store, or ask no client for a
 * certificate.
 *
 * A certificate that is not good today is refused, unless it was shown before: it expires under a running server,
 * and whoever renews it late must still be able to change all else. The caller says so to the operator.
 *
 * The session id context of a server names its certificate and its rules for client certificates, so
 * that a ticket never carries a verdict from one configuration into another.
 *
 * Buffers: read-ahead takes four records with one receive, and buffers go back when a connection is idle. They have
 * just that size: the rest of a record that did not fit would cost a receive of its own. Dropped: a library context per
 * worker (measured: no gain). */
#include "base/clock.h"
#include "net/tls_internal.h"
#include "net/tls_library.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <time.h>

enum {
    READ_ALIGN = 3, /* left free in front: what follows a header lies at a multiple of 8 */
    READ_BUFFER = READ_ALIGN + TLS_READ_RECORDS * TLS_RECORD_1_2,
    VERIFY_DEPTH = 10,
};

static const char CIPHERS_13[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char CIPHERS_SERVER[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char CIPHERS_CLIENT[] = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:"
                                     "ECDHE+AES:DHE+AES:RSA+AES:!PSK:!SRP";
static const uint8_t ALPN[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

/* ---- what both sides have in common ---- */

static SSL_CTX *context_new(const SSL_METHOD *method, const char *ciphers)
{
    SSL_CTX *ssl = SSL_CTX_new(method);
    if (ssl == NULL)
        return NULL;
    bool is_set = SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
                  SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) == 1 &&
                  SSL_CTX_set_ciphersuites(ssl, CIPHERS_13) == 1 &&
                  SSL_CTX_set_cipher_list(ssl, ciphers) == 1;
    if (!is_set) {
        SSL_CTX_free(ssl);
        return NULL;
    }
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ssl, 1);
    SSL_CTX_set_default_read_buffer_len(ssl, READ_BUFFER);
    SSL_CTX_set_verify_depth(ssl, VERIFY_DEPTH);
    SSL_CTX_set_info_callback(ssl, tls_on_chatter);
    return ssl;
}

static int64_t asn1_seconds(const ASN1_TIME *time)
{
    struct tm tm;
    return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void fault_date(struct text *fault, const char *sentence, int64_t seconds)
{
    char date[CLOCK_HTTP_DATE_TEXT];
    clock_http_date((uint64_t)(seconds > 0 ? seconds : 0) * NS_PER_S, date);
    text_add_format(fault, "%s %s", sentence, date);
}

static enum status check_dates(const X509 *leaf, struct text *fault)
{
    int64_t now_s = (int64_t)(clock_wall_ns() / NS_PER_S);
    int64_t begin_s = asn1_seconds(X509_get0_notBefore(leaf));
    int64_t end_s = asn1_seconds(X509_get0_notAfter(leaf));
    if (end_s < now_s) {
        fault_date(fault, "the certificate has expired on", end_s);
        return ST_BAD;
    }
    if (begin_s > now_s) {
        fault_date(fault, "the certificate is not valid before", begin_s);
        return ST_BAD;
    }
    return ST_OK;
}

static enum status use_certificate(SSL_CTX *ssl, X509 *leaf, EVP_PKEY *key, STACK_OF(X509) * chain,
                                   struct text *fault)
{
    if (X509_check_private_key(leaf, key) != 1) {
        ERR_clear_error();
        text_add(fault, SLICE(TLS_FAULT_KEY " does not match the certificate"));
        return ST_BAD;
    }
    if (SSL_CTX_use_cert_and_key(ssl, leaf, key, chain, /* override= */ 1) != 1)
        return tls_fault(fault, "the certificate cannot be used");
    return ST_OK;
}

/* Sign something, for what the library computes of a key at its first use and keeps: of an RSA key that is its primes
 * in another form. Whether it can sign what clients ask for is theirs to find out. */
static void use_once(EVP_PKEY *key)
{
    uint8_t signature[1024]; /* of an RSA key of 8192 bits; a longer one is used later */
    size_t len = sizeof(signature);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const EVP_MD *digest = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA ? EVP_sha256() : NULL;
    if (context != NULL && EVP_DigestSignInit(context, NULL, digest, NULL, key) == 1)
        (void)EVP_DigestSign(context, signature, &len, ALPN, sizeof(ALPN));
    EVP_MD_CTX_free(context);
    ERR_clear_error();
}

/* All that is made of it lies in locked memory. */
static enum status load_key(struct slice pem, struct text *fault, EVP_PKEY **ret_key)
{
    tls_library_keep_secret(true);
    enum status status = tls_pem_key(pem, fault, ret_key);
    if (status == ST_OK)
        use_once(*ret_key);
    tls_library_keep_secret(false);
    return status;
}

/* Load the certificate, its chain and its key. */
static enum status load_certificate(SSL_CTX *ssl, struct slice certificate, struct slice key_pem,
                                    bool was_shown, struct text *fault)
{
    X509 *leaf = NULL;
    STACK_OF(X509) *chain = NULL;
    EVP_PKEY *key = NULL;
    enum status status = tls_pem_chain(certificate, "the certificate", fault, &leaf, &chain);
    if (status == ST_OK)
        status = load_key(key_pem, fault, &key);
    if (status == ST_OK && !was_shown)
        status = check_dates(leaf, fault);
    if (status == ST_OK)
        status = use_certificate(ssl, leaf, key, chain, fault);
    EVP_PKEY_free(key);
    sk_X509_pop_free(chain, X509_free);
    X509_free(leaf);
    return status;
}

/* Trust the authorities in `pem`; with `names` also list them, as a server tells its clients. */
static enum status load_authorities(SSL_CTX *ssl, struct slice pem, const char *what,
                                    struct text *fault, STACK_OF(X509_NAME) * names)
{
    X509 *first = NULL;
    STACK_OF(X509) *rest = NULL;
    enum status status = tls_pem_chain(pem, what, fault, &first, &rest);
    if (status != ST_OK)
        return status;
    bool is_added = sk_X509_unshift(rest, first) > 0;
    if (!is_added)
        X509_free(first);
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    for (int i = 0; is_added && i < sk_X509_num(rest); i++) {
        X509 *authority = sk_X509_value(rest, i);
        is_added = X509_STORE_add_cert(store, authority) == 1;
        X509_NAME *name = names != NULL ? X509_NAME_dup(X509_get_subject_name(authority)) : NULL;
        if (name != NULL && sk_X509_NAME_push(names, name) == 0)
            X509_NAME_free(name);
    }
    sk_X509_pop_free(rest, X509_free);
    return is_added ? ST_OK : tls_fault(fault, "the authorities' certificates cannot be used");
}

/* ---- server ---- */

static int choose_protocol(SSL *ssl, const unsigned char **ret_at, unsigned char *ret_len,
                           const unsigned char *offer, unsigned offer_len, void *context)
{
    (void)ssl;
    (void)context;
    unsigned char *at = NULL;
    if (SSL_select_next_proto(&at, ret_len, ALPN, sizeof(ALPN), offer, offer_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret_at = at;
    return SSL_TLSEXT_ERR_OK;
}

/* Every name is welcome; saying so makes the library remember it with the session. */
static int accept_name(SSL *ssl, int *alert, void *context)
{
    (void)ssl;
    (void)alert;
    (void)context;
    return SSL_TLSEXT_ERR_OK;
}

static enum status server_use_clients(SSL_CTX *ssl, const struct tls_server_options *options,
                                      struct text *fault)
{
    if (options->client_ca.at == NULL && !options->client_cert_is_required)
        return ST_OK;
    if (options->client_ca.at == NULL) {
        text_add(fault, SLICE("client certificates are required, but no authority is named that "
                              "they are verified against"));
        return ST_BAD;
    }
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    if (names == NULL)
        return ST_NOMEM;
    enum status status =
        load_authorities(ssl, options->client_ca, TLS_FAULT_CLIENT_CA, fault, names);
    if (status != ST_OK) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return status;
    }
    SSL_CTX_set_client_CA_list(ssl, names);
    int demand = options->client_cert_is_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | demand, NULL);
    return ST_OK;
}

static enum status server_name_sessions(struct tls_server_context *context,
                                        const struct tls_server_options *options)
{
    uint8_t parts[2 * SHA256_DIGEST_LENGTH + 1];
    uint8_t name[SHA256_DIGEST_LENGTH];
    memcpy(parts, context->certificate, SHA256_DIGEST_LENGTH);
    const char *ca = options->client_ca.at != NULL ? options->client_ca.at : "";
    SHA256((const uint8_t *)ca, options->client_ca.len, context->client_ca);
    memcpy(parts + SHA256_DIGEST_LENGTH, context->client_ca, SHA256_DIGEST_LENGTH);
    parts[sizeof(parts) - 1] = options->client_cert_is_required;
    SHA256(parts, sizeof(parts), name);
    return SSL_CTX_set_session_id_context(context->ssl, name, sizeof(name)) == 1 ? ST_OK : ST_NOMEM;
}

static enum status server_use_sessions(struct tls_server_context *context,
                                       const struct tls_server_options *options)
{
    if (options->tickets != NULL)
        context->tickets = tls_tickets_ref(options->tickets);
    else
        context->tickets = tls_tickets_create();
    if (context->tickets == NULL)
        return ST_NOMEM;
    if (tls_tickets_use(context->tickets, context->ssl) != ST_OK)
        return ST_NOMEM;
    SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context->ssl, 1);
    SSL_CTX_set_timeout(context->ssl, TLS_TICKET_PERIOD_S);
    return server_name_sessions(context, options);
}

static enum status server_fill(struct tls_server_context *context,
                               const struct tls_server_options *options, struct text *fault)
{
    SSL_CTX *ssl = context_new(TLS_server_method(), CIPHERS_SERVER);
    if (ssl == NULL)
        return ST_NOMEM;
    context->ssl = ssl;
    SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
    SSL_CTX_set_tlsext_servername_callback(ssl, accept_name);
    SHA256((const uint8_t *)options->certificate.at, options->certificate.len,
           context->certificate);
    enum status status =
        load_certificate(ssl, options->certificate, options->key, options->was_served, fault);
    if (status == ST_OK)
        status = server_use_clients(ssl, options, fault);
    if (status == ST_OK)
        status = server_use_sessions(context, options);
    return status;
}

enum status tls_server_context_create(const struct tls_server_options *options, struct text *fault,
                                      struct tls_server_context **ret_context)
{
    struct tls_server_context *context = calloc(1, sizeof(*context));
    if (context == NULL)
        return ST_NOMEM;
    context->tag = TAG_TLS_SERVER;
    atomic_init(&context->refs, 1);
    ERR_clear_error();
    enum status status = server_fill(context, options, fault);
    ERR_clear_error();
    if (status == ST_OK)
        *ret_context = context;
    else
        tls_server_context_unref(&context);
    return status;
}

struct tls_server_context *tls_server_context_ref(struct tls_server_context *context)
{
    CHECK_TAG(context, TAG_TLS_SERVER);
    atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
    return context;
}

bool tls_server_context_shows(const struct tls_server_context *context, struct slice certificate)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    CHECK_TAG(context, TAG_TLS_SERVER);
    SHA256((const uint8_t *)certificate.at, certificate.len, digest);
    return memcmp(digest, context->certificate, sizeof(digest)) == 0;
}

bool tls_server_context_trusts_alike(const struct tls_server_context *a,
                                     const struct tls_server_context *b)
{
    CHECK_TAG(a, TAG_TLS_SERVER);
    CHECK_TAG(b, TAG_TLS_SERVER);
    return memcmp(a->client_ca, b->client_ca, sizeof(a->client_ca)) == 0;
}

enum status tls_server_context_check_dates(const struct tls_server_context *context,
                                           struct text *fault)
{
    CHECK_TAG(context, TAG_TLS_SERVER);
    return check_dates(SSL_CTX_get0_certificate(context->ssl), fault);
}

void tls_server_context_unref(struct tls_server_context **context)
{
    struct tls_server_context *gone = *context;
    *context = NULL;
    if (gone == NULL)
        return;
    CHECK_TAG(gone, TAG_TLS_SERVER);
    if (atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(gone->ssl);
    tls_tickets_unref(&gone->tickets);
    gone->tag = 0;
    free(gone);
}

/* ---- client ---- */

static enum status client_use_authorities(SSL_CTX *ssl, const struct tls_client_options *options,
                                          struct text *fault)
{
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    if (options->ca.at != NULL)
        return load_authorities(ssl, options->ca, "the file of authorities", fault, NULL);
    if (SSL_CTX_set_default_verify_paths(ssl) != 1)
        return tls_fault(fault, "the system's store of authorities cannot be read");
    ERR_clear_error();
    return ST_OK;
}

static enum status client_fill(struct tls_client_context *context,
                               const struct tls_client_options *options, struct text *fault)
{
    SSL_CTX *ssl = context_new(TLS_client_method(), CIPHERS_CLIENT);
    if (ssl == NULL)
        return ST_NOMEM;
    context->ssl = ssl;
    if (SSL_CTX_set_alpn_protos(ssl, ALPN, sizeof(ALPN)) != 0) /* 0 is success here */
        return ST_NOMEM;
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ssl, tls_on_new_session);
    enum status status = client_use_authorities(ssl, options, fault);
    if (status == ST_OK && options->certificate.at != NULL)
        status = load_certificate(ssl, options->certificate, options->key, /* was_shown= */ false,
                                  fault);
    return status;
}

/* Numbers for contexts. Writers: any thread that makes one; relaxed, only uniqueness counts. */
static uint64_t next_id(void)
{
    static atomic_uint_fast64_t last;
    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

enum status tls_client_context_create(const struct tls_client_options *options, struct text *fault,
                                      struct tls_client_context **ret_context)
{
    struct tls_client_context *context = calloc(1, sizeof(*context));
    if (context == NULL)
        return ST_NOMEM;
    context->tag = TAG_TLS_CLIENT;
    context->id = next_id();
    atomic_init(&context->refs, 1);
    ERR_clear_error();
    enum status status = client_fill(context, options, fault);
    ERR_clear_error();
    if (status == ST_OK)
        *ret_context = context;
    else
        tls_client_context_unref(&context);
    return status;
}

struct tls_client_context *tls_client_context_ref(struct tls_client_context *context)
{
    CHECK_TAG(context, TAG_TLS_CLIENT);
    atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
    return context;
}

void tls_client_context_unref(struct tls_client_context **context)
{
    struct tls_client_context *gone = *context;
    *context = NULL;
    if (gone == NULL)
        return;
    CHECK_TAG(gone, TAG_TLS_CLIENT);
    if (atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(gone->ssl);
    gone->tag = 0;
    free(gone);
}
