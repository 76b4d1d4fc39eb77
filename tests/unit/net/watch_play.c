#include "watch_play.h"

/* ---- hellos ---- */

static void put_message(struct bytes *bytes, size_t type, const struct bytes *body)
{
    put_number(bytes, type, 1);
    put_number(bytes, body->len, 3);
    put(bytes, body->at, body->len);
}

struct bytes client_hello(struct hello as)
{
    static char zeros[30000];
    struct bytes extensions = {.len = 0};
    struct bytes body = {.len = 0};
    struct bytes message = {.len = 0};
    put_extension(&extensions, 0, "\0\6\0\0\3a.b", 8);
    if (!as.is_12)
        put_extension(&extensions, 43, "\4\3\4\3\3", 5);
    if (as.padding > 0)
        put_extension(&extensions, 21, zeros, as.padding);
    if (as.has_early)
        put_extension(&extensions, 42, "", 0);
    if (as.has_psk)
        put_extension(&extensions, 41, zeros, as.psk_bytes);
    put_number(&body, 0x0303, 2);
    put(&body, zeros, 32);
    put(&body, "\0\0\2\x13\1\1\0", 7);
    put_number(&body, extensions.len, 2);
    put(&body, extensions.at, extensions.len);
    put_message(&message, 1, &body);
    return message;
}

static struct bytes server_hello(struct hello as)
{
    static const char retry[] = "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91"
                                "\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c";
    static char zeros[2000];
    struct bytes extensions = {.len = 0};
    struct bytes body = {.len = 0};
    struct bytes message = {.len = 0};
    put_extension(&extensions, 51, zeros, 1100); /* a key share of today */
    if (as.is_h2)
        put_extension(&extensions, 16, "\0\3\2h2", 5);
    if (as.has_psk)
        put_extension(&extensions, 41, "\0\0", 2);
    if (!as.is_12)
        put_extension(&extensions, 43, "\3\4", 2);
    put_number(&body, 0x0303, 2);
    put(&body, as.is_retry ? retry : zeros, 32);
    put_number(&body, 32, 1);
    put(&body, zeros, 32);
    put_number(&body, as.is_12 ? 0xc02f : 0x1302, 2);
    put_number(&body, 0, 1);
    put_number(&body, extensions.len, 2);
    put(&body, extensions.at, extensions.len);
    put_message(&message, 2, &body);
    return message;
}

/* ---- the play ---- */

static void on_hello(void *owner, const struct tls_hello *hello)
{
    struct play *play = owner;
    assert_true(slice_equals(hello->name, SLICE("a.b")));
    play->hellos++;
}

void play_begin(struct play *play, size_t piece)
{
    static char scratch[TLS_HELLO_MAX];
    *play = (struct play){.piece = piece};
    play->blocks = block_pool_create(0, 0);
    play->means = (struct tls_watch_means){play->blocks, scratch, play, on_hello};
    tls_watch_init(&play->watch, QUIET_MS * NS_PER_MS);
}

void play_end(struct play *play)
{
    tls_watch_done(&play->watch);
    block_pool_destroy(&play->blocks);
}

void show(struct play *play, enum tls_watch_side side, const char *at, size_t len)
{
    for (size_t n = 0; n < len; n += play->piece) {
        size_t here = len - n < play->piece ? len - n : play->piece;
        tls_watch_see(&play->watch, side, slice_of(at + n, here), play->now_ms * NS_PER_MS,
                      &play->means);
    }
}

void record(struct play *play, enum tls_watch_side side, int type, const struct bytes *body)
{
    struct bytes bytes = {.len = 0};
    play->now_ms++;
    put_number(&bytes, (size_t)type << 16 | 0x0303, 3);
    put_number(&bytes, body->len, 2);
    put(&bytes, body->at, body->len);
    show(play, side, bytes.at, bytes.len);
}

void sealed(struct play *play, enum tls_watch_side side, int type, size_t len)
{
    struct bytes body = {.len = len};
    memset(body.at, 0x55, len);
    record(play, side, type, &body);
}

void hello(struct play *play, struct hello as)
{
    struct bytes message = client_hello(as);
    record(play, TLS_WATCH_CLIENT, HANDSHAKE, &message);
}

void answer(struct play *play, struct hello as)
{
    struct bytes message = server_hello(as);
    record(play, TLS_WATCH_SERVER, HANDSHAKE, &message);
}

void message(struct play *play, enum tls_watch_side side, size_t type, size_t len)
{
    struct bytes body = {.len = len};
    struct bytes whole = {.len = 0};
    memset(body.at, 0, len);
    put_message(&whole, type, &body);
    record(play, side, HANDSHAKE, &whole);
}

void assert_moments(const struct play *play, uint64_t hello, uint64_t answer, uint64_t done,
                    uint64_t request, uint64_t response)
{
    struct tls_watch_facts facts = tls_watch_facts(&play->watch);
    assert_int_equal(facts.hello_ns / NS_PER_MS, hello);
    assert_int_equal(facts.answer_ns / NS_PER_MS, answer);
    assert_int_equal(facts.done_ns / NS_PER_MS, done);
    assert_int_equal(facts.request_ns / NS_PER_MS, request);
    assert_int_equal(facts.response_ns / NS_PER_MS, response);
}

void play_all(void (*play_it)(struct play *play))
{
    static const size_t pieces[] = {SIZE_MAX / 2, 1000, 1};
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        struct play play;
        play_begin(&play, pieces[i]);
        play_it(&play);
        play_end(&play);
    }
}

void play_open_13(struct play *play, struct hello as)
{
    hello(play, as);                      /* 1 */
    answer(play, as);                     /* 2 */
    sealed(play, SERVER, DATA, 100);      /* 3 */
    sealed(play, SERVER, DATA, FINISHED); /* 4 */
    sealed(play, CLIENT, DATA, FINISHED); /* 5 */
}
