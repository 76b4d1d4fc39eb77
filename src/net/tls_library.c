/* What is done once for the library, and its memory.
 *
 * The library asks its own functions for memory, ours after tls_library_begin. A thread that loads a key says so, and
 * then gets locked memory; the numbers of the key stay there as long as the key does. Other threads go on as before:
 * one question more for each piece that is given back, whose it is. Working copies of a signature are on the heap and
 * the stack for the time that it takes, and are cleared by the library.
 *
 * Faults on purpose bring functions of their own (fault_calls.c), so a build with them has no locked memory here. */

#include "net/tls_library.h"

#include "base/secret.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local bool is_secret_now;

#ifndef FAIRLEAD_FAULTS

static void *library_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    void *at = is_secret_now ? secret_alloc(size) : NULL;
    return at != NULL || size == 0 ? at : malloc(size);
}

static void library_free(void *at, const char *file, int line)
{
    (void)file;
    (void)line;
    if (secret_owns(at))
        secret_free(at);
    else
        free(at);
}

static void *library_realloc(void *at, size_t size, const char *file, int line)
{
    if (at == NULL)
        return library_malloc(size, file, line);
    if (size == 0) {
        library_free(at, file, line);
        return NULL;
    }
    if (!secret_owns(at))
        return realloc(at, size);
    void *other = secret_alloc(size);
    if (other == NULL)
        other = malloc(size);
    if (other == NULL)
        return NULL;
    size_t had = secret_size(at);
    memcpy(other, at, had < size ? had : size);
    secret_free(at);
    return other;
}

static void use_memory(void)
{
    secret_begin();
    /* Fails where the library has allocated before, and keys are then ordinary memory. */
    (void)CRYPTO_set_mem_functions(library_malloc, library_realloc, library_free);
}

#else

static void use_memory(void)
{
    secret_begin();
}

#endif

void tls_library_begin(void)
{
    use_memory();
    (void)OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL);
}

void tls_library_keep_secret(bool is_secret)
{
    is_secret_now = is_secret;
}

size_t tls_trust_paths(const char *into[TLS_TRUST_PATHS])
{
    const char *const all[TLS_TRUST_PATHS] = {
        getenv(X509_get_default_cert_file_env()),
        getenv(X509_get_default_cert_dir_env()),
        X509_get_default_cert_file(),
        X509_get_default_cert_dir(),
    };
    size_t count = 0;
    for (size_t i = 0; i < TLS_TRUST_PATHS; i++) {
        if (all[i] != NULL)
            into[count++] = all[i];
    }
    return count;
}
