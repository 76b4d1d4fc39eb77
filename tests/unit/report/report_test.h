#ifndef FAIRLEAD_TESTS_REPORT_TEST_H
#define FAIRLEAD_TESTS_REPORT_TEST_H

/* cmocka wants these four before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "record/record.h"

#include <stdlib.h>
#include <string.h>

/* Shared by the tests of src/report: records with known times. */

#define TEST_WALL_NS \
    ((uint64_t)1795486343 * NS_PER_S + 123456789) /* 2026-11-24T02:12:23.123456789Z */
#define TEST_BASE_NS ((uint64_t)1000 * NS_PER_S)

#define MS(n) ((uint64_t)(n)*NS_PER_MS)

static inline struct inet_endpoint test_endpoint(const char *text)
{
    struct inet_endpoint endpoint = {.port = 0};
    if (inet_endpoint_parse(slice_from_string(text), &endpoint) != ST_OK)
        fail_msg("%s is no endpoint", text);
    return endpoint;
}

static inline void test_mark(struct record *record, enum mark mark, uint64_t after_ns)
{
    timeline_mark_at(&record->timeline, mark, TEST_BASE_NS + after_ns);
}

static inline void test_text(struct record *record, struct record_text *which, const char *value)
{
    record_set(record, which, slice_from_string(value), RECORD_TEXT_MAX);
}

/* GET over a new connection, answered with 200. */
static inline void test_exchange(struct record *record)
{
    record_begin(record);
    clock_freeze(TEST_BASE_NS, TEST_WALL_NS);
    timeline_begin(&record->timeline);
    clock_restore();
    record->kind = RECORD_EXCHANGE;
    record->end = END_DONE;
    record->id = 0xabc;
    record->status = 200;
    record->upstream_status = 200;
    record->client_major = 1;
    record->client_minor = 1;
    record->upstream_minor = 1;
    record->client = test_endpoint("192.0.2.7:50000");
    record->upstream = test_endpoint("[2001:db8::1]:80");
    record->client_conn_id = 5;
    record->client_use = 1;
    record->upstream_conn_id = 6;
    record->upstream_use = 1;
    record->client_out_bytes = 1234;
    record->response_body_bytes = 1000;
    test_text(record, &record->method, "GET");
    test_text(record, &record->url, "http://a.example/path");
    test_mark(record, MARK_C_FIRST, 0);
    test_mark(record, MARK_C_HEAD, 100 * NS_PER_US);
    test_mark(record, MARK_P_SLOT, 200 * NS_PER_US);
    test_mark(record, MARK_U_DNS0, 200 * NS_PER_US);
    test_mark(record, MARK_U_DNS1, MS(3));
    test_mark(record, MARK_U_SYN0, MS(3));
    test_mark(record, MARK_U_SYN1, MS(15));
    test_mark(record, MARK_U_TX0, MS(15));
    test_mark(record, MARK_U_TX1, MS(15) + 1500);
    test_mark(record, MARK_U_RX0, MS(43));
    test_mark(record, MARK_U_RX1, MS(45));
    test_mark(record, MARK_D_TX1, MS(45));
    test_mark(record, MARK_X_END, MS(45));
}

/* Fails with both texts shown. */
static inline void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        assert_string_equal(text, part);
}

#endif
