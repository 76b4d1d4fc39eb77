/* PEM in memory: certificate chains and keys, with sentences for what is wrong.
 *
 * The server reads the files itself (maybe through a privileged parent), so that nothing here opens a
 * path. Every failure is told in words that name the input and the cause; the library's own reason
 * follows where it helps. A pass phrase is never asked for: a server must start unattended. */
#include "net/tls_internal.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>

enum status tls_fault(struct text *fault, const char *sentence)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    text_add(fault, slice_from_string(sentence));
    if (reason != NULL)
        text_add_format(fault, " (%s)", reason);
    ERR_clear_error();
    return ST_BAD;
}

static enum status pem_fault(struct text *fault, const char *what, const char *rest)
{
    text_add_format(fault, "%s %s", what, rest);
    ERR_clear_error();
    return ST_BAD;
}

/* True where the last failure was only "there is no further block". */
static bool pem_has_ended(void)
{
    unsigned long error = ERR_peek_last_error();
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static BIO *pem_open(struct slice pem)
{
    if (pem.len == 0 || pem.len > INT_MAX)
        return NULL;
    return BIO_new_mem_buf(pem.at, (int)pem.len);
}

static enum status pem_read_rest(BIO *bio, const char *what, struct text *fault,
                                 STACK_OF(X509) * chain)
{
    for (;;) {
        X509 *next = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (next == NULL)
            break;
        if (sk_X509_push(chain, next) == 0) {
            X509_free(next);
            return pem_fault(fault, what, "does not fit into memory");
        }
    }
    if (!pem_has_ended())
        return pem_fault(fault, what, "has a damaged certificate in its chain");
    ERR_clear_error();
    return ST_OK;
}

enum status tls_pem_chain(struct slice pem, const char *what, struct text *fault, X509 **ret_leaf,
                          STACK_OF(X509) * *ret_chain)
{
    if (pem.len == 0)
        return pem_fault(fault, what, "is empty");
    enum status status = ST_BAD;
    BIO *bio = pem_open(pem);
    STACK_OF(X509) *chain = sk_X509_new_null();
    X509 *leaf = NULL;
    if (bio == NULL || chain == NULL) {
        (void)pem_fault(fault, what, "does not fit into memory");
        goto out;
    }
    leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (leaf == NULL) {
        (void)pem_fault(fault, what,
                        pem_has_ended() ? "holds no PEM certificate"
                                        : "is damaged: its first certificate cannot be read");
        goto out;
    }
    status = pem_read_rest(bio, what, fault, chain);
out:
    BIO_free(bio);
    if (status != ST_OK) {
        X509_free(leaf);
        sk_X509_pop_free(chain, X509_free);
        return status;
    }
    *ret_leaf = leaf;
    *ret_chain = chain;
    return ST_OK;
}

/* Called by the library for an encrypted key only. */
static int pem_refuse_pass_phrase(char *into, int cap, int is_writing, void *was_asked)
{
    (void)into;
    (void)cap;
    (void)is_writing;
    *(bool *)was_asked = true;
    return -1;
}

enum status tls_pem_key(struct slice pem, struct text *fault, EVP_PKEY **ret_key)
{
    if (pem.len == 0)
        return pem_fault(fault, TLS_FAULT_KEY, "is empty");
    BIO *bio = pem_open(pem);
    if (bio == NULL)
        return pem_fault(fault, TLS_FAULT_KEY, "does not fit into memory");
    bool was_asked = false;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, pem_refuse_pass_phrase, &was_asked);
    BIO_free(bio);
    if (key != NULL) {
        ERR_clear_error();
        *ret_key = key;
        return ST_OK;
    }
    if (was_asked)
        return pem_fault(fault, TLS_FAULT_KEY,
                         "is encrypted; store it without a pass phrase, readable by root only");
    /* The library's decoders say the same of both. */
    bool is_there = memmem(pem.at, pem.len, "PRIVATE KEY-----", 16) != NULL;
    return pem_fault(fault, TLS_FAULT_KEY,
                     is_there ? "is damaged" : "is missing: no PEM private key was found");
}
