#ifndef FAIRLEAD_VIEW_OPTIONS_H
#define FAIRLEAD_VIEW_OPTIONS_H

#include "report/filter.h"

#include <stdbool.h>
#include <stdint.h>

/* The command lines of the views. */

enum view_command {
    VIEW_TRACE,
    VIEW_TAIL,
    VIEW_TUNNELS,
    VIEW_REQUESTS,
    VIEW_HAR,
    VIEW_COMMAND_COUNT
};

/* X(NAME, "--flag", "ARGUMENT", commands, "help"): commands are letters, t trace, f tail, u tunnels, r requests, h
 * har. */
#define VIEW_OPTIONS(X)                                                                            \
    X(ADMIN, "--admin", "ADDR|PATH", "furh", "the admin listener of the process [127.0.0.1:3129]") \
    X(CONFIG, "--config", "FILE", "furh", "(or -c) names the admin listener and its token")        \
    X(TOKEN_FILE, "--token-file", "FILE", "furh", "first line: the token of the admin listener")   \
    X(FILTER, "--filter", "EXPR", "furh", "only those that pass: see FILTERS in fairlead(1)")      \
    X(SINCE, "--since", "TIME", "h", "only those that began later: 10m, 2026-11-24T02:12:23Z")     \
    X(OPEN, "--open", "", "h", "records of open tunnels, too")                                     \
    X(KILL, "--kill", "ID", "u", "end this tunnel; needs the token")                               \
    X(PROXY, "--proxy", "URL", "t", "through this proxy: http[s]://[USER[:PASSWORD]@]HOST:PORT")   \
    X(PROXY_PASSWORD_FILE, "--proxy-password-file", "FILE", "t", "first line: that password")      \
    X(METHOD, "--method", "METHOD", "t", "of the requests [GET]")                                  \
    X(REPEAT, "--repeat", "N", "t", "N times each, with percentiles")                              \
    X(SERIAL, "--serial", "", "t", "one after the other instead of all at once")                   \
    X(MAX_TIME, "--max-time", "SECONDS", "t", "give a transaction up after so long [never]")       \
    X(HAR, "--har", "", "t", "an HTTP Archive instead")                                            \
    X(JSON, "--json", "", "tfur", "lines of the JSON access log instead")

enum view_option {
#define X(name, flag, argument, commands, help) OPTION_##name,
    VIEW_OPTIONS(X)
#undef X
        VIEW_OPTION_COUNT
};

enum { VIEW_KILLS_MAX = 64, VIEW_REPEAT_MAX = 10000, VIEW_MAX_TIME_S = 7 * 24 * 3600 };

/* Texts are borrowed from the arguments. */
struct view_options {
    const char *admin, *config, *token_file, *method, *proxy, *proxy_password_file;
    struct filter filter;
    char filter_text[FILTER_TEXT_MAX + 1]; /* as it was written */
    uint64_t since_ns;                     /* wall time; 0: from the beginning */
    uint64_t kills[VIEW_KILLS_MAX];
    size_t kill_count;
    uint64_t max_time_ns; /* 0: none */
    unsigned repeat;
    bool is_serial, wants_json, wants_har, wants_open;
    const char **words; /* what is no option: files, URLs. Heap */
    int word_count;
    const char **rest; /* of trace: options of the configuration with their values. Heap */
    int rest_count;
};

/* Read them, in front of a first word or behind it. Says what is wrong. Returns 0, or 2 where it is wrong; `wall_ns` is
 * the time that --since counts back from. view_options_done in any case. */
int view_options_read(enum view_command command, int argc, const char *const *argv,
                      uint64_t wall_ns, struct view_options *ret_options);
void view_options_done(struct view_options *read);

/* The options of one command, as its help shows them. */
void view_options_print(enum view_command command);
/* What of all of them the help of the program does not show elsewhere. */
void view_options_print_all(void);

/* "tail" ... */
const char *view_command_word(enum view_command command);
/* Say on standard error what went wrong: "fairlead: COMMAND: WHAT: WHY", the latter unless it is empty. Returns 2. */
int view_complain(enum view_command command, const char *what, const char *why);

#endif
