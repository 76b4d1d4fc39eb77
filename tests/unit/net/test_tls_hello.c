#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/tls_hello.h"
#include "octets.h"

#include <stdlib.h>
#include <string.h>

/* ---- building one ---- */

/* The extension server_name. */
static void put_name(struct bytes *bytes, const char *name)
{
    struct bytes body = {.len = 0};
    put_number(&body, strlen(name) + 3, 2);
    put_number(&body, 0, 1);
    put_number(&body, strlen(name), 2);
    put(&body, name, strlen(name));
    put_extension(bytes, 0, body.at, body.len);
}

/* The handshake message with these extensions. */
static void put_message(struct bytes *bytes, const struct bytes *extensions)
{
    static const char zeros[32];
    struct bytes body = {.len = 0};
    put_number(&body, 0x0303, 2);
    put(&body, zeros, 32);
    put_number(&body, 0, 1);
    put_number(&body, 2, 2);
    put_number(&body, 0x1301, 2);
    put_number(&body, 1, 1);
    put_number(&body, 0, 1);
    if (extensions != NULL) {
        put_number(&body, extensions->len, 2);
        put(&body, extensions->at, extensions->len);
    }
    put_number(bytes, 1, 1);
    put_number(bytes, body.len, 3);
    put(bytes, body.at, body.len);
}

/* The message in records of `size`. */
static void put_records(struct bytes *bytes, const struct bytes *message, size_t size)
{
    for (size_t at = 0; at < message->len; at += size) {
        size_t len = message->len - at < size ? message->len - at : size;
        put_number(bytes, 0x160301, 3);
        put_number(bytes, len, 2);
        put(bytes, message->at + at, len);
    }
}

static enum tls_hello_result read_bytes(const char *at, size_t len, struct tls_hello *hello)
{
    static char scratch[TLS_HELLO_MAX];
    static char *exact;
    free(exact);             /* of the call before */
    exact = malloc(len + 1); /* so that a sanitizer sees a read beyond the end */
    assert_non_null(exact);
    memcpy(exact, at, len);
    return tls_hello_read(slice_of(exact, len), scratch, hello);
}

static enum tls_hello_result read_hello(const struct bytes *extensions, struct tls_hello *hello)
{
    struct bytes message = {.len = 0};
    struct bytes records = {.len = 0};
    put_message(&message, extensions);
    put_records(&records, &message, 16384);
    return read_bytes(records.at, records.len, hello);
}

/* ---- tests ---- */

static void the_name_is_read(void **state)
{
    struct bytes extensions = {.len = 0};
    struct tls_hello hello;
    (void)state;
    put_extension(&extensions, 0x0a0a, "", 0);
    put_name(&extensions, "a.Example");
    put_extension(&extensions, 16, "\0\3\2h2", 5);
    assert_int_equal(read_hello(&extensions, &hello), TLS_HELLO_WHOLE);
    assert_true(hello.has_name && !hello.has_ech);
    assert_true(slice_equals(hello.name, SLICE("a.Example")));
    put_extension(&extensions, 0xfe0d, "\0", 1);
    assert_int_equal(read_hello(&extensions, &hello), TLS_HELLO_WHOLE);
    assert_true(hello.has_ech);
}

static void what_it_offers_is_read(void **state)
{
    struct bytes extensions = {.len = 0};
    struct tls_hello hello;
    struct slice name;
    uint16_t number;
    (void)state;
    assert_int_equal(read_hello(&extensions, &hello), TLS_HELLO_WHOLE);
    assert_int_equal(hello.version, 0x0303);
    assert_true(hello.alpn.len == 0 && hello.psk_bytes == 0 && !hello.has_early_data);

    put_extension(&extensions, 16, "\0\14\2h2\10http/1.1", 14);
    put_extension(&extensions, 43, "\6\x1a\x1a\3\3\3\4", 7); /* GREASE is no version */
    put_extension(&extensions, 13, "\0\4\4\3\10\4", 6);
    put_extension(&extensions, 42, "", 0);
    put_extension(&extensions, 41, "psk", 3);
    assert_int_equal(read_hello(&extensions, &hello), TLS_HELLO_WHOLE);
    assert_int_equal(hello.version, 0x0304);
    assert_true(hello.psk_bytes == 3 && hello.has_early_data);
    assert_true(tls_hello_next_name(&hello.alpn, &name) && slice_equals(name, SLICE("h2")));
    assert_true(tls_hello_next_name(&hello.alpn, &name) && slice_equals(name, SLICE("http/1.1")));
    assert_false(tls_hello_next_name(&hello.alpn, &name));
    assert_true(tls_hello_next(&hello.signatures, &number) && number == 0x0403);
    assert_true(tls_hello_next(&hello.signatures, &number) && number == 0x0804);
    assert_false(tls_hello_next(&hello.signatures, &number));
    assert_true(tls_hello_next(&hello.ciphers, &number) && number == 0x1301);
    assert_true(tls_hello_next_extension(&hello.extensions, &number) && number == 16);
}

static void a_list_that_is_not_well_formed_is_none(void **state)
{
    struct bytes extensions = {.len = 0};
    struct tls_hello hello;
    (void)state;
    put_extension(&extensions, 16, "\0\7\2h2", 5); /* longer than what holds it */
    put_extension(&extensions, 43, "\2\3\4\3", 4); /* with a rest */
    assert_int_equal(read_hello(&extensions, &hello), TLS_HELLO_WHOLE);
    assert_true(hello.alpn.len == 0 && hello.versions.len == 0);
    assert_int_equal(hello.version, 0x0303);
}

static void its_length_is_that_of_its_records(void **state)
{
    struct bytes message = {.len = 0};
    struct tls_hello hello;
    (void)state;
    put_message(&message, NULL);
    static const size_t sizes[] = {16384, 10};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct bytes records = {.len = 0};
        put_records(&records, &message, sizes[i]);
        size_t len = records.len;
        put(&records, "\27\3\3", 3); /* what comes behind it */
        assert_int_equal(read_bytes(records.at, records.len, &hello), TLS_HELLO_WHOLE);
        assert_int_equal(hello.bytes, len);
    }
}

static void one_without_a_name_is_whole(void **state)
{
    struct bytes extensions = {.len = 0};
    struct tls_hello hello;
    (void)state;
    assert_int_equal(read_hello(NULL, &hello), TLS_HELLO_WHOLE);
    assert_false(hello.has_name);
    assert_int_equal(read_hello(&extensions, &hello), TLS_HELLO_WHOLE);
    assert_false(hello.has_name);
}

static void a_hello_in_any_pieces_is_the_same(void **state)
{
    struct bytes extensions = {.len = 0};
    struct bytes message = {.len = 0};
    struct tls_hello hello;
    (void)state;
    put_name(&extensions, "a.example");
    put_message(&message, &extensions);
    for (size_t size = 1; size < 80; size++) {
        struct bytes records = {.len = 0};
        put_records(&records, &message, size);
        for (size_t len = 0; len < records.len; len++)
            assert_int_equal(read_bytes(records.at, len, &hello), TLS_HELLO_MORE);
        put(&records, "what follows", 12); /* early data, for all we know */
        assert_int_equal(read_bytes(records.at, records.len, &hello), TLS_HELLO_WHOLE);
        assert_true(slice_equals(hello.name, SLICE("a.example")));
    }
}

static void what_is_no_tls_is_told_from_its_first_bytes(void **state)
{
    static const char *const others[] = {"SSH-2.0", "GET /", "\x16\x02", "\x80\x01\x02", "\x13"};
    static const char *const odd[] = {"\x15\x03\x01", "\x17\x03", "\x14\x03",
                                      "\x16\x03\x7f\xff\xff"};
    static const char *const either[] = {"", "\x18", "\x16", "\x80", "\x80\x2e"};
    struct tls_hello hello;
    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_equal(read_bytes(others[i], strlen(others[i]), &hello), TLS_HELLO_NOT_TLS);
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        assert_int_equal(read_bytes(odd[i], strlen(odd[i]), &hello), TLS_HELLO_MALFORMED);
    for (size_t i = 0; i < sizeof(either) / sizeof(either[0]); i++)
        assert_int_equal(read_bytes(either[i], strlen(either[i]), &hello), TLS_HELLO_MORE);
}

/* OpenSSL takes these for a ClientHello. */
static void a_hello_of_ssl2_is_not_something_else(void **state)
{
    static const char hello_of_ssl3[] =
        "\x80\x1c\x01\x03\x01\0\x03\0\0\0\x10\0\0\x2f 16 random bytes";
    static const char hello_of_ssl2[] =
        "\x80\x1c\x01\0\x02\0\x03\0\0\0\x10\0\0\x2f 16 random bytes";
    struct tls_hello hello;
    (void)state;
    for (size_t len = 1; len < sizeof(hello_of_ssl3); len++) {
        enum tls_hello_result wanted = len < 11 ? TLS_HELLO_MORE : TLS_HELLO_MALFORMED;
        assert_int_equal(read_bytes(hello_of_ssl3, len, &hello), wanted);
        assert_int_equal(read_bytes(hello_of_ssl2, len, &hello), wanted);
    }
}

/* RFC 6455 §5.2: masked, so that the third byte may be anything. */
static void frames_of_websocket_are_no_hello_of_ssl2(void **state)
{
    static const char text[] = "\x81\x85\x01\x02\x03\x04hello";
    static const char ping[] = "\x89\x80\x01\x03\x77\x77";
    static const char binary[] = "\x82\x8a\x01\x03\x01\x00 ten bytes";
    static const char other_lengths[] = "\x80\x1c\x01\x03\x01\0\x03\0\0\0\x11";
    struct tls_hello hello;
    (void)state;
    assert_int_equal(read_bytes(text, sizeof(text) - 1, &hello), TLS_HELLO_NOT_TLS);
    assert_int_equal(read_bytes(ping, sizeof(ping) - 1, &hello), TLS_HELLO_NOT_TLS);
    assert_int_equal(read_bytes(binary, sizeof(binary) - 1, &hello), TLS_HELLO_NOT_TLS);
    assert_int_equal(read_bytes(other_lengths, sizeof(other_lengths) - 1, &hello),
                     TLS_HELLO_NOT_TLS);
}

static void what_readers_may_see_differently_is_malformed(void **state)
{
    struct bytes extensions = {.len = 0};
    struct tls_hello hello;
    (void)state;
    put_name(&extensions, "a.example");
    struct bytes twice = extensions;
    put_name(&twice, "b.example");
    assert_int_equal(read_hello(&twice, &hello), TLS_HELLO_MALFORMED);
    struct bytes rest = extensions;
    put_number(&rest, 0, 1);
    assert_int_equal(read_hello(&rest, &hello), TLS_HELLO_MALFORMED);
    static const char *const bodies[] = {
        "\0\0",                 /* an empty list */
        "\0\4\0\0\1a\0",        /* something behind it */
        "\0\x08\0\0\1a\0\0\1b", /* two names */
        "\0\4\1\0\1a",          /* another type */
        "\0\3\0\0\0",           /* an empty name */
        "\0\4\0\0\1/",          /* no name */
        "\0\4\0\0\2a",          /* longer than its list */
        "\0\5\0\0\1a",          /* a list longer than the extension */
    };
    static const size_t lens[] = {2, 7, 10, 6, 5, 6, 6, 6};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct bytes odd = {.len = 0};
        put_extension(&odd, 0, bodies[i], lens[i]);
        assert_int_equal(read_hello(&odd, &hello), TLS_HELLO_MALFORMED);
    }
}

/* Each byte of a hello cut out, doubled, or set to its extremes: never a read beyond the end, and never another
 * name. */
static void no_spoilt_hello_names_another_host(void **state)
{
    struct bytes extensions = {.len = 0};
    struct bytes message = {.len = 0};
    struct bytes records = {.len = 0};
    (void)state;
    put_name(&extensions, "a.example");
    put_extension(&extensions, 43, "\2\3\4", 3);
    put_message(&message, &extensions);
    put_records(&records, &message, 40);
    for (size_t at = 0; at < records.len; at++) {
        for (unsigned kind = 0; kind < 4; kind++) {
            static const unsigned char values[] = {0, 0xff, 0x7f, 1};
            struct bytes spoilt = records;
            struct tls_hello hello;
            spoilt.at[at] = (char)values[kind];
            enum tls_hello_result result = read_bytes(spoilt.at, spoilt.len, &hello);
            bool is_same = result == TLS_HELLO_WHOLE && hello.has_name && hello.name.len != 9;
            assert_false(is_same);
        }
    }
}

static void a_hello_has_a_bound(void **state)
{
    struct tls_hello hello;
    struct bytes extensions = {.len = 0};
    static char zeros[16300];
    (void)state;
    put_extension(&extensions, 21, zeros, 16000);
    assert_int_equal(read_hello(&extensions, &hello), TLS_HELLO_WHOLE);
    put_extension(&extensions, 22, zeros, 400);
    struct bytes message = {.len = 0};
    struct bytes records = {.len = 0};
    put_message(&message, &extensions);
    put_records(&records, &message, 8000);
    assert_int_equal(read_bytes(records.at, records.len, &hello), TLS_HELLO_TOO_LONG);
    assert_int_equal(read_bytes(records.at, 20, &hello), TLS_HELLO_TOO_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_is_read),
        cmocka_unit_test(what_it_offers_is_read),
        cmocka_unit_test(a_list_that_is_not_well_formed_is_none),
        cmocka_unit_test(its_length_is_that_of_its_records),
        cmocka_unit_test(one_without_a_name_is_whole),
        cmocka_unit_test(a_hello_in_any_pieces_is_the_same),
        cmocka_unit_test(what_is_no_tls_is_told_from_its_first_bytes),
        cmocka_unit_test(a_hello_of_ssl2_is_not_something_else),
        cmocka_unit_test(frames_of_websocket_are_no_hello_of_ssl2),
        cmocka_unit_test(what_readers_may_see_differently_is_malformed),
        cmocka_unit_test(no_spoilt_hello_names_another_host),
        cmocka_unit_test(a_hello_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
