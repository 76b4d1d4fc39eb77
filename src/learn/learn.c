/* The command: options, files, and what is said of lines that are no good. The proposal goes to standard output when
 * all is read, so that what stops it half-way leaves nothing that looks whole. */

#include "learn/learn.h"

#include "base/line_reader.h"
#include "config/config.h"
#include "config/parse.h"
#include "learn/proposal.h"
#include "server/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEARN_LIST "/usr/share/publicsuffix/public_suffix_list.dat"

enum { LEARN_SAID_MAX = 20, LEARN_FAULT = 600, LEARN_BIG = INT32_MAX };

/* X(NAME, "--flag", "ARGUMENT", "help") */
#define OPTIONS(X)                                                                           \
    X(BY, "--by", "WHO", "with learn: rules per user (default), client or all")              \
    X(MIN_COUNT, "--min-count", "N", "with learn: leave out what was asked for fewer times") \
    X(SUFFIXES, "--suffixes", "N", "with learn: N hosts or more of one owner become *.NAME") \
    X(PUBLIC_SUFFIXES, "--public-suffixes", "FILE", "with learn: which names have many owners")

enum option {
#define X(name, flag, argument, help) OPTION_##name,
    OPTIONS(X)
#undef X
        OPTION_COUNT
};

static const struct {
    const char *flag, *argument, *help, *initial;
} options[OPTION_COUNT] = {
#define X(name, flag, argument, help) [OPTION_##name] = {flag, argument, help, NULL},
    OPTIONS(X)
#undef X
};

void learn_print_options(config_flag_printer *print)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        print(options[i].flag, options[i].argument, options[i].help,
              i == OPTION_PUBLIC_SUFFIXES ? LEARN_LIST : NULL, stdout);
}

/* One run of the command. */
struct lesson {
    enum store_by by;
    const char *list; /* path */
    struct proposal_options wanted;
    struct store store;
    struct log_line *line; /* heap: it is large */
    struct line_reader reader;
    unsigned said; /* lines that were no good */
    bool is_cut;   /* something is left out */
    bool has_said_limit;
};

static int complain(const char *what, const char *value)
{
    (void)fprintf(stderr, "fairlead: learn: %s%s%.200s\n", what, value[0] != '\0' ? ": " : "",
                  value);
    return 2;
}

/* ---- the command line ---- */

static int take_by(struct lesson *lesson, const char *value)
{
    static const char *const words[] = {
#define X(name, word) [STORE_BY_##name] = word,
        STORE_BY(X)
#undef X
    };
    for (int i = 0; i < STORE_BY_COUNT; i++) {
        if (strcmp(value, words[i]) == 0) {
            lesson->by = (enum store_by)i;
            return 0;
        }
    }
    return complain("--by expects user, client or all; got", value);
}

static int take_option(struct lesson *lesson, enum option option, const char *value)
{
    uint64_t number = 0;
    bool is_number = slice_to_u64(slice_from_string(value), LEARN_BIG, &number) == ST_OK;
    switch (option) {
    case OPTION_BY: return take_by(lesson, value);
    case OPTION_MIN_COUNT:
        if (!is_number || number == 0)
            return complain("--min-count expects a number from 1; got", value);
        lesson->wanted.min_count = number;
        return 0;
    case OPTION_SUFFIXES:
        if (!is_number || number < 2)
            return complain("--suffixes expects a number from 2; got", value);
        lesson->wanted.fold_least = number;
        return 0;
    case OPTION_PUBLIC_SUFFIXES: lesson->list = value; return 0;
    case OPTION_COUNT: break;
    }
    return 2;
}

/* What is left in `files` are the names of files. */
static int take_arguments(struct lesson *lesson, int argc, const char *const *argv,
                          const char **files, int *ret_count)
{
    bool has_no_more = false; /* options: "--" was read */
    for (int i = 0; i < argc; i++) {
        int option = 0;
        if (!has_no_more && strcmp(argv[i], "--") == 0) {
            has_no_more = true;
            continue;
        }
        if (has_no_more || argv[i][0] != '-' || argv[i][1] == '\0') {
            files[(*ret_count)++] = argv[i];
            continue;
        }
        while (option < OPTION_COUNT && strcmp(argv[i], options[option].flag) != 0)
            option++;
        if (option == OPTION_COUNT)
            return complain("unknown option", argv[i]);
        if (i + 1 == argc)
            return complain("a value is missing behind", argv[i]);
        int code = take_option(lesson, (enum option)option, argv[++i]);
        if (code != 0)
            return code;
    }
    return 0;
}

static int read_suffixes(const struct lesson *lesson, struct suffixes **ret_suffixes)
{
    char *text = NULL;
    size_t len = 0;
    char words[LEARN_FAULT];
    struct text fault = text_on(words, sizeof(words));
    if (file_read(lesson->list, FILE_BYTES_MAX, &text, &len, &fault) != ST_OK) {
        (void)complain(text_string(&fault), "");
        return complain(
            "--suffixes needs the Public Suffix List; Debian's package publicsuffix has "
            "it, and --public-suffixes names another file",
            "");
    }
    enum status status = suffixes_create(slice_of(text, len), ret_suffixes);
    free(text);
    if (status != ST_OK)
        return complain(status == ST_BAD ? "no Public Suffix List" : "out of memory", lesson->list);
    return 0;
}

/* ---- lines ---- */

static void say_line(struct lesson *lesson, const char *name, uint64_t number, const char *fault)
{
    lesson->is_cut = true;
    if (lesson->said++ < LEARN_SAID_MAX)
        (void)fprintf(stderr, "fairlead: learn: %s:%llu: %s; left out\n", name,
                      (unsigned long long)number, fault);
}

static void say_limit(struct lesson *lesson)
{
    lesson->is_cut = true;
    if (lesson->has_said_limit)
        return;
    lesson->has_said_limit = true;
    (void)fprintf(
        stderr,
        "fairlead: learn: more than %d destinations that passed, or %d that were refused: "
        "further ones are left out; read a shorter time, or --by all\n",
        STORE_ALLOWED_MAX, STORE_REFUSED_MAX);
}

/* Errors: ST_NOMEM; what is wrong with the line was said. */
static enum status learn_line(struct lesson *lesson, const char *name, struct slice line)
{
    const struct line_reader *reader = &lesson->reader;
    const char *fault = "";
    if (slice_trim(line).len == 0 && !reader->is_cut)
        return ST_OK;
    lesson->wanted.line_count++;
    enum status status = reader->is_cut ? ST_BAD : log_line_read(line, lesson->line, &fault);
    if (status != ST_OK) {
        lesson->wanted.bad_count++;
        say_line(lesson, name, reader->count,
                 reader->is_cut     ? "it is longer than 65536 bytes"
                 : reader->has_feed ? fault
                                    : "the last line is cut off");
        return ST_OK;
    }
    status = store_add(&lesson->store, lesson->line, &fault);
    if (status == ST_BAD)
        say_line(lesson, name, reader->count, fault);
    else if (status == ST_LIMIT)
        say_limit(lesson);
    return status == ST_NOMEM ? ST_NOMEM : ST_OK;
}

static int learn_stream(struct lesson *lesson, const char *name, FILE *file)
{
    struct slice line;
    enum status status;
    line_reader_use(&lesson->reader, file);
    while ((status = line_reader_next(&lesson->reader, &line)) == ST_OK) {
        if (learn_line(lesson, name, line) != ST_OK)
            return complain("out of memory", "");
    }
    if (status != ST_IO)
        return 0;
    (void)fprintf(stderr, "fairlead: learn: %s: %s\n", name, strerror(errno));
    return 2;
}

static int learn_file(struct lesson *lesson, const char *name)
{
    if (strcmp(name, "-") == 0)
        return learn_stream(lesson, "stdin", stdin);
    FILE *file = fopen(name, "re");
    if (file == NULL) {
        (void)fprintf(stderr, "fairlead: learn: %s: %s\n", name, strerror(errno));
        return 2;
    }
    int code = learn_stream(lesson, name, file);
    (void)fclose(file); /* it was only read */
    return code;
}

/* ---- the whole ---- */

static int print_proposal(struct lesson *lesson)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    enum status status =
        out == NULL ? ST_NOMEM : proposal_print(&lesson->store, &lesson->wanted, out);
    if (out != NULL && fclose(out) != 0)
        status = ST_NOMEM;
    if (status == ST_OK) {
        (void)fwrite(text, 1, len, stdout);
        if (len > PARSE_BYTES_MAX) {
            lesson->is_cut = true;
            (void)complain("this is more than a configuration may hold (4 MiB): --min-count, "
                           "--suffixes or --by make it shorter",
                           "");
        }
    }
    free(text);
    return status == ST_OK ? 0 : complain("out of memory", "");
}

static int learn_all(struct lesson *lesson, const char *const *files, int count)
{
    struct suffixes *suffixes = NULL;
    int code = 0;
    if (lesson->wanted.fold_least > 0)
        code = read_suffixes(lesson, &suffixes);
    lesson->wanted.suffixes = suffixes;
    store_init(&lesson->store, lesson->by);
    for (int i = 0; i < count && code == 0; i++)
        code = learn_file(lesson, files[i]);
    if (lesson->said > LEARN_SAID_MAX)
        (void)fprintf(stderr, "fairlead: learn: %u more lines were left out\n",
                      lesson->said - LEARN_SAID_MAX);
    if (code == 0)
        code = print_proposal(lesson);
    if (code == 0 && lesson->store.allowed_count == 0)
        (void)fputs("fairlead: learn: no request that passed was read: these rules allow nothing\n",
                    stderr);
    store_done(&lesson->store);
    suffixes_destroy(&suffixes);
    return code != 0 ? code : lesson->is_cut ? 1 : 0;
}

int learn(int argc, const char *const *argv)
{
    static const char *const from_stdin[] = {"-"};
    struct lesson lesson = {.list = LEARN_LIST, .wanted = {.min_count = 1}};
    const char **files = calloc((size_t)argc + 1, sizeof(*files));
    int count = 0;
    lesson.line = malloc(sizeof(*lesson.line));
    bool has_room =
        line_reader_init(&lesson.reader) == ST_OK && files != NULL && lesson.line != NULL;
    int code = has_room ? take_arguments(&lesson, argc, argv, files, &count)
                        : complain("out of memory", "");
    if (code == 0 && count == 0 && isatty(STDIN_FILENO) == 1)
        (void)fputs("fairlead: learn: reading a JSON log from standard input\n", stderr);
    if (code == 0)
        code = count > 0 ? learn_all(&lesson, files, count) : learn_all(&lesson, from_stdin, 1);
    free(files);
    free(lesson.line);
    line_reader_done(&lesson.reader);
    return code;
}
