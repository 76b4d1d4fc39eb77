#ifndef FAIRLEAD_TESTS_ADMIN_TEST_H
#define FAIRLEAD_TESTS_ADMIN_TEST_H

/* cmocka wants these four before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/inet.h"
#include "base/text.h"
#include "http/h1_parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Shared by the tests of src/admin: a parsed request head, endpoints. */

struct asked {
    struct block_pool *pool;
    struct arena arena;
    struct head head;
    char text[2048];
};

/* "GET /x" and further field lines, each with CRLF. */
static inline void asked_begin(struct asked *asked, const char *method_and_target,
                               const char *fields)
{
    static const struct h1_limits limits = {
        .head_bytes = 4096, .field_count = 50, .target_bytes = 1024};
    struct h1_progress progress = {0};
    size_t consumed = 0;
    enum h1_fault fault = H1_FAULT_NONE;
    struct text text = text_on(asked->text, sizeof(asked->text));
    text_add_format(&text, "%s HTTP/1.1\r\n%s\r\n", method_and_target, fields);
    asked->pool = block_pool_create(0, 0);
    assert_non_null(asked->pool);
    arena_init(&asked->arena, asked->pool, 1 << 20);
    head_init(&asked->head, &asked->arena);
    if (h1_parse_request(text_slice(&text), &limits, &progress, &asked->head, &consumed, &fault) !=
        ST_OK)
        fail_msg("%s: %s", method_and_target, h1_fault_text(fault));
}

static inline void asked_end(struct asked *asked)
{
    arena_done(&asked->arena);
    block_pool_destroy(&asked->pool);
}

/* NULL: that of a Unix socket. */
static inline struct inet_endpoint endpoint_of(const char *text)
{
    struct inet_endpoint endpoint = {.port = 0};
    if (text != NULL && inet_endpoint_parse(slice_from_string(text), &endpoint) != ST_OK)
        fail_msg("%s is no endpoint", text);
    return endpoint;
}

#endif
