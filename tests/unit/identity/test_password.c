#include "identity_test.h"

#include "identity/password.h"

static void is_refused(const char *hash, const char *words)
{
    const char *why = password_judge(slice_from_string(hash));
    if (why == NULL || strstr(why, words) == NULL)
        fail_msg("%s: %s", hash, why == NULL ? "taken" : why);
}

static const char *const good[] = {HASH_SHA256, HASH_SHA512, HASH_BCRYPT, HASH_YESCRYPT};

static void four_methods_are_taken(void **state)
{
    (void)state;
    struct password_space *space = password_space_create();
    assert_non_null(space);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_null(password_judge(slice_from_string(good[i])));
        assert_true(password_matches(space, "secret", good[i]));
        assert_false(password_matches(space, "Secret", good[i]));
        assert_false(password_matches(space, "", good[i]));
    }
    password_space_destroy(&space);
}

/* A hash that lost or changed a byte of its form is found at once, and not when its user comes. */
static void cut_hashes_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        char copy[PASSWORD_HASH_MAX];
        size_t len = strlen(good[i]);
        for (size_t cut = 0; cut < len; cut++)
            assert_non_null(password_judge(slice_of(good[i], cut)));
        (void)snprintf(copy, sizeof(copy), "%sx", good[i]);
        assert_non_null(password_judge(slice_from_string(copy)));
        (void)snprintf(copy, sizeof(copy), "%s", good[i]);
        copy[len - 1] = '*';
        assert_non_null(password_judge(slice_from_string(copy)));
    }
}

static void legacy_is_refused_with_reason_and_remedy(void **state)
{
    (void)state;
    is_refused("$1$abcdefgh$G//4keteveJp0qb8z2DxG/", "MD5 ($1$)");
    is_refused("$apr1$abcdefgh$aOTlsIbGWVPYnVMgGZLE./", "Apache");
    is_refused("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "SHA-1");
    is_refused("{SSHA}xx", "LDAP");
    is_refused("abJnggxhB/yWI", "DES or no hash");
    is_refused("_J9..rasmBYk8r9AiWNc", "DES (_)");
    is_refused("$2a$10$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "$2a$");
    is_refused("$7$xx", "not taken");
    is_refused("secret", "clear");
    is_refused("", "no password hash");
    is_refused("secret", "fairlead hash-password");
}

static void absurd_costs_are_refused(void **state)
{
    (void)state;
    is_refused("$2y$15$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "seconds");
    is_refused("$2y$99$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "seconds");
    is_refused("$2y$03$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "not whole");
    is_refused("$5$rounds=1000001$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2", "million");
    is_refused("$5$rounds=99999999999999999999$s$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2",
               "million");
    is_refused("$5$rounds=999$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2", "not whole");
    is_refused("$y$jCT$saltsaltsalt$jyf/lxrpdyAIshWRo1x5DRC6KIE7sNRRtjcomR3PgHA", "64 MiB");
    is_refused("$y$jzz$saltsaltsalt$jyf/lxrpdyAIshWRo1x5DRC6KIE7sNRRtjcomR3PgHA", "not those");
    is_refused("$y$j.T$saltsaltsalt$jyf/lxrpdyAIshWRo1x5DRC6KIE7sNRRtjcomR3PgHA", "too small");
    is_refused("$y$j9T0$saltsaltsalt$jyf/lxrpdyAIshWRo1x5DRC6KIE7sNRRtjcomR3PgHA", "not those");
    assert_null(
        password_judge(SLICE("$y$jBT$saltsaltsalt$jyf/lxrpdyAIshWRo1x5DRC6KIE7sNRRtjcomR3PgHA")));
}

/* What is made is taken, and differs each time. */
static void hashes_are_made(void **state)
{
    (void)state;
    static const char *const words[] = {"yescrypt", "bcrypt", "sha512", "sha256"};
    struct password_space *space = password_space_create();
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        enum password_method method;
        char one[PASSWORD_HASH_MAX];
        char two[PASSWORD_HASH_MAX];
        assert_int_equal(password_method_parse(slice_from_string(words[i]), &method), ST_OK);
        assert_int_equal(password_hash(space, method, "p\xc3\xa4ss", one), ST_OK);
        assert_int_equal(password_hash(space, method, "p\xc3\xa4ss", two), ST_OK);
        assert_string_not_equal(one, two);
        assert_null(password_judge(slice_from_string(one)));
        assert_true(password_matches(space, "p\xc3\xa4ss", one));
    }
    char hash[PASSWORD_HASH_MAX];
    char long_one[PASSWORD_BCRYPT_MAX + 2] = {0};
    memset(long_one, 'a', PASSWORD_BCRYPT_MAX + 1);
    assert_int_equal(password_hash(space, PASSWORD_BCRYPT, long_one, hash), ST_LIMIT);
    enum password_method method;
    assert_int_equal(password_method_parse(SLICE("md5"), &method), ST_BAD);
    password_space_destroy(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_methods_are_taken),
        cmocka_unit_test(cut_hashes_are_refused),
        cmocka_unit_test(legacy_is_refused_with_reason_and_remedy),
        cmocka_unit_test(absurd_costs_are_refused),
        cmocka_unit_test(hashes_are_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
