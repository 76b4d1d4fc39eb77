/* The self-test as a whole.
 *
 *     parent ── fork ──> child: private instance, world, tries, output ──> exit code
 *        └── waits; a crash is a hole too, and it says at which request
 *
 * All openings of the configuration count as they are; but a hole is also looked for behind the deny list, by opening
 * ranges in the private instance alone (address_classes.c). */

#include "selftest/selftest.h"

#include "base/check.h"
#include "base/clock.h"
#include "selftest/report.h"
#include "selftest/trial.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOSTS_TEXT = 16 * 1024 };

/* ---- what the classes begin with ---- */

static bool is_free(const struct trials *trials, const struct inet_addr *addr)
{
    struct inet_endpoint endpoint = {.addr = *addr, .port = 443};
    return oracle_judge_address(&trials->oracle, &endpoint).verdict == ORACLE_FREE;
}

/* The first public address that nothing is said against, or simply the first. */
static struct inet_addr choose_public(const struct trials *trials, const char *const *texts,
                                      size_t count)
{
    struct inet_addr addr;
    for (size_t i = count; i > 0; i--) {
        CHECK(inet_addr_parse(slice_from_string(texts[count - i]), &addr) == ST_OK);
        if (is_free(trials, &addr))
            return addr;
    }
    CHECK(inet_addr_parse(slice_from_string(texts[0]), &addr) == ST_OK);
    return addr;
}

static bool take_base(struct trials *trials, struct slice base, bool is_exact)
{
    char name[300];
    int len = snprintf(name, sizeof(name), "%s%.*s", is_exact ? "" : "t0.", (int)base.len, base.at);
    if (len <= 0 || len > 240 ||
        oracle_judge_name(&trials->oracle, slice_of(name, (size_t)len)).verdict == ORACLE_FORBIDDEN)
        return false;
    /* What rules say may be known by asking only. */
    if (!oracle_is_sure(&trials->oracle) && !trials_pass(trials, slice_of(name, (size_t)len)))
        return false;
    (void)snprintf(trials->base_text, sizeof(trials->base_text), "%.*s", (int)base.len, base.at);
    trials->base = slice_from_string(trials->base_text);
    trials->is_base_exact = is_exact;
    return true;
}

/* One of these patterns, or names below it: those that leave a choice first. */
static bool take_pattern(struct trials *trials, const struct slice *patterns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_starts_with(patterns[i], SLICE("*.")) &&
            take_base(trials, slice_from(patterns[i], 2), /* is_exact= */ false))
            return true;
    }
    for (size_t i = 0; i < count; i++) {
        if (!slice_starts_with(patterns[i], SLICE("*.")) &&
            take_base(trials, patterns[i], /* is_exact= */ true))
            return true;
    }
    return false;
}

/* A name that passes, or what names that pass stand below: where only some are allowed, one of them. */
static void choose_base(struct trials *trials)
{
    const struct config *config = trials->oracle.config;
    const struct config_strings *allowed = &config->egress.allow_names;
    if (take_base(trials, SLICE("fairlead-self-test.example"), false) ||
        take_base(trials, SLICE("fairlead-self-test.net"), false) ||
        take_pattern(trials, allowed->at, allowed->count))
        return;
    for (size_t i = 0; i < config->policy.rule_count; i++) {
        const struct rule *rule = &config->policy.rules[i];
        if (rule->action == RULE_ALLOW &&
            take_pattern(trials, rule->to_names.at, rule->to_names.count))
            return;
    }
}

enum status selftest_begin(int argc, const char *const *argv, struct trials **ret_trials)
{
    static const char *const v4[] = {"198.41.0.4", "193.0.14.129", "199.7.83.42", "202.12.27.33"};
    static const char *const v6[] = {"2001:503:ba3e::2:30", "2001:7fd::1", "2001:500:9f::42"};
    char hosts[HOSTS_TEXT];
    struct trials *trials = calloc(1, sizeof(*trials));
    if (trials == NULL)
        return ST_NOMEM;
    enum status status = outside_init(&trials->outside);
    if (status != ST_OK)
        (void)fprintf(stderr, "fairlead: no name server on loopback: %s\n", strerror(errno));
    trials->instance.hosts = -1;
    if (status == ST_OK) {
        struct slice table = slice_of(hosts, try_names_hosts(hosts, sizeof(hosts)));
        status = instance_begin(&trials->instance, argc, argv, table, &trials->outside);
    }
    if (status != ST_OK) {
        selftest_end(&trials);
        return status;
    }
    oracle_init(&trials->oracle, trials->instance.snapshot, &trials->instance.interfaces);
    trials->v4 = choose_public(trials, v4, COUNT_OF(v4));
    trials->v6 = choose_public(trials, v6, COUNT_OF(v6));
    choose_base(trials);
    *ret_trials = trials;
    return ST_OK;
}

void selftest_run(struct trials *trials, uint32_t classes)
{
    trials->results = (struct trial_results){.hole_count = 0};
    trials->classes = classes;
    trials->outside.mood = ORIGIN_ENDS;
    trials_use(trials, RANGES_AS_GIVEN, NULL);
    try_requests(trials);
    try_names(trials);
    try_addresses(trials); /* last: it opens what is not open */
}

void selftest_end(struct trials **end)
{
    struct trials *trials = *end;
    *end = NULL;
    if (trials == NULL)
        return;
    instance_end(&trials->instance);
    outside_done(&trials->outside);
    free(trials);
}

/* ---- the command ---- */

static int selftest_child(int argc, const char *const *argv, const struct selftest_view *view,
                          char *present)
{
    struct trials *trials = NULL;
    uint64_t begin_ns = clock_monotonic_ns();
    if (selftest_begin(argc, argv, &trials) != ST_OK)
        return 2; /* nothing was tried */
    struct report report = {
        .out = stdout,
        .is_json = view->is_json,
        .lists = view->lists,
        .config_name = config_file_name(argc, argv),
    };
    report_begin(&report, trials);
    trials->present = present;
    selftest_run(trials, UINT32_MAX);
    report_end(&report, trials, clock_monotonic_ns() - begin_ns);
    bool is_sound = trials_are_sound(trials);
    if (!trials->is_broken) /* a worker that hangs would not end */
        selftest_end(&trials);
    return is_sound ? 0 : 1;
}

/* What became of the child. */
static int selftest_wait(pid_t child, const char *present)
{
    int end = 0;
    while (waitpid(child, &end, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(end))
        return WEXITSTATUS(end);
    (void)fprintf(stderr, "fairlead: hole: the private instance died (%s)%s%s\n",
                  strsignal(WTERMSIG(end)), present[0] != '\0' ? " at\n  " : "", present);
    return 1;
}

int selftest(int argc, const char *const *argv, const struct selftest_view *view)
{
    char *present =
        mmap(NULL, TRIAL_SHOWN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (present == MAP_FAILED) {
        (void)fprintf(stderr, "fairlead: out of memory\n");
        return 1;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    pid_t parent = getpid();
    pid_t child = fork();
    if (child < 0) {
        (void)fprintf(stderr, "fairlead: no process can be had: %s\n", strerror(errno));
        return 1;
    }
    if (child > 0)
        return selftest_wait(child, present);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* gone already */
        return 1;
    return selftest_child(argc, argv, view, present);
}
