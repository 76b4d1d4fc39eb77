/* One message that travels, instead of one for each worker that must be counted in: what it carries belongs to
 * one thread at a time, so no atomics are needed, and a bound on its memory holds for all workers together.
 * The price is that a look takes the sum of the workers' turns instead of the longest; inquiry.c bounds what a list
 * takes of each.
 *
 * Posting gives and taking delivery gets all that was written before, by the mailbox's lock. */

#include "admin/errand.h"

#include "base/check.h"

static void errand_arrive_home(struct message *message)
{
    struct errand *errand = CONTAINER_OF(message, struct errand, message);
    errand->errands->away_count--;
    errand->on_home(errand);
}

static void errand_go_on(struct errand *errand);

static void errand_call(struct message *message)
{
    struct errand *errand = CONTAINER_OF(message, struct errand, message);
    const struct errands *errands = errand->errands;
    if (!errand->visit(errand, errands->stops[errand->at++].proxy))
        errand->at = errands->stop_count;
    errand_go_on(errand);
}

/* The last touch in this thread. */
static void errand_go_on(struct errand *errand)
{
    const struct errands *errands = errand->errands;
    bool is_done = errand->at >= errands->stop_count;
    errand->message.deliver = is_done ? errand_arrive_home : errand_call;
    loop_post(is_done ? errand->home : errands->stops[errand->at].loop, &errand->message);
}

void errand_send(struct errands *errands, struct errand *errand, struct loop *home)
{
    errand->errands = errands;
    errand->home = home;
    errand->at = 0;
    errands->away_count++;
    errand_go_on(errand);
}
