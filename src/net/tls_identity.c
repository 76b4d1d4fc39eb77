/* What a client's certificate says of its owner, once a connection.
 *
 * The library verified the chain in the handshake (SSL_VERIFY_PEER), or in the one that a ticket resumes, whose context
 * has the same authority. The texts are gathered on the stack, as far as there is room, and copied into one block. What
 * is odd is left out and never shortened: a part of a name would be another name. */

#include "net/tls_stream_internal.h"

#include "base/inet.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

struct gathering {
    char room[TLS_IDENTITY_TEXT];
    size_t len;
    struct slice subject; /* in `room` */
    struct slice name;
    struct slice names[TLS_IDENTITY_NAMES];
    size_t name_count;
};

/* Bytes that may stand in a name: no controls and no blanks, so that it is one word wherever it is shown. */
static bool is_word(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if (c <= ' ' || c == 0x7f)
            return false;
    }
    return s.len > 0;
}

/* `kind` and `value` as one text; empty where there is no room. */
static struct slice gather(struct gathering *all, const char *kind, struct slice value)
{
    size_t kind_len = strlen(kind);
    size_t len = kind_len + value.len;
    char *at = all->room + all->len;
    if (len > sizeof(all->room) - all->len)
        return SLICE_NONE;
    memcpy(at, kind, kind_len);
    memcpy(at + kind_len, value.at, value.len);
    all->len += len;
    return slice_of(at, len);
}

static void gather_name(struct gathering *all, const char *kind, struct slice value)
{
    if (all->name_count == TLS_IDENTITY_NAMES || !is_word(value))
        return;
    struct slice text = gather(all, kind, value);
    if (text.len > 0)
        all->names[all->name_count++] = text;
}

static struct slice string_of(const ASN1_STRING *string)
{
    return slice_of((const char *)ASN1_STRING_get0_data(string),
                    (size_t)ASN1_STRING_length(string));
}

static void gather_address(struct gathering *all, struct slice bytes)
{
    char text[INET_ADDR_TEXT];
    struct inet_addr addr = {.family = bytes.len == 4 ? INET_V4 : INET_V6};
    if (bytes.len != 4 && bytes.len != 16)
        return;
    memcpy(addr.bytes, bytes.at, bytes.len);
    size_t len = inet_addr_format(&addr, text);
    gather_name(all, "ip:", slice_of(text, len));
}

static void gather_names(struct gathering *all, const X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) { /* -1 of NULL */
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS)
            gather_name(all, "dns:", string_of(name->d.dNSName));
        else if (name->type == GEN_EMAIL)
            gather_name(all, "email:", string_of(name->d.rfc822Name));
        else if (name->type == GEN_URI)
            gather_name(all, "uri:", string_of(name->d.uniformResourceIdentifier));
        else if (name->type == GEN_IPADD)
            gather_address(all, string_of(name->d.iPAddress));
    }
    GENERAL_NAMES_free(names);
}

/* RFC 4514, with UTF-8 as it is. */
static void gather_subject(struct gathering *all, const X509_NAME *subject)
{
    char *text = NULL;
    BIO *memory = BIO_new(BIO_s_mem());
    if (memory == NULL)
        return;
    unsigned long form = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
    if (X509_NAME_print_ex(memory, subject, 0, form) >= 0) {
        long len = BIO_get_mem_data(memory, &text);
        if (len > 0)
            all->subject = gather(all, "", slice_of(text, (size_t)len));
    }
    BIO_free(memory);
}

static void gather_common_name(struct gathering *all, const X509_NAME *subject)
{
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
        return;
    unsigned char *text = NULL;
    const ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    int len = ASN1_STRING_to_UTF8(&text, value);
    struct slice name = slice_of((const char *)text, len > 0 ? (size_t)len : 0);
    if (is_word(name))
        all->name = gather(all, "", name);
    OPENSSL_free(text);
}

/* A date that cannot be read is over. */
static int64_t good_until(const X509 *certificate)
{
    struct tm date;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &date) != 1)
        return 0;
    return (int64_t)timegm(&date);
}

static int64_t all_good_until(const SSL *ssl, const X509 *certificate)
{
    int64_t least = good_until(certificate);
    const STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl); /* NULL: it was resumed */
    for (int i = 0; chain != NULL && i < sk_X509_num(chain); i++) {
        int64_t until = good_until(sk_X509_value(chain, i));
        least = until < least ? until : least;
    }
    return least;
}

/* Where a text of the gathering stands in the copy. */
static struct slice moved(const struct gathering *all, struct slice text, char *copy)
{
    return text.len == 0 ? SLICE_NONE : slice_of(copy + (text.at - all->room), text.len);
}

static struct tls_identity *identity_of(const struct gathering *all)
{
    size_t names_bytes = all->name_count * sizeof(struct slice);
    struct tls_identity *identity = malloc(sizeof(*identity) + names_bytes + all->len);
    if (identity == NULL)
        return NULL;
    struct slice *names = (struct slice *)(void *)(identity + 1);
    char *copy = (char *)(names + all->name_count);
    memcpy(copy, all->room, all->len);
    *identity = (struct tls_identity){
        .subject = moved(all, all->subject, copy),
        .name = moved(all, all->name, copy),
        .names = names,
        .name_count = all->name_count,
    };
    for (size_t i = 0; i < all->name_count; i++)
        names[i] = moved(all, all->names[i], copy);
    return identity;
}

enum status tls_identity_read(const struct transport *transport, struct tls_identity **ret_identity)
{
    const struct tls *tls = tls_of_const(transport);
    const X509 *certificate = tls->is_open ? SSL_get0_peer_certificate(tls->ssl) : NULL;
    struct gathering all;
    if (certificate == NULL || SSL_get_verify_result(tls->ssl) != X509_V_OK)
        return ST_EOF;
    all.len = all.name_count = 0;
    all.subject = all.name = SLICE_NONE;
    const X509_NAME *subject = X509_get_subject_name(certificate);
    gather_subject(&all, subject);
    gather_common_name(&all, subject);
    gather_names(&all, certificate);
    ERR_clear_error(); /* of an extension that cannot be read */
    struct tls_identity *identity = identity_of(&all);
    if (identity == NULL)
        return ST_NOMEM;
    identity->good_until_s = all_good_until(tls->ssl, certificate);
    *ret_identity = identity;
    return ST_OK;
}

void tls_identity_free(struct tls_identity **identity)
{
    free(*identity);
    *identity = NULL;
}
