/* One queue under one lock, and threads that take from it in the order of coming. The lock is held for a few
 * instructions, and only around computations of milliseconds.
 *
 * Posting a job gives all that was written to it to its loop's thread, by the lock of the mailbox; taking it from the
 * queue does the same the other way. */

#include "identity/hasher.h"

#include "base/check.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct hasher {
    pthread_mutex_t lock;
    pthread_cond_t has_work;
    struct link queue;
    unsigned queue_count;
    bool is_ending;
    void (*on_memory)(void *owner, int64_t bytes);
    void *owner;
    unsigned thread_count;
    pthread_t threads[HASHER_THREADS];
    struct password_space *spaces[HASHER_THREADS];
};

struct seat {
    struct hasher *hasher;
    struct password_space *space;
};

static void deliver(struct message *message)
{
    struct hash_job *job = CONTAINER_OF(message, struct hash_job, message);
    job->on_done(job);
}

/* The next job, or NULL at the end. */
static struct hash_job *take_job(struct hasher *hasher)
{
    struct hash_job *job = NULL;
    (void)pthread_mutex_lock(&hasher->lock);
    while (list_is_empty(&hasher->queue) && !hasher->is_ending)
        (void)pthread_cond_wait(&hasher->has_work, &hasher->lock);
    struct link *first = list_first(&hasher->queue);
    if (first != NULL) {
        job = CONTAINER_OF(first, struct hash_job, link);
        link_remove(first);
        hasher->queue_count--;
    }
    (void)pthread_mutex_unlock(&hasher->lock);
    return job;
}

static void compute(const struct seat *seat, struct hash_job *job)
{
    const struct hasher *hasher = seat->hasher;
    int64_t bytes = (int64_t)password_memory(slice_from_string(job->hash));
    if (hasher->on_memory != NULL)
        hasher->on_memory(hasher->owner, bytes);
    job->is_match = password_matches(seat->space, job->password, job->hash);
    if (hasher->on_memory != NULL)
        hasher->on_memory(hasher->owner, -bytes);
}

static void *work(void *argument)
{
    struct seat seat = *(struct seat *)argument;
    free(argument);
    (void)pthread_setname_np(pthread_self(), "hasher"); /* only for people */
    struct hash_job *job;
    while ((job = take_job(seat.hasher)) != NULL) {
        job->was_hashed = !atomic_load_explicit(&job->is_cancelled, memory_order_relaxed);
        if (job->was_hashed)
            compute(&seat, job);
        explicit_bzero(job->password, sizeof(job->password));
        job->message.deliver = deliver;
        loop_post(job->home, &job->message);
    }
    return NULL;
}

static bool start_thread(struct hasher *hasher)
{
    unsigned i = hasher->thread_count;
    struct seat *seat = malloc(sizeof(*seat));
    hasher->spaces[i] = password_space_create();
    if (seat == NULL || hasher->spaces[i] == NULL) {
        free(seat);
        return false;
    }
    *seat = (struct seat){hasher, hasher->spaces[i]};
    if (pthread_create(&hasher->threads[i], NULL, work, seat) != 0) {
        free(seat);
        return false;
    }
    hasher->thread_count++;
    return true;
}

struct hasher *hasher_create(void (*on_memory)(void *owner, int64_t bytes), void *owner)
{
    struct hasher *hasher = calloc(1, sizeof(*hasher));
    if (hasher == NULL)
        return NULL;
    (void)pthread_mutex_init(&hasher->lock, NULL);
    (void)pthread_cond_init(&hasher->has_work, NULL);
    link_init(&hasher->queue);
    hasher->on_memory = on_memory;
    hasher->owner = owner;
    while (hasher->thread_count < HASHER_THREADS) {
        if (!start_thread(hasher)) {
            hasher_destroy(&hasher);
            return NULL;
        }
    }
    return hasher;
}

void hasher_destroy(struct hasher **destroy)
{
    struct hasher *hasher = *destroy;
    if (hasher == NULL)
        return;
    (void)pthread_mutex_lock(&hasher->lock);
    CHECK(list_is_empty(&hasher->queue));
    hasher->is_ending = true;
    (void)pthread_cond_broadcast(&hasher->has_work);
    (void)pthread_mutex_unlock(&hasher->lock);
    for (unsigned i = 0; i < hasher->thread_count; i++)
        (void)pthread_join(hasher->threads[i], NULL);
    for (unsigned i = 0; i < HASHER_THREADS; i++)
        password_space_destroy(&hasher->spaces[i]);
    (void)pthread_cond_destroy(&hasher->has_work);
    (void)pthread_mutex_destroy(&hasher->lock);
    free(hasher);
    *destroy = NULL;
}

enum status hasher_submit(struct hasher *hasher, struct hash_job *job)
{
    enum status status = ST_LIMIT;
    link_init(&job->link);
    (void)pthread_mutex_lock(&hasher->lock);
    if (hasher->queue_count < HASHER_QUEUE_MAX) {
        list_append(&hasher->queue, &job->link);
        hasher->queue_count++;
        (void)pthread_cond_signal(&hasher->has_work);
        status = ST_OK;
    }
    (void)pthread_mutex_unlock(&hasher->lock);
    return status;
}
