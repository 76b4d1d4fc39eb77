/* Fuzz target: the watch over TLS. The input is both directions of a connection in their order: a length of two bytes,
 * of which the highest bit is the side, and as many bytes. Whatever they are, the watch stays in them, and finds the
 * same when they arrive byte by byte; what it found is in order. */
#include "base/check.h"
#include "base/clock.h"
#include "net/tls_ja4.h"
#include "net/tls_watch.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char scratch[TLS_HELLO_MAX];

static void on_hello(void *owner, const struct tls_hello *hello)
{
    char ja4[TLS_JA4_TEXT];
    struct slice names = hello->alpn;
    struct slice name;
    unsigned *count = owner;
    (*count)++;
    (void)tls_ja4(hello, ja4);
    while (tls_hello_next_name(&names, &name))
        CHECK(name.len <= 255);
}

static struct tls_watch_facts watch_all(const uint8_t *data, size_t size, size_t piece,
                                        enum tls_watch_state *ret_state)
{
    unsigned hellos = 0;
    struct tls_watch watch;
    struct block_pool *blocks = block_pool_create(0, 0);
    struct tls_watch_means means = {blocks, scratch, &hellos, on_hello};
    uint64_t now_ns = NS_PER_MS;
    tls_watch_init(&watch, 5 * NS_PER_MS);
    while (size > 2) {
        size_t len = (size_t)(data[0] & 0x7f) << 8 | data[1];
        enum tls_watch_side side = data[0] & 0x80 ? TLS_WATCH_SERVER : TLS_WATCH_CLIENT;
        data += 2;
        size -= 2;
        len = len < size ? len : size;
        for (size_t at = 0; at < len; at += piece) {
            size_t here = len - at < piece ? len - at : piece;
            tls_watch_see(&watch, side, slice_of((const char *)data + at, here), now_ns, &means);
        }
        data += len;
        size -= len;
        now_ns += NS_PER_MS;
    }
    *ret_state = (enum tls_watch_state)watch.state;
    struct tls_watch_facts facts = tls_watch_facts(&watch);
    CHECK(hellos == (facts.hello_ns != 0));
    tls_watch_done(&watch);
    block_pool_destroy(&blocks);
    return facts;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum tls_watch_state states[2];
    if (size > 65536) /* below the bounds, of which a piece may pass one */
        return 0;
    struct tls_watch_facts facts = watch_all(data, size, SIZE_MAX / 2, &states[0]);
    struct tls_watch_facts pieces = watch_all(data, size, 1, &states[1]);
    CHECK(states[0] == states[1]);
    CHECK(memcmp(&facts, &pieces, sizeof(facts)) == 0);
    CHECK(facts.answer_ns == 0 || (facts.hello_ns != 0 && facts.hello_ns <= facts.answer_ns));
    CHECK(facts.done_ns == 0 || facts.answer_ns <= facts.done_ns);
    CHECK(facts.response_ns == 0 || facts.request_ns <= facts.response_ns);
    return 0;
}
