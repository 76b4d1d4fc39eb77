#include "identity_test.h"

#include "identity/base64.h"

static void decodes(const char *text, const char *expected)
{
    char into[64];
    size_t len = 99;
    assert_int_equal(base64_decode(slice_from_string(text), into, sizeof(into), &len), ST_OK);
    assert_slice(slice_of(into, len), expected);
    char again[64];
    struct text encoded = text_on(again, sizeof(again));
    base64_encode(slice_of(into, len), &encoded);
    assert_slice(text_slice(&encoded), text);
}

/* The vectors of RFC 4648 §10, and RFC 7617 §2. */
static void known_texts_are_decoded_and_encoded(void **state)
{
    (void)state;
    decodes("Zg==", "f");
    decodes("Zm8=", "fo");
    decodes("Zm9v", "foo");
    decodes("Zm9vYg==", "foob");
    decodes("Zm9vYmE=", "fooba");
    decodes("Zm9vYmFy", "foobar");
    decodes("QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin:open sesame");
    decodes("+/+/", "\xfb\xff\xbf");
}

/* One text has one meaning: what is cut, stretched or has bits left over is none. */
static void other_texts_are_none(void **state)
{
    (void)state;
    static const char *const texts[] = {"",     "Z",      "Zg",   "Zg=",   "Zg===",    "=",
                                        "====", "Zh==",   "Zm9=", "Zm9v=", "Zg==Zg==", "Z===",
                                        "Zm 9", "Zm9v\n", "Zm9-", "Z=g="};
    char into[64];
    size_t len = 99;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (base64_decode(slice_from_string(texts[i]), into, sizeof(into), &len) != ST_BAD)
            fail_msg("%s", texts[i]);
    }
    assert_int_equal(len, 99);
}

/* What does not fit is a limit, and what just fits is decoded. */
static void room_is_a_limit(void **state)
{
    (void)state;
    char into[4] = {0, 0, 0, 'x'};
    size_t len = 0;
    assert_int_equal(base64_decode(SLICE("Zm9v"), into, 3, &len), ST_OK);
    assert_int_equal(len, 3);
    assert_int_equal(base64_decode(SLICE("Zm9vYg=="), into, 3, &len), ST_LIMIT);
    assert_int_equal(into[3], 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts_are_decoded_and_encoded),
        cmocka_unit_test(other_texts_are_none),
        cmocka_unit_test(room_is_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
