/* One line that a person reads at a glance.
 *
 *     14:03:27 200 GET      45ms 1.23KB example.com/a/path        dns 3.1ms connect 12ms wait 28ms
 *     14:03:28 403 CONNECT 420us      - 127.0.0.1:443           refused: default-deny 127.0.0.0/8; --allow 127.0.0.1
 *
 * Time of day, status, method, total, bytes to the client, target, then what matters: the failure where
 * there is one, and the phases. In a file or a pipe all of that is whole, since a program may read it. On a terminal
 * the line is as wide as its style says: the target gives way first, down to TARGET_COLUMNS; where phases still do not
 * fit the shortest are left out (all of them are in the JSON format), and where none does they stand below the line. A
 * refusal says what would change it, with as many words as fit. A failure that does not fit stands below its line,
 * whole, indented and broken at words.
 *
 *     L1  Text of a peer is escaped first and cut afterwards; colours are added around it, never cut.
 *     L2  Without colours the line is printable ASCII; with them, only the sequences below are added. */
#include "report/access_log_internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "record/verdict.h"

#include <time.h>

enum {
    LINE_COLUMNS_MIN = 60,
    LINE_COLUMNS_MAX = 500,
    METHOD_COLUMNS = 7,
    TOTAL_COLUMNS = 5,
    SIZE_COLUMNS = 6,
    HEAD_COLUMNS = 9 + 4 + METHOD_COLUMNS + 1 + TOTAL_COLUMNS + 1 + SIZE_COLUMNS + 1,
    TARGET_COLUMNS = 25,
    BELOW_COLUMN = 9,       /* where what is below a line begins: under the status */
    USER_COLUMNS = 21,      /* "user " and as much of the name */
    USER_ROOM_COLUMNS = 24, /* what must be left of the tail beside it */
    /* Room for what is cut afterwards: longer than any column. */
    METHOD_TEXT = 128, /* four a byte of the longest that a record holds */
    TARGET_TEXT = LINE_COLUMNS_MAX + 4,
    NOTE_TEXT = LINE_COLUMNS_MAX + 4,
    BELOW_TEXT = 700,
    PIECE_TEXT = 40,
    SLOW_TEXT = 32,
    GAP_COLUMNS = 1, /* between target and failure, beyond the usual blank */
    CUT_COLUMNS = 6, /* "reused": less is nothing */
    OPENING_LEAST_NS = 10000,
};

#define RESET  "\x1b[0m"
#define BOLD   "\x1b[1m"
#define DIM    "\x1b[2m"
#define RED    "\x1b[31m"
#define GREEN  "\x1b[32m"
#define YELLOW "\x1b[33m"
#define CYAN   "\x1b[36m"

/* ---- Small texts ---- */

static void add_spaces(struct text *into, size_t count)
{
    while (count-- > 0)
        text_add_char(into, ' ');
}

static void add_right(struct text *into, struct slice s, size_t columns)
{
    add_spaces(into, s.len < columns ? columns - s.len : 0);
    text_add(into, s);
}

/* At most `columns` of `s`, with "..." where something was cut off. */
static void add_cut(struct text *into, struct slice s, size_t columns)
{
    if (s.len <= columns) {
        text_add(into, s);
        return;
    }
    text_add(into, slice_first(s, columns - 3));
    text_add(into, SLICE("..."));
}

struct pen {
    struct text *into;
    bool has_color;
};

static void pen_color(const struct pen *pen, const char *sequence)
{
    if (pen->has_color)
        text_add(pen->into, slice_from_string(sequence));
}

/* ---- The tail: what went wrong, and where the time went ---- */

/* A phase as it is shown. */
struct piece {
    char text[PIECE_TEXT];
    size_t len;
    uint64_t ns;
};

struct tail {
    char user[USER_COLUMNS];
    size_t user_len;
    char note[NOTE_TEXT];
    size_t note_len;
    bool is_alarm; /* the note tells of a failure */
    bool is_below; /* and has no room in the line */
    struct piece pieces[PHASE_COUNT];
    size_t count;
    char slow[SLOW_TEXT];
    size_t slow_len;
};

static bool has_failed(const struct record *record)
{
    if (record->end == END_FIN)
        return !record_is_tunnel(record); /* the usual end of a tunnel */
    return record->end != END_NONE && record->end != END_DONE;
}

/* "The name ...", and not "TLS with ..." */
static bool starts_sentence(struct slice words)
{
    return words.len > 1 && words.at[0] >= 'A' && words.at[0] <= 'Z' && words.at[1] >= 'a' &&
           words.at[1] <= 'z';
}

/* "timeout: the name server did not answer", "rst by client" */
static void add_failure(const struct record *record, struct text *note)
{
    struct record_text reason = record->detail.len > 0 ? record->detail : record->cause;
    if (record->end == END_REFUSED && record->rule.len > 0)
        reason = record->rule;
    text_add(note, slice_from_string(record_end_word((enum record_end)record->end)));
    if (reason.len > 0) {
        struct slice words = record_get(record, reason);
        text_add(note, SLICE(": "));
        if (starts_sentence(words)) { /* which goes on here */
            text_add_char(note, (char)(words.at[0] - 'A' + 'a'));
            words = slice_from(words, 1);
        }
        text_add_log(note, words, '\0');
    } else if (record->ended_by != LEG_NONE) {
        text_add(note, SLICE(" by "));
        text_add(note, slice_from_string(record_leg_word((enum record_leg)record->ended_by)));
    }
}

/* A refusal with what would allow it, in the first of these forms that fits. False where none does. `spare` columns
 * belong to the target: the shorter forms may use them, where the alternative is to say less. */
static bool add_remedy(const struct record *record, size_t columns, size_t spare, struct text *note)
{
    struct slice rule = record_get(record, record->rule);
    struct slice name = rule;
    for (size_t i = 0; i + 1 < rule.len && name.len == rule.len; i++) {
        if (rule.at[i] == ' ' && rule.at[i + 1] == '(')
            name = slice_first(rule, i);
    }
    const struct {
        struct slice rule;
        const char *link;
        size_t columns;
    } forms[] = {{rule, "; to allow it: ", columns},
                 {name, "; to allow it: ", columns},
                 {name, "; ", columns + spare},
                 {SLICE_NONE, "; ", columns + spare}};
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        note->len = 0;
        note->is_cut = false;
        text_add(note, slice_from_string(record_end_word(END_REFUSED)));
        text_add(note, forms[i].rule.len > 0 ? SLICE(": ") : SLICE(""));
        text_add_log(note, forms[i].rule, '\0');
        text_add(note, slice_from_string(forms[i].link));
        text_add_log(note, record_get(record, record->remedy), '\0');
        if (note->len <= forms[i].columns && !note->is_cut)
            return true;
    }
    note->len = 0;
    note->is_cut = false;
    return false;
}

/* Whose it is, where the line has room for that. */
static void tail_user(struct tail *tail, const struct record *record, size_t columns)
{
    char space[TARGET_TEXT];
    struct text name = text_on(space, sizeof(space));
    struct text user = text_on(tail->user, sizeof(tail->user));
    tail->user_len = 0;
    if (record->user.len == 0 || columns < USER_COLUMNS + USER_ROOM_COLUMNS)
        return;
    text_add_log(&name, record_get(record, record->user), '\0');
    text_add(&user, SLICE("user "));
    add_cut(&user, text_slice(&name), USER_COLUMNS - user.len);
    tail->user_len = user.len;
}

/* The whole of it, of any length. */
static void add_whole_failure(const struct record *record, struct text *note)
{
    add_failure(record, note);
    if (record->end == END_REFUSED && record->remedy.len > 0) {
        text_add(note, SLICE("; to allow it: "));
        text_add_log(note, record_get(record, record->remedy), '\0');
    }
}

static void add_below(const struct record *record, const struct pen *pen, size_t columns)
{
    char room[BELOW_TEXT];
    struct text words = text_on(room, sizeof(room));
    struct text_wrap wrap = {.columns = columns, .indent = BELOW_COLUMN, .at = BELOW_COLUMN};
    add_whole_failure(record, &words);
    add_spaces(pen->into, BELOW_COLUMN);
    pen_color(pen, RED);
    text_add_wrapped(pen->into, text_slice(&words), &wrap);
    pen_color(pen, RESET);
    text_add_char(pen->into, '\n');
}

/* What is to be said beside a failure. */
static void add_state(const struct record *record, struct text *note)
{
    if (record->is_in_progress)
        text_add(note, SLICE("open"));
    else if (note->len == 0 && record->upstream_use > 1)
        text_add(note, SLICE("reused"));
    if (record->would_deny.len > 0) {
        text_add(note, note->len > 0 ? SLICE(", would deny: ") : SLICE("would deny: "));
        text_add_log(note, record_get(record, record->would_deny), '\0');
    }
    if (record_is_tunnel(record) && !has_failed(record)) {
        text_add(note, note->len > 0 ? SLICE(" up ") : SLICE("up "));
        text_add_size(note, record->client_in_bytes);
    }
}

static void tail_note(struct tail *tail, const struct record *record, size_t columns, size_t spare)
{
    struct text whole = text_on(tail->note, sizeof(tail->note));
    bool has_remedy = record->end == END_REFUSED && record->remedy.len > 0;
    tail->is_alarm = has_failed(record);
    if (tail->is_alarm && !record->is_in_progress &&
        !(has_remedy && add_remedy(record, columns, spare, &whole)))
        add_failure(record, &whole);
    add_state(record, &whole);
    tail->note_len = whole.len;
}

/* What is too short to be shown. Phases that open a connection tell by being there that it was a new one, so
 * they are left out only where they cost nothing. */
static uint64_t least_shown_ns(const struct timeline *timeline, enum phase phase)
{
    uint64_t total_ns = 0;
    uint64_t tunnel_ns = 0;
    (void)timeline_phase(timeline, PHASE_TOTAL, &total_ns); /* 0 hides nothing */
    (void)timeline_phase(timeline, PHASE_TUNNEL, &tunnel_ns);
    uint64_t hundredth_ns = total_ns > tunnel_ns ? (total_ns - tunnel_ns) / 100 : 0;
    bool is_opening = phase >= PHASE_DNS && phase <= PHASE_TLS;
    return is_opening && hundredth_ns > OPENING_LEAST_NS ? OPENING_LEAST_NS : hundredth_ns;
}

/* What it is called in a line: "~" stands before what was only seen from outside. NULL: it is not shown. The life of a
 * tunnel is in its total, and the first part of a handshake in the whole. */
static const char *shown_word(enum phase phase)
{
    if (phase == PHASE_TUNNEL || phase == PHASE_INSIDE_HELLO)
        return NULL;
    if (phase == PHASE_INSIDE_TLS)
        return "~tls";
    return phase == PHASE_INSIDE_WAIT ? "~wait" : phase_word(phase);
}

/* The phases that are at least a hundredth of the total; of a tunnel, of the time to its opening. */
static void tail_phases(struct tail *tail, const struct timeline *timeline)
{
    for (int i = 0; i < PHASE_TOTAL; i++) {
        enum phase phase = (enum phase)i;
        const char *word = shown_word(phase);
        uint64_t ns;
        if (word == NULL || !timeline_phase(timeline, phase, &ns))
            continue;
        if (ns == 0 || ns < least_shown_ns(timeline, phase))
            continue;
        struct piece *piece = &tail->pieces[tail->count++];
        struct text text = text_on(piece->text, sizeof(piece->text));
        text_add(&text, slice_from_string(word));
        text_add_char(&text, ' ');
        text_add_short_duration(&text, ns);
        piece->len = text.len;
        piece->ns = ns;
    }
}

static size_t tail_columns(const struct tail *tail)
{
    size_t columns = tail->note_len;
    for (size_t i = 0; i < tail->count; i++)
        columns += (columns > 0 ? 1 : 0) + tail->pieces[i].len;
    return columns;
}

static size_t tail_shortest(const struct tail *tail)
{
    size_t shortest = 0;
    for (size_t i = 1; i < tail->count; i++) {
        if (tail->pieces[i].ns < tail->pieces[shortest].ns)
            shortest = i;
    }
    return shortest;
}

static size_t tail_longest(const struct tail *tail)
{
    size_t longest = 0;
    for (size_t i = 1; i < tail->count; i++) {
        if (tail->pieces[i].ns > tail->pieces[longest].ns)
            longest = i;
    }
    return longest;
}

/* A failure that does not fit into the line goes below it. */
static void tail_lower(struct tail *tail, size_t columns)
{
    tail->is_below = tail->is_alarm && tail->note_len > columns;
    if (tail->is_below)
        tail->note_len = 0;
}

/* And so does all else, where there is no room for the longest phase: on narrow terminals. */
static void tail_split(struct tail *tail, size_t columns, struct tail *ret_below)
{
    size_t needed = tail->is_alarm ? 0 : tail->note_len;
    if (tail->count > 0)
        needed = tail->pieces[tail_longest(tail)].len;
    ret_below->count = ret_below->note_len = ret_below->user_len = ret_below->slow_len = 0;
    if (needed <= columns)
        return;
    *ret_below = *tail;
    tail->count = 0;
    if (tail->is_alarm)
        ret_below->note_len = 0;
    else
        tail->note_len = 0;
    ret_below->is_alarm = false;
}

/* Leave out the shortest phases, and then the end of the note, until the tail is no wider than `columns`. */
static void tail_fit(struct tail *tail, size_t columns)
{
    while (tail->count > 0 && tail_columns(tail) > columns) {
        size_t at = tail_shortest(tail);
        tail->count--;
        memmove(&tail->pieces[at], &tail->pieces[at + 1],
                (tail->count - at) * sizeof(tail->pieces[0]));
    }
    if (tail->note_len > columns && columns <= CUT_COLUMNS) {
        tail->note_len = 0; /* no word of it would be left */
    } else if (tail->note_len > columns) {
        size_t at = columns - 3;
        while (at > columns / 2 && tail->note[at - 1] != ' ')
            at--;
        if (tail->note[at - 1] == ' ')
            at--;
        else /* one long word */
            at = columns - 3;
        memcpy(tail->note + at, "...", 3);
        tail->note_len = at + 3;
    }
}

/* Who was slow, which says more than the shortest phases; the longest one stays. */
static void tail_slow(struct tail *tail, const struct record *record, size_t columns)
{
    struct verdict verdict;
    struct text text = text_on(tail->slow, sizeof(tail->slow));
    tail->slow_len = 0;
    if (!verdict_judge(record, &verdict) || verdict.slow == SLOW_NONE)
        return;
    text_add(&text, SLICE("slow: "));
    text_add(&text, slice_from_string(slow_word(verdict.slow)));
    for (size_t i = 0; i < text.len; i++)
        tail->slow[i] = (char)(tail->slow[i] == '_' ? ' ' : tail->slow[i]);
    size_t longest = tail->count > 0 ? 1 + tail->pieces[tail_longest(tail)].len : 0;
    if (tail->note_len + longest + 1 + text.len > columns)
        return;
    tail->slow_len = text.len;
}

/* ---- The line ---- */

static const char *status_color(const struct record *record)
{
    if (record->status == 0 || record->status >= 500)
        return RED;
    if (record->status >= 400)
        return YELLOW;
    return record->status >= 300 ? CYAN : GREEN;
}

/* Everything before the target: HEAD_COLUMNS, where the method is not longer than its column or is cut. */
static void add_head(const struct record *record, const struct pen *pen, bool is_whole)
{
    char space[METHOD_TEXT];
    struct text method = text_on(space, sizeof(space));
    time_t seconds = (time_t)(record->timeline.wall_ns / NS_PER_S);
    struct tm tm;
    (void)localtime_r(&seconds, &tm); /* fails for no 64-bit count of nanoseconds */
    pen_color(pen, DIM);
    text_add_format(pen->into, "%02d:%02d:%02d ", tm.tm_hour, tm.tm_min, tm.tm_sec);
    pen_color(pen, RESET);

    pen_color(pen, status_color(record));
    if (record->status != 0)
        text_add_format(pen->into, "%03u ", record->status % 1000u);
    else
        text_add(pen->into, SLICE("--- "));
    pen_color(pen, RESET);

    text_add_log(&method, record_get(record, record->method), '\0');
    size_t before = pen->into->len;
    add_cut(pen->into, method.len > 0 ? text_slice(&method) : SLICE("-"),
            is_whole ? METHOD_TEXT : METHOD_COLUMNS);
    size_t written = pen->into->len - before;
    add_spaces(pen->into, written < METHOD_COLUMNS ? METHOD_COLUMNS + 1 - written : 1);
}

static void add_figures(const struct record *record, const struct pen *pen)
{
    char space[PIECE_TEXT];
    struct text figure = text_on(space, sizeof(space));
    uint64_t total_ns;
    if (timeline_phase(&record->timeline, PHASE_TOTAL, &total_ns))
        text_add_short_duration(&figure, total_ns);
    else
        text_add_char(&figure, '-');
    pen_color(pen, BOLD);
    add_right(pen->into, text_slice(&figure), TOTAL_COLUMNS);
    pen_color(pen, RESET);

    figure.len = 0;
    if (record->client_out_bytes > 0)
        text_add_size(&figure, record->client_out_bytes);
    else
        text_add_char(&figure, '-');
    text_add_char(pen->into, ' ');
    add_right(pen->into, text_slice(&figure), SIZE_COLUMNS);
    text_add_char(pen->into, ' ');
}

static void make_target(const struct record *record, struct text *target)
{
    struct slice url = record_get(record, record->url);
    if (slice_starts_with_nocase(url, SLICE("http://")))
        url = slice_from(url, sizeof("http://") - 1);
    text_add_log(target, url.len > 0 ? url : SLICE("-"), '\0');
}

/* At least `gap` blanks stand behind it, unless it is cut; where something follows that begins in a column of its
 * own. */
static void add_target(struct slice target, size_t columns, bool is_padded, size_t gap,
                       struct text *into)
{
    size_t padded = columns < TARGET_COLUMNS ? columns : TARGET_COLUMNS;
    size_t most = target.len > columns ? columns : columns - gap;
    size_t written = target.len < most ? target.len : most;
    add_cut(into, target, most);
    if (written < columns && padded < written + gap)
        padded = written + gap;
    if (is_padded && written < padded)
        add_spaces(into, padded - written);
}

static void add_phases(const struct tail *tail, const struct pen *pen)
{
    size_t longest = tail_longest(tail);
    for (size_t i = 0; i < tail->count; i++) {
        text_add_char(pen->into, ' ');
        pen_color(pen, i == longest ? BOLD : DIM);
        text_add(pen->into, slice_of(tail->pieces[i].text, tail->pieces[i].len));
        pen_color(pen, RESET);
    }
    if (tail->slow_len > 0) {
        text_add_char(pen->into, ' ');
        pen_color(pen, YELLOW);
        text_add(pen->into, slice_of(tail->slow, tail->slow_len));
        pen_color(pen, RESET);
    }
}

static void add_tail(const struct tail *tail, const struct pen *pen)
{
    if (tail->user_len > 0) {
        text_add_char(pen->into, ' ');
        pen_color(pen, DIM);
        text_add(pen->into, slice_of(tail->user, tail->user_len));
        pen_color(pen, RESET);
    }
    if (tail->note_len > 0) {
        text_add_char(pen->into, ' ');
        pen_color(pen, tail->is_alarm ? RED : DIM);
        text_add(pen->into, slice_of(tail->note, tail->note_len));
        pen_color(pen, RESET);
    }
    add_phases(tail, pen);
}

static size_t line_columns(unsigned columns)
{
    if (columns < LINE_COLUMNS_MIN)
        return LINE_COLUMNS_MIN;
    return columns < LINE_COLUMNS_MAX ? columns : LINE_COLUMNS_MAX;
}

/* What no terminal holds to a width. It is written in place, since it may be as long as the texts of a record. */
static void add_whole(const struct record *record, const struct pen *pen)
{
    struct text *into = pen->into;
    struct tail tail = {.count = 0};
    add_head(record, pen, /* is_whole= */ true);
    add_figures(record, pen);
    size_t target_at = into->len;
    make_target(record, into);
    size_t target_end = into->len;
    bool is_alarm = has_failed(record) && !record->is_in_progress;
    size_t padded = target_end - target_at + (is_alarm ? GAP_COLUMNS : 0);
    add_spaces(into,
               (padded > TARGET_COLUMNS ? padded : TARGET_COLUMNS) - (target_end - target_at));
    size_t begin = into->len;
    if (record->user.len > 0) {
        text_add(into, SLICE(" user "));
        text_add_log(into, record_get(record, record->user), '\0');
    }
    struct text note = text_on(into->at + into->len + 1, into->cap - into->len - 1);
    if (is_alarm)
        add_whole_failure(record, &note);
    add_state(record, &note);
    if (note.len > 0) {
        text_add_char(into, ' ');
        into->len += note.len; /* which stands there */
    }
    tail_phases(&tail, &record->timeline);
    tail_slow(&tail, record, SIZE_MAX);
    add_phases(&tail, pen);
    if (into->len == begin)
        into->len = target_end;
    text_add_char(into, '\n');
}

/* What a narrow terminal has below the line. */
static void add_rest(struct tail *rest, const struct record *record, const struct pen *pen,
                     size_t columns)
{
    if (rest->count == 0 && rest->note_len == 0)
        return;
    tail_slow(rest, record, columns - BELOW_COLUMN);
    tail_fit(rest, columns - BELOW_COLUMN - (rest->slow_len > 0 ? rest->slow_len + 1 : 0));
    add_spaces(pen->into, BELOW_COLUMN - 1); /* a blank is before each part */
    add_tail(rest, pen);
    text_add_char(pen->into, '\n');
}

static void add_fitted(const struct record *record, const struct pen *pen, size_t columns)
{
    char space[TARGET_TEXT];
    struct text target = text_on(space, sizeof(space));
    make_target(record, &target);
    /* What went wrong may use the room that a short target leaves; all else stands below each other. */
    size_t room = columns - HEAD_COLUMNS - TARGET_COLUMNS - 1;
    size_t spare = has_failed(record) && target.len + GAP_COLUMNS < TARGET_COLUMNS
                       ? TARGET_COLUMNS - GAP_COLUMNS - target.len
                       : 0;
    struct tail tail;
    struct tail rest;
    tail.count = 0;
    tail_user(&tail, record, room);
    size_t user_columns = tail.user_len > 0 ? tail.user_len + 1 : 0;
    room -= user_columns;
    tail_note(&tail, record, room, spare);
    tail_phases(&tail, &record->timeline);
    tail_split(&tail, room, &rest);
    tail_lower(&tail, room + spare);
    if (tail.note_len > room)
        room = tail.note_len < room + spare ? tail.note_len : room + spare;
    tail.slow_len = 0;
    if (tail.count > 0)
        tail_slow(&tail, record, room);
    size_t slow_columns = tail.slow_len > 0 ? tail.slow_len + 1 : 0;
    tail_fit(&tail, room - slow_columns);
    size_t used = HEAD_COLUMNS + 1 + user_columns + tail_columns(&tail) + slow_columns;

    add_head(record, pen, /* is_whole= */ false);
    add_figures(record, pen);
    add_target(text_slice(&target), columns - used,
               user_columns + slow_columns + tail_columns(&tail) > 0,
               tail.is_alarm && tail.note_len > 0 ? GAP_COLUMNS : 0, pen->into);
    add_tail(&tail, pen);
    text_add_char(pen->into, '\n');
    add_rest(&rest, record, pen, columns);
    if (tail.is_below)
        add_below(record, pen, columns);
}

void access_log_add_line(const struct record *record, const struct access_log_style *style,
                         struct text *into)
{
    struct pen pen = {into, style->has_color};
    if (style->columns == 0)
        add_whole(record, &pen);
    else
        add_fitted(record, &pen, line_columns(style->columns));
}
