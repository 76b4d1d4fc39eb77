/* Fuzz target: the PROXY header. Whatever the bytes are, the parser stays in them, never waits beyond its
 * bound, and comes to the same verdict when they arrive in pieces. */
#include "base/check.h"
#include "net/proxy_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_header(const struct proxy_header *header)
{
    CHECK(header->version == 1 || header->version == 2);
    /* Both or none. They may be of two families: one of a TCP6 header may be IPv4, mapped. */
    CHECK((header->source.addr.family == INET_NONE) ==
          (header->destination.addr.family == INET_NONE));
    if (header->is_local)
        CHECK(header->source.addr.family == INET_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_of((const char *)data, size);
    struct proxy_header header;
    size_t len = 0;
    enum status status = proxy_header_parse(bytes, &header, &len);
    CHECK(status == ST_OK || status == ST_AGAIN || status == ST_BAD || status == ST_LIMIT);
    if (status == ST_AGAIN)
        CHECK(size < PROXY_HEADER_V2_MAX);
    if (status == ST_OK) {
        CHECK(len > 0 && len <= size);
        check_header(&header);
    }
    /* A shorter input says "again" or what the longer one says. */
    size_t step = size / 64 + 1;
    for (size_t n = 0; n < size; n += step) {
        struct proxy_header early;
        size_t early_len = 0;
        enum status verdict = proxy_header_parse(slice_first(bytes, n), &early, &early_len);
        CHECK(verdict == ST_AGAIN || verdict == status);
        CHECK(verdict != ST_OK || early_len == len);
    }
    return 0;
}
