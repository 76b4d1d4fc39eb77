#include "server_test.h"

#include "server/bundle_wire.h"
#include "server/maker.h"

#include <fcntl.h>
#include <sys/mman.h>

/* A bundle with files and a log, and the frames that it becomes. */
static struct {
    struct maker maker;
    struct bundle *bundle;
    struct bundle *received;
    struct bundle_receipt receipt;
    int ends[2];
    size_t fds; /* open before the test */
    char log[64];
} test;

static const char *const flags[] = {
    "--workers=3", "--admin=127.0.0.1:0", "--listen",   "127.0.0.1:0",
    "--listen",    "127.0.0.2:0",         "--log-file", test.log};

static int begin(void **state)
{
    (void)state;
    (void)snprintf(test.log, sizeof(test.log), "/tmp/fairlead-wire-%d.log", (int)getpid());
    test.fds = count_fds();
    maker_init(&test.maker, COUNT_OF(flags), flags);
    bundle_receipt_init(&test.receipt);
    assert_int_equal(maker_make(&test.maker, NULL, &test.bundle), ST_OK);
    assert_int_equal(bundle_add_file(test.bundle, strdup("/k"), strdup("secret"), 6), ST_OK);
    assert_int_equal(bundle_add_file(test.bundle, strdup("/none"), strdup(""), 0), ST_OK);
    return channel_pair(test.ends) == ST_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    bundle_destroy(&test.bundle);
    bundle_destroy(&test.received);
    bundle_receipt_drop(&test.receipt);
    maker_done(&test.maker);
    (void)close(test.ends[0]);
    (void)close(test.ends[1]);
    (void)unlink(test.log);
    assert_int_equal(count_fds(), test.fds);
    return 0;
}

/* Feed what waits in the channel to the receipt, until it is whole or wrong. */
static enum status feed(void)
{
    static struct channel_message message;
    enum status status = ST_AGAIN;
    while (status == ST_AGAIN &&
           channel_recv(test.ends[1], /* takes_fds= */ true, &message) == ST_OK)
        status = bundle_receipt_add(&test.receipt, &message);
    return status;
}

static enum status take(void)
{
    char words[100];
    struct text fault = text_on(words, sizeof(words));
    enum status status =
        bundle_receipt_take(&test.receipt, COUNT_OF(flags), flags, &test.received, &fault);
    assert_int_equal(status == ST_OK, fault.len == 0);
    return status;
}

static void a_bundle_arrives_as_it_was(void **state)
{
    (void)state;
    assert_int_equal(bundle_send(test.bundle, test.ends[0], 5), ST_OK);
    assert_int_equal(feed(), ST_OK);
    assert_int_equal(test.receipt.serial, 5);
    assert_int_equal(take(), ST_OK);
    const struct bundle *got = test.received;
    assert_int_equal(got->worker_count, 3);
    assert_int_equal(got->listen_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(got->listens[i].count, 3);
        assert_true(inet_endpoint_equals(&got->listens[i].bound, &test.bundle->listens[i].bound));
    }
    assert_true(inet_endpoint_equals(&got->admin.bound, &test.bundle->admin.bound));
    assert_int_equal(got->log, BUNDLE_LOG_FILE);
    assert_int_equal(fcntl(got->log_fd, F_GETFL) & O_APPEND, O_APPEND);
    assert_int_equal(got->file_count, 2);
    assert_string_equal(bundle_find_file(got, SLICE("/k"))->text, "secret");
    assert_int_equal(bundle_find_file(got, SLICE("/none"))->len, 0);
}

static void a_new_one_replaces_what_was_given_up(void **state)
{
    (void)state;
    static struct channel_message message;
    assert_int_equal(bundle_send(test.bundle, test.ends[0], 1), ST_OK);
    assert_int_equal(channel_recv(test.ends[1], true, &message), ST_OK);
    assert_int_equal(bundle_receipt_add(&test.receipt, &message), ST_AGAIN);
    assert_int_equal(channel_recv(test.ends[1], true, &message), ST_OK);
    channel_message_close(&message); /* lost */
    assert_int_equal(bundle_send(test.bundle, test.ends[0], 2), ST_OK);
    assert_int_equal(feed(), ST_OK);
    assert_int_equal(test.receipt.serial, 2);
    assert_int_equal(take(), ST_OK);
}

static void frames_out_of_their_order_are_refused(void **state)
{
    (void)state;
    struct channel_message more = {.frame = {.kind = CHANNEL_MORE, .serial = 1}};
    assert_int_equal(bundle_receipt_add(&test.receipt, &more), ST_BAD);

    /* Descriptors of another bundle. */
    static struct channel_message message;
    assert_int_equal(bundle_send(test.bundle, test.ends[0], 1), ST_OK);
    assert_int_equal(channel_recv(test.ends[1], true, &message), ST_OK);
    assert_int_equal(bundle_receipt_add(&test.receipt, &message), ST_AGAIN);
    assert_int_equal(channel_recv(test.ends[1], true, &message), ST_OK);
    message.frame.serial = 2;
    assert_int_equal(bundle_receipt_add(&test.receipt, &message), ST_BAD);
    assert_int_equal(test.receipt.memory, -1);
}

static void announcements_beyond_the_caps_are_refused(void **state)
{
    (void)state;
    const struct channel_frame wrong[] = {
        {.kind = CHANNEL_BUNDLE, .bytes = 0},
        {.kind = CHANNEL_BUNDLE, .bytes = UINT64_MAX},
        {.kind = CHANNEL_BUNDLE, .bytes = 100, .fd_count = BUNDLE_FDS_MAX + 1},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct channel_message message = {
            .frame = wrong[i], .fds = {dup(test.ends[0])}, .fd_count = 1};
        assert_int_equal(bundle_receipt_add(&test.receipt, &message), ST_BAD);
    }
    struct channel_message bare = {.frame = {.kind = CHANNEL_BUNDLE, .bytes = 10}};
    assert_int_equal(bundle_receipt_add(&test.receipt, &bare), ST_BAD);
}

/* ---- damaged memory ---- */

/* The memory that the bundle becomes; the caller frees it. */
static char *packed(size_t *ret_len, uint32_t *ret_fd_count)
{
    static struct channel_message message;
    assert_int_equal(bundle_send(test.bundle, test.ends[0], 1), ST_OK);
    assert_int_equal(channel_recv(test.ends[1], true, &message), ST_OK);
    *ret_len = message.frame.bytes;
    *ret_fd_count = message.frame.fd_count;
    char *bytes = malloc(*ret_len);
    assert_non_null(bytes);
    assert_int_equal(pread(message.fds[0], bytes, *ret_len, 0), *ret_len);
    channel_message_close(&message);
    while (channel_recv(test.ends[1], true, &message) == ST_OK)
        channel_message_close(&message);
    return bytes;
}

/* What the receiver makes of this memory with that many descriptors. */
static enum status offer(const char *bytes, size_t len, uint32_t fd_count)
{
    int memory = memfd_create("test", MFD_CLOEXEC);
    assert_int_equal(write(memory, bytes, len), len);
    struct channel_message first = {
        .frame = {.kind = CHANNEL_BUNDLE, .serial = 1, .bytes = len, .fd_count = fd_count},
        .fds = {memory},
        .fd_count = 1};
    enum status status = bundle_receipt_add(&test.receipt, &first);
    struct channel_message more = {.frame = {.kind = CHANNEL_MORE, .serial = 1}};
    for (; status == ST_AGAIN && more.fd_count < fd_count; more.fd_count++)
        more.fds[more.fd_count] = dup(test.ends[0]);
    if (status == ST_AGAIN)
        status = bundle_receipt_add(&test.receipt, &more);
    if (status == ST_OK)
        status = take();
    bundle_destroy(&test.received);
    return status;
}

static void a_memory_that_is_cut_is_refused(void **state)
{
    (void)state;
    size_t len;
    uint32_t fd_count;
    char *bytes = packed(&len, &fd_count);
    size_t fds = count_fds();
    assert_int_equal(offer(bytes, len, fd_count), ST_OK);
    for (size_t i = 1; i < len; i++)
        assert_int_equal(offer(bytes, i, fd_count), ST_BAD);
    assert_int_equal(count_fds(), fds);
    free(bytes);
}

static void descriptors_must_be_as_many_as_are_told(void **state)
{
    (void)state;
    size_t len;
    uint32_t fd_count;
    char *bytes = packed(&len, &fd_count);
    size_t fds = count_fds();
    assert_int_equal(offer(bytes, len, fd_count - 1), ST_BAD);
    assert_int_equal(offer(bytes, len, fd_count + 1), ST_BAD);
    assert_int_equal(offer(bytes, len, 0), ST_BAD);
    assert_int_equal(count_fds(), fds);
    free(bytes);
}

static void damaged_numbers_harm_nobody(void **state)
{
    (void)state;
    size_t len;
    uint32_t fd_count;
    char *bytes = packed(&len, &fd_count);
    size_t fds = count_fds();
    for (size_t i = 0; i < len; i++) {
        char was = bytes[i];
        bytes[i] = (char)0xff;
        (void)offer(bytes, len, fd_count); /* some still make sense: the bytes of a file */
        bytes[i] = 0;
        (void)offer(bytes, len, fd_count);
        bytes[i] = was;
    }
    assert_int_equal(count_fds(), fds);
    free(bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_bundle_arrives_as_it_was),
        TEST(a_new_one_replaces_what_was_given_up),
        TEST(frames_out_of_their_order_are_refused),
        TEST(announcements_beyond_the_caps_are_refused),
        TEST(a_memory_that_is_cut_is_refused),
        TEST(descriptors_must_be_as_many_as_are_told),
        TEST(damaged_numbers_harm_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
