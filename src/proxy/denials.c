/* A table of askers, looked through from end to end: it is read and written when somebody is refused, or asks why, and
 * then costs some microseconds. A hash table with a list by age would be faster and would be the larger part of this
 * file.
 *
 * One lock for all. Refusals of several workers at the same time wait for each other; a worker holds it while it
 * compares and copies one refusal, and neither allocates nor calls anybody. */

#include "proxy/denials.h"

#include "base/check.h"
#include "base/table.h"
#include "identity/throttle.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Who has the place of the same number. Beside each other, so that a look takes two pages. */
struct holder {
    uint64_t asker; /* 0: free */
    uint64_t turn;  /* of its last refusal */
};

/* What an asker was refused, and the turn of each by the table's count of refusals; 0: free. */
struct place {
    uint64_t turns[DENIALS_EACH];
    struct denial denials[DENIALS_EACH];
};

struct denials {
    pthread_mutex_t lock;
    uint64_t turn;
    struct holder holders[DENIALS_ASKERS];
    struct place places[DENIALS_ASKERS];
};

static_assert(sizeof(struct denials) <= 3400 * 1024, "docs/refusals.md says how much it is");

void denial_set(char *into, size_t room, struct slice text)
{
    CHECK(room > 0);
    size_t len = text.len < room ? text.len : room - 1;
    if (len > 0)
        memcpy(into, text.at, len);
    into[len] = '\0';
}

/* ---- askers ---- */

static uint64_t asker_of(char kind, uint64_t number)
{
    char bytes[1 + sizeof(number)] = {kind};
    memcpy(bytes + 1, &number, sizeof(number));
    return table_hash(slice_of(bytes, sizeof(bytes))) | 1; /* which is not 0 */
}

uint64_t denials_asker_user(struct slice user)
{
    return asker_of('u', table_hash(user));
}

uint64_t denials_asker_addr(const struct inet_addr *addr)
{
    CHECK(addr->family != INET_NONE);
    return asker_of('a', throttle_client(addr, 0));
}

uint64_t denials_asker_uid(uint32_t uid)
{
    return asker_of('p', uid);
}

/* ---- the table ---- */

struct denials *denials_create(void)
{
    struct denials *denials = calloc(1, sizeof(*denials));
    if (denials != NULL)
        (void)pthread_mutex_init(&denials->lock, NULL);
    return denials;
}

void denials_destroy(struct denials **denials)
{
    if (*denials != NULL)
        (void)pthread_mutex_destroy(&(*denials)->lock);
    free(*denials);
    *denials = NULL;
}

enum { NOWHERE = DENIALS_ASKERS };

static size_t find(const struct denials *denials, uint64_t asker)
{
    size_t at = 0;
    while (at < DENIALS_ASKERS && denials->holders[at].asker != asker)
        at++;
    return at;
}

/* A place for one who has none: free, or that of who was refused the longest time ago. */
static size_t take(struct denials *denials, uint64_t asker)
{
    size_t oldest = 0;
    for (size_t i = 1; i < DENIALS_ASKERS; i++) {
        if (denials->holders[i].turn < denials->holders[oldest].turn)
            oldest = i;
    }
    memset(denials->places[oldest].turns, 0, sizeof(denials->places[oldest].turns));
    denials->holders[oldest].asker = asker;
    return oldest;
}

static bool is_same(const struct denial *a, const struct denial *b)
{
    return a->cause == b->cause && a->status == b->status && a->port == b->port &&
           strcmp(a->host, b->host) == 0 && strcmp(a->scheme, b->scheme) == 0 &&
           strcmp(a->method, b->method) == 0 && strcmp(a->rule, b->rule) == 0;
}

/* Where it goes: over the same one, else to a free place, else over the oldest. */
static size_t choose(const struct place *place, const struct denial *denial)
{
    size_t oldest = 0;
    for (size_t i = 0; i < DENIALS_EACH; i++) {
        if (place->turns[i] != 0 && is_same(&place->denials[i], denial))
            return i;
        if (place->turns[i] < place->turns[oldest])
            oldest = i;
    }
    return oldest;
}

void denials_note(struct denials *denials, uint64_t asker, const struct denial *denial,
                  uint64_t now_ns)
{
    CHECK(asker != 0);
    (void)pthread_mutex_lock(&denials->lock);
    size_t number = find(denials, asker);
    if (number == NOWHERE)
        number = take(denials, asker);
    struct place *place = &denials->places[number];
    size_t at = choose(place, denial);
    struct denial *kept = &place->denials[at];
    bool is_again = place->turns[at] != 0 && is_same(kept, denial);
    uint64_t count = is_again ? kept->count : 0;
    *kept = *denial;
    kept->at_ns = now_ns;
    kept->count = count + 1;
    place->turns[at] = denials->holders[number].turn = ++denials->turn;
    (void)pthread_mutex_unlock(&denials->lock);
}

/* The newest one of before that turn; DENIALS_EACH where there is none. */
static size_t newest(const struct place *place, uint64_t before)
{
    size_t best = DENIALS_EACH;
    for (size_t i = 0; i < DENIALS_EACH; i++) {
        uint64_t turn = place->turns[i];
        bool is_newer = best == DENIALS_EACH || turn > place->turns[best];
        if (turn != 0 && turn < before && is_newer)
            best = i;
    }
    return best;
}

static size_t copy(const struct place *place, struct denial into[DENIALS_EACH])
{
    size_t count = 0;
    size_t at = newest(place, UINT64_MAX);
    while (at < DENIALS_EACH) {
        into[count++] = place->denials[at];
        at = newest(place, place->turns[at]);
    }
    return count;
}

size_t denials_copy(struct denials *denials, uint64_t asker, struct denial into[DENIALS_EACH])
{
    size_t count = 0;
    CHECK(asker != 0);
    (void)pthread_mutex_lock(&denials->lock);
    size_t number = find(denials, asker);
    if (number != NOWHERE)
        count = copy(&denials->places[number], into);
    (void)pthread_mutex_unlock(&denials->lock);
    return count;
}
