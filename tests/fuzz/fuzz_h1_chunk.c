/* Chunked content and its trailer section: any segmentation gives the same bytes, the same end and the same
 * fault, and no data view leaves the input. The first byte of the data is the size of the pieces. */
#include "fuzz_http.h"

#include "http/h1_chunk.h"

struct outcome {
    enum status status;
    enum h1_fault fault;
    size_t consumed;
    size_t len;
    uint64_t hash;
};

static uint64_t hash_add(uint64_t hash, struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (unsigned char)s.at[i]) * 1099511628211u;
    return hash;
}

static struct outcome decode(struct slice input, size_t step)
{
    struct outcome out = {.status = ST_AGAIN, .hash = 14695981039346656037u};
    struct h1_chunk chunk;
    h1_chunk_init(&chunk);
    while (out.consumed < input.len && (out.status == ST_AGAIN || out.status == ST_OK)) {
        struct slice piece = slice_first(slice_from(input, out.consumed), step);
        size_t consumed = 0;
        struct slice data = SLICE_NONE;
        out.status = h1_chunk_next(&chunk, piece, &consumed, &data);
        if (out.status == ST_BAD || out.status == ST_LIMIT)
            break;
        CHECK(consumed > 0 && consumed <= piece.len && data.len <= consumed);
        CHECK(fuzz_is_within(data, piece) && (out.status == ST_OK) == (data.len > 0));
        out.hash = hash_add(out.hash, data);
        out.len += data.len;
        out.consumed += consumed;
    }
    if (out.status == ST_OK)
        out.status = ST_AGAIN; /* where the input ends with data depends on the pieces */
    out.fault = chunk.fault;
    CHECK(chunk.data_bytes == out.len);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 1)
        return 0;
    struct slice input = slice_of((const char *)data + 1, len - 1);
    struct outcome whole = decode(input, input.len + 1);
    struct outcome pieces = decode(input, (size_t)data[0] + 1);
    CHECK(whole.status == pieces.status && whole.fault == pieces.fault);
    CHECK(whole.len == pieces.len && whole.hash == pieces.hash);
    if (whole.status != ST_EOF)
        return 0;

    CHECK(whole.consumed == pieces.consumed);
    struct fuzz_http fuzz;
    fuzz_http_begin(&fuzz);
    struct fields fields;
    fields_init(&fields, &fuzz.arena);
    struct h1_progress progress = {0};
    size_t consumed = 0;
    enum h1_fault fault = H1_FAULT_NONE;
    struct slice rest = slice_from(input, whole.consumed);
    enum status strict =
        h1_parse_request_trailers(rest, &fuzz_limits, &progress, &fields, &consumed, &fault);
    if (strict == ST_OK)
        CHECK(consumed >= 2 && consumed <= rest.len && !fields_has(&fields, TOKEN_CONTENT_LENGTH));
    progress = (struct h1_progress){0};
    enum status lenient =
        h1_parse_response_trailers(rest, &fuzz_limits, &progress, &fields, &consumed, &fault);
    CHECK(strict != ST_OK || lenient == ST_OK); /* what a request may say a response may */
    if (lenient == ST_OK)
        CHECK(consumed >= 2 && consumed <= rest.len && !fields_has(&fields, TOKEN_CONTENT_LENGTH));
    fuzz_http_end(&fuzz);
    return 0;
}
