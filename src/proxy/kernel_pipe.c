/* The pool keeps all its pipes in one array, in two lists: those that wait open, the last used first, and those that
 * are closed. */

#include "proxy/kernel_pipe.h"

#include "base/check.h"
#include "io/socket.h"

enum {
    KERNEL_PIPE_BYTES_MIN = 64 * 1024, /* one with less room is slower than a copy */
    KERNEL_PIPE_HOLDOFF = 64,          /* to ask costs as much as several copies of little */
};

void kernel_pipe_pool_init(struct kernel_pipe_pool *pool, struct counters *counters)
{
    *pool = (struct kernel_pipe_pool){.counters = counters};
    for (size_t i = KERNEL_PIPES_MAX; i > 0; i--) {
        pool->pipes[i - 1] = (struct kernel_pipe){.ends = {-1, -1}, .next = pool->closed};
        pool->closed = &pool->pipes[i - 1];
    }
}

static struct kernel_pipe *kernel_pipe_pop(struct kernel_pipe **list)
{
    struct kernel_pipe *pipe = *list;
    *list = pipe->next;
    pipe->next = NULL;
    return pipe;
}

static void kernel_pipe_push(struct kernel_pipe **list, struct kernel_pipe *pipe)
{
    CHECK(pipe->next == NULL);
    pipe->next = *list;
    *list = pipe;
}

static void kernel_pipe_close(struct kernel_pipe_pool *pool, struct kernel_pipe *pipe)
{
    socket_close(&pipe->ends[0]);
    socket_close(&pipe->ends[1]);
    pool->large_count -= pipe->cap == KERNEL_PIPE_LARGE_BYTES;
    counter_sub(pool->counters, COUNT_PIPES, 1);
    pipe->len = 0;
    kernel_pipe_push(&pool->closed, pipe);
}

void kernel_pipe_pool_done(struct kernel_pipe_pool *pool)
{
    while (pool->spare != NULL)
        kernel_pipe_close(pool, kernel_pipe_pop(&pool->spare));
    pool->spare_count = pool->idle_count = 0;
    for (size_t i = 0; i < KERNEL_PIPES_MAX; i++)
        CHECK(pool->pipes[i].ends[0] < 0);
}

bool kernel_pipe_pool_tidy(struct kernel_pipe_pool *pool)
{
    if (++pool->tidy_calls < KERNEL_PIPES_TIDY)
        return pool->spare_count > 0;
    pool->tidy_calls = 0;
    struct kernel_pipe **needed = &pool->spare; /* the last used first */
    for (unsigned kept = pool->spare_count - pool->idle_count; kept > 0; kept--)
        needed = &(*needed)->next;
    while (*needed != NULL)
        kernel_pipe_close(pool, kernel_pipe_pop(needed));
    pool->spare_count -= pool->idle_count;
    pool->idle_count = pool->spare_count;
    return pool->spare_count > 0;
}

struct kernel_pipe *kernel_pipe_take(struct kernel_pipe_pool *pool)
{
    if (pool->spare != NULL) {
        if (--pool->spare_count < pool->idle_count)
            pool->idle_count = pool->spare_count;
        return kernel_pipe_pop(&pool->spare);
    }
    if (pool->closed == NULL)
        return NULL;
    if (pool->holdoff > 0) {
        pool->holdoff--;
        return NULL;
    }
    struct kernel_pipe *pipe = pool->closed;
    bool is_large = pool->large_count < KERNEL_PIPES_LARGE;
    size_t want = is_large ? KERNEL_PIPE_LARGE_BYTES : KERNEL_PIPE_BYTES;
    if (socket_pipe(want, pipe->ends, &pipe->cap) != ST_OK) {
        pool->holdoff = KERNEL_PIPE_HOLDOFF;
        return NULL;
    }
    (void)kernel_pipe_pop(&pool->closed);
    pool->large_count += pipe->cap == KERNEL_PIPE_LARGE_BYTES;
    counter_add(pool->counters, COUNT_PIPES, 1);
    if (pipe->cap >= KERNEL_PIPE_BYTES_MIN)
        return pipe;
    kernel_pipe_close(pool, pipe); /* the kernel's allowance is used up */
    pool->holdoff = KERNEL_PIPE_HOLDOFF;
    return NULL;
}

void kernel_pipe_give(struct kernel_pipe_pool *pool, struct kernel_pipe **pipe)
{
    struct kernel_pipe *given = *pipe;
    *pipe = NULL;
    if (given == NULL)
        return;
    if (given->len > 0 || pool->spare_count == KERNEL_PIPES_SPARE) {
        kernel_pipe_close(pool, given);
        return;
    }
    pool->spare_count++;
    kernel_pipe_push(&pool->spare, given);
}
