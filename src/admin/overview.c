/* The load of a worker is the CPU time that its thread used between two looks, which are a second apart or more: the
 * kernel counts it, so a worker pays nothing for being watched. */

#include "admin/overview.h"

#include "admin/lent.h"
#include "base/clock.h"
#include "http/media.h"

#include <stdio.h>
#include <stdlib.h>

enum { LOAD_TEXT = 128, HEAD_TEXT = 64 };

uint64_t overview_worker_ns(const struct admin *admin, size_t worker)
{
    struct timespec used;
    if (clock_gettime(admin->worker_clocks[worker], &used) != 0)
        return 0;
    return (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec;
}

static void load_look(struct admin *admin)
{
    struct admin_load *load = &admin->load;
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t passed_ns = now_ns - load->at_ns;
    bool is_first = load->at_ns == 0;
    if (!is_first && passed_ns < NS_PER_S)
        return;
    load->at_ns = now_ns;
    for (size_t i = 0; i < admin->counter_count; i++) {
        uint64_t used_ns = overview_worker_ns(admin, i);
        if (!is_first && used_ns >= load->used_ns[i])
            load->permille[i] = (uint16_t)((used_ns - load->used_ns[i]) * 1000 / passed_ns);
        load->used_ns[i] = used_ns;
    }
}

static void add_workers(struct admin *admin, struct text *into)
{
    load_look(admin);
    text_add(into, SLICE("\"workers\":["));
    for (size_t i = 0; i < admin->counter_count; i++) {
        const struct counters *counters = admin->counters[i];
        text_add_format(into,
                        "%s{\"worker\":%zu,\"connections\":%llu,\"tunnels\":%llu,"
                        "\"busy_share\":%u.%03u}",
                        i == 0 ? "" : ",", i,
                        (unsigned long long)counter_get(counters, COUNT_CONNECTIONS_OPEN),
                        (unsigned long long)counter_get(counters, COUNT_TUNNELS_OPEN),
                        admin->load.permille[i] / 1000U, admin->load.permille[i] % 1000U);
    }
    text_add(into, SLICE("]}\n"));
}

void overview_show(const struct call *call)
{
    struct admin *admin = call->admin;
    uint64_t minutes = OVERVIEW_MINUTES;
    struct slice value;
    if (query_find(call->query, SLICE("minutes"), &value) &&
        slice_to_u64(value, OVERVIEW_MINUTES, &minutes) != ST_OK) {
        struct answer answer = {.status = 400};
        call_fail(call->exchange, call->wants_json, &answer, "bad_minutes",
                  SLICE("minutes is a number from 0 to 1440"));
        return;
    }
    if (!lent_has_room(call, LENT_LONG, call->admin->listing_count))
        return;
    size_t len = 0;
    char *members = overview_json(admin->overview, (unsigned)minutes, &len);
    size_t room = HEAD_TEXT + len + LOAD_TEXT * (admin->counter_count + 1);
    struct text text = text_on(members == NULL ? NULL : malloc(room), room);
    if (text.at != NULL) {
        text_add_format(&text, "{\"v\":1,\"now_ms\":%llu,",
                        (unsigned long long)(clock_wall_ns() / NS_PER_MS));
        text_add(&text, slice_of(members, len));
        add_workers(admin, &text);
    }
    free(members);
    lent_answer(call, LENT_LONG, MEDIA_JSON, text.at, text.len);
}
