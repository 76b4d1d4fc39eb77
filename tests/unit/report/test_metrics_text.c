#include "report_test.h"

#include "report/metrics_text.h"

static char space[65536];

static const char *text_of(const struct counters *const *workers, size_t worker_count,
                           const struct metrics_extra *extras, size_t extra_count)
{
    size_t room = metrics_text_room(extras, extra_count);
    assert_true(room < sizeof(space));
    struct text text = text_on(space, room);
    metrics_text_add(workers, worker_count, extras, extra_count, &text);
    assert_false(text.is_cut);
    space[text.len] = '\0';
    return space;
}

static void every_counter_is_summed_and_described_once(void **state)
{
    (void)state;
    static struct counters a;
    static struct counters b;
    const struct counters *workers[] = {&a, &b};
    counter_add(&a, COUNT_REQUESTS, 40);
    counter_add(&b, COUNT_REQUESTS, 2);
    const char *text = text_of(workers, COUNT_OF(workers), NULL, 0);
    assert_has(
        text,
        "# HELP fairlead_requests_total Requests, those with a head that was refused included\n"
        "# TYPE fairlead_requests_total counter\n"
        "fairlead_requests_total 42\n");
    assert_has(text, "# TYPE fairlead_tunnels gauge\nfairlead_tunnels 0\n");
}

static void extras_of_one_name_share_a_family(void **state)
{
    (void)state;
    static const struct metrics_extra extras[] = {
        {"build_info", "Version", GAUGE, "version", {"1.0", 3}, 1, 0},
        {"ring_bytes", "Bytes", GAUGE, "worker", {"0", 1}, 5, 0},
        {"ring_bytes", "Bytes", GAUGE, "worker", {"1", 1}, 6, 0},
        {"uptime_seconds", "Time since the start", COUNTER, NULL, {NULL, 0}, 1500000001, 9},
    };
    const char *text = text_of(NULL, 0, extras, COUNT_OF(extras));
    assert_has(text, "# TYPE fairlead_build_info gauge\nfairlead_build_info{version=\"1.0\"} 1\n");
    assert_has(text, "# HELP fairlead_ring_bytes Bytes\n# TYPE fairlead_ring_bytes gauge\n"
                     "fairlead_ring_bytes{worker=\"0\"} 5\nfairlead_ring_bytes{worker=\"1\"} 6\n");
    assert_has(text, "# TYPE fairlead_uptime_seconds counter\nfairlead_uptime_seconds "
                     "1.500000001\n");
}

static void counters_with_labels_share_a_family(void **state)
{
    (void)state;
    static struct counters a;
    const struct counters *workers[] = {&a};
    counter_add(&a, COUNT_OVER_TUNNELS, 3);
    counter_add(&a, COUNT_OVER_HEADS, 4);
    assert_has(text_of(workers, 1, NULL, 0),
               "# TYPE fairlead_over_budget_total counter\n"
               "fairlead_over_budget_total{limit=\"connections\"} 0\n"
               "fairlead_over_budget_total{limit=\"tunnels\"} 3\n"
               "fairlead_over_budget_total{limit=\"requests\"} 0\n"
               "fairlead_over_budget_total{limit=\"heads\"} 4\n# HELP ");
}

static void label_values_are_escaped(void **state)
{
    (void)state;
    static const struct metrics_extra extra = {
        "refusals", "By rule", COUNTER, "rule", {"a\"b\\c\nd\x1b\xff", 9}, 1, 0};
    assert_has(text_of(NULL, 0, &extra, 1), "{rule=\"a\\\"b\\\\c\\nd\\\\x1b\\\\xff\"} 1\n");
}

static void the_room_is_enough_for_the_largest_numbers(void **state)
{
    (void)state;
    static struct counters a;
    const struct counters *workers[] = {&a};
    static const struct metrics_extra extra = {
        "x", "y", COUNTER, "z", {"\xff\xff\xff\xff", 4}, UINT64_MAX, 18};
    for (int i = 0; i < COUNT_COUNT; i++)
        counter_add(&a, (enum counter)i, UINT64_MAX);
    assert_has(text_of(workers, 1, &extra, 1), "18.446744073709551615\n");
}

static void a_text_that_is_too_small_says_so(void **state)
{
    (void)state;
    char small[100];
    struct text text = text_on(small, sizeof(small));
    metrics_text_add(NULL, 0, NULL, 0, &text);
    assert_true(text.is_cut);
}

static void phases_are_histograms_of_what_happened(void **state)
{
    (void)state;
    static struct histogram phases[PHASE_COUNT];
    struct text text = text_on(space, METRICS_PHASES_ROOM);
    histogram_add_in(&phases[PHASE_DNS], histogram_bucket(3 * NS_PER_MS), 3 * NS_PER_MS);
    histogram_add_in(&phases[PHASE_DNS], histogram_bucket(200 * NS_PER_S), 200 * NS_PER_S);
    metrics_text_add_phases(phases, &text);
    const char *words = text_string(&text);
    assert_has(words, "# TYPE fairlead_phase_seconds histogram\n"
                      "fairlead_phase_seconds_bucket{phase=\"dns\",le=\"1e-05\"} 0\n");
    assert_has(words, "{phase=\"dns\",le=\"0.0025\"} 0\n");
    assert_has(words, "{phase=\"dns\",le=\"0.005\"} 1\n");
    assert_has(words, "{phase=\"dns\",le=\"100\"} 1\n"
                      "fairlead_phase_seconds_bucket{phase=\"dns\",le=\"+Inf\"} 2\n"
                      "fairlead_phase_seconds_sum{phase=\"dns\"} 200.003000000\n"
                      "fairlead_phase_seconds_count{phase=\"dns\"} 2\n");
    assert_null(strstr(words, "connect"));
    for (int i = 0; i < PHASE_COUNT; i++) {
        phases[i].count = 1;
        phases[i].sum_ns = UINT64_MAX;
        for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++)
            phases[i].buckets[bucket] = UINT32_MAX;
    }
    struct text full = text_on(space, METRICS_PHASES_ROOM);
    metrics_text_add_phases(phases, &full);
    assert_false(full.is_cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_counter_is_summed_and_described_once),
        cmocka_unit_test(extras_of_one_name_share_a_family),
        cmocka_unit_test(counters_with_labels_share_a_family),
        cmocka_unit_test(label_values_are_escaped),
        cmocka_unit_test(phases_are_histograms_of_what_happened),
        cmocka_unit_test(the_room_is_enough_for_the_largest_numbers),
        cmocka_unit_test(a_text_that_is_too_small_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
