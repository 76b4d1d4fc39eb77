/* The load generator: one thread, one kind of work, one line of JSON at its end.
 *
 *     load --kind get --proxy 127.0.0.1:3128 --targets 127.1.0.1:8000,16 --connections 64 --body 1024
 *          --seconds 1 --clock PID
 *
 * Work is either closed, each client beginning a unit when it has ended one, or open (--rate): units begin at
 * fixed times, and a latency counts from the time at which its unit should have begun, however late it was. So a
 * proxy that stands still for a while does not hide it (coordinated omission).
 *
 *     warm-up ─> window (units, bytes and the CPU clocks of --clock count) ─> what has begun may end
 *
 * A unit that fails, or does not end within GRACE_NS after the window, is a failure. With --count there is no
 * window: that many units are done, one after the other on each connection. KIND_IDLE prints "ready" and holds its
 * tunnels until standard input ends. */
#include "job.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { CLOCKS_MAX = 64, TURN_MS = 20 };
static const uint64_t GRACE_NS = 5000000000u, FAILURES_MAX = 1000;

struct plan {
    uint64_t warmup_ns, window_ns;
    uint64_t count; /* units in all; 0: by time */
    double rate;    /* units begun a second; 0: closed */
    clockid_t clocks[CLOCKS_MAX];
    unsigned clock_count;
};

struct pace { /* of open work */
    struct watch timer;
    uint64_t start_ns, begun;
};

static struct crew crew;
static struct plan plan;
static struct pace pace;
static bool is_closing; /* no unit begins any more */

/* ---- who begins when ---- */

static uint64_t pace_due_ns(void)
{
    return pace.start_ns + (uint64_t)((double)pace.begun * 1e9 / plan.rate);
}

static void pace_set(void)
{
    uint64_t due = pace_due_ns();
    struct itimerspec at = {
        .it_value = {.tv_sec = (time_t)(due / 1000000000u), .tv_nsec = (long)(due % 1000000000u)}};
    if (timerfd_settime(pace.timer.fd, TFD_TIMER_ABSTIME, &at, NULL) != 0)
        tool_die("timerfd_settime");
}

/* Give what is due to those at rest; with none the units stay due, and late. */
static void pace_on_event(struct watch *watch, uint32_t events)
{
    uint64_t ticks, now = tool_now_ns();
    (void)events;
    (void)!read(watch->fd, &ticks, sizeof(ticks)); /* the clock says what is due */
    while (!is_closing && crew.resting_count > 0 && pace_due_ns() <= now) {
        struct client *client = crew.resting[--crew.resting_count];
        client_begin(client, pace_due_ns());
        pace.begun++;
        client_go(client);
    }
    if (!is_closing && crew.resting_count > 0)
        pace_set();
}

static void pace_start(void)
{
    pace.timer = (struct watch){timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), pace_on_event};
    if (pace.timer.fd < 0)
        tool_die("timerfd_create");
    pace.start_ns = tool_now_ns();
    loop_add(&crew.loop, &pace.timer, EPOLLIN);
    pace_set();
}

static void on_rest(struct client *client)
{
    if (crew.job.kind == KIND_IDLE)
        return; /* it is held where it is */
    bool is_done = plan.count > 0 && crew.tally.all_units + crew.tally.running >= plan.count;
    if (is_closing || is_done) {
        crew.resting[crew.resting_count++] = client;
    } else if (plan.rate <= 0) {
        client_begin(client, tool_now_ns());
    } else if (pace_due_ns() <= tool_now_ns()) {
        client_begin(client, pace_due_ns());
        pace.begun++;
    } else {
        crew.resting[crew.resting_count++] = client;
        if (crew.resting_count == 1)
            pace_set();
    }
}

/* Closed work: everybody begins, at most as many as there are units to do. */
static void closed_start(void)
{
    uint64_t now = tool_now_ns();
    while (crew.resting_count > 0 && (plan.count == 0 || crew.tally.running < plan.count)) {
        struct client *client = crew.resting[--crew.resting_count];
        client_begin(client, now);
        client_go(client);
    }
}

/* ---- the phases ---- */

static bool is_hopeless(void)
{
    return crew.tally.failures > FAILURES_MAX || crew.tally.failures >= crew.job.connections;
}

static void run_until(uint64_t end_ns)
{
    while (tool_now_ns() < end_ns && !is_hopeless())
        loop_turn(&crew.loop, TURN_MS);
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0)
        return 0; /* it has died, which fails units */
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct sample {
    uint64_t wall_ns, own_ns, cpu_ns[CLOCKS_MAX];
};

static void sample_take(struct sample *sample)
{
    sample->wall_ns = tool_now_ns();
    sample->own_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (unsigned i = 0; i < plan.clock_count; i++)
        sample->cpu_ns[i] = clock_ns(plan.clocks[i]);
}

static void window_open(void)
{
    struct tally *tally = &crew.tally;
    tally->units = tally->bytes = 0;
    memset(&tally->latency, 0, sizeof(tally->latency));
}

/* Let what has begun come to its end, in a bounded time. */
static void wait_for_rest(void)
{
    uint64_t end = tool_now_ns() + GRACE_NS;
    is_closing = true;
    if (crew.job.kind == KIND_DOWN || crew.job.kind == KIND_UP) {
        while (crew_count_silent(&crew) > 0 && tool_now_ns() < end && !is_hopeless())
            loop_turn(&crew.loop, TURN_MS);
        crew.tally.failures += crew_count_silent(&crew);
        if (crew.tally.failures > 0 && crew.tally.first_failure == NULL)
            crew.tally.first_failure = "a tunnel moved nothing";
        return;
    }
    while (crew.tally.running > 0 && tool_now_ns() < end)
        loop_turn(&crew.loop, TURN_MS);
    if (crew.tally.running > 0 && crew.tally.failures == 0)
        crew.tally.first_failure = "a unit did not end";
    crew.tally.failures += crew.tally.running;
}

static void tell(const struct sample *from, const struct sample *to)
{
    const struct tally *tally = &crew.tally;
    const struct histogram *latency = &tally->latency;
    (void)printf("{\"units\": %llu, \"bytes\": %llu, \"all_units\": %llu, \"seconds\": %.6f, ",
                 (unsigned long long)tally->units, (unsigned long long)tally->bytes,
                 (unsigned long long)tally->all_units, (double)(to->wall_ns - from->wall_ns) / 1e9);
    (void)printf("\"own_cpu\": %.6f, \"cpu\": [", (double)(to->own_ns - from->own_ns) / 1e9);
    for (unsigned i = 0; i < plan.clock_count; i++)
        (void)printf("%s%.9f", i ? ", " : "", (double)(to->cpu_ns[i] - from->cpu_ns[i]) / 1e9);
    (void)printf(
        "], \"latency_us\": {\"p50\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f}, ",
        (double)histogram_at(latency, 0.5) / 1e3, (double)histogram_at(latency, 0.99) / 1e3,
        (double)histogram_at(latency, 0.999) / 1e3, (double)latency->max_ns / 1e3);
    (void)printf("\"failures\": %llu, \"first_failure\": \"%s\", \"first_status\": %u}\n",
                 (unsigned long long)tally->failures,
                 tally->first_failure ? tally->first_failure : "", tally->first_status);
    (void)fflush(stdout);
}

static void run_window(struct sample *from, struct sample *to)
{
    sample_take(from);
    if (plan.rate > 0)
        pace_start();
    else
        closed_start();
    if (plan.count > 0) {
        while (crew.tally.running > 0 && !is_hopeless())
            loop_turn(&crew.loop, TURN_MS);
    } else {
        run_until(tool_now_ns() + plan.warmup_ns);
        window_open();
        sample_take(from);
        run_until(tool_now_ns() + plan.window_ns);
    }
    sample_take(to);
    struct tally in_window = crew.tally;
    wait_for_rest();
    in_window.failures = crew.tally.failures;
    in_window.first_failure = crew.tally.first_failure;
    in_window.first_status = crew.tally.first_status;
    in_window.all_units = crew.tally.all_units;
    crew.tally = in_window;
}

/* Open all tunnels, some at a time, and hold them. */
static void run_idle(struct sample *from, struct sample *to)
{
    enum { AT_ONCE = 64 };
    unsigned begun = 0;
    sample_take(from);
    while (begun < crew.job.connections || crew.tally.running > 0) {
        for (; begun < crew.job.connections && crew.tally.running < AT_ONCE; begun++) {
            client_begin(crew.resting[begun], tool_now_ns());
            client_go(crew.resting[begun]);
        }
        loop_turn(&crew.loop, TURN_MS);
    }
    sample_take(to);
    (void)printf("ready\n");
    (void)fflush(stdout);
    char ignored;
    (void)!read(STDIN_FILENO, &ignored, 1);
    loop_turn(&crew.loop, 0);
}

/* ---- the command line ---- */

static void clock_add(const char *pid)
{
    if (plan.clock_count == CLOCKS_MAX || clock_getcpuclockid((pid_t)tool_number(pid, INT32_MAX),
                                                              &plan.clocks[plan.clock_count]) != 0)
        tool_die("--clock");
    plan.clock_count++;
}

static uint64_t seconds_parse(const char *text)
{
    return (uint64_t)(strtod(text, NULL) * 1e9);
}

static const struct option options[] = {{"kind", required_argument, NULL, 'k'},
                                        {"proxy", required_argument, NULL, 'p'},
                                        {"targets", required_argument, NULL, 't'},
                                        {"sources", required_argument, NULL, 's'},
                                        {"body", required_argument, NULL, 'b'},
                                        {"connections", required_argument, NULL, 'c'},
                                        {"seconds", required_argument, NULL, 'd'},
                                        {"warmup", required_argument, NULL, 'w'},
                                        {"count", required_argument, NULL, 'n'},
                                        {"rate", required_argument, NULL, 'r'},
                                        {"clock", required_argument, NULL, 'C'},
                                        {"field", required_argument, NULL, 'f'},
                                        {"raw", no_argument, NULL, 'R'},
                                        {"fresh", no_argument, NULL, 'F'},
                                        {"tls", no_argument, NULL, 'T'},
                                        {"talk", required_argument, NULL, 'a'},
                                        {0}};

static void option_take(int option, struct job *job)
{
    switch (option) {
    case 'k': job->kind = kind_parse(optarg); break;
    case 'p': job->proxy = addresses_parse(optarg); break;
    case 't': job->targets = addresses_parse(optarg); break;
    case 's': job->sources = addresses_parse(optarg); break;
    case 'b': job->body = tool_number(optarg, UINT32_MAX); break;
    case 'c': job->connections = (unsigned)tool_number(optarg, 100000); break;
    case 'd': plan.window_ns = seconds_parse(optarg); break;
    case 'w': plan.warmup_ns = seconds_parse(optarg); break;
    case 'n': plan.count = tool_number(optarg, UINT32_MAX); break;
    case 'r': plan.rate = strtod(optarg, NULL); break;
    case 'C': clock_add(optarg); break;
    case 'f': job->field = optarg; break;
    case 'a': job->talk = talk_load(optarg); break;
    case 'R': job->is_raw = true; break;
    case 'F': job->is_fresh = true; break;
    case 'T': job->tls = channel_context(NULL); break;
    default: exit(2);
    }
}

int main(int argc, char **argv)
{
    crew.job.connections = 1;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        option_take(option, &crew.job);
    if (crew.job.proxy.count == 0 || crew.job.targets.count == 0 || crew.job.connections == 0)
        tool_die("--proxy, --targets and --connections are needed");
    tool_start();
    crew.on_rest = on_rest;
    crew_init(&crew);

    static struct sample from, to;
    if (crew.job.kind == KIND_IDLE)
        run_idle(&from, &to);
    else
        run_window(&from, &to);
    tell(&from, &to);
    return 0;
}
