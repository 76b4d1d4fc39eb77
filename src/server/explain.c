/* fairlead explain: the question from the command line, the gate from the configuration as a start would compile it,
 * addresses from a resolver of its own. */

#include "server/explain.h"

#include "base/check.h"
#include "base/clock.h"
#include "config/config.h"
#include "http/target.h"
#include "io/loop.h"
#include "net/resolver.h"
#include "policy/explain.h"
#include "policy/explain_json.h"
#include "server/compile.h"
#include "server/explain_running.h"
#include "server/interfaces.h"
#include "server/serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXPLAIN_LIST_MAX = 32,
    EXPLAIN_ADDRESSES_MAX = 256,
    EXPLAIN_FAULT = 600,
    EXPLAIN_REASON = 160
};

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
    X(JSON, "--json", "", "with explain and self-test: what is told, as JSON")                 \
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

void explain_print_options(void)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        config_print_flag(options[i].flag, options[i].argument, options[i].help, NULL, stdout);
}

/* What was asked on the command line. */
struct asked {
    const char *target;
    bool wants_all;
    bool wants_json;
    bool is_running;
    struct slice groups[EXPLAIN_LIST_MAX];
    struct slice names[EXPLAIN_LIST_MAX];
    struct host host;
    struct gate_question question;
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

static int add_certificate(struct asked *asked, struct slice text)
{
    bool is_subject = slice_find(text, '=') < slice_find(text, ':');
    struct identity *who = &asked->question.who;
    if (is_subject) {
        who->cert_subject = text;
    } else if (who->cert_name_count < EXPLAIN_LIST_MAX) {
        asked->names[who->cert_name_count++] = text;
        who->cert_names = asked->names;
    } else {
        return complain("too many names", "");
    }
    return 0;
}

static int take_option(struct asked *asked, enum option option, const char *value)
{
    struct gate_question *question = &asked->question;
    struct slice text = slice_from_string(value);
    uint64_t seconds = 0;
    switch (option) {
    case OPTION_USER: question->who.user = text; break;
    case OPTION_GROUP:
        if (question->who.group_count == EXPLAIN_LIST_MAX)
            return complain("too many groups", "");
        asked->groups[question->who.group_count++] = text;
        question->who.groups = asked->groups;
        break;
    case OPTION_FROM:
        if (inet_addr_parse(text, &question->client) != ST_OK)
            return complain("--from expects an IP address; got", value);
        break;
    case OPTION_METHOD: question->method = text; break;
    case OPTION_LISTENER: question->listener = text; break;
    case OPTION_CERTIFICATE: return add_certificate(asked, text);
    case OPTION_AT:
        if (slice_to_u64(text, INT64_MAX, &seconds) != ST_OK || seconds == 0)
            return complain("--at expects seconds since 1970; got", value);
        question->at_s = (int64_t)seconds;
        break;
    case OPTION_ALL: asked->wants_all = true; break;
    case OPTION_JSON: asked->wants_json = true; break;
    case OPTION_RUNNING: asked->is_running = true; break;
    case OPTION_COUNT: break;
    }
    return 0;
}

/* Take our own options and the target out of the arguments; the rest is for the configuration. Of an option of the
 * configuration the value may look like a target, so it goes with it. */
static int take_arguments(struct asked *asked, int argc, const char *const *argv, const char **rest,
                          int *ret_rest)
{
    for (int i = 0; i < argc; i++) {
        int option = find_option(argv[i]);
        bool has_value = option >= 0 && options[option].argument[0] != '\0';
        if (has_value && i + 1 == argc)
            return complain("a value is missing behind", argv[i]);
        if (option >= 0) {
            int code = take_option(asked, (enum option)option, has_value ? argv[++i] : "");
            if (code != 0)
                return code;
        } else if (argv[i][0] == '-' && argv[i][1] != '\0') {
            rest[(*ret_rest)++] = argv[i];
            if (strchr(argv[i], '=') == NULL && i + 1 < argc)
                rest[(*ret_rest)++] = argv[++i];
        } else if (asked->target == NULL) {
            asked->target = argv[i];
        } else {
            return complain("more than one target", argv[i]);
        }
    }
    return asked->target != NULL ? 0 : complain("name a URL or HOST:PORT", "");
}

/* ---- the question ---- */

/* As JSON: the object begins, and ends elsewhere. */
static void put_question(const struct asked *asked)
{
    const struct gate_question *question = &asked->question;
    char from[INET_ADDR_TEXT] = "";
    if (question->client.family != INET_NONE)
        (void)inet_addr_format(&question->client, from);
    (void)fputs("{\"v\":1,\n\"asked\":{\"method\":", stdout);
    explain_json_string(question->method, stdout);
    (void)fputs(",\"target\":", stdout);
    explain_json_string(slice_from_string(asked->target), stdout);
    (void)fputs(",\"user\":", stdout);
    explain_json_string(question->who.user, stdout);
    (void)fputs(",\"from\":", stdout);
    explain_json_string(slice_from_string(from), stdout);
    (void)fputs("},\n", stdout);
}

/* The words are ours and need no escapes. */
static void put_verdict(bool passes, const char *reason)
{
    (void)printf("\"passes\":%s,\"reason\":\"%s\"}\n", passes ? "true" : "false", reason);
}

/* It would be answered with 400 before the gate is asked. */
static int refuse_target(const struct asked *asked, const char *reason)
{
    if (asked->wants_json) {
        put_question(asked);
        (void)fputs("\"status\":400,\n", stdout);
        put_verdict(false, reason);
    } else {
        (void)printf("refused with 400: %s\n", reason);
    }
    return 1;
}

/* The target as the proxy would read it. */
static int read_target(struct asked *asked)
{
    struct slice text = slice_from_string(asked->target);
    struct gate_question *question = &asked->question;
    bool is_url = strstr(asked->target, "://") != NULL;
    struct target target;
    if (question->method.len == 0)
        question->method = is_url ? SLICE("GET") : SLICE("CONNECT");
    enum method method = method_of(question->method);
    if (is_url && method == METHOD_CONNECT)
        return complain("CONNECT goes to HOST:PORT, not to a URL", "");
    if (!is_url && method != METHOD_CONNECT)
        return complain("a method other than CONNECT needs a URL", "");
    enum target_fault fault = target_parse(text, method, &target);
    if (fault != TARGET_FAULT_NONE) {
        bool is_host = target.host_fault != HOST_FINE;
        return refuse_target(asked, is_host ? host_fault_text(target.host_fault)
                                            : target_fault_text(fault));
    }
    if (target.form != TARGET_AUTHORITY && target.scheme != SCHEME_HTTP &&
        target.scheme != SCHEME_HTTPS)
        return complain("only http and https are forwarded", "");
    asked->host = target.host;
    question->host = &asked->host;
    question->port = target_port(&target);
    question->is_connect = target.form == TARGET_AUTHORITY;
    question->scheme = target.scheme == SCHEME_HTTP    ? SLICE("http")
                       : target.scheme == SCHEME_HTTPS ? SLICE("https")
                                                       : SLICE_NONE;
    question->path = target.path_and_query;
    return 0;
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

static bool judge_address(const struct gate *gate, const struct asked *asked,
                          const struct inet_endpoint *endpoint, bool is_first)
{
    if (!asked->wants_json)
        return explain_address(gate, &asked->question, endpoint, stdout);
    (void)fputs(is_first ? "\n" : ",\n", stdout);
    return explain_json_address(gate, &asked->question, endpoint, stdout);
}

/* Judge every address of the answer. Gives how many passed and how many did not. */
static void judge_addresses(const struct gate *gate, const struct asked *asked,
                            const struct question *answer, size_t *ret_passed, size_t *ret_refused)
{
    for (int i = HALF_COUNT - 1; i >= 0; i--) {
        const struct question_half *half = &answer->half[i];
        for (size_t j = 0; j < half->count && j < EXPLAIN_ADDRESSES_MAX; j++) {
            struct inet_endpoint endpoint = {.addr = half->addr[j], .port = asked->question.port};
            bool is_first = *ret_passed + *ret_refused == 0;
            if (judge_address(gate, asked, &endpoint, is_first))
                (*ret_passed)++;
            else
                (*ret_refused)++;
        }
    }
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

static const char *source_words(const struct question *answer)
{
    enum dns_source source = DNS_NONE;
    for (int i = 0; i < HALF_COUNT; i++) {
        if (answer->half[i].count > 0)
            source = answer->half[i].source;
    }
    return source == DNS_LITERAL ? "given"
           : source == DNS_HOSTS ? "hosts file"
           : source == DNS_NONE  ? "none found"
                                 : "name server";
}

/* The address stage of all addresses, as the dial would ask. */
static int explain_addresses(const struct snapshot *snapshot, const struct asked *asked)
{
    struct lookup lookup = {.loop = NULL};
    struct resolver *resolver = NULL;
    size_t passed = 0;
    size_t refused = 0;
    enum status status = look_up(&lookup, snapshot, asked, &resolver);
    if (status == ST_OK) {
        (void)printf(asked->wants_json ? "\"lookup\":{\"source\":\"%s\",\"addresses\":["
                                       : "\naddresses (%s)\n",
                     source_words(&lookup.question));
        judge_addresses(snapshot->gate, asked, &lookup.question, &passed, &refused);
        (void)fputs(asked->wants_json ? "\n]},\n" : "\n", stdout);
    }
    question_cancel(&lookup.question);
    resolver_destroy(&resolver);
    if (lookup.loop != NULL)
        loop_destroy(&lookup.loop);
    if (status != ST_OK)
        return complain("out of memory or descriptors", "");
    bool skips = snapshot->config->egress.skips_mixed;
    bool passes = passed > 0 && (refused == 0 || skips);
    char reason[EXPLAIN_REASON] = "";
    if (passed + refused == 0)
        (void)snprintf(reason, sizeof(reason), "no address is known: it would fail");
    else if (passed > 0 && refused > 0)
        (void)snprintf(
            reason, sizeof(reason), "%s: of %zu addresses %zu are refused, and egress.mixed is %s",
            passes ? "passes" : "refused", passed + refused, refused, skips ? "skip" : "refuse");
    else
        (void)snprintf(reason, sizeof(reason), "%s", passes ? "passes" : "refused");
    if (asked->wants_json)
        put_verdict(passes, reason);
    else
        (void)printf("%s\n", reason);
    return passes ? 0 : 1;
}

/* ---- the whole ---- */

static void print_question(const struct asked *asked)
{
    if (asked->wants_json) {
        put_question(asked);
        return;
    }
    const struct gate_question *question = &asked->question;
    char from[INET_ADDR_TEXT];
    (void)printf("%.*s %s", (int)question->method.len, question->method.at, asked->target);
    if (question->who.user.len > 0)
        (void)printf(", user %.*s", (int)question->who.user.len, question->who.user.at);
    if (question->client.family != INET_NONE) {
        (void)inet_addr_format(&question->client, from);
        (void)printf(", from %s", from);
    }
    (void)fputs("\n\nrequest\n", stdout);
}

/* The request stage. True: it passes. */
static bool explain_first_stage(const struct snapshot *snapshot, const struct asked *asked)
{
    if (!asked->wants_json)
        return explain_request(snapshot->gate, &asked->question, asked->wants_all, stdout);
    bool passes = explain_json_request(snapshot->gate, &asked->question, asked->wants_all, stdout);
    (void)fputs(",\n", stdout);
    if (!passes) {
        (void)fputs("\"lookup\":null,\n", stdout);
        put_verdict(false, "refused");
    }
    return passes;
}

int explain(int argc, const char *const *argv)
{
    struct asked asked = {.target = NULL};
    const char **rest = calloc((size_t)argc + 1, sizeof(*rest));
    int count = 0;
    struct snapshot *snapshot = NULL;
    if (rest == NULL)
        return complain("out of memory", "");
    int code = take_arguments(&asked, argc, argv, rest, &count);
    if (code == 0 && asked.is_running && asked.wants_json)
        code = complain("--running answers in text alone, without --json", "");
    if (code == 0 && asked.is_running) {
        struct explain_question wanted = {&asked.question, asked.target, asked.wants_all};
        code = explain_running(count, rest, &wanted);
        free(rest);
        return code;
    }
    if (code == 0)
        code = read_target(&asked);
    if (code == 0 && serve_compile(count, rest, &snapshot) != 0)
        code = 2;
    free(rest);
    if (code != 0)
        return code;
    print_question(&asked);
    code = explain_first_stage(snapshot, &asked) ? explain_addresses(snapshot, &asked) : 1;
    snapshot_unref(&snapshot);
    return code;
}
