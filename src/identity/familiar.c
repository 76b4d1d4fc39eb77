/* Rows of four places, as in the cache of a worker. Nothing of the credentials is kept but a digest that means nothing
 * outside of this process.
 *
 * The client is part of it: what somebody has proven from one address opens no guessing from another. A count of
 * failures for each user beside that of the client was left out: who is excused would tell who exists. */

#include "identity/familiar.h"

#include <pthread.h>
#include <stdlib.h>

enum { ROW_PLACES = 4, ROWS = FAMILIAR_COUNT / ROW_PLACES };

struct place {
    struct digest field;
    struct digest proof;
    uint64_t client;
    uint64_t noted_ns; /* 0: free */
};

struct familiar {
    pthread_mutex_t lock;
    struct place places[ROWS][ROW_PLACES];
};

struct familiar *familiar_create(void)
{
    struct familiar *familiar = calloc(1, sizeof(*familiar));
    if (familiar != NULL)
        (void)pthread_mutex_init(&familiar->lock, NULL);
    return familiar;
}

void familiar_destroy(struct familiar **familiar)
{
    if (*familiar != NULL)
        (void)pthread_mutex_destroy(&(*familiar)->lock);
    free(*familiar);
    *familiar = NULL;
}

/* One account that is used from many addresses does not fill one row. */
static struct place *row_of(struct familiar *familiar, uint64_t client, const struct digest *field)
{
    return familiar->places[(field->word[0] ^ client) % ROWS];
}

static bool is_of(const struct place *place, uint64_t client, const struct digest *field)
{
    return place->noted_ns != 0 && place->client == client && digest_equals(&place->field, field);
}

void familiar_note(struct familiar *familiar, uint64_t client, const struct digest *field,
                   const struct digest *proof, uint64_t now_ns)
{
    (void)pthread_mutex_lock(&familiar->lock);
    struct place *row = row_of(familiar, client, field);
    struct place *into = &row[0];
    for (size_t i = 0; i < ROW_PLACES; i++) {
        if (is_of(&row[i], client, field)) {
            into = &row[i];
            break;
        }
        if (row[i].noted_ns < into->noted_ns)
            into = &row[i];
    }
    *into = (struct place){*field, *proof, client, now_ns};
    (void)pthread_mutex_unlock(&familiar->lock);
}

bool familiar_knows(struct familiar *familiar, uint64_t client, const struct digest *field,
                    const struct digest *proof)
{
    bool is_known = false;
    (void)pthread_mutex_lock(&familiar->lock);
    const struct place *row = row_of(familiar, client, field);
    for (size_t i = 0; i < ROW_PLACES; i++)
        is_known =
            is_known || (is_of(&row[i], client, field) && digest_equals(&row[i].proof, proof));
    (void)pthread_mutex_unlock(&familiar->lock);
    return is_known;
}
