#include "codec_end.h"

#include "base/check.h"

#include <stdio.h>

enum { SMALL_ROOM = 64 };

/* The whole body, by views that are taken `step` bytes at a time; gives the status that ended it. */
static enum status body_comes(struct codec_test *test, size_t step, char *into)
{
    size_t len = 0;
    for (;;) {
        struct slice view = SLICE_NONE;
        enum status status = test->stream->ops->recv_body(test->stream, &view);
        into[len] = '\0';
        if (status != ST_OK)
            return status;
        assert_true(view.len > 0);
        if (view.len > step)
            view.len = step;
        memcpy(into + len, view.at, view.len);
        len += view.len;
        test->stream->ops->consume(test->stream, view.len);
    }
}

static void body_is(struct codec_test *test, const char *wanted)
{
    char into[4096];
    assert_int_equal(body_comes(test, 3, into), ST_EOF);
    assert_string_equal(into, wanted);
    assert_true(test->stream->is_read_out);
}

static void settle(struct codec_test *test)
{
    assert_int_equal(test->stream->ops->settle(test->stream), ST_OK);
}

static void send_response(struct codec_test *test, uint16_t status, struct framing body)
{
    struct head head = {.status = status, .major = 1, .minor = 1};
    assert_int_equal(test->stream->ops->send_head(test->stream, &head, body), ST_OK);
}

static void send_bytes(struct codec_test *test, const char *bytes)
{
    struct slice rest = slice_from_string(bytes);
    while (rest.len > 0) {
        size_t taken = 0;
        assert_int_equal(test->stream->ops->send_body(test->stream, rest, &taken), ST_OK);
        rest = slice_from(rest, taken);
    }
}

static void flush(struct codec_test *test)
{
    assert_int_equal(test->stream->ops->flush(test->stream), ST_OK);
    (void)loop_turn(test->loop, 0);
}

/* ---- receiving ---- */

/* A head that comes byte by byte is the same as one that comes at once, and its beginning is stamped. */
static void a_head_may_come_in_pieces(void **state)
{
    (void)state;
    static const char text[] = "GET http://a/ HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
    struct codec_test *test = test_begin(H1_SERVER);
    assert_int_equal(head_status(test), ST_AGAIN);
    assert_int_equal(test->stream->begun_ns, 0);
    for (size_t i = 0; i < sizeof(text) - 2; i++) {
        say(test, (char[]){text[i], '\0'});
        assert_int_equal(head_status(test), ST_AGAIN);
        assert_true(test->stream->begun_ns > 0);
        assert_int_equal(test->stream->head_ns, 0);
        settle(test);
    }
    assert_true(test->news >= sizeof(text) - 2);
    say(test, "\n");
    struct head *head = head_comes(test, FRAMING_NONE);
    assert_true(slice_equals(head->target, SLICE("http://a/")));
    assert_int_equal(head->fields.count, 2);
    assert_true(test->stream->is_read_out);
    assert_int_equal(test->stream->head_ns, test->codec->wire.received_ns);
    test_end(test);
}

/* A body by length ends where it says; what follows belongs to the next message (RFC 9112 §6.2). */
static void a_counted_body_leaves_the_next_message_alone(void **state)
{
    (void)state;
    struct codec_test *test = test_begin(H1_SERVER);
    say(test, "POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
              "helloGET http://b/ HTTP/1.1\r\nHost: b\r\n\r\n");
    (void)head_comes(test, FRAMING_LENGTH);
    assert_false(test->stream->is_read_out);
    body_is(test, "hello");
    struct stream_tally tally;
    test->stream->ops->tally(test->stream, &tally);
    assert_int_equal(tally.received_body_bytes, 5);
    assert_int_equal(tally.unread_bytes, strlen("GET http://b/ HTTP/1.1\r\nHost: b\r\n\r\n"));
    send_response(test, 204, (struct framing){.kind = FRAMING_NONE});
    assert_int_equal(test->stream->ops->send_end(test->stream, NULL), ST_OK);
    flush(test);

    assert_int_equal(release(test), CODEC_LASTS);
    lease(test);
    struct head *head = head_comes(test, FRAMING_NONE);
    assert_true(slice_equals(head->target, SLICE("http://b/")));
    assert_int_equal(test->stream->head_ns, 0); /* it came long ago */
    test->stream->ops->tally(test->stream, &tally);
    assert_int_equal(tally.received_bytes, strlen("GET http://b/ HTTP/1.1\r\nHost: b\r\n\r\n"));
    assert_int_equal(tally.sent_bytes, 0);
    test_end(test);
}

/* Chunks are decoded wherever the input is cut, and trailers come behind them (RFC 9112 §7.1). */
static void chunks_and_trailers_come_in_any_pieces(void **state)
{
    (void)state;
    static const char text[] =
        "5\r\nhello\r\n1;ext=1\r\n,\r\n6\r\n world\r\n0\r\nX-Late: 1\r\n\r\n";
    for (size_t cut = 0; cut < sizeof(text); cut++) {
        struct codec_test *test = test_begin(H1_SERVER);
        char first[sizeof(text)];
        char into[256] = "";
        size_t len = 0;
        (void)snprintf(first, cut + 1, "%s", text);
        say(test, "POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        (void)head_comes(test, FRAMING_CHUNKED);
        settle(test);
        say(test, first);
        enum status status = body_comes(test, 2, into);
        len = strlen(into);
        settle(test);
        if (status == ST_AGAIN) {
            say(test, text + cut);
            status = body_comes(test, 2, into + len);
        }
        assert_int_equal(status, ST_EOF);
        assert_string_equal(into, "hello, world");
        const struct fields *trailers = test->stream->ops->recv_trailers(test->stream);
        assert_non_null(trailers);
        assert_int_equal(trailers->count, 1);
        assert_true(slice_equals(trailers->at[0].value, SLICE("1")));
        test_end(test);
    }
}

/* The end of the connection inside of a message is a cut, not an end (RFC 9112 §8). */
static void an_early_end_is_a_cut(void **state)
{
    (void)state;
    static const char *const messages[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        struct codec_test *test = test_begin(H1_CLIENT);
        char into[64];
        test->stream->ops->expect(test->stream, METHOD_GET);
        say(test, messages[i]);
        assert_int_equal(transport_shut(&test->far->base), ST_OK);
        (void)loop_turn(test->loop, 0);
        struct head *head = NULL;
        struct framing body;
        assert_int_equal(test->stream->ops->recv_head(test->stream, &head, &body), ST_OK);
        assert_int_equal(body_comes(test, 64, into), ST_IO);
        assert_false(test->stream->is_read_out);
        assert_false(test->stream->may_persist);
        test_end(test);
    }
}

/* Without a length a response ends with its connection, which then carries nothing else. */
static void a_response_may_end_with_its_connection(void **state)
{
    (void)state;
    struct codec_test *test = test_begin(H1_CLIENT);
    test->stream->ops->expect(test->stream, METHOD_GET);
    say(test, "HTTP/1.1 200 OK\r\n\r\nall of it");
    (void)head_comes(test, FRAMING_CLOSE);
    assert_int_equal(transport_shut(&test->far->base), ST_OK);
    (void)loop_turn(test->loop, 0);
    body_is(test, "all of it");
    assert_true(test->stream->is_peer_done);
    assert_false(test->stream->may_persist);
    test_end(test);
}

/* shows 9110-6-1 9112-6.3-1 9110-9.3.6-6 */
/* No content answers HEAD, whatever the fields say (RFC 9110 §9.3.2); interim heads come before. */
static void what_was_asked_frames_the_response(void **state)
{
    (void)state;
    struct codec_test *test = test_begin(H1_CLIENT);
    test->stream->ops->expect(test->stream, METHOD_HEAD);
    say(test, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
              "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    assert_int_equal(head_comes(test, FRAMING_NONE)->status, 100);
    assert_false(test->stream->is_read_out);
    assert_int_equal(head_comes(test, FRAMING_NONE)->status, 103);
    assert_int_equal(head_comes(test, FRAMING_NONE)->status, 200);
    assert_true(test->stream->is_read_out);
    assert_true(test->stream->may_persist);
    test_end(test);
}

/* A fault says what answers it, in a number and in words. */
static void faults_say_what_answers_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned status;
        enum status result;
    } faults[] = {
        {"GET  http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, ST_BAD},
        {"GET http://a/ HTTP/2.0\r\nHost: a\r\n\r\n", 505, ST_BAD},
        {"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501,
         ST_BAD},
        {"POST http://a/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, ST_BAD},
    };
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        struct codec_test *test = test_begin(H1_SERVER);
        say(test, faults[i].text);
        assert_int_equal(head_status(test), faults[i].result);
        assert_int_equal(test->stream->fault_status, faults[i].status);
        assert_non_null(test->stream->fault_text);
        assert_false(test->stream->may_persist);
        test_end(test);
    }
}

/* A head beyond its limit is refused, and no more of it is read. */
static void a_large_head_is_refused(void **state)
{
    (void)state;
    struct codec_test *test = test_begin(H1_SERVER);
    test->h1.limits = (struct h1_limits){1024, 10, 256};
    char field[1500];
    memset(field, 'x', sizeof(field) - 1);
    field[sizeof(field) - 1] = '\0';
    say(test, "GET http://a/ HTTP/1.1\r\nHost: a\r\nX: ");
    say(test, field);
    assert_int_equal(head_status(test), ST_LIMIT);
    assert_int_equal(test->stream->fault_status, 431);
    test_end(test);
}

/* ---- sending ---- */

/* Framing is written as it was decided: by length, in chunks with trailers, or bare. */
static void bodies_are_framed_as_decided(void **state)
{
    (void)state;
    struct codec_test *test = test_begin(H1_SERVER);
    say(test, "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n");
    (void)head_comes(test, FRAMING_NONE);
    send_response(test, 200, (struct framing){.kind = FRAMING_CHUNKED});
    send_bytes(test, "hello");
    send_bytes(test, "sixteen bytes...");
    struct arena arena;
    struct fields trailers;
    arena_init(&arena, test->shared.blocks, 4096);
    fields_init(&trailers, &arena);
    assert_int_equal(fields_add(&trailers, SLICE("X-Sum"), SLICE("9")), ST_OK);
    assert_int_equal(test->stream->ops->send_end(test->stream, &trailers), ST_OK);
    flush(test);
    hear(test, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
               "5\r\nhello\r\n10\r\nsixteen bytes...\r\n0\r\nX-Sum: 9\r\n\r\n");
    arena_done(&arena);
    struct stream_tally tally;
    test->stream->ops->tally(test->stream, &tally);
    assert_int_equal(tally.sent_body_bytes, 21);
    test_end(test);
}

/* shows 9110-7.6.1-1 9112-9.6-1 9110-15.5.22-1 */
/* Upgrade, TE, Connection and the framing of a body are the codec's own fields: read off a head, and written
 * from what the head says besides its fields. */
static void connection_options_are_the_codecs(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        const char *upgrade;
        struct head answer;
        struct framing body;
        const char *wanted;
        bool takes_trailers;
    } cases[] = {
        {"GET http://a/ HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n",
         "",
         {.status = 200},
         {.kind = FRAMING_LENGTH, .length = 12},
         "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n",
         true},
        {"GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
         "websocket",
         {.status = 101, .upgrade = {"websocket", 9}},
         {.kind = FRAMING_NONE},
         "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
         false},
        {"GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
         "",
         {.status = 426, .upgrade = {"TLS/1.0", 7}},
         {.kind = FRAMING_NONE},
         "HTTP/1.1 426 Upgrade Required\r\nUpgrade: TLS/1.0\r\nConnection: Upgrade, close\r\n\r\n",
         false},
        {"GET http://a/ HTTP/1.1\r\nHost: a\r\nUpgrade: unnamed\r\nConnection: close\r\n\r\n",
         "",
         {.status = 204},
         {.kind = FRAMING_NONE},
         "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
         false},
        {"GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
         "",
         {.status = 103},
         {.kind = FRAMING_NONE},
         "HTTP/1.1 103 Early Hints\r\n\r\n",
         false},
        {"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
         "",
         {.status = 200},
         {.kind = FRAMING_CLOSE},
         "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
         false},
        {"CONNECT a:443 HTTP/1.0\r\n\r\n",
         "",
         {.status = 200},
         {.kind = FRAMING_NONE},
         "HTTP/1.1 200 OK\r\n\r\n",
         false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct codec_test *test = test_begin(H1_SERVER);
        say(test, cases[i].request);
        const struct head *head = head_comes(test, FRAMING_NONE);
        assert_non_null(head->hop);
        assert_true(slice_equals(head->upgrade, slice_from_string(cases[i].upgrade)));
        assert_int_equal(head->takes_trailers, cases[i].takes_trailers);
        assert_int_equal(
            test->stream->ops->send_head(test->stream, &cases[i].answer, cases[i].body), ST_OK);
        flush(test);
        hear(test, cases[i].wanted);
        test_end(test);
    }
}

/* shows 9110-8.6-9 */
/* A message is never longer or shorter than it was announced. */
static void a_length_is_kept(void **state)
{
    (void)state;
    struct codec_test *test = test_begin(H1_SERVER);
    say(test, "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n");
    (void)head_comes(test, FRAMING_NONE);
    send_response(test, 200, (struct framing){.kind = FRAMING_LENGTH, .length = 3});
    size_t taken = 0;
    assert_int_equal(test->stream->ops->send_end(test->stream, NULL), ST_BAD);
    assert_int_equal(test->stream->ops->send_body(test->stream, SLICE("abcd"), &taken), ST_OK);
    assert_int_equal(taken, 3);
    assert_int_equal(test->stream->ops->send_body(test->stream, SLICE("d"), &taken), ST_BAD);
    assert_int_equal(test->stream->ops->send_end(test->stream, NULL), ST_OK);
    flush(test);
    hear(test, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
    test_end(test);
}

/* A peer that takes little holds the sender up, and loses nothing, in the midst of a chunk as well. */
static void a_slow_peer_gets_all_of_it(void **state)
{
    (void)state;
    enum { BYTES = 200 * 1024 };
    static char body[BYTES + 1];
    static char heard[BYTES + 4096];
    size_t taken_in_all = 0;
    size_t len = 0;
    size_t got = 0;
    struct codec_test *test = test_begin(H1_SERVER);
    memset(body, 'b', BYTES);
    say(test, "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n");
    (void)head_comes(test, FRAMING_NONE);
    memory_end_set_room(test->far, SMALL_ROOM);
    send_response(test, 200, (struct framing){.kind = FRAMING_CHUNKED});
    bool was_held = false;
    while (taken_in_all < BYTES) {
        size_t taken = 0;
        struct slice rest = slice_of(body + taken_in_all, BYTES - taken_in_all);
        enum status status = test->stream->ops->send_body(test->stream, rest, &taken);
        assert_true(status == ST_OK || status == ST_AGAIN);
        was_held = was_held || status == ST_AGAIN;
        taken_in_all += status == ST_OK ? taken : 0;
        if (status == ST_AGAIN &&
            transport_recv(&test->far->base, heard + len, sizeof(heard) - len, &got) == ST_OK)
            len += got;
        (void)loop_turn(test->loop, 0);
    }
    assert_int_equal(test->stream->ops->send_end(test->stream, NULL), ST_OK);
    while (test->stream->ops->flush(test->stream) == ST_AGAIN) {
        if (transport_recv(&test->far->base, heard + len, sizeof(heard) - len, &got) == ST_OK)
            len += got;
        (void)loop_turn(test->loop, 0);
    }
    while (transport_recv(&test->far->base, heard + len, sizeof(heard) - len, &got) == ST_OK)
        len += got;
    assert_true(was_held);
    static const char begin[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n32000\r\nbbb";
    assert_memory_equal(heard, begin, sizeof(begin) - 1);
    assert_memory_equal(heard + len - 8, "b\r\n0\r\n\r\n", 8);
    size_t bs = 0;
    for (size_t i = 0; i < len; i++)
        bs += heard[i] == 'b';
    assert_int_equal(bs, BYTES);
    test_end(test);
}

/* ---- leaving ---- */

/* Whoever detaches gets the transport, its news, and what was read already. */
static void detaching_loses_no_byte(void **state)
{
    (void)state;
    struct codec_test *test = test_begin(H1_SERVER);
    say(test, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\nearly");
    (void)head_comes(test, FRAMING_NONE);
    struct slice unread = SLICE_NONE;
    struct transport *transport = test->stream->ops->detach(test->stream, &unread);
    assert_true(slice_equals(unread, SLICE("early")));
    assert_ptr_equal(transport, &test->near->base);
    unsigned before = test->news;
    say(test, "more");
    assert_int_equal(test->news, before); /* the codec hears nothing any more */
    char into[8];
    size_t got = 0;
    assert_int_equal(transport_recv(transport, into, sizeof(into), &got), ST_OK);
    assert_int_equal(got, 4);
    transport_close(&transport, false);
    test_end(test);
}

static void ask(struct codec_test *test)
{
    struct head head = {.is_request = true, .major = 1, .minor = 1};
    head.method_name = SLICE("GET");
    head.target = SLICE("/");
    test->stream->ops->expect(test->stream, METHOD_GET);
    struct framing none = {.kind = FRAMING_NONE};
    assert_int_equal(test->stream->ops->send_head(test->stream, &head, none), ST_OK);
    assert_int_equal(test->stream->ops->send_end(test->stream, NULL), ST_OK);
    flush(test);
    hear(test, "GET / HTTP/1.1\r\n\r\n");
}

/* shows 9112-9.3-4 9112-9.3-5 */
/* A connection is used again only if both messages ended, nothing is left over and nobody said close; and what
 * was given up is broken off. */
static void another_request_needs_a_clean_end(void **state)
{
    (void)state;
    static const struct {
        const char *response;
        bool is_reset;
        enum codec_fate fate;
    } cases[] = {
        {"HTTP/1.1 204 No Content\r\n\r\n", false, CODEC_LASTS},
        {"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", false, CODEC_ENDS},
        {"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", false, CODEC_ENDS},
        {"HTTP/1.0 204 No Content\r\n\r\n", false, CODEC_ENDS},
        {"HTTP/1.1 204 No Content\r\n\r\n", true, CODEC_BREAKS},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct codec_test *test = test_begin(H1_CLIENT);
        ask(test);
        say(test, cases[i].response);
        (void)head_comes(test, FRAMING_NONE);
        if (cases[i].is_reset)
            test->stream->ops->reset(test->stream, STREAM_CANCEL);
        assert_int_equal(release(test), cases[i].fate);
        struct stream *stream = NULL;
        if (cases[i].fate == CODEC_LASTS) {
            assert_int_equal(test->codec->ops->open(test->codec, &stream), ST_OK);
            assert_int_equal(test->codec->ops->open(test->codec, &stream), ST_AGAIN);
        }
        test_end(test);
    }
}

/* shows 9112-8-1 */
/* An answer that is cut short: where its framing shows it, the end is in order and loses nothing that is
 * queued; else, or if nobody takes it, the connection breaks (RFC 9112 §6.3, §8). */
static void a_cut_answer_is_seen_to_be_cut(void **state)
{
    (void)state;
    static const struct {
        struct framing body;
        enum stream_why why;
        enum codec_fate fate;
    } cases[] = {
        {{.kind = FRAMING_LENGTH, .length = 5}, STREAM_CUT, CODEC_ENDS},
        {{.kind = FRAMING_CHUNKED}, STREAM_CUT, CODEC_ENDS},
        {{.kind = FRAMING_CLOSE}, STREAM_CUT, CODEC_BREAKS},
        {{.kind = FRAMING_LENGTH, .length = 5}, STREAM_CANCEL, CODEC_BREAKS},
    };
    for (size_t i = 0; i < COUNT_OF(cases) + 1; i++) {
        struct codec_test *test = test_begin(H1_SERVER);
        say(test, "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n");
        (void)head_comes(test, FRAMING_NONE);
        bool has_head = i < COUNT_OF(cases);
        if (has_head)
            send_response(test, 200, cases[i].body);
        test->stream->ops->reset(test->stream, has_head ? cases[i].why : STREAM_CUT);
        assert_int_equal(release(test), has_head ? cases[i].fate : CODEC_BREAKS);
        test_end(test);
    }
}

/* A server gives one request after the other, each once the last is over, and none after a drain, which the
 * last answer says. */
static void requests_are_accepted_in_turn(void **state)
{
    (void)state;
    struct codec_test *test = test_begin(H1_SERVER);
    struct stream *stream = NULL;
    struct head *head = NULL;
    struct framing body;
    const struct codec_ops *ops = test->codec->ops;
    test->h1.is_leased = false;
    assert_int_equal(ops->accept(test->codec, &stream, &head, &body), ST_AGAIN);
    assert_null(stream);
    say(test, "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\nGET http://b/ HTTP/1.1\r\nHost: b\r\n\r\n");
    assert_true(test->codec_news > 0);
    assert_int_equal(ops->accept(test->codec, &stream, &head, &body), ST_OK);
    assert_true(slice_equals(head->target, SLICE("http://a/")));
    struct stream *second = NULL;
    assert_int_equal(ops->accept(test->codec, &second, &head, &body), ST_AGAIN);
    send_response(test, 204, (struct framing){.kind = FRAMING_NONE});
    assert_int_equal(stream->ops->send_end(stream, NULL), ST_OK);
    flush(test);
    hear(test, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_int_equal(release(test), CODEC_LASTS);

    assert_int_equal(ops->accept(test->codec, &stream, &head, &body), ST_OK);
    assert_true(slice_equals(head->target, SLICE("http://b/")));
    ops->drain(test->codec);
    send_response(test, 204, (struct framing){.kind = FRAMING_NONE});
    assert_int_equal(stream->ops->send_end(stream, NULL), ST_OK);
    flush(test);
    hear(test, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    assert_int_equal(release(test), CODEC_ENDS);
    test_end(test);
}

/* A fault and a head that is late come with a stream to answer on. */
static void faults_can_be_answered(void **state)
{
    (void)state;
    for (int is_late = 0; is_late <= 1; is_late++) {
        struct codec_test *test = test_begin(H1_SERVER);
        struct stream *stream = NULL;
        struct head *head = NULL;
        struct framing body;
        test->h1.is_leased = false;
        say(test, is_late ? "GET http://a/ HT" : "GET http://a/ HTTP/1.1\r\nHost : a\r\n\r\n");
        enum status status = test->codec->ops->accept(test->codec, &stream, &head, &body);
        assert_int_equal(status, is_late ? ST_AGAIN : ST_BAD);
        if (is_late)
            stream = test->codec->ops->accept_late(test->codec, &head);
        assert_ptr_equal(stream, test->stream);
        assert_int_equal(head->method, METHOD_GET);
        assert_true(slice_equals(head->target, SLICE("http://a/")));
        assert_int_equal(head->fields.count, 0);
        send_response(test, is_late ? 408 : 400, (struct framing){.kind = FRAMING_LENGTH});
        assert_int_equal(stream->ops->send_end(stream, NULL), ST_OK);
        flush(test);
        hear(test,
             is_late
                 ? "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                 : "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        assert_int_equal(release(test), CODEC_ENDS);
        test_end(test);
    }
}

/* A reset is seen without a call. */
static void a_reset_is_seen(void **state)
{
    (void)state;
    struct codec_test *test = test_begin(H1_SERVER);
    struct transport *far = &test->far->base;
    assert_false(test->stream->ops->is_gone(test->stream));
    transport_close(&far, /* is_abort= */ true);
    test->far = NULL;
    (void)loop_turn(test->loop, 0);
    assert_true(test->stream->ops->is_gone(test->stream));
    assert_int_equal(head_status(test), ST_IO);
    test_end(test);
}

/* An end in order is no reset; it is seen without a call, also while bytes before it are unread. */
static void an_end_is_seen(void **state)
{
    (void)state;
    struct codec_test *test = test_begin(H1_SERVER);
    say(test, "GET / HT");
    assert_false(test->stream->ops->has_ended(test->stream));
    assert_int_equal(transport_shut(&test->far->base), ST_OK);
    (void)loop_turn(test->loop, 0);
    assert_true(test->stream->ops->has_ended(test->stream));
    assert_false(test->stream->ops->is_gone(test->stream));
    test_end(test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_may_come_in_pieces),
        cmocka_unit_test(a_counted_body_leaves_the_next_message_alone),
        cmocka_unit_test(chunks_and_trailers_come_in_any_pieces),
        cmocka_unit_test(an_early_end_is_a_cut),
        cmocka_unit_test(a_response_may_end_with_its_connection),
        cmocka_unit_test(what_was_asked_frames_the_response),
        cmocka_unit_test(faults_say_what_answers_them),
        cmocka_unit_test(a_large_head_is_refused),
        cmocka_unit_test(bodies_are_framed_as_decided),
        cmocka_unit_test(connection_options_are_the_codecs),
        cmocka_unit_test(a_length_is_kept),
        cmocka_unit_test(a_slow_peer_gets_all_of_it),
        cmocka_unit_test(detaching_loses_no_byte),
        cmocka_unit_test(another_request_needs_a_clean_end),
        cmocka_unit_test(a_cut_answer_is_seen_to_be_cut),
        cmocka_unit_test(requests_are_accepted_in_turn),
        cmocka_unit_test(faults_can_be_answered),
        cmocka_unit_test(a_reset_is_seen),
        cmocka_unit_test(an_end_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
