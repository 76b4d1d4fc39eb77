/* One try after the other: each has a client of its own, and is over when the answer's head is there.
 *
 *     what is asked ──> oracle ──> refused | opened | free
 *                  └──> private instance ──> dials, lookups, status, rule
 *                                   both ──> an outcome
 *
 * Whatever a try is about, no dial may be one that the oracle forbids; that is judged first. A dial behind an answer,
 * which the gate has no reason for, would be noted with the next try, and fail it. */

#include "selftest/trial.h"

#include "base/check.h"

#include <stdio.h>

/* ---- words ---- */

const char *trial_class_word(enum trial_class class)
{
    static const char *const all[] = {
#define X(name, word, words) word,
        TRIAL_CLASSES(X)
#undef X
    };
    return all[class];
}

const char *trial_class_words(enum trial_class class)
{
    static const char *const all[] = {
#define X(name, word, words) words,
        TRIAL_CLASSES(X)
#undef X
    };
    return all[class];
}

const char *trial_fault_word(enum trial_fault fault)
{
    static const char *const all[] = {
#define X(name, word, words) word,
        TRIAL_HOLES(X)
#undef X
    };
    return all[fault];
}

const char *trial_fault_words(enum trial_fault fault)
{
    static const char *const all[] = {
#define X(name, word, words) words,
        TRIAL_HOLES(X)
#undef X
    };
    return all[fault];
}

struct trial_tally trial_sum(const struct trial_results *results)
{
    struct trial_tally sum = {0};
    for (size_t i = 0; i < TRIAL_CLASS_COUNT; i++) {
        const struct trial_tally *one = &results->classes[i];
        sum.tries += one->tries;
        sum.refused += one->refused;
        sum.opened += one->opened;
        sum.passed += one->passed;
        sum.blocked += one->blocked;
        sum.holes += one->holes;
    }
    return sum;
}

bool trials_are_sound(const struct trials *trials)
{
    struct trial_tally sum = trial_sum(&trials->results);
    return sum.holes == 0 && sum.blocked == 0 && !trials->is_broken;
}

/* ---- what came of it ---- */

/* A try with all that is known of it. */
struct trial {
    enum trial_class class;
    struct slice request;
    bool is_connect;
    bool is_tls; /* what is behind the dial fails for want of TLS */
    bool is_either;
    const struct asking *asking;    /* NULL for raw ones */
    struct oracle_finding expected; /* not for is_either */
    struct outside_reply reply;
    struct inet_endpoint dials[OUTSIDE_DIALS_MAX];
    size_t dial_count;
    char rule[TRIAL_RULE];
    struct trial_hole hole; /* filled as far as there is one */
};

/* The rule of a refusal, out of Proxy-Status. */
static void trial_read_rule(struct trial *trial)
{
    static const char key[] = "; rule=\"";
    struct text text = text_on(trial->rule, sizeof(trial->rule));
    const struct outside_reply *reply = &trial->reply;
    const char *at = memmem(reply->head, reply->len, key, sizeof(key) - 1);
    const char *end = reply->head + reply->len;
    for (at = at == NULL ? end : at + sizeof(key) - 1; at < end && *at != '"'; at++) {
        if (*at == '\\' && at + 1 < end)
            at++;
        text_add_char(&text, *at);
    }
    (void)text_string(&text);
}

static enum trial_outcome trial_fail(struct trial *trial, enum trial_fault fault,
                                     const struct inet_endpoint *dialled, const char *should)
{
    struct trial_hole *hole = &trial->hole;
    hole->fault = fault;
    if (dialled != NULL)
        hole->dialled = *dialled;
    (void)snprintf(hole->should, sizeof(hole->should), "%s", should);
    return fault == FAULT_BLOCKED ? OUTCOME_BLOCKED : OUTCOME_HOLE;
}

static bool trial_asks_for(const struct trial *trial, const struct inet_addr *addr)
{
    const struct asking *asking = trial->asking;
    for (size_t i = 0; asking != NULL && i < asking->addr_count; i++) {
        struct inet_addr plain = inet_addr_unmap(&asking->addr[i]);
        if (inet_addr_equals(&plain, addr))
            return true;
    }
    return asking == NULL;
}

/* Is there one among the dials that may never be? */
static bool trial_finds_dial(const struct trials *trials, struct trial *trial,
                             enum trial_outcome *ret)
{
    for (size_t i = 0; i < trial->dial_count; i++) {
        const struct inet_endpoint *dial = &trial->dials[i];
        struct oracle_finding finding =
            oracle_worse(oracle_judge_address(&trials->oracle, dial),
                         oracle_judge_port(&trials->oracle, dial->port, trial->is_connect));
        bool is_forbidden = finding.verdict == ORACLE_FORBIDDEN;
        if (!is_forbidden && trial_asks_for(trial, &dial->addr))
            continue;
        *ret = trial_fail(trial, is_forbidden ? FAULT_DIALLED : FAULT_ELSEWHERE, dial,
                          is_forbidden ? finding.rule : "only the addresses of the name");
        return true;
    }
    return false;
}

/* Refused, but also by the row that must do it? */
static bool trial_finds_rule(const struct trials *trials, struct trial *trial,
                             enum trial_outcome *ret)
{
    char missing[ORACLE_RULE_TEXT];
    const struct asking *asking = trial->asking;
    uint16_t port = asking == NULL ? 0 : asking->port;
    if (asking == NULL || asking->must_refuse != NULL || trial->rule[0] == '\0')
        return false;
    if (asking->name.len > 0 &&
        oracle_judge_name(&trials->oracle, asking->name).verdict == ORACLE_FORBIDDEN)
        return false; /* its addresses are not asked for */
    if (port == 0)
        port = trial->is_connect || trial->is_tls ? 443 : 80;
    for (size_t i = 0; i < asking->addr_count; i++) {
        struct inet_endpoint endpoint = {.addr = asking->addr[i], .port = port};
        missing[0] = '\0';
        if (oracle_accepts_rule(&trials->oracle, &endpoint, slice_from_string(trial->rule),
                                missing))
            return false;
        if (missing[0] != '\0')
            (void)snprintf(trial->hole.should, sizeof(trial->hole.should), "%s", missing);
    }
    if (asking->addr_count == 0 || trial->hole.should[0] == '\0')
        return false;
    trial->hole.fault = FAULT_OTHER_RULE;
    *ret = OUTCOME_HOLE;
    return true;
}

static enum trial_outcome trial_judge_refusal(const struct trials *trials, struct trial *trial)
{
    enum trial_outcome outcome = OUTCOME_REFUSED;
    const char *should = trial->expected.rule;
    bool is_spelling = trial->asking != NULL && trial->asking->must_refuse != NULL &&
                       trial->asking->name.len == 0 && trial->asking->addr_count == 0;
    if (trial->dial_count > 0)
        return trial_fail(trial, FAULT_DIALLED, &trial->dials[0], should);
    if (trial->reply.status >= 200 && trial->reply.status < 400)
        return trial_fail(trial, FAULT_ANSWERED, NULL, should);
    if (is_spelling && trials->outside.lookups > 0)
        return trial_fail(trial, FAULT_LOOKED_UP, NULL, should);
    (void)trial_finds_rule(trials, trial, &outcome);
    return outcome;
}

static enum trial_outcome trial_judge(const struct trials *trials, struct trial *trial)
{
    enum trial_outcome outcome = OUTCOME_PASSED;
    bool is_dialled = trial->dial_count > 0;
    unsigned status = trial->reply.status;
    if (trial_finds_dial(trials, trial, &outcome))
        return outcome;
    if (trial->reply.is_late)
        return trial_fail(trial, FAULT_LATE, is_dialled ? &trial->dials[0] : NULL, "an answer");
    if (trial->is_either)
        return is_dialled ? OUTCOME_PASSED : OUTCOME_REFUSED;
    if (trial->expected.verdict == ORACLE_FORBIDDEN)
        return trial_judge_refusal(trials, trial);
    if (trial->expected.verdict == ORACLE_OPENED)
        return is_dialled ? OUTCOME_OPENED : OUTCOME_REFUSED;
    bool is_reused = trial->asking != NULL && trial->asking->is_reused;
    if ((is_dialled || is_reused) && (trial->is_tls || (status >= 200 && status < 400)))
        return OUTCOME_PASSED;
    return trial_fail(trial, FAULT_BLOCKED, is_dialled ? &trial->dials[0] : NULL, "nothing");
}

/* ---- noting ---- */

/* The request line, and Host where it is no matter of course. */
static void trial_show(struct slice request, char into[TRIAL_SHOWN])
{
    struct text text = text_on(into, TRIAL_SHOWN);
    const char *end =
        request.len == 0 ? NULL : memmem(request.at, request.len, " HTTP/1.1\r\n", 11);
    text_add_log(&text, end == NULL ? request : slice_first(request, (size_t)(end - request.at)),
                 '"');
    (void)text_string(&text);
}

static void results_note_opening(struct trial_results *results, const char *rule)
{
    size_t i = 0;
    while (i < results->opening_count &&
           !slice_equals(slice_from_string(results->openings[i].rule), slice_from_string(rule)))
        i++;
    if (i == TRIAL_OPENINGS_MAX)
        i = TRIAL_OPENINGS_MAX - 1;
    if (i == results->opening_count) {
        results->opening_count++;
        (void)snprintf(results->openings[i].rule, sizeof(results->openings[i].rule), "%s", rule);
    }
    results->openings[i].tries++;
}

static void trials_note(struct trials *trials, struct trial *trial, enum trial_outcome outcome)
{
    struct trial_results *results = &trials->results;
    struct trial_tally *tally = &results->classes[trial->class];
    struct trial_hole *hole = &trial->hole;
    trial_show(trial->request, hole->request);
    tally->tries++;
    tally->refused += outcome == OUTCOME_REFUSED;
    tally->opened += outcome == OUTCOME_OPENED;
    tally->passed += outcome == OUTCOME_PASSED;
    tally->blocked += outcome == OUTCOME_BLOCKED;
    tally->holes += outcome == OUTCOME_HOLE;
    if (outcome == OUTCOME_OPENED && trial->class < TRIAL_CARRIED) /* else it was opened by us */
        results_note_opening(results, trial->expected.rule);
    if (outcome == OUTCOME_BLOCKED || outcome == OUTCOME_HOLE) {
        hole->class = trial->class;
        hole->status = trial->reply.status;
        memcpy(hole->rule, trial->rule, sizeof(hole->rule));
        if (results->hole_count < TRIAL_HOLES_MAX)
            results->holes[results->hole_count++] = *hole;
    }
    struct trial_report report = {trial->class, outcome, trial->reply.status, hole->request,
                                  trial->rule};
    if (trials->on_try != NULL)
        trials->on_try(trials->owner, &report);
}

/* ---- making one ---- */

bool trials_want(const struct trials *trials, enum trial_class class)
{
    bool is_over = trials->stops_at_hole && trials->results.hole_count > 0;
    return (trials->classes & 1U << class) != 0 && !is_over && !trials->is_broken;
}

static void trials_break(struct trials *trials, const char *what)
{
    if (!trials->is_broken)
        (void)fprintf(stderr, "fairlead: %s\n", what);
    trials->is_broken = true;
}

static void trials_run(struct trials *trials, struct trial *trial)
{
    struct outside *outside = &trials->outside;
    int fd = -1;
    if (!trials_want(trials, trial->class))
        return;
    if (instance_connect(&trials->instance, &fd) != ST_OK) {
        trials_break(trials, "out of descriptors or memory: the self-test ends here");
        return;
    }
    if (trials->present != NULL)
        trial_show(trial->request, trials->present);
    outside_begin_try(outside);
    outside_exchange(outside, fd, trial->request, &trial->reply);
    (void)outside_take_dials(outside, trial->dials, &trial->dial_count);
    socket_close(&fd);
    if (!trials->keeps_origins)
        outside_close_origins(outside);
    trials->late += trial->reply.is_late;
    trial_read_rule(trial);
    trials_note(trials, trial, trial_judge(trials, trial));
    if (trials->late >= TRIAL_LATE_MAX)
        trials_break(trials, "the private instance hangs: the self-test ends here");
}

/* What must come of it. */
static struct oracle_finding trials_expect(struct trials *trials, const struct asking *asking,
                                           uint16_t port, bool is_connect)
{
    struct oracle *oracle = &trials->oracle;
    struct oracle_finding worst = {.verdict = ORACLE_FORBIDDEN};
    if (asking->must_refuse != NULL) {
        (void)snprintf(worst.rule, sizeof(worst.rule), "%s", asking->must_refuse);
        return worst;
    }
    oracle->asked_name = asking->name;
    oracle->asked_addr = asking->name.len == 0 ? asking->addr : NULL;
    worst = oracle_judge_port(oracle, port, is_connect);
    if (asking->name.len > 0)
        worst = oracle_worse(worst, oracle_judge_name(oracle, asking->name));
    else
        worst = oracle_worse(worst, oracle_judge_literal(oracle, &asking->addr[0]));
    /* Of a set with an address that is forbidden either none is dialled, or the others are. */
    size_t forbidden = 0;
    struct oracle_finding addresses = {.verdict = ORACLE_FREE};
    for (size_t i = 0; i < asking->addr_count; i++) {
        struct inet_endpoint endpoint = {.addr = asking->addr[i], .port = port};
        struct oracle_finding finding = oracle_judge_address(oracle, &endpoint);
        forbidden += finding.verdict == ORACLE_FORBIDDEN;
        if (finding.verdict != ORACLE_FORBIDDEN || !oracle->config->egress.skips_mixed)
            addresses = oracle_worse(addresses, finding);
        else if (forbidden == asking->addr_count)
            addresses = finding;
    }
    return oracle_worse(worst, addresses);
}

static void request_write(struct text *text, const struct asking *asking, unsigned form)
{
    bool is_clean = asking->must_refuse == NULL;
    struct slice field = is_clean ? asking->host : SLICE("self-test.example");
    if (form == FORM_CONNECT) {
        text_add(text, SLICE("CONNECT "));
        text_add(text, asking->host);
        text_add_format(text, ":%u HTTP/1.1\r\nHost: ", asking->port == 0 ? 443U : asking->port);
        text_add(text, field);
        text_add(text, SLICE("\r\n\r\n"));
        return;
    }
    text_add(text, form == FORM_HTTPS ? SLICE("GET https://") : SLICE("GET http://"));
    text_add(text, asking->host);
    if (asking->port != 0)
        text_add_format(text, ":%u", asking->port);
    text_add(text, SLICE("/ HTTP/1.1\r\nHost: "));
    text_add(text, field);
    if (form == FORM_UPGRADE)
        text_add(text, SLICE("\r\nConnection: upgrade\r\nUpgrade: websocket"));
    text_add(text, SLICE("\r\n\r\n"));
}

static void oracle_forget_asked(struct oracle *oracle)
{
    oracle->asked_name = SLICE_NONE;
    oracle->asked_addr = NULL;
}

void trials_ask(struct trials *trials, const struct asking *asking)
{
    for (unsigned form = FORM_CONNECT; form <= FORM_UPGRADE; form <<= 1) {
        char request[TRIAL_REQUEST_MAX];
        struct text text = text_on(request, sizeof(request));
        if ((asking->forms & form) == 0 || !trials_want(trials, asking->class))
            continue;
        bool is_connect = form == FORM_CONNECT;
        bool is_tls = form == FORM_HTTPS;
        uint16_t port = asking->port != 0 ? asking->port : is_connect || is_tls ? 443 : 80;
        request_write(&text, asking, form);
        CHECK(!text.is_cut);
        struct trial trial = {
            .class = asking->class,
            .request = text_slice(&text),
            .is_connect = is_connect,
            .is_tls = is_tls,
            .asking = asking,
            .expected = trials_expect(trials, asking, port, is_connect),
        };
        bool is_free = trial.expected.verdict == ORACLE_FREE;
        trial.is_either = asking->is_either || (is_free && !oracle_is_sure(&trials->oracle));
        trials_run(trials, &trial);
    }
    oracle_forget_asked(&trials->oracle);
}

void trials_ask_raw(struct trials *trials, const struct raw_asking *asking)
{
    struct trial trial = {
        .class = asking->class,
        .request = asking->request,
        .is_connect = asking->is_connect,
        .is_either = asking->must_refuse == NULL,
        .expected = {.verdict = ORACLE_FORBIDDEN},
    };
    if (asking->must_refuse != NULL)
        (void)snprintf(trial.expected.rule, sizeof(trial.expected.rule), "%s", asking->must_refuse);
    trials_run(trials, &trial);
}

/* ---- the instance and the world ---- */

void trials_use(struct trials *trials, enum instance_ranges ranges,
                const struct inet_prefix *denied)
{
    if (trials->is_broken)
        return;
    if (instance_use(&trials->instance, ranges, denied) != ST_OK)
        trials_break(trials, "the private instance cannot change over: the self-test ends here");
    oracle_init(&trials->oracle, trials->instance.snapshot, &trials->instance.interfaces);
}

bool trials_pass(struct trials *trials, struct slice name)
{
    struct inet_endpoint dials[OUTSIDE_DIALS_MAX];
    size_t total = 0;
    trials_set_zone(trials, &trials->v4, 1);
    for (unsigned form = FORM_CONNECT; form <= FORM_HTTP && total == 0; form <<= 1) {
        char request[TRIAL_REQUEST_MAX];
        struct text text = text_on(request, sizeof(request));
        struct asking asking = {.host = name};
        struct outside_reply reply;
        size_t count = 0;
        int fd = -1;
        request_write(&text, &asking, form);
        if (instance_connect(&trials->instance, &fd) != ST_OK)
            return false;
        outside_exchange(&trials->outside, fd, text_slice(&text), &reply);
        socket_close(&fd);
        outside_close_origins(&trials->outside);
        total = outside_take_dials(&trials->outside, dials, &count);
    }
    return total > 0;
}

struct slice trials_name(struct trials *trials, char *into)
{
    int len = trials->is_base_exact
                  ? snprintf(into, 254, "%s", trials->base.at)
                  : snprintf(into, 254, "t%u.%s", ++trials->serial, trials->base.at);
    CHECK(len > 0 && len < 254);
    return slice_of(into, (size_t)len);
}

void trials_set_zone(struct trials *trials, const struct inet_addr *addr, size_t count)
{
    struct zone zone = {.ttl_s = 0};
    CHECK(count <= OUTSIDE_ADDRESSES_MAX);
    zone.answers[0].count = count;
    memcpy(zone.answers[0].addr, addr, count * sizeof(addr[0]));
    zone.answers[1] = zone.answers[0];
    outside_set_zone(&trials->outside, &zone);
}
