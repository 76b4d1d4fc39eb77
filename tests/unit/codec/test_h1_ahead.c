/* Heads that are received while events are dispatched, before anybody asks for them. */

#include "codec_end.h"

static bool has_tls;

bool __wrap_tls_is_tls(const struct transport *transport);
bool __wrap_tls_is_tls(const struct transport *transport)
{
    (void)transport;
    return has_tls;
}

/* What comes while events are dispatched is received at once, and found when the head is asked for. */
static void what_was_received_ahead_is_found(void **state)
{
    (void)state;
    static const char first[] = "GET / HTTP/1.1\r\nHo", second[] = "st: a\r\n\r\n";
    struct codec_test *test = test_begin(H1_SERVER);
    const struct wire *wire = &test->codec->wire;
    test->codec->ops->receive_ahead(test->codec);
    assert_int_equal(wire->in_bytes, 0);
    assert_int_equal(head_status(test), ST_AGAIN);

    say(test, first);
    test->codec->ops->receive_ahead(test->codec);
    assert_int_equal(wire->in_bytes, strlen(first));
    say(test, second);
    test->stream->ops->receive_ahead(test->stream); /* once a head */
    assert_int_equal(wire->in_bytes, strlen(first));
    struct head *head = head_comes(test, FRAMING_NONE);
    assert_int_equal(head->fields.count, 1);
    assert_int_equal(test->stream->head_ns, wire->received_ns);

    say(test, first); /* the next head is not awaited yet */
    test->stream->ops->receive_ahead(test->stream);
    assert_int_equal(wire->in_bytes, strlen(first) + strlen(second));
    test_end(test);
}

static void a_whole_head_received_ahead_is_stamped(void **state)
{
    (void)state;
    struct codec_test *test = test_begin(H1_CLIENT);
    say(test, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    test->stream->ops->receive_ahead(test->stream);
    uint64_t came_ns = test->codec->wire.received_ns;
    assert_true(came_ns > 0);
    (void)head_comes(test, FRAMING_LENGTH);
    assert_int_equal(test->stream->head_ns, came_ns);
    test_end(test);
}

/* To receive over TLS may be to send, and that has its own time in a turn. */
static void tls_is_not_received_ahead(void **state)
{
    (void)state;
    struct codec_test *test = test_begin(H1_SERVER);
    has_tls = true;
    say(test, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    test->codec->ops->receive_ahead(test->codec);
    assert_int_equal(test->codec->wire.in_bytes, 0);
    (void)head_comes(test, FRAMING_NONE);
    has_tls = false;
    test_end(test);
}

/* What a socket gives once its error was told. */
static enum status recv_end(struct transport *transport, void *into, size_t cap, size_t *ret_len)
{
    (void)transport;
    (void)into;
    (void)cap;
    (void)ret_len;
    return ST_EOF;
}

/* The end and a reset are told when the head is asked for; the latter could not be received again. */
static void an_end_received_ahead_is_told(void **state)
{
    (void)state;
    for (int is_abort = 0; is_abort < 2; is_abort++) {
        struct transport_ops ops;
        struct codec_test *test = test_begin(H1_SERVER);
        struct transport *far = &test->far->base;
        ops = *test->near->base.ops;
        test->near->base.ops = &ops;
        transport_close(&far, is_abort);
        test->far = NULL;
        (void)loop_turn(test->loop, 0);
        test->codec->ops->receive_ahead(test->codec);
        ops.recv = recv_end;
        assert_int_equal(head_status(test), is_abort ? ST_IO : ST_EOF);
        test_end(test);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_received_ahead_is_found),
        cmocka_unit_test(a_whole_head_received_ahead_is_stamped),
        cmocka_unit_test(tls_is_not_received_ahead),
        cmocka_unit_test(an_end_received_ahead_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
