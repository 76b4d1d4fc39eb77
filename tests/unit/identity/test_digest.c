#include "identity_test.h"

#include "identity/digest.h"

#include <string.h>

/* The reference's vectors of SipHash-2-4-128: key 00..0f, messages of 0, 1 and 15 bytes 00, 01, ... */
static void keyed_digests_are_siphash(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        uint8_t expected[16];
    } vectors[] = {
        {0,
         {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02,
          0x93}},
        {1,
         {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc,
          0x45}},
        {15,
         {0x54, 0x93, 0xe9, 0x99, 0x33, 0xb0, 0xa8, 0x11, 0x7e, 0x08, 0xec, 0x0f, 0x97, 0xcf, 0xc3,
          0xd9}},
    };
    struct digest_key key;
    uint8_t bytes[16];
    for (uint8_t i = 0; i < 16; i++)
        bytes[i] = i;
    memcpy(&key, bytes, sizeof(key));
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct digest digest = digest_of(&key, slice_of((const char *)bytes, vectors[i].len));
        assert_memory_equal(&digest, vectors[i].expected, 16);
    }
}

/* Another key, another digest; the same key, the same one. */
static void a_key_decides(void **state)
{
    (void)state;
    struct digest_key one;
    struct digest_key two;
    digest_key_make(&one);
    digest_key_make(&two);
    struct digest a = digest_of(&one, SLICE("Basic YTpi"));
    struct digest b = digest_of(&two, SLICE("Basic YTpi"));
    struct digest c = digest_of(&one, SLICE("Basic YTpi"));
    assert_false(digest_equals(&a, &b));
    assert_true(digest_equals(&a, &c));
}

/* FIPS 180-2, appendix B.1. */
static void tokens_are_sha256(void **state)
{
    (void)state;
    uint8_t digest[DIGEST_SHA256];
    digest_sha256(SLICE("abc"), digest);
    assert_int_equal(digest[0], 0xba);
    assert_int_equal(digest[31], 0xad);
    assert_true(digest_bytes_equal("abc", "abc", 3));
    assert_false(digest_bytes_equal("abc", "abd", 3));
    assert_false(digest_bytes_equal("\x80", "\0", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keyed_digests_are_siphash),
        cmocka_unit_test(a_key_decides),
        cmocka_unit_test(tokens_are_sha256),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
