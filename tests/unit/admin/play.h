#ifndef FAIRLEAD_TESTS_ADMIN_PLAY_H
#define FAIRLEAD_TESTS_ADMIN_PLAY_H

#include "admin_test.h"

#include "admin/events.h"
#include "admin/routes.h"
#include "base/clock.h"
#include "config/snapshot.h"
#include "proxy/client.h"
#include "proxy/exchange.h"

/* Requests to the whole surface, with two workers on simulated loops, and exchange_answer played by us: the
 * order of events that a busy machine might show is chosen here. */

#define TOKEN "0123456789abcdef"

struct play {
    struct admin admin;
    struct loop *home;
    struct loop *workers[2];
    struct proxy proxies[2];
    struct config config;
    struct snapshot snapshot;
    struct asked asked;
    /* what was answered */
    unsigned answers;
    unsigned status;
    char type[64];
    char allow[64];
    char authenticate[64];
    char body[32768];
    struct answer_source *source;
    unsigned wakes;
};

/* The exchange of a play is the play. */
void exchange_answer(struct exchange *exchange, const struct answer *answer)
{
    struct play *play = (struct play *)(void *)exchange;
    struct text body = text_on(play->body, sizeof(play->body));
    text_add(&body, answer->body);
    (void)text_string(&body);
    play->answers++;
    play->status = answer->status;
    (void)snprintf(play->type, sizeof(play->type), "%s", answer->type);
    (void)snprintf(play->allow, sizeof(play->allow), "%s", answer->allow ? answer->allow : "");
    (void)snprintf(play->authenticate, sizeof(play->authenticate), "%s",
                   answer->authenticate ? answer->authenticate : "");
    play->source = answer->source;
}

void exchange_go_on(struct exchange *exchange)
{
    ((struct play *)(void *)exchange)->wakes++;
}

static inline struct exchange *exchange_of(struct play *play)
{
    return (struct exchange *)(void *)play;
}

/* A request in flight of a play. */
struct flight {
    struct link link; /* in client->exchanges */
    uint64_t begun_ns;
    uint64_t id;
    const char *host;
};

/* Cut: played by us, too; the exchange is forgotten by the play itself. */
static unsigned cuts;

void exchange_cut(struct exchange *exchange)
{
    (void)exchange;
    cuts++;
}

static unsigned snapshots;                /* that were made */
static uint64_t snapshot_ns;              /* what one costs */
static struct play *leaves_at_a_snapshot; /* whose client leaves meanwhile */

static inline void leave(struct play *play)
{
    play->admin.handler.forget(&play->admin.handler, exchange_of(play));
}

uint64_t exchange_begun_ns(struct link *link, uint64_t *ret_id)
{
    const struct flight *flight = CONTAINER_OF(link, struct flight, link);
    *ret_id = flight->id;
    return flight->begun_ns;
}

void exchange_describe(struct link *link, struct record *into)
{
    const struct flight *flight = CONTAINER_OF(link, struct flight, link);
    snapshots++;
    clock_advance(snapshot_ns);
    if (leaves_at_a_snapshot != NULL)
        leave(leaves_at_a_snapshot);
    record_begin(into);
    into->id = flight->id;
    into->is_in_progress = true;
    into->timeline.at_ns[MARK_C_FIRST] = flight->begun_ns;
    into->now_ns = clock_monotonic_ns();
    record_set(into, &into->host, slice_from_string(flight->host), 100);
    record_seal(into);
}

static inline int play_begin(void **state)
{
    struct play *play = calloc(1, sizeof(*play));
    assert_non_null(play);
    clock_freeze(1000 * NS_PER_S, 1000 * NS_PER_S);
    snapshot_ns = 0;
    cuts = 0;
    leaves_at_a_snapshot = NULL;
    admin_init(&play->admin);
    assert_int_equal(loop_create_simulated(&play->home), ST_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(loop_create_simulated(&play->workers[i]), ST_OK);
        link_init(&play->proxies[i].tunnels.open);
        link_init(&play->proxies[i].clients);
        play->admin.errands.stops[i] = (struct errand_stop){play->workers[i], &play->proxies[i]};
    }
    play->admin.errands.stop_count = 2;
    play->admin.recent = recent_create(RECENT_BYTES_MIN, 1);
    play->admin.overview = overview_create();
    assert_true(play->admin.recent != NULL && play->admin.overview != NULL);
    play->snapshot.config = &play->config;
    play->snapshot.admin_token = SLICE(TOKEN);
    *state = play;
    return 0;
}

static inline int play_end(void **state)
{
    struct play *play = *state;
    const struct handler *handler = &play->admin.handler;
    handler->forget(handler, exchange_of(play));
    assert_false(handler->is_waiting(handler));
    assert_int_equal(play->admin.inquiry_count, 0);
    for (size_t i = 0; i < 2; i++)
        loop_destroy(&play->workers[i]);
    loop_destroy(&play->home);
    recent_destroy(&play->admin.recent);
    overview_destroy(&play->admin.overview);
    clock_restore();
    free(play);
    return 0;
}

static inline void ask(struct play *play, const char *method_and_target, const char *fields)
{
    const struct handler *handler = &play->admin.handler;
    struct handler_request request = {.head = &play->asked.head,
                                      .snapshot = &play->snapshot,
                                      .loop = play->home,
                                      .client = endpoint_of("127.0.0.1:5000"),
                                      .listener = endpoint_of("127.0.0.1:3129")};
    char lines[512];
    struct text text = text_on(lines, sizeof(lines));
    text_add_format(&text, "Host: localhost\r\n%s", fields);
    play->answers = 0;
    asked_begin(&play->asked, method_and_target, text_string(&text));
    handler->answer(handler, exchange_of(play), &request);
    asked_end(&play->asked);
}

static inline void turn_all(struct play *play)
{
    for (size_t i = 0; i < 2; i++)
        (void)loop_turn(play->workers[i], 0);
    (void)loop_turn(play->home, 0);
}

static inline void assert_answer(const struct play *play, unsigned status, const char *words)
{
    assert_int_equal(play->answers, 1);
    assert_int_equal(play->status, status);
    if (strstr(play->body, words) == NULL)
        fail_msg("no \"%s\" in \"%s\"", words, play->body);
}

#define KILL_FIELDS "X-Fairlead: 1\r\nAuthorization: Bearer " TOKEN "\r\n"

#define PLAY(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

#endif
