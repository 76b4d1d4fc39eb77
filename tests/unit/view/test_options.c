#include "view_test.h"

#include "view/options.h"

#include <stdio.h>

#define WALL_NS (1795486343 * NS_PER_S)

static struct view_options options;

/* The words up to NULL; the code. */
static int take(enum view_command command, const char *const *words)
{
    int count = 0;
    while (words[count] != NULL)
        count++;
    return view_options_read(command, count, words, WALL_NS, &options);
}

#define TAKE(command, ...) take(command, (const char *const[]){__VA_ARGS__, NULL})

static void options_may_stand_anywhere(void **state)
{
    (void)state;
    assert_int_equal(TAKE(VIEW_HAR, "a.log", "--filter", "status=4xx", "--open", "b.log",
                          "--filter=user=ci", "--since", "10m", "-c", "f.yaml"),
                     0);
    assert_int_equal(options.word_count, 2);
    assert_string_equal(options.words[1], "b.log");
    assert_string_equal(options.filter_text, "status=4xx user=ci");
    assert_string_equal(options.config, "f.yaml");
    assert_true(options.wants_open);
    assert_int_equal(options.since_ns, WALL_NS - 600 * NS_PER_S);
    view_options_done(&options);
}

static void times_are_read(void **state)
{
    (void)state;
    assert_int_equal(TAKE(VIEW_HAR, "--since", "2026-11-24T02:12:23Z"), 0);
    assert_int_equal(options.since_ns, WALL_NS);
    view_options_done(&options);
    assert_int_equal(TAKE(VIEW_HAR, "--since", "2026-11-24"), 2);
    view_options_done(&options);
}

/* Seconds as curl has them, and durations as the rest of the program has. */
static void the_most_time_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        uint64_t ns;
    } rows[] = {{"3", 3 * NS_PER_S},
                {"0.5", NS_PER_S / 2},
                {"500ms", NS_PER_S / 2},
                {"2m", 120 * NS_PER_S},
                {"0", 0},
                {"1e3", 0},
                {"604801", 0},
                {"-1", 0},
                {"", 0},
                {"604800", 604800 * NS_PER_S}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(TAKE(VIEW_TRACE, "--max-time", rows[i].word), rows[i].ns == 0 ? 2 : 0);
        assert_true(options.max_time_ns == rows[i].ns);
        view_options_done(&options);
    }
}

/* An option of another command is none here, and a tunnel has 16 digits. */
static void wrong_words_are_refused(void **state)
{
    (void)state;
    assert_int_equal(TAKE(VIEW_TAIL, "--kill", "0000000000000001"), 2);
    view_options_done(&options);
    assert_int_equal(TAKE(VIEW_TUNNELS, "--kill", "1"), 2);
    view_options_done(&options);
    assert_int_equal(TAKE(VIEW_TUNNELS, "--kill", "00000000000000ff"), 0);
    assert_int_equal(options.kills[0], 255);
    view_options_done(&options);
    assert_int_equal(TAKE(VIEW_TAIL, "--filter", "status=abc"), 2);
    view_options_done(&options);
}

static void too_much_is_refused(void **state)
{
    (void)state;
    const char *words[2 * VIEW_KILLS_MAX + 3] = {NULL};
    for (size_t i = 0; i < VIEW_KILLS_MAX + 1; i++) {
        words[2 * i] = "--kill";
        words[2 * i + 1] = "00000000000000ff";
    }
    assert_int_equal(take(VIEW_TUNNELS, words), 2);
    view_options_done(&options);
    char filter[FILTER_TEXT_MAX + 2];
    memset(filter, 'a', FILTER_TEXT_MAX + 1);
    filter[FILTER_TEXT_MAX + 1] = '\0';
    assert_int_equal(TAKE(VIEW_TAIL, "--filter", filter), 2);
    view_options_done(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_may_stand_anywhere), cmocka_unit_test(times_are_read),
        cmocka_unit_test(the_most_time_is_read),      cmocka_unit_test(wrong_words_are_refused),
        cmocka_unit_test(too_much_is_refused),
    };
    if (freopen("/dev/null", "w", stderr) == NULL) /* what is said is tested elsewhere */
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
