/* Ticket keys: what seals the sessions that clients bring back (RFC 5077, RFC 8446 §4.6.1).
 *
 * One set of keys serves all workers and outlives reloads, so that a session may be resumed wherever the
 * kernel sends the next connection. Keys stand in a ring of KEYS slots; `generation` counts them, the
 * current one is slots[generation % KEYS] and the one before still opens tickets, which are then renewed.
 *
 *     K1  A slot is written before its generation is published (release), and read after (acquire).
 *     K2  The slot written next is the oldest of KEYS, so that a reader would have to sleep through two
 *         periods of hours to meet a writer.
 *     K3  One thread at a time rotates; the others go on with the keys they have.
 *
 * Rotation happens on use, when the current key is older than a period: no timer and no thread owns it.
 * Not done here: keys shared between machines. */
#include "base/clock.h"
#include "base/random.h"
#include "base/secret.h"
#include "net/tls_internal.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

enum { KEYS = 4, KEY_NAME = 16, KEY_SECRET = 32, KEY_IV = 16 };

struct ticket_key {
    uint8_t name[KEY_NAME];
    uint8_t cipher[KEY_SECRET];
    uint8_t mac[KEY_SECRET];
    uint64_t made_ns;
};

struct tls_tickets {
    uint32_t tag;
    atomic_uint refs;       /* any thread; acq_rel on the last step down */
    atomic_uint generation; /* written by the rotating thread (release), read by all (acquire) */
    atomic_flag rotating;   /* taken by the thread that rotates */
    EVP_CIPHER *cipher;     /* fetched once, read by all */
    struct ticket_key keys[KEYS];
};

#define TAG_TICKETS TAG('t', 'l', 's', 'k')

static void ticket_key_make(struct ticket_key *key)
{
    random_secure(key->name, sizeof(key->name));
    random_secure(key->cipher, sizeof(key->cipher));
    random_secure(key->mac, sizeof(key->mac));
    key->made_ns = clock_monotonic_ns();
}

struct tls_tickets *tls_tickets_create(void)
{
    struct tls_tickets *tickets = secret_alloc_any(sizeof(*tickets));
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    if (tickets == NULL || cipher == NULL) {
        EVP_CIPHER_free(cipher);
        secret_free_any(tickets, sizeof(*tickets));
        return NULL;
    }
    tickets->tag = TAG_TICKETS;
    tickets->cipher = cipher;
    atomic_init(&tickets->refs, 1);
    atomic_init(&tickets->generation, 0);
    atomic_flag_clear(&tickets->rotating);
    ticket_key_make(&tickets->keys[0]);
    return tickets;
}

struct tls_tickets *tls_tickets_ref(struct tls_tickets *tickets)
{
    CHECK_TAG(tickets, TAG_TICKETS);
    atomic_fetch_add_explicit(&tickets->refs, 1, memory_order_relaxed);
    return tickets;
}

void tls_tickets_unref(struct tls_tickets **tickets)
{
    struct tls_tickets *gone = *tickets;
    *tickets = NULL;
    if (gone == NULL)
        return;
    CHECK_TAG(gone, TAG_TICKETS);
    if (atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) != 1)
        return;
    EVP_CIPHER_free(gone->cipher);
    secret_free_any(gone, sizeof(*gone));
}

/* Make a new current key where the present one is older than a period; returns the generation. */
static unsigned tickets_rotate(struct tls_tickets *tickets)
{
    unsigned generation = atomic_load_explicit(&tickets->generation, memory_order_acquire);
    uint64_t age_ns = clock_monotonic_ns() - tickets->keys[generation % KEYS].made_ns;
    if (age_ns < TLS_TICKET_PERIOD_S * NS_PER_S)
        return generation;
    if (atomic_flag_test_and_set_explicit(&tickets->rotating, memory_order_acquire))
        return generation; /* another thread is at it (K3) */
    /* The one before us may have rotated since we looked. */
    if (atomic_load_explicit(&tickets->generation, memory_order_relaxed) == generation) {
        ticket_key_make(&tickets->keys[(generation + 1) % KEYS]);
        generation++;
        atomic_store_explicit(&tickets->generation, generation, memory_order_release);
    } else {
        generation++;
    }
    atomic_flag_clear_explicit(&tickets->rotating, memory_order_release);
    return generation;
}

static bool ticket_set_mac(const struct ticket_key *key, EVP_MAC_CTX *mac)
{
    /* The library asks for writable memory, and only reads it. */
    char digest[] = "SHA256";
    uint8_t secret[KEY_SECRET];
    memcpy(secret, key->mac, sizeof(secret));
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, secret, sizeof(secret)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    bool is_set = EVP_MAC_CTX_set_params(mac, params) == 1;
    OPENSSL_cleanse(secret, sizeof(secret));
    return is_set;
}

static int ticket_seal(struct tls_tickets *tickets, uint8_t *name, uint8_t *iv,
                       EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    const struct ticket_key *key = &tickets->keys[tickets_rotate(tickets) % KEYS];
    memcpy(name, key->name, KEY_NAME);
    random_secure(iv, KEY_IV);
    if (EVP_EncryptInit_ex(cipher, tickets->cipher, NULL, key->cipher, iv) != 1)
        return -1;
    return ticket_set_mac(key, mac) ? 1 : -1;
}

/* 0: not our key, a full handshake follows; 1: good; 2: good, and to be renewed. */
static int ticket_open(struct tls_tickets *tickets, const uint8_t *name, const uint8_t *iv,
                       EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    unsigned generation = tickets_rotate(tickets);
    unsigned back = 0;
    const struct ticket_key *key = &tickets->keys[generation % KEYS];
    if (memcmp(name, key->name, KEY_NAME) != 0) {
        back = 1;
        key = &tickets->keys[(generation - 1) % KEYS];
        if (generation == 0 || memcmp(name, key->name, KEY_NAME) != 0)
            return 0;
    }
    if (EVP_DecryptInit_ex(cipher, tickets->cipher, NULL, key->cipher, iv) != 1)
        return -1;
    if (!ticket_set_mac(key, mac))
        return -1;
    return back == 0 ? 1 : 2;
}

static int ticket_callback(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                           EVP_MAC_CTX *mac, int is_sealing)
{
    struct tls_tickets *tickets = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    CHECK_TAG(tickets, TAG_TICKETS);
    if (is_sealing)
        return ticket_seal(tickets, name, iv, cipher, mac);
    int verdict = ticket_open(tickets, name, iv, cipher, mac);
    /* TLS 1.3 clients use a ticket once (RFC 8446 appendix C.4), so they always need another. */
    return verdict == 1 && SSL_version(ssl) >= TLS1_3_VERSION ? 2 : verdict;
}

enum status tls_tickets_use(struct tls_tickets *tickets, SSL_CTX *ssl)
{
    CHECK_TAG(tickets, TAG_TICKETS);
    if (SSL_CTX_set_app_data(ssl, tickets) != 1)
        return ST_NOMEM;
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, ticket_callback);
    return ST_OK;
}
