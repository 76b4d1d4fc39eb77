/* What is open: pages of /api/v1/tunnels and /api/v1/requests, one row each:
 *
 *     ID                  AGE    IDLE     UP   DOWN CLIENT          TARGET
 *     0001000000000004    12m      3s 1.23KB 45.6MB 192.0.2.7       a.example:443 (ci)
 *
 *     ID                  AGE   PHASE SLOW             TARGET
 *     0001000000000009    17s    wait origin           GET a.example/slow (ci)
 *
 * The target, and who is slow, take the room of bytes and client where there is not enough for all. A row is as wide as
 * the terminal; in a pipe or a file it is as long as what it says, and columns are wider where what is in them is. */

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "record/verdict.h"
#include "report/record_json.h"
#include "view/admin.h"
#include "view/commands.h"
#include "view/screen.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ROW_TEXT = 4 * RECORD_TEXT_MAX + 1024, /* an escape a byte, and the figures */
    PATH_TEXT = 200,
    FAULT_TEXT = 900,
    NEXT_MAX = 64,
    PAGES_MAX = 100000,
    ID_COLUMNS = 16,
    FIGURE_COLUMNS = 6,
    STATE_COLUMNS = 7,
    SLOW_COLUMNS = 16,
    CLIENT_COLUMNS = 15,
    TARGET_LEAST = 10,
    TARGET_MOST = 500, /* of a terminal: no screen is wider */
    ASKER_MOST = 100,
    STATE_AT = ID_COLUMNS + FIGURE_COLUMNS + 2,
    MORE_COLUMNS = 2 * FIGURE_COLUMNS + CLIENT_COLUMNS + 3, /* bytes and client */
};

struct table;

/* What a command lists. */
struct kind {
    enum view_command command;
    const char *path;
    const char *member; /* the array of an answer */
    const char *state;  /* head of the columns that say how one is */
    size_t state_columns;
    size_t wide_columns; /* of a terminal that has room for bytes and client, too */
    const char *none;
    const char *none_passes;
    enum mark begin;
    void (*add_state)(const struct table *table, struct text *row);
};

struct table {
    const struct kind *kind;
    const struct view_options *options;
    struct screen screen;
    bool has_more;   /* room for bytes and client */
    uint64_t now_ns; /* wall time */
    size_t count;
    char next[NEXT_MAX]; /* of the page that follows; empty: there is none */
    bool is_cut;         /* the last page says that there is more */
    struct record record;
    char row[ROW_TEXT];
};

/* ---- rows ---- */

static void add_figure(struct text *row, struct slice figure, size_t columns)
{
    text_add_char(row, ' ');
    screen_add_cell(row, figure, columns, true);
}

/* Since a mark; "-" where it never happened. */
static void add_since(const struct table *table, struct text *row, enum mark mark, size_t columns)
{
    char room[32];
    struct text text = text_on(room, sizeof(room));
    uint64_t at_ns = timeline_wall_ns(&table->record.timeline, mark);
    if (at_ns == 0)
        text_add_char(&text, '-');
    else
        text_add_short_duration(&text, table->now_ns > at_ns ? table->now_ns - at_ns : 0);
    add_figure(row, text_slice(&text), columns);
}

/* How long nothing came in a tunnel. */
static void add_idle(const struct table *table, struct text *row)
{
    bool has_bytes = timeline_has(&table->record.timeline, MARK_T_LAST);
    add_since(table, row, has_bytes ? MARK_T_LAST : MARK_T_OPEN, STATE_COLUMNS);
}

/* The phase that a request is in, and who is slow so far. */
static void add_phase(const struct table *table, struct text *row)
{
    enum phase phase;
    uint64_t since_ns;
    struct verdict verdict;
    bool is_in_one = timeline_phase_now(&table->record.timeline, &phase, &since_ns);
    bool is_slow = verdict_judge(&table->record, &verdict);
    add_figure(row, is_in_one ? slice_from_string(phase_word(phase)) : SLICE("-"), STATE_COLUMNS);
    text_add_char(row, ' ');
    screen_add_cell(row, is_slow ? slice_from_string(slow_word(verdict.slow)) : SLICE("-"),
                    SLOW_COLUMNS, false);
}

static const struct kind tunnels = {
    .command = VIEW_TUNNELS,
    .path = "/api/v1/tunnels?limit=1000",
    .member = "tunnels",
    .state = "   IDLE",
    .state_columns = STATE_COLUMNS,
    .wide_columns = 80,
    .none = "no tunnel is open",
    .none_passes = "no open tunnel passes the filter",
    .begin = MARK_T_OPEN,
    .add_state = add_idle,
};

static const struct kind requests = {
    .command = VIEW_REQUESTS,
    .path = "/api/v1/requests?limit=1000",
    .member = "requests",
    .state = "  PHASE SLOW            ",
    .state_columns = STATE_COLUMNS + 1 + SLOW_COLUMNS,
    .wide_columns = 100,
    .none = "no request is in flight",
    .none_passes = "no request in flight passes the filter",
    .begin = MARK_C_FIRST,
    .add_state = add_phase,
};

static void add_bytes(struct text *row, uint64_t bytes)
{
    char room[32];
    struct text text = text_on(room, sizeof(room));
    text_add_size(&text, bytes);
    add_figure(row, text_slice(&text), FIGURE_COLUMNS);
}

static const char *client_text(const struct record *record, char room[INET_ADDR_TEXT])
{
    if (record->client.addr.family == INET_NONE)
        return "unix";
    (void)inet_addr_format(&record->client.addr, room);
    return room;
}

static void add_more(const struct table *table, struct text *row)
{
    char room[INET_ADDR_TEXT];
    struct slice client = slice_from_string(client_text(&table->record, room));
    bool is_whole = !table->screen.is_terminal && client.len > CLIENT_COLUMNS;
    add_bytes(row, table->record.client_in_bytes);
    add_bytes(row, table->record.client_out_bytes);
    text_add_char(row, ' ');
    screen_add_cell(row, client, is_whole ? client.len : CLIENT_COLUMNS, false);
}

/* Whose it is: the user, or the client where it has no column. */
static void add_asker(const struct table *table, struct text *text)
{
    char room[INET_ADDR_TEXT];
    const struct record *record = &table->record;
    if (record->user.len == 0 && table->has_more)
        return;
    text_add(text, SLICE(" ("));
    text_add(text, record->user.len > 0 ? record_get(record, record->user)
                                        : slice_from_string(client_text(record, room)));
    text_add_char(text, ')');
}

/* A cell without the blanks behind it. */
static void add_last(struct text *row, struct slice text, size_t columns)
{
    screen_add_cell(row, text, columns, false);
    while (row->len > 0 && row->at[row->len - 1] == ' ')
        row->len--;
}

static size_t target_columns(const struct table *table)
{
    size_t at = STATE_AT + table->kind->state_columns + (table->has_more ? MORE_COLUMNS : 0) + 1;
    CHECK(table->screen.columns > at + TARGET_LEAST);
    return table->screen.columns - at;
}

/* "GET a.example/path", or of a tunnel "a.example:443". */
static void add_asked(const struct table *table, struct text *text)
{
    const struct record *record = &table->record;
    struct slice url = record_get(record, record->url);
    if (table->kind == &requests) {
        text_add(text, record_get(record, record->method));
        text_add_char(text, ' ');
        if (slice_starts_with_nocase(url, SLICE("http://")))
            url = slice_from(url, sizeof("http://") - 1);
    }
    text_add(text, url);
}

/* Neither is cut. */
static void add_whole_target(const struct table *table, struct text *row)
{
    char room[RECORD_TEXT_MAX + INET_ADDR_TEXT];
    struct text text = text_on(room, sizeof(room));
    add_asked(table, &text);
    add_asker(table, &text);
    text_add_char(row, ' ');
    text_add_log(row, text_slice(&text), '\0');
}

/* And whose it is, for which the target is cut as far as that leaves something of it. */
static void add_target(const struct table *table, struct text *row)
{
    char room[TARGET_MOST];
    char asker_room[ASKER_MOST];
    struct text text = text_on(room, sizeof(room));
    struct text asker = text_on(asker_room, sizeof(asker_room));
    size_t columns = target_columns(table);
    add_asked(table, &text);
    add_asker(table, &asker);
    text_add_char(row, ' ');
    if (asker.len + TARGET_LEAST <= columns) {
        add_last(row, text_slice(&text), columns - asker.len);
        add_last(row, text_slice(&asker), asker.len);
    } else {
        text_add(&text, text_slice(&asker));
        add_last(row, text_slice(&text), columns);
    }
}

static void print_head(const struct table *table)
{
    (void)printf("%s%-16s %6s %s %sTARGET%s\n", table->screen.has_color ? SCREEN_DIM : "", "ID",
                 "AGE", table->kind->state, table->has_more ? "    UP   DOWN CLIENT          " : "",
                 table->screen.has_color ? SCREEN_RESET : "");
}

static void print_row(struct table *table)
{
    struct text row = text_on(table->row, sizeof(table->row));
    const struct record *record = &table->record;
    if (table->count++ == 0)
        print_head(table);
    text_add_format(&row, "%016llx", (unsigned long long)record->id);
    add_since(table, &row, table->kind->begin, FIGURE_COLUMNS);
    table->kind->add_state(table, &row);
    if (table->has_more)
        add_more(table, &row);
    if (table->screen.is_terminal)
        add_target(table, &row);
    else
        add_whole_target(table, &row);
    text_add_char(&row, '\n');
    (void)fwrite(row.at, 1, row.len, stdout);
}

/* ---- pages ---- */

/* The record of one, and its text. */
static int show_one(struct table *table, const struct json_value *line)
{
    char words[RECORD_JSON_WHY_MAX];
    struct text why = text_on(words, sizeof(words));
    struct slice object = slice_of(line->raw.at - 1, line->raw.len + 2);
    if (line->kind != JSON_OBJECT || record_json_read(object, &table->record, &why) != ST_OK)
        return view_complain(table->kind->command,
                             "the admin listener lists one that cannot be read", "") -
               1;
    if (!filter_match(&table->options->filter, &table->record))
        return 0;
    if (!table->options->wants_json) {
        print_row(table);
        return 0;
    }
    table->count++;
    (void)fwrite(object.at, 1, object.len, stdout);
    (void)fputc('\n', stdout);
    return 0;
}

static int show_page(struct table *table, struct slice body)
{
    struct json_value value;
    struct json_value part;
    struct json_value line;
    struct slice key;
    struct slice next = SLICE_NONE;
    int code = 0;
    table->next[0] = '\0';
    table->is_cut = false;
    if (json_check(body, &value) != ST_OK)
        return view_complain(table->kind->command,
                             "what the admin listener answers is no such list", "") -
               1;
    while (code == 0 && json_next_member(&value, &key, &part)) {
        bool is_list = slice_equals(key, slice_from_string(table->kind->member));
        while (is_list && code == 0 && json_next_element(&part, &line))
            code = show_one(table, &line);
        if (slice_equals(key, SLICE("truncated")))
            table->is_cut = part.kind == JSON_TRUE;
        if (slice_equals(key, SLICE("next")) &&
            json_text_into(&part, table->next, sizeof(table->next) - 1, &next) == ST_OK)
            table->next[next.len] = '\0';
    }
    return code;
}

static int list(struct table *table, const struct view_admin *admin)
{
    int code = 0;
    int pages = 0;
    do {
        char room[PATH_TEXT];
        struct text path = text_on(room, sizeof(room));
        struct admin_reply reply = {.status = 0};
        text_add(&path, slice_from_string(table->kind->path));
        admin_path_add(&path, "after", slice_from_string(table->next));
        code = view_admin_get(admin, table->kind->command, text_string(&path), &reply);
        if (code == 0)
            code = show_page(table, reply.body);
        free(reply.text);
    } while (code == 0 && table->next[0] != '\0' && ++pages < PAGES_MAX);
    if (code == 0 && table->is_cut)
        return view_complain(table->kind->command,
                             "this is not all: the process did not look at the rest", "") -
               1;
    if (code == 0 && table->count == 0 && !table->options->wants_json)
        (void)puts(table->options->filter_text[0] != '\0' ? table->kind->none_passes
                                                          : table->kind->none);
    return code;
}

/* ---- ending ---- */

static int kill_tunnel(const struct view_admin *admin, uint64_t id)
{
    char path[PATH_TEXT];
    char words[FAULT_TEXT];
    struct text fault = text_on(words, sizeof(words));
    struct admin_reply reply = {.status = 0};
    (void)snprintf(path, sizeof(path), "/api/v1/tunnels/%016llx", (unsigned long long)id);
    if (admin_ask(&admin->client, "DELETE", path, &fault, &reply) != ST_OK)
        return view_complain(VIEW_TUNNELS, text_string(&fault), "") - 1;
    if (reply.status == 200) {
        (void)printf("%016llx ended\n", (unsigned long long)id);
    } else {
        text_add_format(&fault, "%016llx is not ended: ", (unsigned long long)id);
        admin_reply_add_why(&admin->client, &reply, VIEW_TOKEN_HOW, &fault);
        (void)view_complain(VIEW_TUNNELS, text_string(&fault), "");
    }
    free(reply.text);
    return reply.status == 200 ? 0 : 1;
}

static int kill_all(const struct view_admin *admin, const struct view_options *options)
{
    int code = 0;
    for (size_t i = 0; i < options->kill_count; i++) {
        if (kill_tunnel(admin, options->kills[i]) != 0)
            code = 1;
    }
    return code;
}

static int open_command(const struct kind *kind, const struct view_options *options)
{
    struct view_admin admin;
    if (options->word_count > 0)
        return view_complain(kind->command, "no word is expected; a filter stands behind --filter",
                             "");
    struct table *table = calloc(1, sizeof(*table));
    if (table == NULL)
        return view_complain(kind->command, "out of memory", "");
    table->kind = kind;
    table->options = options;
    table->screen = screen_of_output();
    table->has_more = !table->screen.is_terminal || table->screen.columns >= kind->wide_columns;
    table->now_ns = clock_wall_ns();
    int code = view_admin_init(&admin, kind->command, options);
    if (code == 0)
        code = options->kill_count > 0 ? kill_all(&admin, options) : list(table, &admin);
    view_admin_done(&admin);
    free(table);
    return code;
}

int tunnels_command(const struct view_options *options)
{
    return open_command(&tunnels, options);
}

int requests_command(const struct view_options *options)
{
    return open_command(&requests, options);
}
