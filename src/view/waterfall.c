/* All bars of a transaction begin at its first byte, and all transactions that are shown together have one scale, so
 * that bars can be compared down the whole screen. A phase that is shorter than a cell has a thin sign, never
 * nothing. */

#include "view/waterfall.h"

#include "base/check.h"
#include "base/clock.h"
#include "record/verdict.h"

#include <errno.h>
#include <string.h>

enum {
    LABEL_COLUMNS = 10,
    FIGURE_COLUMNS = 7,
    NOTE_COLUMNS = 24,
    FIXED_COLUMNS = 2 + LABEL_COLUMNS + 1 + 1 + FIGURE_COLUMNS + 2 + NOTE_COLUMNS,
    BAR_COLUMNS = 200 - FIXED_COLUMNS, /* the most */
    NOTE_TEXT = 120,
    WORDS_TEXT = 4 * RECORD_URL_MAX + 1, /* an escape a byte */
    WRAP_INDENT = 4,                     /* beyond that of the bars */
};

struct pen {
    const struct record *record;
    const struct screen *screen;
    struct text *into;
    uint64_t start_ns;
    uint64_t axis_ns;
};

static void color(const struct pen *pen, const char *sequence)
{
    if (pen->screen->has_color)
        text_add(pen->into, slice_from_string(sequence));
}

/* ---- what it was ---- */

static uint64_t start_of(const struct record *record)
{
    const uint64_t *at = record->timeline.at_ns;
    return at[MARK_C_FIRST] != 0 ? at[MARK_C_FIRST] : record->timeline.base_ns;
}

uint64_t waterfall_length(const struct record *record)
{
    const uint64_t *at = record->timeline.at_ns;
    uint64_t end_ns = at[MARK_X_END];
    if (record->kind == RECORD_TUNNEL && at[MARK_T_OPEN] != 0)
        end_ns = at[MARK_T_OPEN];
    uint64_t start_ns = start_of(record);
    return end_ns > start_ns ? end_ns - start_ns : 0;
}

bool waterfall_is_good(const struct record *record)
{
    if (record->kind == RECORD_TUNNEL)
        return record->status / 100 == 2;
    return record->kind == RECORD_EXCHANGE && record->end == END_DONE && record->status < 400;
}

static void add_words(const struct pen *pen, struct slice words, size_t most)
{
    char room[WORDS_TEXT];
    struct text text = text_on(room, sizeof(room));
    text_add_log(&text, words, '\0');
    bool is_cut = text.len > most || text.is_cut;
    text_add(pen->into, slice_first(text_slice(&text), is_cut ? most - 3 : most));
    text_add(pen->into, is_cut ? SLICE("...") : SLICE(""));
}

static void add_title(const struct pen *pen)
{
    char room[60];
    struct text figures = text_on(room, sizeof(room));
    const struct record *record = pen->record;
    text_add(&figures, record->status != 0 ? SLICE("  ") : SLICE("  no answer"));
    if (record->status != 0)
        text_add_u64(&figures, record->status);
    if (record->response_body_bytes > 0 && record->kind != RECORD_TUNNEL) {
        text_add(&figures, SLICE("  "));
        text_add_size(&figures, record->response_body_bytes);
    }
    text_add(&figures, SLICE(" in "));
    text_add_duration(&figures, waterfall_length(record));

    struct slice method = record_get(record, record->method);
    size_t taken = figures.len + method.len + 1;
    size_t most = pen->screen->columns > taken + 20 ? pen->screen->columns - taken : 20;
    color(pen, SCREEN_BOLD);
    add_words(pen, method, 20);
    text_add_char(pen->into, ' ');
    add_words(pen, record_get(record, record->url), pen->screen->is_terminal ? most : WORDS_TEXT);
    color(pen, SCREEN_RESET);
    color(pen, waterfall_is_good(record) ? SCREEN_GREEN : SCREEN_RED);
    text_add(pen->into, text_slice(&figures));
    color(pen, SCREEN_RESET);
    text_add_char(pen->into, '\n');
}

static void add_paid(struct text *words, const char *phase, uint64_t ns)
{
    if (ns == 0)
        return;
    text_add_format(words, " %s ", phase);
    text_add_short_duration(words, ns);
}

/* New or reused, and what that saved. */
static void add_connection(const struct pen *pen)
{
    char room[300];
    char peer[INET_ENDPOINT_TEXT];
    struct text words = text_on(room, sizeof(room));
    const struct record *record = pen->record;
    if (record->upstream.addr.family == INET_NONE)
        return;
    (void)inet_endpoint_format(&record->upstream, peer);
    if (record->upstream_use > 1) {
        text_add_format(&words, "reused connection to %s: request %u on it; it had paid", peer,
                        record->upstream_use);
        add_paid(&words, "dns", record->paid_dns_ns);
        add_paid(&words, "connect", record->paid_connect_ns);
        add_paid(&words, "tls", record->paid_tls_ns);
    } else {
        text_add_format(&words, "new connection to %s", peer);
    }
    if (record->retries > 0)
        text_add_format(&words, ", %u retries", record->retries);
    color(pen, SCREEN_DIM);
    add_words(pen, text_slice(&words), pen->screen->columns);
    color(pen, SCREEN_RESET);
    text_add_char(pen->into, '\n');
}

static void add_remedy(const struct pen *pen, const struct text_wrap *wrap)
{
    char room[WORDS_TEXT];
    struct text words = text_on(room, sizeof(room));
    struct slice remedy = record_get(pen->record, pen->record->remedy);
    text_add(&words, pen->record->is_untrusted ? SLICE("to trust it: ") : SLICE("to allow it: "));
    text_add_log(&words, remedy, '\0');
    text_add_wrapped(pen->into, text_slice(&words), wrap);
    text_add_char(pen->into, '\n');
}

/* Why it failed, and what would change that, over as many lines as it needs. */
static void add_failure(const struct pen *pen)
{
    const struct record *record = pen->record;
    struct record_text reason = record->rule.len > 0 && record->end == END_REFUSED ? record->rule
                                : record->detail.len > 0                           ? record->detail
                                                                                   : record->cause;
    char room[WORDS_TEXT];
    struct text words = text_on(room, sizeof(room));
    struct text_wrap wrap = {.columns = pen->screen->columns, .indent = WRAP_INDENT};
    if (reason.len == 0)
        return;
    if (record->end != END_DONE) { /* else an answer like any other, of which more is known */
        text_add(&words, slice_from_string(record_end_word((enum record_end)record->end)));
        text_add(&words, SLICE(": "));
    }
    text_add_log(&words, record_get(record, reason), '\0');
    color(pen, SCREEN_RED);
    text_add_wrapped(pen->into, text_slice(&words), &wrap);
    color(pen, SCREEN_RESET);
    text_add_char(pen->into, '\n');
    if (record->remedy.len > 0)
        add_remedy(pen, &wrap);
}

/* ---- bars ---- */

static const char *color_of(enum phase phase)
{
    switch (phase) {
    case PHASE_DNS: return SCREEN_CYAN;
    case PHASE_CONNECT: return SCREEN_BLUE;
    case PHASE_TLS: return SCREEN_YELLOW;
    case PHASE_WAIT: return SCREEN_GREEN;
    default: return SCREEN_DIM;
    }
}

/* The cells from the begin to the end of what was there. */
static void add_bar(const struct pen *pen, uint64_t begin_ns, uint64_t end_ns, const char *sequence)
{
    size_t room = pen->screen->columns - FIXED_COLUMNS;
    size_t cells = room < BAR_COLUMNS ? room : BAR_COLUMNS;
    uint64_t from = begin_ns > pen->start_ns ? begin_ns - pen->start_ns : 0;
    uint64_t to = end_ns > pen->start_ns ? end_ns - pen->start_ns : 0;
    double scale = (double)cells / (double)(pen->axis_ns > 0 ? pen->axis_ns : 1);
    size_t first = (size_t)((double)from * scale);
    first = first < cells ? first : cells - 1;
    size_t last = first + (size_t)((double)(to > from ? to - from : 0) * scale + 0.5);
    last = last < cells ? last : cells;
    for (size_t i = 0; i < first; i++)
        text_add_char(pen->into, ' ');
    color(pen, sequence);
    if (last <= first) {
        text_add(pen->into, pen->screen->is_utf8 ? SLICE("\xe2\x94\x82") : SLICE("|"));
        last = first + 1;
    } else {
        for (size_t i = first; i < last; i++)
            text_add(pen->into, pen->screen->is_utf8 ? SLICE("\xe2\x96\x88") : SLICE("#"));
    }
    color(pen, SCREEN_RESET);
    for (size_t i = last; i < cells; i++)
        text_add_char(pen->into, ' ');
}

static void add_row(const struct pen *pen, struct slice label, uint64_t begin_ns, uint64_t end_ns,
                    uint64_t length_ns, const char *sequence, struct slice note)
{
    char room[32];
    struct text figure = text_on(room, sizeof(room));
    text_add_duration(&figure, length_ns);
    text_add(pen->into, SLICE("  "));
    screen_add_cell(pen->into, label, LABEL_COLUMNS, false);
    text_add_char(pen->into, ' ');
    add_bar(pen, begin_ns, end_ns, sequence);
    text_add_char(pen->into, ' ');
    screen_add_cell(pen->into, text_slice(&figure), FIGURE_COLUMNS, true);
    if (note.len > 0) {
        text_add(pen->into, SLICE("  "));
        add_words(pen, note, NOTE_COLUMNS);
    }
    text_add_char(pen->into, '\n');
}

static void add_note(const struct record *record, enum phase phase, uint64_t length_ns,
                     struct text *note)
{
    bool is_parent = phase == PHASE_PARENT_TLS;
    const struct record_tls *tls = is_parent ? &record->parent_tls : &record->upstream_tls;
    if (phase == PHASE_DNS && record->dns_source != DNS_NONE) {
        text_add(note, slice_from_string(dns_source_word((enum dns_source)record->dns_source)));
        if (record->dns_answers > 0)
            text_add_format(note, ", %u found", record->dns_answers);
    }
    if ((is_parent || phase == PHASE_TLS) && tls->version >= 0x0301)
        text_add_format(note, "TLS 1.%u%s", tls->version - 0x0301u,
                        tls->resumed ? ", resumed" : "");
    if (phase == PHASE_LOAD && length_ns == 0) /* which is not the same as none */
        text_add(note, SLICE("came in one piece"));
}

/* One word for how an attempt ended; NULL: it is connected. */
static const char *attempt_word(const struct record_attempt *attempt)
{
    switch (attempt->os_error) {
    case 0: return NULL;
    case ECANCELED: return "lost";
    case ECONNREFUSED: return "refused";
    case ETIMEDOUT: return "timed out";
    case ENETUNREACH:
    case EHOSTUNREACH: return "unreachable";
    default: return strerrorname_np(attempt->os_error);
    }
}

/* Each address that was tried, where there was more than the one that worked. */
static void add_attempts(const struct pen *pen)
{
    const struct record *record = pen->record;
    size_t count =
        record->attempt_count < RECORD_ATTEMPTS_MAX ? record->attempt_count : RECORD_ATTEMPTS_MAX;
    bool is_plain = count == 1 && record->attempts[0].os_error == 0;
    for (size_t i = 0; i < count && !is_plain; i++) {
        const struct record_attempt *attempt = &record->attempts[i];
        char room[NOTE_TEXT];
        char peer[INET_ADDR_TEXT];
        struct text note = text_on(room, sizeof(room));
        uint64_t end_ns =
            attempt->end_ns != 0 ? attempt->end_ns : record->timeline.at_ns[MARK_U_SYN1];
        (void)inet_addr_format(&attempt->peer.addr, peer);
        if (attempt->begin_ns == 0)
            continue; /* never dialled */
        if (end_ns < attempt->begin_ns)
            end_ns = attempt->begin_ns;
        const char *word = attempt_word(attempt);
        text_add(&note, slice_from_string(peer));
        if (word != NULL)
            text_add_format(&note, " %s", word);
        add_row(pen, attempt->peer.addr.family == INET_V6 ? SLICE(" ipv6") : SLICE(" ipv4"),
                attempt->begin_ns, end_ns, end_ns - attempt->begin_ns,
                attempt->os_error == 0 ? SCREEN_BLUE : SCREEN_RED, text_slice(&note));
    }
}

static bool is_drawn(const struct record *record, enum phase phase)
{
    bool is_late = phase == PHASE_DELIVER || phase == PHASE_CLOSE || phase == PHASE_TUNNEL;
    return phase != PHASE_CLIENT_TLS && phase != PHASE_TOTAL && phase != PHASE_RECEIVE &&
           !(is_late && record->kind != RECORD_UPGRADE) && phase != PHASE_TUNNEL;
}

/* The one that was not over when it was given up. */
static void add_unfinished(const struct pen *pen, enum phase wanted)
{
    enum phase phase;
    uint64_t begin_ns, end_ns;
    if (record_unfinished(pen->record, &pen->record->timeline, &phase, &begin_ns, &end_ns) &&
        phase == wanted)
        add_row(pen, slice_from_string(phase_word(phase)), begin_ns, end_ns, end_ns - begin_ns,
                SCREEN_RED,
                pen->record->ended_by == LEG_CLIENT ? SLICE("not over") : SLICE("in vain"));
}

static void add_phases(const struct pen *pen)
{
    for (int i = 0; i < PHASE_COUNT; i++) {
        enum phase phase = (enum phase)i;
        char room[NOTE_TEXT];
        struct text note = text_on(room, sizeof(room));
        uint64_t begin_ns;
        uint64_t end_ns;
        uint64_t length_ns;
        const struct timeline *timeline = &pen->record->timeline;
        if (is_drawn(pen->record, phase) && timeline_phase(timeline, phase, &length_ns) &&
            timeline_bounds(timeline, phase, &begin_ns, &end_ns)) {
            add_note(pen->record, phase, length_ns, &note);
            add_row(pen, slice_from_string(phase_word(phase)), begin_ns, begin_ns + length_ns,
                    length_ns, color_of(phase), text_slice(&note));
        }
        add_unfinished(pen, phase);
        if (phase == PHASE_CONNECT)
            add_attempts(pen);
    }
}

/* Of what took 100 ms or more. */
static void add_slow(const struct pen *pen)
{
    struct verdict verdict;
    if (!verdict_judge(pen->record, &verdict) || verdict.slow == SLOW_NONE)
        return;
    uint64_t active_us = verdict.total_us - verdict.share_us[SLOW_IDLE];
    text_add(pen->into, SLICE("  slow: "));
    color(pen, SCREEN_BOLD);
    text_add(pen->into, slice_from_string(slow_word(verdict.slow)));
    color(pen, SCREEN_RESET);
    text_add_char(pen->into, ' ');
    text_add_duration(pen->into, verdict.share_us[verdict.slow] * NS_PER_US);
    text_add(pen->into, SLICE(" of "));
    text_add_duration(pen->into, active_us * NS_PER_US);
    text_add_char(pen->into, '\n');
}

void waterfall_add(const struct record *record, uint64_t axis_ns, const struct screen *screen,
                   struct text *into)
{
    struct pen pen = {record, screen, into, start_of(record), axis_ns};
    CHECK(screen->columns > FIXED_COLUMNS);
    add_title(&pen);
    add_connection(&pen);
    if (!waterfall_is_good(record))
        add_failure(&pen);
    add_phases(&pen);
    add_slow(&pen);
}
