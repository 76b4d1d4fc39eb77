#include "server_test.h"

#include "report/diag.h"
#include "server/maker.h"
#include "server/serving.h"

#include <fcntl.h>

/* What serves, and where messages go. */
static struct {
    struct maker maker;
    struct serving serving;
    struct bundle *bundle;
    int said[2];
    size_t fds; /* open before the test */
} test;

static const char *const flags[] = {"--workers=2", "--admin=127.0.0.1:0", "--listen", "127.0.0.1:0",
                                    "--log-file=off"};

static int begin(void **state)
{
    (void)state;
    test.fds = count_fds();
    maker_init(&test.maker, COUNT_OF(flags), flags);
    assert_int_equal(pipe2(test.said, O_CLOEXEC | O_NONBLOCK), 0);
    diag_set_output(test.said[1]);
    return 0;
}

static int end(void **state)
{
    (void)state;
    bundle_destroy(&test.bundle);
    maker_done(&test.maker);
    diag_set_output(STDERR_FILENO);
    (void)close(test.said[0]);
    (void)close(test.said[1]);
    assert_int_equal(count_fds(), test.fds);
    return 0;
}

static bool is_said(const char *words)
{
    char text[4000];
    ssize_t len = read(test.said[0], text, sizeof(text) - 1);
    text[len > 0 ? len : 0] = '\0';
    return strstr(text, words) != NULL;
}

static void make(const struct bundle *old)
{
    assert_int_equal(maker_make(&test.maker, old, &test.bundle), ST_OK);
}

/* Something that epoll does not take in the place of a listener. */
static void spoil(const struct opening *opening)
{
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(dup3(file, opening->fds[opening->count - 1], O_CLOEXEC),
                     opening->fds[opening->count - 1]);
    (void)close(file);
}

static enum status start(struct text *fault)
{
    enum status status = serving_begin(&test.serving, test.bundle, fault);
    if (status == ST_OK)
        test.bundle = NULL;
    return status;
}

static void a_listener_that_nobody_can_watch_fails_the_start(void **state)
{
    (void)state;
    char words[300];
    struct text fault = text_on(words, sizeof(words));
    make(NULL);
    spoil(&test.bundle->listens[0]);
    assert_int_equal(start(&fault), ST_IO);
    assert_string_equal(text_string(&fault),
                        "a worker cannot watch all of its listeners: Operation not permitted");
    fault.len = 0;
    bundle_destroy(&test.bundle);
    make(NULL);
    spoil(&test.bundle->admin);
    assert_int_equal(start(&fault), ST_IO);
}

static void a_listener_that_nobody_can_watch_is_said_at_a_reload(void **state)
{
    (void)state;
    char words[300];
    struct text fault = text_on(words, sizeof(words));
    make(NULL);
    assert_int_equal(start(&fault), ST_OK);
    for (int i = 0; i < 2; i++) {
        bool is_spoilt = i == 0;
        make(test.serving.bundle);
        if (is_spoilt)
            spoil(&test.bundle->listens[0]);
        assert_int_equal(serving_adopt(&test.serving, test.bundle, /* owns_files= */ true, &fault),
                         ST_OK);
        test.bundle = NULL;
        assert_int_equal(fault.len, 0);
        assert_int_equal(is_said("a worker cannot watch all of its listeners: Operation not "
                                 "permitted; some clients wait until it can"),
                         is_spoilt);
        if (is_spoilt) { /* the next one takes nothing over from what is no listener */
            bundle_close_listens(test.serving.bundle);
            test.serving.bundle->listen_count = 0;
        }
    }
    serving_end(&test.serving);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_listener_that_nobody_can_watch_fails_the_start),
        TEST(a_listener_that_nobody_can_watch_is_said_at_a_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
