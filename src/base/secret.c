/* One mapping, cut into pieces of 16 bytes and more, first fit; the piece before says how long it is.
 *
 *     | size, free? | bytes … | size, free? | bytes … |
 *
 * Keys are few and are made and dropped at a start and at reloads, so a walk over the pieces does. Neighbours that are
 * free become one on the way. The lock is for the last reference to a configuration, which any worker may drop.
 *
 * Why not the secure heap of OpenSSL, which is much the same: all its private numbers come from there, also the
 * ephemeral ones of each handshake, and where it is full the handshake fails. With the hybrid groups of OpenSSL 3.5
 * some hundred clients that never finish their handshake would shut out the others. Here only the keys of the
 * configuration come from locked memory (net/tls_library), and who finds it full gets ordinary memory.
 *
 * mlockall(2) locks all, for which the usual limit is too low. memfd_secret(2) is off in many kernels. */

#include "base/secret.h"

#include "base/check.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PIECE_MIN = 16 };

/* In front of each piece's bytes; as long as they are aligned. */
struct piece {
    size_t size; /* of the bytes */
    bool is_free;
} __attribute__((aligned(16)));

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for `used` and all pieces */
static char *all;      /* written by secret_begin, before threads */
static bool is_locked; /* likewise */
static size_t used;

void secret_begin(void)
{
    if (all != NULL)
        return;
    void *at = mmap(NULL, SECRET_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return;
    is_locked = mlock(at, SECRET_BYTES) == 0;
    (void)madvise(at, SECRET_BYTES, MADV_DONTDUMP);
    (void)madvise(at, SECRET_BYTES, MADV_WIPEONFORK);
    all = at;
    *(struct piece *)at = (struct piece){SECRET_BYTES - sizeof(struct piece), true};
}

bool secret_is_locked(void)
{
    return is_locked;
}

static char *piece_bytes(struct piece *piece)
{
    return (char *)(piece + 1);
}

/* NULL behind the last. */
static struct piece *piece_next(struct piece *piece)
{
    char *next = piece_bytes(piece) + piece->size;
    return next < all + SECRET_BYTES ? (struct piece *)(void *)next : NULL;
}

static void piece_join(struct piece *piece)
{
    for (struct piece *next = piece_next(piece); next != NULL && next->is_free;
         next = piece_next(piece))
        piece->size += sizeof(*next) + next->size;
}

/* Of a free piece, leave `size` and make another of the rest where there is enough. */
static void piece_cut(struct piece *piece, size_t size)
{
    if (piece->size - size < sizeof(*piece) + PIECE_MIN)
        return;
    struct piece *rest = (struct piece *)(void *)(piece_bytes(piece) + size);
    *rest = (struct piece){piece->size - size - sizeof(*rest), true};
    piece->size = size;
}

static struct piece *find(size_t size)
{
    for (struct piece *piece = (struct piece *)(void *)all; piece != NULL;
         piece = piece_next(piece)) {
        if (!piece->is_free)
            continue;
        piece_join(piece);
        if (piece->size >= size)
            return piece;
    }
    return NULL;
}

void *secret_alloc(size_t size)
{
    if (all == NULL || size == 0 || size > SECRET_BYTES)
        return NULL;
    size = (size + PIECE_MIN - 1) / PIECE_MIN * PIECE_MIN;
    (void)pthread_mutex_lock(&lock);
    struct piece *piece = find(size);
    if (piece != NULL) {
        piece_cut(piece, size);
        piece->is_free = false;
        used += sizeof(*piece) + piece->size;
        memset(piece_bytes(piece), 0, piece->size);
    }
    (void)pthread_mutex_unlock(&lock);
    return piece != NULL ? piece_bytes(piece) : NULL;
}

bool secret_owns(const void *at)
{
    return (uintptr_t)at - (uintptr_t)all < SECRET_BYTES && all != NULL;
}

static struct piece *piece_of(const void *at)
{
    struct piece *piece = (struct piece *)(uintptr_t)at - 1;
    CHECK(secret_owns(at) && !piece->is_free);
    return piece;
}

size_t secret_size(const void *at)
{
    return piece_of(at)->size; /* is the owner's alone while it is not free */
}

void secret_free(void *at)
{
    if (at == NULL)
        return;
    struct piece *piece = piece_of(at);
    explicit_bzero(at, piece->size);
    (void)pthread_mutex_lock(&lock);
    used -= sizeof(*piece) + piece->size;
    piece->is_free = true;
    (void)pthread_mutex_unlock(&lock);
}

void *secret_alloc_any(size_t size)
{
    void *at = secret_alloc(size);
    return at != NULL ? at : calloc(1, size);
}

void secret_free_any(void *at, size_t size)
{
    if (secret_owns(at)) {
        secret_free(at);
    } else if (at != NULL) {
        explicit_bzero(at, size);
        free(at);
    }
}

size_t secret_used(void)
{
    (void)pthread_mutex_lock(&lock);
    size_t bytes = used;
    (void)pthread_mutex_unlock(&lock);
    return bytes;
}
