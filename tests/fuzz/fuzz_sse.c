/* Fuzz target: server-sent events. The first byte is the width of the pieces that they come in; whole they are the
 * same. */
#include "base/check.h"
#include "view/sse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A sum over all events, in which every byte has its place. */
static uint64_t digest(struct slice text, size_t width)
{
    static struct sse sse;
    struct sse_event event;
    uint64_t sum = 0;
    sse_init(&sse);
    while (text.len > 0) {
        struct slice piece = slice_first(text, width);
        text = slice_from(text, width);
        while (sse_next(&sse, &piece, &event)) {
            const struct slice parts[] = {event.name, event.id, event.data};
            CHECK(event.name.len > 0 && event.name.len < SSE_WORD_MAX);
            CHECK(event.id.len < SSE_WORD_MAX && event.data.len <= SSE_DATA_MAX);
            for (size_t part = 0; part < COUNT_OF(parts); part++) {
                for (size_t i = 0; i < parts[part].len; i++)
                    sum = sum * 31 + (unsigned char)parts[part].at[i];
                sum = sum * 31 + part + 256;
            }
        }
        CHECK(piece.len == 0);
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice text = slice_of((const char *)data + 1, size - 1);
    CHECK(digest(text, (size_t)data[0] + 1) == digest(text, size));
    return 0;
}
