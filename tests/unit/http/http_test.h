#ifndef FAIRLEAD_TESTS_UNIT_HTTP_HTTP_TEST_H
#define FAIRLEAD_TESTS_UNIT_HTTP_HTTP_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/check.h"
#include "http/h1_parse.h"

#include <stdio.h>
#include <string.h>

/* Shared by the tests of src/http: an arena, a parsed head, and comparisons of slices. */

struct http_test {
    struct block_pool *pool;
    struct arena arena;
    struct head head;
};

static const struct h1_limits test_limits = {
    .head_bytes = 65536, .field_count = 100, .target_bytes = 8192};

static inline void http_test_begin(struct http_test *test)
{
    test->pool = block_pool_create(0, 0);
    assert_non_null(test->pool);
    arena_init(&test->arena, test->pool, 1 << 20);
    head_init(&test->head, &test->arena);
}

static inline void http_test_end(struct http_test *test)
{
    arena_done(&test->arena);
    block_pool_destroy(&test->pool);
}

/* Parse a head that must be good. */
static inline const struct head *http_test_parse(struct http_test *test, const char *text,
                                                 bool is_request)
{
    struct h1_progress progress = {0};
    size_t consumed = 0;
    enum h1_fault fault = H1_FAULT_NONE;
    struct slice input = slice_of(text, strlen(text));
    enum status status =
        is_request
            ? h1_parse_request(input, &test_limits, &progress, &test->head, &consumed, &fault)
            : h1_parse_response(input, &test_limits, &progress, &test->head, &consumed, &fault);
    if (status != ST_OK || consumed != input.len)
        fail_msg("%s: status %d, fault %s, consumed %zu", text, (int)status, h1_fault_text(fault),
                 consumed);
    return &test->head;
}

static inline const struct head *http_test_request(struct http_test *test, const char *text)
{
    return http_test_parse(test, text, true);
}

static inline const struct head *http_test_response(struct http_test *test, const char *text)
{
    return http_test_parse(test, text, false);
}

static inline void check_slice(struct slice seen, const char *expected, const char *file, int line)
{
    if (slice_equals(seen, slice_of(expected, strlen(expected))))
        return;
    print_error("\"%.*s\" is not \"%s\"\n", (int)seen.len, seen.len > 0 ? seen.at : "", expected);
    _fail(file, line);
}

#define assert_slice(seen, expected) check_slice(seen, expected, __FILE__, __LINE__)

#endif
