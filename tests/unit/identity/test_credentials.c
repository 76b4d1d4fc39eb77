#include "identity_test.h"

#include "identity/credentials.h"

static struct credentials credentials;

static void parses(const char *value, enum credentials_kind kind)
{
    credentials_parse(slice_from_string(value), &credentials);
    if (credentials.kind != kind)
        fail_msg("%s: %d", value, (int)credentials.kind);
}

static void basic_is_user_and_password(void **state)
{
    (void)state;
    parses("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", CREDENTIALS_BASIC);
    assert_slice(credentials.user, "Aladdin");
    assert_slice(credentials.password, "open sesame");
    parses("bAsIC   YTpiOmM=", CREDENTIALS_BASIC); /* a:b:c */
    assert_slice(credentials.user, "a");
    assert_slice(credentials.password, "b:c");
    parses("Basic Og==", CREDENTIALS_BASIC); /* ":": both empty */
    assert_int_equal(credentials.user.len + credentials.password.len, 0);
}

static void bearer_is_a_token(void **state)
{
    (void)state;
    parses("Bearer abc.DEF-1_2~3+4/5==", CREDENTIALS_BEARER);
    assert_slice(credentials.token, "abc.DEF-1_2~3+4/5==");
    parses("Bearer", CREDENTIALS_BAD);
    parses("Bearer =", CREDENTIALS_BAD);
    parses("Bearer a=b", CREDENTIALS_BAD);
    parses("Bearer a b", CREDENTIALS_BAD);
}

static void the_worst_is_bad(void **state)
{
    (void)state;
    static const char *const values[] = {
        "Basic",          "Basic ", "Basic !",         "Basic YQ==" /* a */, "Basic YTpiCg==",
        "Basic AGE6Yg==", "",       "Basic YTpi YTpi", "Basic YTp/",         " "};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        parses(values[i], CREDENTIALS_BAD);
        assert_true(credentials.fault[0] != '\0');
        assert_int_equal(credentials.user.len + credentials.password.len, 0);
    }
    parses("Digest username=\"x\"", CREDENTIALS_OTHER);
    parses("Basics YTpi", CREDENTIALS_OTHER);
    credentials_wipe(&credentials);
}

static void lengths_are_limits(void **state)
{
    (void)state;
    static char value[8192];
    for (int len = 0; len < 6000;
         len += 4) { /* "AAAA" is three NUL bytes: always bad, never beyond the room */
        (void)snprintf(value, sizeof(value), "Basic %0*d", len + 4, 0);
        parses(value, CREDENTIALS_BAD);
        (void)snprintf(value, sizeof(value), "Bearer %0*d", len + 4, 0);
        parses(value, len + 4 <= CREDENTIALS_TOKEN_MAX ? CREDENTIALS_BEARER : CREDENTIALS_BAD);
    }
}

static void names_have_a_form(void **state)
{
    (void)state;
    static char long_name[CREDENTIALS_USER_MAX + 2];
    memset(long_name, 'a', CREDENTIALS_USER_MAX + 1);
    assert_true(credentials_is_user(SLICE("alice")));
    assert_true(credentials_is_user(SLICE("J\xc3\xbcrgen X")));
    assert_true(credentials_is_user(slice_of(long_name, CREDENTIALS_USER_MAX)));
    assert_false(credentials_is_user(slice_from_string(long_name)));
    assert_false(credentials_is_user(SLICE("")));
    assert_false(credentials_is_user(SLICE("a:b")));
    assert_false(credentials_is_user(SLICE("a\x1b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(basic_is_user_and_password), cmocka_unit_test(bearer_is_a_token),
        cmocka_unit_test(the_worst_is_bad),           cmocka_unit_test(lengths_are_limits),
        cmocka_unit_test(names_have_a_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
