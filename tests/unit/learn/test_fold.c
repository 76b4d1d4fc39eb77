#include "learn_test.h"

#include "learn/fold.h"

enum { HOSTS_MAX = 32 };

/* Fold `names` and hold each against what is expected of it: a suffix, or "" where it stays. */
struct expectation {
    const char *name, *suffix;
    bool is_address;
};

static void check_fold(const struct expectation *wanted, size_t count, size_t least)
{
    struct fold_host hosts[HOSTS_MAX];
    struct suffixes *suffixes = NULL;
    assert_true(count <= HOSTS_MAX);
    assert_int_equal(suffixes_create(SLICE("com\nco.uk\nuk\n"), &suffixes), ST_OK);
    for (size_t i = 0; i < count; i++)
        hosts[i] = (struct fold_host){.name = slice_from_string(wanted[i].name),
                                      .is_address = wanted[i].is_address};
    fold_hosts(hosts, count, least, suffixes);
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < count && !slice_equals(hosts[at].name, slice_from_string(wanted[i].name)))
            at++;
        assert_true(at < count);
        assert_slice(hosts[at].suffix, wanted[i].suffix);
    }
    suffixes_destroy(&suffixes);
}

/* Enough hosts of one owner fold below its name; the name itself, and hosts of others, stay. */
static void hosts_of_one_owner_fold(void **state)
{
    (void)state;
    static const struct expectation wanted[] = {
        {"a.example.com", "example.com", false},
        {"b-c.example.com", "example.com", false},
        {"c.example.com", "example.com", false},
        {"example.com", "", false},
        {"a.other.com", "", false},
        {"b.other.com", "", false},
        {"xample.com", "", false},
        {"a.xample.com", "", false},
    };
    check_fold(wanted, COUNT_OF(wanted), 3);
}

/* However many there are: nothing folds below a public suffix, and addresses are no names. */
static void public_suffixes_and_addresses_never_fold(void **state)
{
    (void)state;
    static const struct expectation wanted[] = {
        {"a.com", "", false},    {"b.com", "", false},   {"c.com", "", false},
        {"a.co.uk", "", false},  {"b.co.uk", "", false}, {"c.uk", "", false},
        {"10.0.0.1", "", true},  {"10.0.1.1", "", true}, {"2001:db8::1", "", true},
        {"1.2.0.0.1", "", true},
    };
    check_fold(wanted, COUNT_OF(wanted), 2);
}

/* As deep as there are enough; what is folded there does not help the names above. */
static void the_narrowest_name_is_taken(void **state)
{
    (void)state;
    static const struct expectation wanted[] = {
        {"a.cdn.example.com", "cdn.example.com", false},
        {"b.cdn.example.com", "cdn.example.com", false},
        {"c.d.cdn.example.com", "cdn.example.com", false},
        {"www.example.com", "", false},
        {"mail.example.com", "", false},
    };
    check_fold(wanted, COUNT_OF(wanted), 3);
    static const struct expectation wide[] = {
        {"a.cdn.example.com", "cdn.example.com", false},
        {"b.cdn.example.com", "cdn.example.com", false},
        {"www.example.com", "example.com", false},
        {"x.mail.example.com", "example.com", false},
    };
    check_fold(wide, COUNT_OF(wide), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hosts_of_one_owner_fold),
                                       cmocka_unit_test(public_suffixes_and_addresses_never_fold),
                                       cmocka_unit_test(the_narrowest_name_is_taken)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
