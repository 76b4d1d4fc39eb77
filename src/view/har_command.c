/* Lines of a log, or of what a process remembers, become entries as they are read. A process tells its newest first, in
 * pages: they are kept until the oldest one is there. */

#include "base/clock.h"
#include "base/json.h"
#include "base/line_reader.h"
#include "report/har.h"
#include "report/record_json.h"
#include "view/admin.h"
#include "view/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SAID_MAX = 20, PAGES_MAX = 1024, PAGE = 1000, FAULT_TEXT = 900, PATH_TEXT = 200 };

struct writer {
    const struct view_options *options;
    size_t count;
    unsigned said; /* lines that were no good */
    struct record record;
    char room[HAR_ENTRY_MAX + HAR_FRAME_MAX];
};

/* ---- entries ---- */

/* When it began, as the archive has it. */
static uint64_t begin_of(const struct record *record)
{
    uint64_t wall_ns = timeline_wall_ns(&record->timeline, MARK_C_HEAD);
    return wall_ns != 0 ? wall_ns : record->timeline.wall_ns;
}

static bool is_wanted(const struct writer *writer, const struct record *record)
{
    if (record->is_in_progress && !writer->options->wants_open)
        return false;
    return begin_of(record) >= writer->options->since_ns &&
           filter_match(&writer->options->filter, record);
}

static void write_record(struct writer *writer)
{
    struct text text = text_on(writer->room, sizeof(writer->room));
    if (!is_wanted(writer, &writer->record))
        return;
    if (writer->count == 0)
        har_begin(&text);
    har_add(&writer->record, writer->count == 0, &text);
    writer->count++;
    (void)fwrite(text.at, 1, text.len, stdout);
}

/* An archive without entries is one, too. */
static void write_end(const struct writer *writer)
{
    char room[2 * HAR_FRAME_MAX];
    struct text text = text_on(room, sizeof(room));
    if (writer->count == 0)
        har_begin(&text);
    har_end(&text);
    (void)fwrite(text.at, 1, text.len, stdout);
}

/* ---- logs ---- */

static void say_line(struct writer *writer, const char *name, uint64_t number, const char *why)
{
    if (writer->said++ < SAID_MAX)
        (void)fprintf(stderr, "fairlead: har: %s:%llu: %s; left out\n", name,
                      (unsigned long long)number, why);
}

static void read_line(struct writer *writer, const char *name, const struct line_reader *reader,
                      struct slice line)
{
    char words[RECORD_JSON_WHY_MAX];
    struct text why = text_on(words, sizeof(words));
    if (slice_trim(line).len == 0)
        return;
    if (reader->is_cut) {
        say_line(writer, name, reader->count, "it is longer than 65536 bytes");
    } else if (record_json_read(line, &writer->record, &why) != ST_OK) {
        say_line(writer, name, reader->count,
                 reader->has_feed ? text_string(&why) : "the last line is cut off");
    } else {
        write_record(writer);
    }
}

static int read_stream(struct writer *writer, struct line_reader *reader, const char *name,
                       FILE *file)
{
    struct slice line;
    enum status status;
    line_reader_use(reader, file);
    while ((status = line_reader_next(reader, &line)) == ST_OK && !ferror(stdout))
        read_line(writer, name, reader, line);
    return status == ST_IO ? view_complain(VIEW_HAR, name, strerror(errno)) : 0;
}

static int read_file(struct writer *writer, struct line_reader *reader, const char *name)
{
    if (strcmp(name, "-") == 0)
        return read_stream(writer, reader, "stdin", stdin);
    FILE *file = fopen(name, "re");
    if (file == NULL)
        return view_complain(VIEW_HAR, name, strerror(errno));
    int code = read_stream(writer, reader, name, file);
    (void)fclose(file); /* it was only read */
    return code;
}

static int read_logs(struct writer *writer)
{
    static const char *const from_stdin[] = {"-"};
    int count = writer->options->word_count;
    const char *const *names = count > 0 ? writer->options->words : from_stdin;
    struct line_reader reader;
    int code = 0;
    if (line_reader_init(&reader) != ST_OK)
        return view_complain(VIEW_HAR, "standard input", "out of memory");
    if (count == 0 && isatty(STDIN_FILENO) == 1)
        (void)fputs(
            "fairlead: har: reading a JSON log from standard input; --admin asks a process\n",
            stderr);
    for (int i = 0; i < (count > 0 ? count : 1) && code == 0; i++)
        code = read_file(writer, &reader, names[i]);
    line_reader_done(&reader);
    if (writer->said > SAID_MAX)
        (void)fprintf(stderr, "fairlead: har: %u more lines were left out\n",
                      writer->said - SAID_MAX);
    return code != 0 ? code : writer->said > 0 ? 1 : 0;
}

/* ---- a process ---- */

struct pages {
    struct admin_reply replies[PAGES_MAX]; /* newest first */
    size_t count;
    uint64_t left_out;
};

/* The member of a checked answer. */
static bool find_member(struct json_value object, struct slice name, struct json_value *ret_value)
{
    struct slice key;
    while (json_next_member(&object, &key, ret_value)) {
        if (slice_equals(key, name))
            return true;
    }
    return false;
}

static bool find_number(const struct json_value *object, struct slice name, uint64_t *ret_number)
{
    struct json_value value;
    return find_member(*object, name, &value) &&
           json_to_u64(&value, UINT64_MAX, ret_number) == ST_OK;
}

/* One more page; *before is where the next one ends, 0 behind the last one. */
static int take_page(const struct view_admin *admin, struct pages *pages, uint64_t *before)
{
    char room[PATH_TEXT];
    struct text path = text_on(room, sizeof(room));
    struct json_value value;
    struct json_value list;
    uint64_t oldest = 0;
    struct admin_reply *reply = &pages->replies[pages->count];
    text_add_format(&path, "/api/v1/transactions?limit=%d", PAGE);
    if (*before != UINT64_MAX)
        text_add_format(&path, "&before=%llu", (unsigned long long)*before);
    int code = view_admin_get(admin, VIEW_HAR, text_string(&path), reply);
    if (code != 0)
        return code;
    pages->count++;
    if (json_check(reply->body, &value) != ST_OK ||
        !find_member(value, SLICE("transactions"), &list) ||
        !find_number(&value, SLICE("oldest"), &oldest))
        return view_complain(VIEW_HAR, "the admin listener", "that is no list of transactions") - 1;
    if (*before == UINT64_MAX)
        (void)find_number(&value, SLICE("left_out"), &pages->left_out); /* else 0 */
    *before = oldest < *before ? oldest : 0;
    return 0;
}

static int write_page(struct writer *writer, const struct admin_reply *reply)
{
    char words[RECORD_JSON_WHY_MAX];
    struct json_value value;
    struct json_value list;
    struct json_value line;
    if (json_check(reply->body, &value) != ST_OK ||
        !find_member(value, SLICE("transactions"), &list))
        return 1;
    while (json_next_element(&list, &line)) {
        struct text why = text_on(words, sizeof(words));
        struct slice object = slice_of(line.raw.at - 1, line.raw.len + 2);
        if (line.kind != JSON_OBJECT || record_json_read(object, &writer->record, &why) != ST_OK)
            return view_complain(VIEW_HAR, "the admin listener",
                                 "one of its transactions cannot be read") -
                   1;
        write_record(writer);
    }
    return 0;
}

static int read_pages(struct writer *writer, const struct view_admin *admin, struct pages *pages)
{
    uint64_t before = UINT64_MAX;
    int code = 0;
    while (code == 0 && before > 1 && pages->count < PAGES_MAX)
        code = take_page(admin, pages, &before);
    for (size_t i = pages->count; i > 0 && code == 0; i--)
        code = write_page(writer, &pages->replies[i - 1]);
    if (code == 0 && pages->left_out > 0)
        (void)fprintf(stderr,
                      "fairlead: har: the process kept %llu transactions out of what it remembers, "
                      "since there were too many at once; its access log has all\n",
                      (unsigned long long)pages->left_out);
    for (size_t i = 0; i < pages->count; i++)
        free(pages->replies[i].text);
    return code;
}

static int read_process(struct writer *writer)
{
    struct view_admin admin;
    struct pages *pages = calloc(1, sizeof(*pages));
    if (pages == NULL)
        return view_complain(VIEW_HAR, "the admin listener", "out of memory");
    int code = view_admin_init(&admin, VIEW_HAR, writer->options);
    if (code == 0)
        code = read_pages(writer, &admin, pages);
    view_admin_done(&admin);
    free(pages);
    return code;
}

/* ---- the whole ---- */

int har_command(const struct view_options *options)
{
    bool asks = options->admin != NULL || options->config != NULL;
    struct writer *writer = calloc(1, sizeof(*writer));
    if (writer == NULL)
        return view_complain(VIEW_HAR, "standard output", "out of memory");
    writer->options = options;
    int code = 0;
    if (asks && options->word_count > 0)
        code = view_complain(VIEW_HAR, options->words[0], "logs and --admin do not go together");
    else
        code = asks ? read_process(writer) : read_logs(writer);
    if (writer->count > 0 || code == 0 || (code == 1 && !asks))
        write_end(writer);
    free(writer);
    return code;
}
