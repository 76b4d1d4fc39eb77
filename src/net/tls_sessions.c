/* Sessions that this worker's clients may resume, in a bounded cache.
 *
 * An entry stands for one name (a digest of the client context and the caller's key) and holds up to
 * SESSIONS_EACH sessions, newest last: servers send one or two TLS 1.3 tickets a connection, each of
 * which is used once (RFC 8446 appendix C.4), while a TLS 1.2 session is used again and again. Entries
 * are allocated at creation, so that remembering asks nothing of the heap. The least recently used one
 * makes room for a session that would be beyond the limit. It is sessions that are counted, not names: each keeps the
 * certificates of its server, which are kilobytes.
 *
 *     S1  A name has at most one entry. An entry in the table has at least one session and is in `used`,
 *         oldest first; any other is in `spare`.
 *     S2  count, the sessions of all entries, <= limit.
 *
 * Names are digests, because a pool key is long and an entry should be small. */
#include "base/list.h"
#include "base/table.h"
#include "net/tls_internal.h"

#include <openssl/sha.h>
#include <stdlib.h>

enum { SESSIONS_EACH = 4 };

struct session_entry {
    struct link link;
    uint64_t hash;
    uint8_t digest[TLS_SESSION_DIGEST];
    unsigned count;
    SSL_SESSION *sessions[SESSIONS_EACH]; /* oldest first */
};

struct tls_sessions {
    uint32_t tag;
    size_t limit;
    size_t count;
    struct table table;
    struct link used; /* least recently used first */
    struct link spare;
    struct session_entry entries[];
};

#define TAG_SESSIONS TAG('t', 'l', 's', 'n')

_Static_assert(TLS_SESSION_DIGEST == SHA256_DIGEST_LENGTH, "names are SHA-256");

struct tls_sessions *tls_sessions_create(size_t limit_count)
{
    CHECK(limit_count > 0);
    struct tls_sessions *sessions =
        calloc(1, sizeof(*sessions) + limit_count * sizeof(sessions->entries[0]));
    if (sessions == NULL)
        return NULL;
    sessions->tag = TAG_SESSIONS;
    sessions->limit = limit_count;
    table_init(&sessions->table);
    link_init(&sessions->used);
    link_init(&sessions->spare);
    for (size_t i = 0; i < limit_count; i++) {
        link_init(&sessions->entries[i].link);
        list_append(&sessions->spare, &sessions->entries[i].link);
    }
    return sessions;
}

static void entry_forget(struct tls_sessions *sessions, struct session_entry *entry)
{
    for (unsigned i = 0; i < entry->count; i++) {
        SSL_SESSION_free(entry->sessions[i]);
    }
    sessions->count -= entry->count;
    entry->count = 0;
    CHECK(table_remove(&sessions->table, entry->hash, entry));
    link_remove(&entry->link);
    list_append(&sessions->spare, &entry->link);
}

static void forget_oldest(struct tls_sessions *sessions)
{
    entry_forget(sessions, CONTAINER_OF(list_first(&sessions->used), struct session_entry, link));
}

void tls_sessions_clear(struct tls_sessions *sessions)
{
    CHECK_TAG(sessions, TAG_SESSIONS);
    while (!list_is_empty(&sessions->used))
        forget_oldest(sessions);
}

void tls_sessions_destroy(struct tls_sessions **sessions)
{
    struct tls_sessions *gone = *sessions;
    *sessions = NULL;
    if (gone == NULL)
        return;
    tls_sessions_clear(gone);
    table_done(&gone->table);
    gone->tag = 0;
    free(gone);
}

size_t tls_sessions_count(const struct tls_sessions *sessions)
{
    CHECK_TAG(sessions, TAG_SESSIONS);
    return sessions->count;
}

void tls_session_digest(uint64_t context_id, struct slice key, uint8_t into[TLS_SESSION_DIGEST])
{
    uint8_t id[sizeof(context_id)];
    memcpy(id, &context_id, sizeof(id));
    SHA256((const uint8_t *)key.at, key.len, into);
    for (size_t i = 0; i < sizeof(id); i++) {
        into[i] ^= id[i]; /* distinct ids give distinct names for one key */
    }
}

static bool entry_matches(const void *entry, const void *digest)
{
    return memcmp(((const struct session_entry *)entry)->digest, digest, TLS_SESSION_DIGEST) == 0;
}

static struct session_entry *entry_find(const struct tls_sessions *sessions,
                                        const uint8_t digest[TLS_SESSION_DIGEST])
{
    uint64_t hash = table_hash(slice_of((const char *)digest, TLS_SESSION_DIGEST));
    return table_find(&sessions->table, hash, entry_matches, digest);
}

SSL_SESSION *tls_sessions_take(struct tls_sessions *sessions,
                               const uint8_t digest[TLS_SESSION_DIGEST])
{
    CHECK_TAG(sessions, TAG_SESSIONS);
    struct session_entry *entry = entry_find(sessions, digest);
    if (entry == NULL)
        return NULL;
    SSL_SESSION *session = entry->sessions[entry->count - 1];
    if (SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION) {
        link_remove(&entry->link);
        list_append(&sessions->used, &entry->link);
        (void)SSL_SESSION_up_ref(session); /* cannot fail: the count only grows */
        return session;
    }
    entry->count--;
    sessions->count--;
    if (entry->count == 0)
        entry_forget(sessions, entry);
    return session;
}

/* A spare entry under this name; there is one, since fewer than `limit` are used (S2). NULL out of memory. */
static struct session_entry *entry_add(struct tls_sessions *sessions,
                                       const uint8_t digest[TLS_SESSION_DIGEST])
{
    struct session_entry *entry =
        CONTAINER_OF(list_first(&sessions->spare), struct session_entry, link);
    entry->hash = table_hash(slice_of((const char *)digest, TLS_SESSION_DIGEST));
    memcpy(entry->digest, digest, TLS_SESSION_DIGEST);
    if (table_add(&sessions->table, entry->hash, entry) != ST_OK)
        return NULL;
    link_remove(&entry->link);
    return entry;
}

void tls_sessions_give(struct tls_sessions *sessions, const uint8_t digest[TLS_SESSION_DIGEST],
                       SSL_SESSION *session)
{
    CHECK_TAG(sessions, TAG_SESSIONS);
    struct session_entry *entry = entry_find(sessions, digest);
    bool replaces = entry != NULL && entry->count == SESSIONS_EACH;
    if (sessions->count == sessions->limit && !replaces) {
        forget_oldest(sessions);
        entry = entry_find(sessions, digest); /* it may have been the oldest */
    }
    if (entry == NULL)
        entry = entry_add(sessions, digest);
    else
        link_remove(&entry->link);
    if (entry == NULL) {
        SSL_SESSION_free(session);
        return;
    }
    if (entry->count == SESSIONS_EACH) {
        SSL_SESSION_free(entry->sessions[0]);
        memmove(entry->sessions, entry->sessions + 1,
                (SESSIONS_EACH - 1) * sizeof(entry->sessions[0]));
        entry->count--;
        sessions->count--;
    }
    entry->sessions[entry->count++] = session;
    sessions->count++;
    list_append(&sessions->used, &entry->link);
}
