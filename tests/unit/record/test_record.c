#include "record_test.h"

#include "base/check.h"
#include "record/record.h"

#include <errno.h>
#include <string.h>

static struct record record;
static struct record_text *url = &record.url;

static void assert_url(const char *expected)
{
    struct slice have = record_get(&record, *url);
    assert_int_equal(have.len, strlen(expected));
    assert_memory_equal(have.at, expected, have.len);
}

static void set_url(const char *spelling, bool keep_query)
{
    record_begin(&record);
    record_set_url(&record, slice_from_string(spelling), keep_query);
}

static void begin_clears_everything_but_attempts_and_text(void **state)
{
    (void)state;
    memset(&record, 0xa5, sizeof(record));
    record_begin(&record);
    for (size_t i = 0; i < offsetof(struct record, attempts); i++)
        assert_int_equal(((const char *)&record)[i], 0);
}

static void an_attempt_has_one_word(void **state)
{
    (void)state;
    static const struct {
        struct record_attempt attempt;
        const char *word;
    } rows[] = {
        {{.begin_ns = 1, .end_ns = 2}, "connected"},
        {{.begin_ns = 1}, "cancelled"},
        {{.os_error = ECANCELED, .begin_ns = 1}, "cancelled"},
        {{.os_error = EACCES}, "refused"},
        {{.os_error = EACCES, .begin_ns = 1, .end_ns = 2}, "failed"},
        {{.os_error = EINPROGRESS, .begin_ns = 1}, "trying"},
        {{.os_error = ECONNREFUSED, .begin_ns = 1, .end_ns = 2}, "failed"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_string_equal(record_attempt_word(&rows[i].attempt), rows[i].word);
}

static void texts_lie_behind_each_other_and_come_back(void **state)
{
    (void)state;
    record_begin(&record);
    record_set(&record, &record.method, SLICE("GET"), 16);
    record_set(&record, &record.user, SLICE("alice"), 16);
    assert_true(slice_equals(record_get(&record, record.method), SLICE("GET")));
    assert_true(slice_equals(record_get(&record, record.user), SLICE("alice")));
    assert_true(slice_is_empty(record_get(&record, record.rule)));
    record_seal(&record);
    assert_int_equal(record.size, offsetof(struct record, text) + 8);
}

static void a_text_is_cut_to_its_own_bound(void **state)
{
    (void)state;
    record_begin(&record);
    record_set(&record, &record.user, SLICE("abcdef"), 4);
    assert_true(slice_equals(record_get(&record, record.user), SLICE("abcd")));
}

static void a_text_that_is_set_again_takes_its_old_place_where_it_fits(void **state)
{
    (void)state;
    record_begin(&record);
    record_set(&record, &record.cause, SLICE("timeout"), 16);
    record_set(&record, &record.cause, SLICE("reset"), 16);
    assert_int_equal(record.text_len, 7);
    assert_true(slice_equals(record_get(&record, record.cause), SLICE("reset")));
    record_set(&record, &record.cause, SLICE("much longer"), 16);
    assert_true(slice_equals(record_get(&record, record.cause), SLICE("much longer")));
}

static void texts_beyond_the_room_are_cut_and_overflow_nothing(void **state)
{
    (void)state;
    static char big[RECORD_TEXT_MAX];
    memset(big, 'x', sizeof(big));
    record_begin(&record);
    record_set(&record, &record.detail, slice_of(big, sizeof(big) - 3), sizeof(big));
    record_set(&record, &record.rule, SLICE("abcdef"), 16);
    record_set(&record, &record.user, SLICE("nobody"), 16);
    assert_true(slice_equals(record_get(&record, record.rule), SLICE("abc")));
    assert_int_equal(record.user.len, 0);
    record_seal(&record);
    assert_int_equal(record.size, offsetof(struct record, text) + RECORD_TEXT_MAX);
}

static void a_query_is_kept_or_replaced_by_a_sign(void **state)
{
    (void)state;
    set_url("http://a.example/p?token=1", true);
    assert_url("http://a.example/p?token=1");
    set_url("http://a.example/p?token=1", false);
    assert_url("http://a.example/p?-");
    set_url("http://a.example/p", false);
    assert_url("http://a.example/p");
    set_url("http://a.example/p#token=1", false);
    assert_url("http://a.example/p?-");
    assert_false(record.url_is_cut);
}

static void credentials_never_reach_the_record(void **state)
{
    (void)state;
    set_url("http://user:secret@a.example/p", true);
    assert_url("http://a.example/p");
    set_url("http://u:p@ss@a.example", true);
    assert_url("http://a.example");
    set_url("user:secret@a.example:443", true);
    assert_url("a.example:443");
    set_url("http://u:secret@a.example?x=u@b", true);
    assert_url("http://a.example?x=u@b");
    set_url("http:/user:secret@a.example/p", true);
    assert_url("http:/a.example/p");
    set_url("http:///user:secret@a.example/p", true);
    assert_url("http:///a.example/p");
}

static void a_referer_is_a_url_too(void **state)
{
    (void)state;
    static char big[RECORD_REFERER_MAX + 2];
    record_begin(&record);
    record_set_referer(&record, SLICE("https://user:secret@a.example/p?token=1"), true);
    url = &record.referer;
    assert_url("https://a.example/p?token=1");
    record_set_referer(&record, SLICE("https://user:secret@a.example/p?token=1"), false);
    assert_url("https://a.example/p?-");
    memset(big, 'a', sizeof(big) - 1);
    record_set_referer(&record, slice_from_string(big), true);
    assert_int_equal(url->len, RECORD_REFERER_MAX);
    url = &record.url;
}

static void an_at_sign_behind_the_authority_stays(void **state)
{
    (void)state;
    set_url("http://a.example/@scope/pkg?mail=a@b", true);
    assert_url("http://a.example/@scope/pkg?mail=a@b");
    set_url("/@me", true);
    assert_url("/@me");
}

static void a_long_url_is_cut_and_marked(void **state)
{
    (void)state;
    static char big[RECORD_URL_MAX + 2];
    memset(big, 'a', sizeof(big) - 1);
    set_url(big, true);
    assert_int_equal(url->len, RECORD_URL_MAX);
    assert_true(record.url_is_cut);
    big[RECORD_URL_MAX] = '\0';
    set_url(big, true);
    assert_int_equal(url->len, RECORD_URL_MAX);
    assert_false(record.url_is_cut);
}

static const char *kind_word(int i)
{
    return record_kind_word((enum record_kind)i);
}

static const char *leg_word(int i)
{
    return record_leg_word((enum record_leg)i);
}

static const char *end_word(int i)
{
    return record_end_word((enum record_end)i);
}

static const char *source_word(int i)
{
    return dns_source_word((enum dns_source)i);
}

/* Each value of an enum has the word that log readers know, and what is none is a dash. */
static void enums_have_words(void **state)
{
    (void)state;
    static const struct {
        const char *(*word)(int);
        const char *words[12];
    } rows[] = {
        {kind_word, {"exchange", "tunnel", "upgrade", "local", "-"}},
        {leg_word, {"-", "client", "upstream", "proxy", "-"}},
        {end_word,
         {"-", "done", "fin", "rst", "timeout", "refused", "error", "drain", "killed", "-"}},
        {source_word, {"-", "literal", "hosts", "cache", "coalesced", "query", "-"}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (int k = 0; rows[i].words[k] != NULL; k++)
            assert_string_equal(rows[i].word(k), rows[i].words[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begin_clears_everything_but_attempts_and_text),
        cmocka_unit_test(an_attempt_has_one_word),
        cmocka_unit_test(texts_lie_behind_each_other_and_come_back),
        cmocka_unit_test(a_text_is_cut_to_its_own_bound),
        cmocka_unit_test(a_text_that_is_set_again_takes_its_old_place_where_it_fits),
        cmocka_unit_test(texts_beyond_the_room_are_cut_and_overflow_nothing),
        cmocka_unit_test(a_query_is_kept_or_replaced_by_a_sign),
        cmocka_unit_test(credentials_never_reach_the_record),
        cmocka_unit_test(a_referer_is_a_url_too),
        cmocka_unit_test(an_at_sign_behind_the_authority_stays),
        cmocka_unit_test(a_long_url_is_cut_and_marked),
        cmocka_unit_test(enums_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
