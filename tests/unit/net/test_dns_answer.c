#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "dns_server.h"
#include "net/dns_answer.h"

enum { FLAGS = 0x8180 };

/* From memory that ends with the packet, so that sanitizers see a look behind it. */
static enum status parse(const struct packet *packet, const char *name, struct dns_answer *ret)
{
    struct slice whole = packet_slice(packet);
    char *bytes = malloc(whole.len + 1);
    CHECK(bytes != NULL);
    char *exact = bytes + 1;
    memcpy(exact, whole.at, whole.len);
    enum status status =
        dns_answer_parse(slice_of(exact, whole.len), slice_from_string(name), INET_V4, ret);
    free(bytes);
    return status;
}

/* Addresses come in the order of the packet, and the least TTL counts. */
static void test_addresses(void **state)
{
    (void)state;
    struct packet packet;
    struct dns_answer answer;
    packet_begin(&packet, 1, FLAGS, "A.Test", RR_A);
    packet_address(&packet, "a.test", "192.0.2.1", 60);
    packet_address(&packet, "a.test", "192.0.2.2", 30);
    packet_address(&packet, "a.test", "192.0.2.1", 60);
    packet_count(&packet, 6, 3);
    assert_int_equal(parse(&packet, "a.test", &answer), ST_OK);
    assert_int_equal(answer.result, ANSWER_FOUND);
    assert_int_equal(answer.count, 2); /* the repeated one once */
    assert_int_equal(answer.addr[1].bytes[3], 2);
    assert_true(answer.has_ttl);
    assert_int_equal(answer.ttl_s, 30);
}

/* A chain of aliases is followed in whatever order it stands; addresses of other names do not count. */
static void test_chain(void **state)
{
    (void)state;
    struct packet packet;
    struct dns_answer answer;
    packet_begin(&packet, 1, FLAGS, "a.test", RR_A);
    packet_address(&packet, "c.test", "192.0.2.1", 60);
    packet_address(&packet, "evil.test", "192.0.2.66", 60);
    packet_cname(&packet, "b.test", "c.test", 5);
    packet_cname(&packet, "a.test", "b.test", 50);
    packet_count(&packet, 6, 4);
    assert_int_equal(parse(&packet, "a.test", &answer), ST_OK);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.addr[0].bytes[3], 1);
    assert_int_equal(answer.ttl_s, 5);
}

/* A loop of aliases is refused. */
static void test_chain_loop(void **state)
{
    (void)state;
    struct packet packet;
    struct dns_answer answer;
    packet_begin(&packet, 1, FLAGS, "a.test", RR_A);
    packet_cname(&packet, "a.test", "b.test", 5);
    packet_cname(&packet, "b.test", "a.test", 5);
    packet_count(&packet, 6, 2);
    assert_int_equal(parse(&packet, "a.test", &answer), ST_BAD);
}

/* RFC 2308 §5: "no" is good for the lesser of the SOA's TTL and its minimum, and not without one. */
static void test_negative(void **state)
{
    (void)state;
    struct packet packet;
    struct dns_answer answer;
    packet_begin(&packet, 1, FLAGS | 3, "a.b.test", RR_A);
    packet_soa(&packet, "test", 300, 120);
    packet_count(&packet, 8, 1);
    assert_int_equal(parse(&packet, "a.b.test", &answer), ST_OK);
    assert_int_equal(answer.result, ANSWER_NXDOMAIN);
    assert_true(answer.has_ttl);
    assert_int_equal(answer.ttl_s, 120);

    packet_begin(&packet, 1, FLAGS, "a.b.test", RR_A);
    assert_int_equal(parse(&packet, "a.b.test", &answer), ST_OK);
    assert_int_equal(answer.result, ANSWER_NODATA);
    assert_false(answer.has_ttl);
}

/* The SOA of a zone that the name is not in does not count. */
static void test_negative_of_other_zone(void **state)
{
    (void)state;
    struct packet packet;
    struct dns_answer answer;
    packet_begin(&packet, 1, FLAGS | 3, "a.test", RR_A);
    packet_soa(&packet, "other", 300, 120);
    packet_count(&packet, 8, 1);
    assert_int_equal(parse(&packet, "a.test", &answer), ST_OK);
    assert_false(answer.has_ttl);
}

static void test_rcodes(void **state)
{
    (void)state;
    const struct {
        unsigned rcode;
        enum answer_result result;
    } rows[] = {{1, ANSWER_ERROR}, {2, ANSWER_SERVFAIL}, {4, ANSWER_ERROR}, {5, ANSWER_REFUSED}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct packet packet;
        struct dns_answer answer;
        packet_begin(&packet, 1, FLAGS | rows[i].rcode, "a.test", RR_A);
        assert_int_equal(parse(&packet, "a.test", &answer), ST_OK);
        assert_int_equal(answer.result, rows[i].result);
    }
}

/* What is not a whole answer to our question is refused. */
static void test_other_question(void **state)
{
    (void)state;
    struct packet packet;
    struct dns_answer answer;
    packet_begin(&packet, 1, FLAGS, "b.test", RR_A);
    assert_int_equal(parse(&packet, "a.test", &answer), ST_BAD);
    assert_int_equal(parse(&packet, "", &answer), ST_OK); /* a search list was at work */
    packet_begin(&packet, 1, FLAGS, "a.test", RR_AAAA);
    assert_int_equal(parse(&packet, "a.test", &answer), ST_BAD);
    packet_begin(&packet, 1, 0x0100, "a.test", RR_A); /* a question */
    assert_int_equal(parse(&packet, "a.test", &answer), ST_BAD);
    packet_begin(&packet, 1, FLAGS | 0x0200, "a.test", RR_A); /* truncated */
    assert_int_equal(parse(&packet, "a.test", &answer), ST_BAD);
}

/* Every prefix of a good packet is refused or, where nothing of use was cut, read. */
static void test_prefixes(void **state)
{
    (void)state;
    struct packet packet;
    struct dns_answer answer;
    packet_begin(&packet, 1, FLAGS, "a.test", RR_A);
    packet_cname(&packet, "a.test", "b.test", 50);
    packet_address(&packet, "b.test", "192.0.2.1", 60);
    packet_count(&packet, 6, 2);
    size_t len = packet.len;
    for (packet.len = 0; packet.len < len; packet.len++)
        assert_int_equal(parse(&packet, "a.test", &answer), ST_BAD);
    assert_int_equal(parse(&packet, "a.test", &answer), ST_OK);
}

/* Compression pointers lead back only; one that does not is refused. */
static void test_pointers(void **state)
{
    (void)state;
    const struct {
        unsigned pointer;
        enum status status;
    } rows[] = {{12, ST_OK}, {24, ST_BAD}, {25, ST_BAD}, {0x3fff, ST_BAD}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct packet packet;
        struct dns_answer answer;
        packet_begin(&packet, 1, FLAGS, "a.test", RR_A);
        assert_int_equal(packet.len, 24);
        packet_u16(&packet, 0xc000U | rows[i].pointer);
        packet_u16(&packet, RR_A);
        packet_u16(&packet, 1);
        packet_u32(&packet, 60);
        packet_u16(&packet, 4);
        packet_u32(&packet, 0xc0000201);
        packet_count(&packet, 6, 1);
        assert_int_equal(parse(&packet, "a.test", &answer), rows[i].status);
    }
}

/* All addresses come out, since all are to be judged; too many records, or an address of the wrong length, are
 * refused. */
static void test_bounds(void **state)
{
    (void)state;
    struct packet packet;
    struct dns_answer answer;
    char address[INET_ADDR_TEXT];
    packet_begin(&packet, 1, FLAGS, "a.test", RR_A);
    for (unsigned i = 0; i < 100; i++) {
        struct inet_addr addr = {INET_V4, {10, 0, 0, (uint8_t)i}};
        (void)inet_addr_format(&addr, address);
        packet_address(&packet, "a.test", address, 60);
    }
    packet_count(&packet, 6, 100);
    assert_int_equal(parse(&packet, "a.test", &answer), ST_OK);
    assert_int_equal(answer.count, 100);
    assert_int_equal(answer.addr[99].bytes[3], 99);
    packet_count(&packet, 6, 600);
    assert_int_equal(parse(&packet, "a.test", &answer), ST_BAD);

    packet_begin(&packet, 1, FLAGS, "a.test", RR_A);
    packet_name(&packet, "a.test");
    packet_u16(&packet, RR_A);
    packet_u16(&packet, 1);
    packet_u32(&packet, 60);
    packet_u16(&packet, 3);
    packet_u8(&packet, 1);
    packet_u16(&packet, 1);
    packet_count(&packet, 6, 1);
    assert_int_equal(parse(&packet, "a.test", &answer), ST_BAD);
}

/* A record of this type and data behind the question for a.test. */
static enum status parse_data(unsigned section, unsigned type, const char *data, size_t len)
{
    struct packet packet;
    struct dns_answer answer;
    packet_begin(&packet, 1, FLAGS, "a.test", RR_A);
    packet_name(&packet, "a.test");
    packet_u16(&packet, type);
    packet_u16(&packet, 1);
    packet_u32(&packet, 60);
    packet_u16(&packet, (unsigned)len);
    for (size_t i = 0; i < len; i++)
        packet_u8(&packet, (unsigned char)data[i]);
    packet_count(&packet, section, 1);
    return parse(&packet, "a.test", &answer);
}

/* Names inside a record's data are whole and fill it; what is none is refused. */
static void test_data_that_is_no_name(void **state)
{
    (void)state;
    enum { CNAME = 5, SOA = 6, ANSWER = 6, AUTHORITY = 8 };
#define NUMBERS "12341234123412341234"
    static const struct {
        unsigned section, type;
        const char *data;
        size_t len;
        enum status status;
    } rows[] = {
#define ROW(section, type, data, status) {section, type, data, sizeof(data) - 1, ST_##status}
        ROW(ANSWER, CNAME, "\1b\xc0\x0e", OK),
        ROW(ANSWER, CNAME, "\1b\xc0", BAD),       /* half a pointer */
        ROW(ANSWER, CNAME, "\1b\xc0\x0e\0", BAD), /* more than the name */
        ROW(ANSWER, CNAME, "\5b", BAD),           /* a label behind the end */
        ROW(ANSWER, CNAME, "\x40z", BAD),         /* neither a label nor a pointer */
        ROW(ANSWER, CNAME, "", BAD),              /* nothing */
        ROW(AUTHORITY, SOA, "\1m\0\1r\0" NUMBERS, OK),
        ROW(AUTHORITY, SOA, "\x80m\0\1r\0" NUMBERS, BAD),
        ROW(AUTHORITY, SOA, "\1m\0\x80r\0" NUMBERS, BAD),
        ROW(AUTHORITY, SOA, "\1m\0\1r\0" NUMBERS "5", BAD),
        ROW(AUTHORITY, SOA, "\1m\0\1r\0", BAD),
#undef ROW
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (parse_data(rows[i].section, rows[i].type, rows[i].data, rows[i].len) != rows[i].status)
            fail_msg("row %zu", i);
    }
}

/* A name of more than 255 bytes, which pointers can make of little, is refused (RFC 1035 §3.1). */
static void test_a_name_that_pointers_make_too_long(void **state)
{
    (void)state;
    enum { CNAME = 5, LABEL = 60 };
    for (unsigned labels = 4; labels <= 5; labels++) {
        struct packet packet;
        struct dns_answer answer;
        packet_begin(&packet, 1, FLAGS, "a.test", RR_A);
        unsigned to = 12;
        for (unsigned i = 0; i < labels; i++) { /* each adds a label before the name of the last */
            packet_name(&packet, "x");
            packet_u16(&packet, CNAME);
            packet_u16(&packet, 1);
            packet_u32(&packet, 60);
            packet_u16(&packet, 1 + LABEL + 2);
            unsigned at = (unsigned)packet.len;
            packet_u8(&packet, LABEL);
            for (unsigned j = 0; j < LABEL; j++)
                packet_u8(&packet, 'l');
            packet_u16(&packet, 0xc000U | to);
            to = at;
        }
        packet_u16(&packet, 0xc000U | to); /* the owner of one more */
        packet_u16(&packet, CNAME);
        packet_u16(&packet, 1);
        packet_u32(&packet, 60);
        packet_u16(&packet, 2);
        packet_u16(&packet, 0xc00c);
        packet_count(&packet, 6, labels + 1);
        assert_int_equal(parse(&packet, "a.test", &answer), labels == 4 ? ST_OK : ST_BAD);
    }
}

/* The question comes back as it was asked, and once. */
static void test_questions_that_are_not_ours(void **state)
{
    (void)state;
    struct packet packet;
    struct dns_answer answer;
    packet_begin(&packet, 1, FLAGS, "a.test", RR_A);
    assert_int_equal(parse(&packet, "a.test.", &answer), ST_OK);
    assert_int_equal(parse(&packet, "a..test", &answer), ST_BAD);
    assert_int_equal(parse(&packet, ".", &answer), ST_BAD);
    char name[300];
    memset(name, 'l', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(parse(&packet, name, &answer), ST_BAD); /* a label too long */
    for (size_t i = 60; i < sizeof(name) - 1; i += 61)
        name[i] = '.';
    for (size_t len = 253; len <= 256; len++) { /* names too long, with their root or before it */
        struct slice cut = slice_of(name, len);
        assert_int_equal(dns_answer_parse(packet_slice(&packet), cut, INET_V4, &answer), ST_BAD);
    }
    packet_count(&packet, 4, 2);
    assert_int_equal(parse(&packet, "a.test", &answer), ST_BAD);
    packet_begin(&packet, 1, FLAGS, "a.test", RR_A);
    packet.bytes[packet.len - 1] = 3; /* class CHAOS */
    assert_int_equal(parse(&packet, "a.test", &answer), ST_BAD);
    packet_begin(&packet, 1, FLAGS | 0x0800, "a.test", RR_A); /* another operation */
    assert_int_equal(parse(&packet, "a.test", &answer), ST_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_chain_loop),
        cmocka_unit_test(test_negative),
        cmocka_unit_test(test_negative_of_other_zone),
        cmocka_unit_test(test_rcodes),
        cmocka_unit_test(test_other_question),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_pointers),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_data_that_is_no_name),
        cmocka_unit_test(test_a_name_that_pointers_make_too_long),
        cmocka_unit_test(test_questions_that_are_not_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
