#ifndef FAIRLEAD_TESTS_CODEC_END_H
#define FAIRLEAD_TESTS_CODEC_END_H

/* An HTTP/1 codec whose peer is the test: what the tests of its parts begin with. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/h1_codec.h"
#include "support/memory_pair.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM = 1 << 20 };

/* A codec on one end of a connection in memory; the test is the peer and reads and writes bytes. */
struct codec_test {
    struct loop *loop;
    struct wire_shared shared;
    struct memory_end *near;
    struct memory_end *far;
    struct h1_codec h1;
    struct codec *codec;
    struct stream *stream;
    unsigned news;
    unsigned codec_news;
};

static inline void on_ready(struct stream *stream)
{
    struct codec_test *test = stream->owner;
    test->news++;
}

static inline void on_codec_ready(struct codec *codec)
{
    struct codec_test *test = codec->owner;
    test->codec_news++;
}

/* The test has the stream, as an exchange would. */
static inline void lease(struct codec_test *test)
{
    test->h1.is_leased = true;
    test->stream = &test->h1.stream;
    test->stream->owner = test;
    test->stream->on_ready = on_ready;
}

static inline enum codec_fate release(struct codec_test *test)
{
    return test->codec->ops->release(test->codec, test->stream);
}

static inline struct codec_test *test_begin(enum h1_role role)
{
    struct codec_test *test = calloc(1, sizeof(*test));
    assert_non_null(test);
    assert_int_equal(loop_create_simulated(&test->loop), ST_OK);
    test->shared.blocks = block_pool_create(0, 0);
    test->shared.scratch_bytes = WIRE_SCRATCH;
    test->shared.scratch = malloc(WIRE_SCRATCH);
    assert_non_null(test->shared.scratch);
    memory_pair_create(test->loop, ROOM, &test->near, &test->far);
    h1_codec_init(&test->h1, role, &test->near->base, &test->shared,
                  &(struct h1_limits){65536, 1000, 32768});
    test->codec = &test->h1.codec;
    test->codec->owner = test;
    test->codec->on_ready = on_codec_ready;
    lease(test);
    return test;
}

static inline void test_end(struct codec_test *test)
{
    struct transport *far = test->far == NULL ? NULL : &test->far->base;
    test->codec->ops->close(test->codec, /* is_abort= */ false);
    assert_int_equal(block_pool_used(test->shared.blocks), 0);
    transport_close(&far, false);
    (void)loop_turn(test->loop, 0);
    loop_destroy(&test->loop);
    block_pool_destroy(&test->shared.blocks);
    free(test->shared.scratch);
    free(test);
}

static inline void say(struct codec_test *test, const char *bytes)
{
    size_t sent = 0;
    struct iovec iov = {(void *)(uintptr_t)bytes, strlen(bytes)};
    if (iov.iov_len == 0)
        return;
    assert_int_equal(transport_send(&test->far->base, &iov, 1, &sent), ST_OK);
    assert_int_equal(sent, iov.iov_len);
    (void)loop_turn(test->loop, 0);
}

/* The peer hears exactly this. */
static inline void hear(struct codec_test *test, const char *wanted)
{
    char into[4096];
    size_t len = 0;
    size_t got = 0;
    while (len < sizeof(into) - 1 &&
           transport_recv(&test->far->base, into + len, sizeof(into) - 1 - len, &got) == ST_OK)
        len += got;
    into[len] = '\0';
    assert_string_equal(into, wanted);
}

static inline struct head *head_comes(struct codec_test *test, enum framing_kind kind)
{
    struct head *head = NULL;
    struct framing body;
    assert_int_equal(test->stream->ops->recv_head(test->stream, &head, &body), ST_OK);
    assert_int_equal(body.kind, kind);
    return head;
}

static inline enum status head_status(struct codec_test *test)
{
    struct head *head = NULL;
    struct framing body;
    return test->stream->ops->recv_head(test->stream, &head, &body);
}

#endif
