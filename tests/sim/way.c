/* Reaching an origin by script: what upstream/reach.c answers, without sockets and names.
 *
 * Like the real one it never answers inside reach_start, asks `permit` before an address is dialled, sets the
 * marks of exactly those stages that were begun, and gives no answer after reach_cancel.
 *
 *   wait a task --> name, dns_ms --> permit --> connect, connect_ms --> (https) TLS, tls_ms --> answer */
#include "sim/peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum stage { STAGE_DNS, STAGE_CONNECT, STAGE_TLS, STAGE_DONE };

struct walk {
    struct link link;
    struct world *world;
    struct reach *reach;
    struct way way;
    enum stage stage;
    struct task task;
    struct timer timer;
};

static bool fails_at_dns(const struct walk *walk)
{
    switch (walk->way.fails) {
    case DIAL_DNS_NXDOMAIN:
    case DIAL_DNS_NODATA:
    case DIAL_DNS_TIMEOUT:
    case DIAL_DNS_SERVFAIL:
    case DIAL_DNS_REFUSED:
    case DIAL_DNS_ERROR: return true;
    case DIAL_NONE:
    case DIAL_CONNECTED:
    case DIAL_DENIED:
    case DIAL_CONNECT_REFUSED:
    case DIAL_CONNECT_UNREACHABLE:
    case DIAL_CONNECT_TIMEOUT:
    case DIAL_CONNECT_RESET:
    case DIAL_CONNECT_LIMIT:
    case DIAL_CONNECT_ERROR: break;
    }
    return false;
}

static void walk_answer(struct walk *walk, enum reach_result result)
{
    struct reach *reach = walk->reach;
    walk->stage = STAGE_DONE;
    reach->result = result;
    reach->is_handed = true;
    reach->on_done(reach);
}

static void walk_fail(struct walk *walk, enum dial_cause cause)
{
    walk->reach->dial_cause = cause;
    (void)snprintf(walk->reach->detail, sizeof(walk->reach->detail), "%.60s: %s",
                   walk->reach->host->text, dial_cause_text(cause));
    walk_answer(walk, REACH_DIAL_FAILED);
}

static void walk_open(struct walk *walk)
{
    struct world *world = walk->world;
    struct peer *origin = peer_create(world, &walk->reach->transport);
    list_append(&world->origins, &origin->origin_link);
    walk->reach->dial_cause = DIAL_CONNECTED;
    walk_answer(walk, REACH_OK);
}

static void walk_wait(struct walk *walk, enum stage stage, unsigned ms);

static void walk_end_dns(struct walk *walk)
{
    struct reach *reach = walk->reach;
    if (reach->dns_begin_ns != 0)
        reach->dns_end_ns = clock_monotonic_ns();
    if (fails_at_dns(walk)) {
        walk_fail(walk, walk->way.fails);
        return;
    }
    struct inet_addr addr = reach->host->addr;
    if (reach->host->kind == HOST_NAME)
        CHECK(inet_addr_parse(slice_from_string(walk->way.address), &addr) == ST_OK);
    reach->peer = (struct inet_endpoint){.addr = addr, .port = reach->port};
    reach->dns_answers = 1;
    if (!reach->permit(reach->owner, &reach->peer)) {
        walk_fail(walk, DIAL_DENIED);
        return;
    }
    reach->connect_begin_ns = clock_monotonic_ns();
    reach->attempt_count = 1;
    reach->attempts[0] = (struct record_attempt){.peer = reach->peer,
                                                 .begin_ns = reach->connect_begin_ns,
                                                 .end_ns = 0,
                                                 .os_error = EINPROGRESS};
    walk_wait(walk, STAGE_CONNECT, walk->way.connect_ms);
}

static void walk_end_connect(struct walk *walk)
{
    struct reach *reach = walk->reach;
    reach->attempts[0].end_ns = clock_monotonic_ns();
    reach->attempts[0].os_error = walk->way.fails == DIAL_NONE ? 0 : ECONNREFUSED;
    if (walk->way.fails != DIAL_NONE) {
        walk_fail(walk, walk->way.fails);
        return;
    }
    reach->connect_end_ns = clock_monotonic_ns();
    if (!reach->is_tls) {
        walk_open(walk);
        return;
    }
    reach->tls_begin_ns = clock_monotonic_ns();
    walk_wait(walk, STAGE_TLS, walk->way.tls_ms);
}

static void walk_end_tls(struct walk *walk)
{
    struct reach *reach = walk->reach;
    if (walk->way.ends != REACH_OK) {
        (void)snprintf(reach->detail, sizeof(reach->detail), "%.60s: by script", reach->host->text);
        walk_answer(walk, walk->way.ends);
        return;
    }
    reach->tls_end_ns = clock_monotonic_ns();
    reach->tls = (struct record_tls){.version = 0x0304};
    walk_open(walk);
}

static void walk_step(struct walk *walk)
{
    switch (walk->stage) {
    case STAGE_DNS: walk_end_dns(walk); break;
    case STAGE_CONNECT: walk_end_connect(walk); break;
    case STAGE_TLS: walk_end_tls(walk); break;
    case STAGE_DONE: break;
    }
}

static void walk_wait(struct walk *walk, enum stage stage, unsigned ms)
{
    walk->stage = stage;
    if (ms == 0)
        walk_step(walk);
    else
        timer_set_in(walk->world->loop, &walk->timer, ms * NS_PER_MS);
}

static void walk_on_time(struct timer *timer)
{
    walk_step(CONTAINER_OF(timer, struct walk, timer));
}

static void walk_begin(struct task *task)
{
    struct walk *walk = CONTAINER_OF(task, struct walk, task);
    if (walk->way.is_silent)
        return;
    bool is_name = walk->reach->host->kind == HOST_NAME;
    walk_wait(walk, STAGE_DNS, is_name ? walk->way.dns_ms : 0);
}

void way_start(struct reach *reach)
{
    struct world *world = world_of(reach->engine);
    struct walk *walk = calloc(1, sizeof(*walk));
    CHECK(walk != NULL);
    *walk = (struct walk){.world = world, .reach = reach};
    if (world->way_next < world->way_count)
        walk->way = world->ways[world->way_next++];
    if (walk->way.address == NULL)
        walk->way.address = WORLD_ADDRESS;
    if (reach->host->kind == HOST_NAME) {
        reach->dns_begin_ns = clock_monotonic_ns();
        reach->dns_source = DNS_QUERY;
    }
    world->reached_count++;
    task_init(&walk->task, walk_begin);
    timer_init(&walk->timer, walk_on_time);
    list_append(&world->reaching, &walk->link);
    loop_queue(world->loop, &walk->task);
}

static void walk_drop(struct walk *walk)
{
    task_cancel(&walk->task);
    timer_cancel(&walk->timer);
    link_remove(&walk->link);
    transport_close(&walk->reach->transport, /* is_abort= */ true);
    free(walk);
}

void way_cancel(struct reach *reach)
{
    LIST_EACH(link, &world_of(reach->engine)->reaching) {
        struct walk *walk = CONTAINER_OF(link, struct walk, link);
        if (walk->reach == reach)
            walk_drop(walk);
    }
}

void world_way(struct world *world, struct way way)
{
    CHECK(world->way_count < WORLD_WAYS_MAX);
    world->ways[world->way_count++] = way;
}
