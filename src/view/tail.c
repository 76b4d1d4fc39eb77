/* Events become lines. The connection may go and come back: what was seen last is told when it is made again, so that
 * nothing is missing that the process still has.
 *
 *     open ──> wait for bytes, a signal, or that nobody reads us ──> events ──> lines ──> wait
 *      ^                                        │ broken off
 *      └──────────── wait a second <────────────┘
 *
 * The filter is judged by the process, so that little is sent; and here again, since an older process knows none. */

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "report/access_log.h"
#include "report/record_json.h"
#include "view/admin.h"
#include "view/commands.h"
#include "view/screen.h"
#include "view/signals.h"
#include "view/sse.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    AGAIN_MS = 1000,
    SILENT_MS = 40000, /* the server says something every five seconds */
    FAULT_TEXT = 900,
    PIECE_BYTES = 4096, /* what an output that polls writable takes at once */
};

struct follower {
    const struct view_options *options;
    struct view_admin admin;
    struct admin_stream *stream; /* NULL: not connected */
    int signals;
    uint64_t last; /* sequence of the newest one that was seen */
    bool has_last;
    bool has_lost; /* it was said that the connection is gone */
    bool is_over;  /* a signal came, nobody reads, or the token is not taken */
    int code;
    struct screen screen;
    struct record record;
    struct sse sse;
    char line[ACCESS_LOG_LINE_MAX];
};

/* ---- what is shown ---- */

/* Nothing more can be written. A reader that went away has read enough; what else is an error stays one. */
static void note_output(struct follower *follower)
{
    follower->is_over = true;
    if (errno != EPIPE)
        return;
    __fpurge(stdout);
    clearerr(stdout);
}

static void put(struct follower *follower, struct slice words)
{
    if (fwrite(words.at, 1, words.len, stdout) != words.len)
        note_output(follower);
}

static void show_record(struct follower *follower, const struct sse_event *event)
{
    char words[RECORD_JSON_WHY_MAX];
    struct text why = text_on(words, sizeof(words));
    struct text line = text_on(follower->line, sizeof(follower->line));
    struct access_log_style style = {
        .format = ACCESS_LOG_LINE,
        .has_color = follower->screen.has_color,
        .columns = follower->screen.is_terminal ? follower->screen.columns : 0};
    if (record_json_read(event->data, &follower->record, &why) != ST_OK) {
        text_add(&why, SLICE("; left out"));
        (void)view_complain(VIEW_TAIL, text_string(&why), "");
        return;
    }
    if (!filter_match(&follower->options->filter, &follower->record))
        return;
    if (follower->options->wants_json) {
        put(follower, event->data);
        put(follower, SLICE("\n"));
        return;
    }
    access_log_add(&follower->record, &style, &line);
    put(follower, text_slice(&line));
}

/* Between the lines, so that it stands where they are missing. */
static void show_left_out(struct follower *follower, struct slice data)
{
    struct json_value value;
    struct json_value part;
    struct slice key;
    uint64_t count = 0;
    if (json_check(data, &value) != ST_OK)
        return;
    while (json_next_member(&value, &key, &part)) {
        if (slice_equals(key, SLICE("count")) && json_to_u64(&part, UINT64_MAX, &count) != ST_OK)
            return;
    }
    if (follower->options->wants_json)
        (void)fprintf(stderr, "fairlead: tail: %llu transactions left out, too many at once\n",
                      (unsigned long long)count);
    else
        (void)printf("%s-- %llu transactions left out, too many at once --%s\n",
                     follower->screen.has_color ? SCREEN_DIM : "", (unsigned long long)count,
                     follower->screen.has_color ? SCREEN_RESET : "");
}

static void take_event(struct follower *follower, const struct sse_event *event)
{
    uint64_t sequence = 0;
    if (slice_equals(event->name, SLICE("left_out"))) {
        show_left_out(follower, event->data);
    } else if (slice_equals(event->name, SLICE("transaction"))) {
        show_record(follower, event);
        if (slice_to_u64(event->id, UINT64_MAX, &sequence) == ST_OK) {
            follower->last = sequence;
            follower->has_last = true;
        }
    }
}

/* Whoever reads us may have stopped: a signal is heard all the same. */
static void await_output(struct follower *follower)
{
    struct pollfd polled[] = {{.fd = STDOUT_FILENO, .events = POLLOUT},
                              {.fd = follower->signals, .events = POLLIN}};
    /* an early return is harmless: the next look is soon */
    (void)poll(polled, COUNT_OF(polled), -1);
    follower->is_over = follower->is_over || polled[1].revents != 0;
    if (follower->is_over && polled[0].revents == 0)
        __fpurge(stdout); /* nobody takes what is left */
}

/* All that is there. */
static enum status read_events(struct follower *follower)
{
    struct slice bytes;
    struct sse_event event;
    enum status status = ST_OK;
    while (!follower->is_over && (status = admin_stream_read(follower->stream, &bytes)) == ST_OK) {
        while (!follower->is_over && sse_next(&follower->sse, &bytes, &event)) {
            await_output(follower);
            if (!follower->is_over)
                take_event(follower, &event);
        }
    }
    if (!follower->is_over)
        await_output(follower);
    if (fflush(stdout) != 0)
        note_output(follower);
    return status;
}

/* ---- the connection ---- */

static enum status open_stream(struct follower *follower, struct text *fault, unsigned *ret_answer)
{
    char room[ADMIN_PATH_MAX];
    struct text path = text_on(room, sizeof(room));
    text_add(&path, SLICE("/api/v1/events"));
    admin_path_add(&path, "filter", slice_from_string(follower->options->filter_text));
    if (follower->has_last)
        text_add_format(&path, "%cafter=%llu",
                        follower->options->filter_text[0] != '\0' ? '&' : '?',
                        (unsigned long long)follower->last);
    sse_init(&follower->sse);
    return admin_stream_open(&follower->admin.client, text_string(&path), VIEW_TOKEN_HOW, fault,
                             ret_answer, &follower->stream);
}

/* Wait for the stream, a signal, or that nobody reads standard output. False: the server has been silent for too
 * long. */
static bool wait_for_more(struct follower *follower)
{
    int fd = follower->stream != NULL ? admin_stream_descriptor(follower->stream) : -1;
    struct pollfd polled[] = {{.fd = fd, .events = POLLIN},
                              {.fd = follower->signals, .events = POLLIN},
                              {.fd = STDOUT_FILENO, .events = 0}};
    int ready = poll(polled, COUNT_OF(polled), follower->stream != NULL ? SILENT_MS : AGAIN_MS);
    if (ready <= 0)
        return ready < 0;
    bool is_closed = (polled[2].revents & (POLLERR | POLLHUP)) != 0;
    follower->is_over = follower->is_over || polled[1].revents != 0 || is_closed;
    return true;
}

static void say_lost(struct follower *follower, const char *why)
{
    char words[FAULT_TEXT];
    struct text text = text_on(words, sizeof(words));
    if (follower->has_lost)
        return;
    follower->has_lost = true;
    text_add(&text, SLICE("the connection to "));
    admin_client_name(&follower->admin.client, &text);
    text_add_format(&text, " ended%s%s; trying again", why[0] != '\0' ? ": " : "", why);
    (void)view_complain(VIEW_TAIL, text_string(&text), "");
}

static void reconnect(struct follower *follower)
{
    char words[FAULT_TEXT];
    struct text fault = text_on(words, sizeof(words));
    unsigned answer = 0;
    (void)wait_for_more(follower); /* a while is all that is wanted */
    if (follower->is_over)
        return;
    if (open_stream(follower, &fault, &answer) == ST_OK) {
        follower->has_lost = false;
        (void)view_complain(VIEW_TAIL, "connected again", "");
    } else if (answer == ADMIN_UNAUTHORIZED) { /* as it will be the next time, too */
        follower->code = view_complain(VIEW_TAIL, text_string(&fault), "") - 1;
        follower->is_over = true;
    }
}

static void follow(struct follower *follower)
{
    while (!follower->is_over) {
        if (follower->stream == NULL) {
            reconnect(follower);
            continue;
        }
        enum status status = read_events(follower);
        if (status == ST_IO || status == ST_EOF || status == ST_BAD) {
            say_lost(follower, status == ST_IO    ? strerror(errno)
                               : status == ST_BAD ? "what came is no answer"
                                                  : "");
            admin_stream_close(&follower->stream);
        } else if (!follower->is_over && !wait_for_more(follower)) {
            say_lost(follower, "it is silent");
            admin_stream_close(&follower->stream);
        }
    }
}

/* ---- the whole ---- */

static int begin(struct follower *follower)
{
    char words[FAULT_TEXT];
    struct text fault = text_on(words, sizeof(words));
    unsigned answer = 0;
    if (follower->options->word_count > 0)
        return view_complain(VIEW_TAIL, "no word is expected; a filter stands behind --filter", "");
    int code = view_admin_init(&follower->admin, VIEW_TAIL, follower->options);
    if (code != 0)
        return code;
    follower->signals = signals_take();               /* a reader that went away is an error */
    (void)setvbuf(stdout, NULL, _IOFBF, PIECE_BYTES); /* where it fails the one before does */
    follower->screen = screen_of_output();
    if (open_stream(follower, &fault, &answer) == ST_OK)
        return 0;
    return view_complain(VIEW_TAIL, text_string(&fault), "") - 1;
}

int tail_command(const struct view_options *options)
{
    struct follower *follower = calloc(1, sizeof(*follower));
    if (follower == NULL)
        return view_complain(VIEW_TAIL, "out of memory", "");
    follower->options = options;
    follower->signals = -1;
    int code = begin(follower);
    if (code == 0) {
        follow(follower);
        code = follower->code;
    }
    admin_stream_close(&follower->stream);
    view_admin_done(&follower->admin);
    if (follower->signals >= 0)
        (void)close(follower->signals); /* it was only read */
    free(follower);
    return code;
}
