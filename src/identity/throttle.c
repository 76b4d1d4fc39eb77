/* Guesses are counted as a leaky bucket, kept as one time for each client (the generic cell rate algorithm): `full_ns`
 * is when all of its failures will be forgotten. A failure moves it on by period / failures; while it is more than a
 * period less one such step ahead, the client must wait. So there are `failures` guesses at once and one more in each
 * step, whatever pauses are made.
 *
 * The table is of one size and never grows: a client has its place in one row of eight, and who comes new takes the
 * place of the one that is forgiven soonest. Whoever has many addresses can so make room for himself, but he needs as
 * many addresses for that as he would for guessing.
 *
 *   T1  what is being judged keeps its place (`at_once` > 0). */

#include "identity/throttle.h"

#include "base/check.h"
#include "base/table.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 1024, ROW_PLACES = 8 };

struct place {
    uint64_t client; /* 0: free */
    uint64_t full_ns;
    uint32_t at_once;
};

struct throttle {
    pthread_mutex_t lock;
    struct place places[ROWS][ROW_PLACES];
};

uint64_t throttle_client(const struct inet_addr *addr, uint32_t uid)
{
    char bytes[1 + 8] = {0};
    struct inet_addr plain = inet_addr_unmap(addr);
    bytes[0] = (char)plain.family;
    if (plain.family == INET_NONE)
        memcpy(bytes + 1, &uid, sizeof(uid));
    else
        memcpy(bytes + 1, plain.bytes, plain.family == INET_V4 ? 4 : 8);
    uint64_t client = table_hash(slice_of(bytes, sizeof(bytes)));
    return client != 0 ? client : 1;
}

struct throttle *throttle_create(void)
{
    struct throttle *throttle = calloc(1, sizeof(*throttle));
    if (throttle != NULL)
        (void)pthread_mutex_init(&throttle->lock, NULL);
    return throttle;
}

void throttle_destroy(struct throttle **throttle)
{
    if (*throttle != NULL)
        (void)pthread_mutex_destroy(&(*throttle)->lock);
    free(*throttle);
    *throttle = NULL;
}

static struct place *find(struct throttle *throttle, uint64_t client)
{
    struct place *row = throttle->places[client % ROWS];
    for (size_t i = 0; i < ROW_PLACES; i++) {
        if (row[i].client == client)
            return &row[i];
    }
    return NULL;
}

/* A place for a client that has none; NULL where all are of clients that are being judged. */
static struct place *take(struct throttle *throttle, uint64_t client)
{
    struct place *row = throttle->places[client % ROWS];
    struct place *best = NULL;
    for (size_t i = 0; i < ROW_PLACES; i++) {
        if (row[i].at_once == 0 && (best == NULL || row[i].full_ns < best->full_ns)) /* T1 */
            best = &row[i];
    }
    if (best != NULL)
        *best = (struct place){.client = client};
    return best;
}

enum status throttle_begin(struct throttle *throttle, uint64_t client,
                           const struct throttle_limits *limits, uint64_t now_ns,
                           uint64_t *ret_wait_ns)
{
    uint64_t step_ns = limits->period_ns / limits->failures;
    uint64_t most_ns = limits->period_ns - step_ns; /* ahead of now, and still a guess is left */
    enum status status = ST_OK;
    (void)pthread_mutex_lock(&throttle->lock);
    struct place *place = find(throttle, client);
    if (place == NULL)
        place = take(throttle, client);
    if (place == NULL || place->at_once >= THROTTLE_AT_ONCE) {
        status = ST_AGAIN;
    } else if (place->full_ns > now_ns + most_ns) {
        status = ST_LIMIT;
        *ret_wait_ns = place->full_ns - now_ns - most_ns;
    } else {
        place->at_once++;
    }
    (void)pthread_mutex_unlock(&throttle->lock);
    return status;
}

void throttle_end(struct throttle *throttle, uint64_t client, const struct throttle_limits *limits,
                  uint64_t now_ns, bool has_failed)
{
    (void)pthread_mutex_lock(&throttle->lock);
    struct place *place = find(throttle, client);
    CHECK(place != NULL && place->at_once > 0);
    place->at_once--;
    if (has_failed) {
        uint64_t from_ns = place->full_ns > now_ns ? place->full_ns : now_ns;
        place->full_ns = from_ns + limits->period_ns / limits->failures;
    }
    (void)pthread_mutex_unlock(&throttle->lock);
}
