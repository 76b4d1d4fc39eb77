/* One table for all of them; each option knows the commands that have it. */

#include "view/options.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/edit.h"
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
    const char *flag, *argument, *commands, *help;
} options[VIEW_OPTION_COUNT] = {
#define X(name, flag, argument, commands, help) [OPTION_##name] = {flag, argument, commands, help},
    VIEW_OPTIONS(X)
#undef X
};

static const struct {
    const char *word;
    char letter;
} commands[VIEW_COMMAND_COUNT] = {
    [VIEW_TRACE] = {"trace", 't'},     [VIEW_TAIL] = {"tail", 'f'},
    [VIEW_TUNNELS] = {"tunnels", 'u'}, [VIEW_REQUESTS] = {"requests", 'r'},
    [VIEW_HAR] = {"har", 'h'},
};

const char *view_command_word(enum view_command command)
{
    return commands[command].word;
}

int view_complain(enum view_command command, const char *what, const char *why)
{
    (void)fprintf(stderr, "fairlead: %s: %s%s%s\n", view_command_word(command), what,
                  why[0] != '\0' ? ": " : "", why);
    return 2;
}

/* ---- Help ---- */

void view_options_print(enum view_command command)
{
    for (size_t i = 0; i < VIEW_OPTION_COUNT; i++) {
        if (strchr(options[i].commands, commands[command].letter) != NULL)
            config_print_flag(options[i].flag, options[i].argument, options[i].help, NULL, stdout);
    }
}

/* The same flag of the proxy, or of another command, has its line already. */
static bool is_shown_elsewhere(enum view_option option)
{
    return option == OPTION_ADMIN || option == OPTION_CONFIG || option == OPTION_JSON ||
           option == OPTION_METHOD;
}

void view_options_print_all(void)
{
    for (int i = 0; i < VIEW_OPTION_COUNT; i++) {
        char words[300];
        struct text text = text_on(words, sizeof(words));
        const char *between = "with ";
        for (size_t command = 0; command < VIEW_COMMAND_COUNT; command++) {
            if (strchr(options[i].commands, commands[command].letter) == NULL)
                continue;
            text_add_format(&text, "%s%s", between, commands[command].word);
            between = ", ";
        }
        text_add_format(&text, ": %s", options[i].help);
        if (!is_shown_elsewhere((enum view_option)i))
            config_print_flag(options[i].flag, options[i].argument, text_string(&text), NULL,
                              stdout);
    }
}

/* ---- Values ---- */

struct reader {
    enum view_command command;
    uint64_t wall_ns;
    struct view_options *options;
    struct text filter; /* terms of all --filter */
    bool has_no_more;   /* options: "--" was read */
};

static int complain(const struct reader *reader, const char *what, const char *value)
{
    char space[200];
    struct text shown = text_on(space, sizeof(space));
    text_add_log(&shown, slice_first(slice_from_string(value), 40), '\0');
    return view_complain(reader->command, what, text_string(&shown));
}

static int take_filter(struct reader *reader, const char *value)
{
    if (reader->filter.len > 0)
        text_add_char(&reader->filter, ' ');
    text_add(&reader->filter, slice_from_string(value));
    return reader->filter.is_cut ? complain(reader, "a filter has at most 1024 bytes", "") : 0;
}

/* A duration before now, or a time in UTC. */
static int take_since(struct reader *reader, const char *value)
{
    uint64_t ago_ns = 0;
    struct tm tm = {.tm_sec = 0};
    if (filter_read_duration(slice_from_string(value), &ago_ns) && ago_ns < reader->wall_ns) {
        reader->options->since_ns = reader->wall_ns - ago_ns;
        return 0;
    }
    const char *end = strptime(value, "%Y-%m-%dT%H:%M:%S", &tm);
    time_t seconds = end != NULL ? timegm(&tm) : -1;
    if (seconds < 0 || strcmp(end, "Z") != 0)
        return complain(reader, "--since expects a duration such as 10m, or 2026-11-24T02:12:23Z",
                        value);
    reader->options->since_ns = (uint64_t)seconds * NS_PER_S;
    return 0;
}

static int take_kill(struct reader *reader, const char *value)
{
    struct view_options *to = reader->options;
    if (to->kill_count == VIEW_KILLS_MAX)
        return complain(reader, "too many tunnels", "");
    if (strlen(value) != 16 ||
        slice_hex_to_u64(slice_from_string(value), UINT64_MAX, &to->kills[to->kill_count]) != ST_OK)
        return complain(reader, "--kill expects the 16 digits of a tunnel; got", value);
    to->kill_count++;
    return 0;
}

static int take_repeat(struct reader *reader, const char *value)
{
    uint64_t number = 0;
    if (slice_to_u64(slice_from_string(value), VIEW_REPEAT_MAX, &number) != ST_OK || number == 0)
        return complain(reader, "--repeat expects a number from 1 to 10000; got", value);
    reader->options->repeat = (unsigned)number;
    return 0;
}

/* "10", "0.5": what curl takes; and "500ms", what the rest of this program takes. */
static int take_max_time(struct reader *reader, const char *value)
{
    char room[32];
    struct text seconds = text_on(room, sizeof(room));
    uint64_t ns = 0;
    text_add_format(&seconds, "%ss", value);
    bool is_good = filter_read_duration(slice_from_string(value), &ns) ||
                   (!seconds.is_cut && filter_read_duration(text_slice(&seconds), &ns));
    if (!is_good || ns == 0 || ns > VIEW_MAX_TIME_S * NS_PER_S)
        return complain(reader, "--max-time expects seconds, more than 0 and at most a week; got",
                        value);
    reader->options->max_time_ns = ns;
    return 0;
}

static int take_option(struct reader *reader, enum view_option option, const char *value)
{
    struct view_options *to = reader->options;
    switch (option) {
    case OPTION_ADMIN: to->admin = value; return 0;
    case OPTION_CONFIG: to->config = value; return 0;
    case OPTION_TOKEN_FILE: to->token_file = value; return 0;
    case OPTION_METHOD: to->method = value; return 0;
    case OPTION_PROXY: to->proxy = value; return 0;
    case OPTION_PROXY_PASSWORD_FILE: to->proxy_password_file = value; return 0;
    case OPTION_REPEAT: return take_repeat(reader, value);
    case OPTION_SERIAL: to->is_serial = true; return 0;
    case OPTION_MAX_TIME: return take_max_time(reader, value);
    case OPTION_HAR: to->wants_har = true; return 0;
    case OPTION_FILTER: return take_filter(reader, value);
    case OPTION_SINCE: return take_since(reader, value);
    case OPTION_KILL: return take_kill(reader, value);
    case OPTION_OPEN: to->wants_open = true; return 0;
    case OPTION_JSON: to->wants_json = true; return 0;
    case VIEW_OPTION_COUNT: break;
    }
    return 2;
}

/* ---- The command line ---- */

enum { SLIP_LETTERS = 2 };

/* "--flag" and "--flag=VALUE"; `*ret_value` is NULL where none is in it. */
static int find_option(enum view_command command, const char *word, const char **ret_value)
{
    size_t len = strcspn(word, "=");
    *ret_value = word[len] == '=' ? word + len + 1 : NULL;
    if (strcmp(word, "-c") == 0 &&
        strchr(options[OPTION_CONFIG].commands, commands[command].letter))
        return OPTION_CONFIG;
    for (int i = 0; i < VIEW_OPTION_COUNT; i++) {
        bool is_its = strchr(options[i].commands, commands[command].letter) != NULL;
        if (is_its && strlen(options[i].flag) == len && strncmp(word, options[i].flag, len) == 0)
            return i;
    }
    return -1;
}

/* The option that is meant, of this command's own; where others of the configuration may be meant, only one that is as
 * near as a slip of the finger. */
static const char *find_near(const struct reader *reader, const char *word)
{
    const char *best = NULL;
    size_t best_distance = reader->command == VIEW_TRACE ? SLIP_LETTERS + 1 : SIZE_MAX;
    struct slice written = slice_first(slice_from_string(word), strcspn(word, "="));
    for (int i = 0; i < VIEW_OPTION_COUNT; i++) {
        size_t distance = edit_distance(written, slice_from_string(options[i].flag));
        bool is_its = strchr(options[i].commands, commands[reader->command].letter) != NULL;
        if (is_its && edit_is_near(written, distance) && distance < best_distance) {
            best_distance = distance;
            best = options[i].flag;
        }
    }
    return best;
}

/* "NAME: what is wrong". */
static int complain_option(const struct reader *reader, const char *word, const char *why)
{
    char space[200];
    struct text name = text_on(space, sizeof(space));
    text_add_log(&name, slice_first(slice_from_string(word), strcspn(word, "=")), '\0');
    return view_complain(reader->command, text_string(&name), why);
}

/* None of this command's own: of the configuration, where the command has one. */
static int take_other(struct reader *reader, const char *word, const char *next, bool *ret_takes)
{
    char space[200];
    struct text why = text_on(space, sizeof(space));
    struct view_options *to = reader->options;
    bool is_bad = config_flag_check(word, next, ret_takes, &why) != ST_OK;
    const char *near = is_bad || reader->command != VIEW_TRACE ? find_near(reader, word) : NULL;
    if (near != NULL || reader->command != VIEW_TRACE) {
        why.len = 0;
        text_add_format(&why, "unknown option; %s%s%s", near != NULL ? "did you mean " : "",
                        near != NULL ? near : "--help lists them", near != NULL ? "?" : "");
        is_bad = true;
    }
    if (is_bad)
        return complain_option(reader, word, text_string(&why));
    to->rest[to->rest_count++] = word;
    if (*ret_takes)
        to->rest[to->rest_count++] = next;
    return 0;
}

static int take_word(struct reader *reader, int argc, const char *const *argv, int *at)
{
    struct view_options *to = reader->options;
    const char *word = argv[*at];
    const char *value = NULL;
    bool is_option = !reader->has_no_more && word[0] == '-' && word[1] != '\0';
    int option = is_option ? find_option(reader->command, word, &value) : -1;
    if (!is_option) {
        to->words[to->word_count++] = word;
        return 0;
    }
    if (strcmp(word, "--") == 0) {
        reader->has_no_more = true;
        return 0;
    }
    if (option >= 0) {
        bool has_value = options[option].argument[0] != '\0';
        if (!has_value && value != NULL)
            return complain(reader, "no value is expected behind", word);
        if (has_value && value == NULL && *at + 1 == argc)
            return complain(reader, "a value is missing behind", word);
        if (has_value && value == NULL)
            value = argv[++*at];
        return take_option(reader, (enum view_option)option, value);
    }
    bool takes_next = false;
    int code = take_other(reader, word, *at + 1 < argc ? argv[*at + 1] : NULL, &takes_next);
    *at += takes_next ? 1 : 0;
    return code;
}

static int read_filter(struct reader *reader)
{
    char words[FILTER_WHY_MAX];
    struct text why = text_on(words, sizeof(words));
    reader->filter.cap++;
    (void)text_string(&reader->filter);
    if (filter_parse(text_slice(&reader->filter), &reader->options->filter, &why) == ST_OK)
        return 0;
    return view_complain(reader->command, "--filter", text_string(&why));
}

int view_options_read(enum view_command command, int argc, const char *const *argv,
                      uint64_t wall_ns, struct view_options *ret_options)
{
    struct view_options *to = ret_options;
    struct reader reader = {.command = command, .wall_ns = wall_ns, .options = to};
    memset(to, 0, sizeof(*to));
    reader.filter = text_on(to->filter_text, FILTER_TEXT_MAX);
    to->words = calloc((size_t)argc + 1, sizeof(*to->words));
    to->rest = calloc((size_t)argc + 1, sizeof(*to->rest));
    to->repeat = 1;
    if (to->words == NULL || to->rest == NULL)
        return complain(&reader, "out of memory", "");
    for (int i = 0; i < argc; i++) {
        int code = take_word(&reader, argc, argv, &i);
        if (code != 0)
            return code;
    }
    return read_filter(&reader);
}

void view_options_done(struct view_options *read)
{
    free(read->words);
    free(read->rest);
    read->words = read->rest = NULL;
}
