/* fairlead explain: the question from the command line, the gate from the configuration as a start would compile it,
 * addresses from a resolver of its own. */

#include "server/explain.h"

#include "admin/asked.h"
#include "config/config.h"
#include "config/snapshot.h"
#include "io/loop.h"
#include "server/explain_running.h"
#include "server/serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The options of the command itself. X(name, "--flag", "ARGUMENT", "help") */
#define OPTIONS(X)                                                                             \
    X(USER, "--user", "NAME", "with explain: who asks")                                        \
    X(GROUP, "--group", "NAME", "with explain: a group of who asks")                           \
    X(FROM, "--from", "IP", "with explain: the client's address")                              \
    X(METHOD, "--method", "METHOD", "with explain: of a URL; GET where none is named")         \
    X(LISTENER, "--at-listener", "NAME", "with explain: the listener that the client came to") \
    X(CERTIFICATE, "--certificate", "TEXT",                                                    \
      "with explain: subject or dns:, uri:, email: name of the client's certificate")          \
    X(AT, "--at", "SECONDS", "with explain: the time, in seconds since 1970")                  \
    X(ALL, "--all", "", "with explain: also rules that do not match")                          \
    X(JSON, "--json", "", "with explain: what is told, as JSON")                               \
    X(RUNNING, "--running", "", "with explain: what the running process would make of it")

enum option {
#define X(name, flag, argument, help) OPTION_##name,
    OPTIONS(X)
#undef X
        OPTION_COUNT
};

static const struct {
    const char *flag, *argument, *help;
} options[OPTION_COUNT] = {
#define X(name, flag, argument, help) {flag, argument, help},
    OPTIONS(X)
#undef X
};

void explain_print_options(config_flag_printer *print)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        print(options[i].flag, options[i].argument, options[i].help, NULL, stdout);
}

/* What was asked on the command line. */
struct command {
    struct asked asked;
    bool is_running;
};

static int complain(const char *what, const char *value)
{
    (void)fprintf(stderr, "fairlead: explain: %s%s%.80s\n", what, value[0] != '\0' ? ": " : "",
                  value);
    return 2;
}

/* ---- the command line ---- */

static int find_option(const char *word)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(word, options[i].flag) == 0)
            return i;
    }
    return -1;
}

static int take_option(struct command *command, enum option option, const char *value)
{
    struct asked *asked = &command->asked;
    struct gate_question *question = &asked->question;
    struct slice text = slice_from_string(value);
    switch (option) {
    case OPTION_USER: question->who.user = text; break;
    case OPTION_GROUP: return asked_add_group(asked, text) ? 0 : complain("too many groups", "");
    case OPTION_FROM:
        return asked_set_from(asked, text) ? 0
                                           : complain("--from expects an IP address; got", value);
    case OPTION_METHOD: question->method = text; break;
    case OPTION_LISTENER: question->listener = text; break;
    case OPTION_CERTIFICATE:
        return asked_add_certificate(asked, text) ? 0 : complain("too many names", "");
    case OPTION_AT:
        return asked_set_at(asked, text) ? 0
                                         : complain("--at expects seconds since 1970; got", value);
    case OPTION_ALL: asked->wants_all = true; break;
    case OPTION_JSON: asked->wants_json = true; break;
    case OPTION_RUNNING: command->is_running = true; break;
    case OPTION_COUNT: break;
    }
    return 0;
}

/* One of the configuration. */
static int check_flag(const char *word, const char *next, bool *ret_takes_next)
{
    char words[200];
    char shown[80];
    struct text why = text_on(words, sizeof(words));
    struct text name = text_on(shown, sizeof(shown));
    if (config_flag_check(word, next, ret_takes_next, &why) == ST_OK)
        return 0;
    struct slice whole = slice_from_string(word);
    text_add_log(&name, slice_first(whole, slice_find(whole, '=')), '\0');
    return complain(text_string(&name), text_string(&why));
}

/* Take our own options and the target out of the arguments; the rest is for the configuration. Of an option of the
 * configuration the value may look like a target, so it goes with it. */
static int take_arguments(struct command *command, int argc, const char *const *argv,
                          const char **rest, int *ret_rest)
{
    const char *target = NULL;
    bool has_no_more = false; /* options: "--" was read */
    for (int i = 0; i < argc; i++) {
        int option = has_no_more ? -1 : find_option(argv[i]);
        bool takes_next = false;
        bool has_value = option >= 0 && options[option].argument[0] != '\0';
        if (has_value && i + 1 == argc)
            return complain("a value is missing behind", argv[i]);
        if (option >= 0) {
            int code = take_option(command, (enum option)option, has_value ? argv[++i] : "");
            if (code != 0)
                return code;
        } else if (!has_no_more && strcmp(argv[i], "--") == 0) {
            has_no_more = true;
        } else if (!has_no_more && argv[i][0] == '-' && argv[i][1] != '\0') {
            if (check_flag(argv[i], i + 1 < argc ? argv[i + 1] : NULL, &takes_next) != 0)
                return 2;
            rest[(*ret_rest)++] = argv[i];
            if (takes_next)
                rest[(*ret_rest)++] = argv[++i];
        } else if (target == NULL) {
            target = argv[i];
        } else {
            return complain("more than one target", argv[i]);
        }
    }
    if (target == NULL)
        return complain("name a URL or HOST:PORT", "");
    command->asked.target = slice_from_string(target);
    return 0;
}

/* ---- the question ---- */

/* The target as the proxy would read it; one that it would answer with 400 is told so. */
static int read_target(struct asked *asked)
{
    const char *why = NULL;
    enum asked_target is = asked_read_target(asked, &why);
    if (is == ASKED_FINE)
        return 0;
    if (is == ASKED_WRONG)
        return complain(why, "");
    if (asked->wants_json) {
        asked_put_question(asked, stdout);
        asked_put_refusal(why, stdout);
    } else {
        (void)printf("refused with 400: %s\n", why);
    }
    return 1;
}

/* ---- addresses ---- */

struct lookup {
    struct loop *loop;
    struct question question;
};

static void lookup_on_answer(struct question *question, int half)
{
    struct lookup *lookup = question->owner;
    (void)half;
    for (int i = 0; i < HALF_COUNT; i++) {
        if (question->half[i].is_wanted && !question->half[i].is_answered)
            return;
    }
    loop_stop(lookup->loop);
}

static enum status look_up(struct lookup *lookup, const struct snapshot *snapshot,
                           const struct asked *asked, struct resolver **ret_resolver)
{
    const struct config *config = snapshot->config;
    struct resolver_options wanted = {
        .servers = config->resolver.servers.at,
        .server_count = config->resolver.servers.count,
        .hosts_path = config->resolver.hosts_file.at,
        .timeout_ns = config->timeouts.dns_ns,
    };
    unsigned asks = ASK_BOTH | (gate_denies_names(snapshot->gate) ? ASK_AS_IS : 0);
    enum status status = loop_create(&lookup->loop);
    if (status == ST_OK)
        status = resolver_create(lookup->loop, &wanted, NULL, ret_resolver);
    if (status != ST_OK)
        return status;
    if (resolver_ask(*ret_resolver, &lookup->question, &asked->host, asks, lookup,
                     lookup_on_answer) == ST_AGAIN)
        loop_run(lookup->loop);
    return ST_OK;
}

/* The address stage of all addresses, as the dial would ask. */
static int explain_addresses(const struct snapshot *snapshot, struct asked *asked)
{
    struct lookup lookup = {.loop = NULL};
    struct resolver *resolver = NULL;
    char reason[ASKED_REASON];
    enum status status = look_up(&lookup, snapshot, asked, &resolver);
    if (status == ST_OK && !asked->wants_json)
        (void)printf("\naddresses (%s)\n", asked_source(&lookup.question));
    if (status == ST_OK)
        asked_put_addresses(asked, snapshot->gate, &lookup.question, stdout);
    question_cancel(&lookup.question);
    resolver_destroy(&resolver);
    if (lookup.loop != NULL)
        loop_destroy(&lookup.loop);
    if (status != ST_OK)
        return complain("out of memory or descriptors", "");
    bool passes = asked_judge(asked, snapshot->config->egress.skips_mixed, reason);
    if (asked->wants_json)
        asked_put_verdict(passes, reason, stdout);
    else
        (void)printf("\n%s\n", reason);
    return passes ? 0 : 1;
}

/* ---- the whole ---- */

static void print_question(const struct asked *asked)
{
    if (asked->wants_json) {
        asked_put_question(asked, stdout);
        return;
    }
    const struct gate_question *question = &asked->question;
    char from[INET_ADDR_TEXT];
    (void)printf("%.*s %.*s", (int)question->method.len, question->method.at,
                 (int)asked->target.len, asked->target.at);
    if (question->who.user.len > 0)
        (void)printf(", user %.*s", (int)question->who.user.len, question->who.user.at);
    if (question->client.family != INET_NONE) {
        (void)inet_addr_format(&question->client, from);
        (void)printf(", from %s", from);
    }
    (void)fputs("\n\nrequest\n", stdout);
}

static int explain_offline(const struct snapshot *snapshot, struct asked *asked)
{
    print_question(asked);
    if (asked_put_request(asked, snapshot->gate, stdout))
        return explain_addresses(snapshot, asked);
    if (asked->wants_json)
        asked_put_verdict(false, "refused", stdout);
    return 1;
}

int explain(int argc, const char *const *argv)
{
    struct command command = {.is_running = false};
    const char **rest = calloc((size_t)argc + 1, sizeof(*rest));
    int count = 0;
    struct snapshot *snapshot = NULL;
    if (rest == NULL)
        return complain("out of memory", "");
    int code = take_arguments(&command, argc, argv, rest, &count);
    if (code == 0 && command.is_running) {
        code = explain_running(count, rest, &command.asked);
        free(rest);
        return code;
    }
    if (code == 0)
        code = read_target(&command.asked);
    if (code == 0)
        code = serve_compile(count, rest, &snapshot);
    free(rest);
    if (code != 0)
        return code;
    code = explain_offline(snapshot, &command.asked);
    snapshot_unref(&snapshot);
    return code;
}
