#ifndef FAIRLEAD_TESTS_FUZZ_FUZZ_HTTP_H
#define FAIRLEAD_TESTS_FUZZ_FUZZ_HTTP_H

#include "base/arena.h"
#include "base/check.h"
#include "http/h1_parse.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Shared by the fuzz targets of src/http: an arena for one run, input in memory of its exact size so that the
 * address sanitizer sees every byte read beyond it, and the parse in pieces. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct fuzz_http {
    struct block_pool *pool;
    struct arena arena;
};

static const struct h1_limits fuzz_limits = {
    .head_bytes = 8192, .field_count = 64, .target_bytes = 2048};

static inline void fuzz_http_begin(struct fuzz_http *fuzz)
{
    fuzz->pool = block_pool_create(1 << 20, 0);
    CHECK(fuzz->pool != NULL);
    arena_init(&fuzz->arena, fuzz->pool, 1 << 18);
}

static inline void fuzz_http_end(struct fuzz_http *fuzz)
{
    arena_done(&fuzz->arena);
    block_pool_destroy(&fuzz->pool);
}

typedef enum status fuzz_parse_fn(struct slice input, const struct h1_limits *limits,
                                  struct h1_progress *progress, struct head *head,
                                  size_t *ret_consumed, enum h1_fault *ret_fault);

static inline bool fuzz_is_within(struct slice part, struct slice whole)
{
    return part.len == 0 || (part.at >= whole.at && part.at + part.len <= whole.at + whole.len);
}

static inline bool fuzz_heads_equal(const struct head *a, const struct head *b)
{
    bool same = a->method == b->method && slice_equals(a->method_name, b->method_name) &&
                slice_equals(a->target, b->target) && a->status == b->status &&
                slice_equals(a->reason, b->reason) && a->minor == b->minor &&
                a->fields.count == b->fields.count;
    for (uint32_t i = 0; same && i < a->fields.count; i++) {
        same = slice_equals(a->fields.at[i].name, b->fields.at[i].name) &&
               slice_equals(a->fields.at[i].value, b->fields.at[i].value) &&
               a->fields.at[i].token == b->fields.at[i].token;
    }
    return same;
}

/* Parse `input` grown by `step` bytes at a time, in memory that moves at every step. `*copy` is the memory
 * that the result borrows; the caller frees it. */
static inline enum status fuzz_parse_in_steps(fuzz_parse_fn *parse, struct slice input, size_t step,
                                              struct head *head, size_t *ret_consumed,
                                              enum h1_fault *ret_fault, char **copy)
{
    struct h1_progress progress = {0};
    enum status status = ST_AGAIN;
    *copy = NULL;
    for (size_t len = 0; status == ST_AGAIN && len < input.len;) {
        len = input.len - len < step ? input.len : len + step;
        free(*copy);
        *copy = malloc(len);
        CHECK(*copy != NULL);
        memcpy(*copy, input.at, len);
        status =
            parse(slice_of(*copy, len), &fuzz_limits, &progress, head, ret_consumed, ret_fault);
    }
    return status;
}

/* Whole and in pieces must agree: the answer, the fault, and every part of the head. Only that pieces may not
 * have come to a fault yet, since an incomplete head is not parsed again at every byte. */
static inline enum status fuzz_parse_both_ways(struct fuzz_http *fuzz, fuzz_parse_fn *parse,
                                               struct slice input, size_t step, struct head *head,
                                               size_t *ret_consumed)
{
    struct h1_progress progress = {0};
    enum h1_fault fault = H1_FAULT_NONE;
    head_init(head, &fuzz->arena);
    enum status status = parse(input, &fuzz_limits, &progress, head, ret_consumed, &fault);

    struct head again;
    head_init(&again, &fuzz->arena);
    size_t consumed = 0;
    enum h1_fault fault_again = H1_FAULT_NONE;
    char *copy = NULL;
    enum status other =
        fuzz_parse_in_steps(parse, input, step, &again, &consumed, &fault_again, &copy);
    if (status == ST_OK) {
        CHECK(other == ST_OK && consumed == *ret_consumed && consumed <= input.len);
        CHECK(fuzz_heads_equal(head, &again));
    } else if (status != ST_AGAIN) {
        CHECK(other == status ? fault == fault_again : other == ST_AGAIN);
    } else {
        CHECK(other == ST_AGAIN);
    }
    free(copy);
    return status;
}

#endif
