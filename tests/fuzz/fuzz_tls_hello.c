/* Fuzz target: the ClientHello. Whatever the bytes are, the reader stays in them, and comes to the same verdict when
 * they arrive in pieces; a name that it gives is text. */
#include "base/check.h"
#include "base/host.h"
#include "net/tls_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char scratch[TLS_HELLO_MAX];
static char other[TLS_HELLO_MAX];

static bool lies_in(struct slice part, struct slice whole)
{
    return part.at >= whole.at && part.at + part.len <= whole.at + whole.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_of((const char *)data, size);
    struct tls_hello hello;
    enum tls_hello_result result = tls_hello_read(bytes, scratch, &hello);
    CHECK(tls_hello_text(result)[0] != '\0');
    if (hello.has_name && result == TLS_HELLO_WHOLE) {
        CHECK(hello.name.len > 0 && hello.name.len <= 255);
        CHECK(lies_in(hello.name, bytes) || lies_in(hello.name, slice_of(scratch, TLS_HELLO_MAX)));
        for (size_t i = 0; i < hello.name.len; i++)
            CHECK(hello.name.at[i] > ' ' && hello.name.at[i] <= 'z');
    }
    size_t step = size / 64 + 1;
    for (size_t n = 0; n < size; n += step) {
        struct tls_hello early;
        enum tls_hello_result verdict = tls_hello_read(slice_first(bytes, n), other, &early);
        CHECK(verdict == TLS_HELLO_MORE || verdict == result ||
              /* what is wrong with the whole record is seen before what is wrong behind it */
              result == TLS_HELLO_MALFORMED || result == TLS_HELLO_WHOLE);
        if (verdict == TLS_HELLO_WHOLE && result == TLS_HELLO_WHOLE)
            CHECK(early.has_name == hello.has_name && slice_equals(early.name, hello.name));
    }
    return 0;
}
