#include "report_test.h"

#include "report/filter.h"

static struct record record;
static struct filter filter;
static char why_room[FILTER_WHY_MAX];

static enum status parse(const char *text, struct filter *into)
{
    struct text why = text_on(why_room, sizeof(why_room));
    enum status status = filter_parse(slice_from_string(text), into, &why);
    assert_false(why.is_cut);
    (void)text_string(&why);
    return status;
}

static bool fits(const char *text)
{
    if (parse(text, &filter) != ST_OK)
        fail_msg("%s: %s", text, why_room);
    return filter_match(&filter, &record);
}

static void make_record(void)
{
    test_exchange(&record);
    record.status = 404;
    record.worker = 3;
    record.client_in_bytes = 1500000;
    test_text(&record, &record.host, "a.Example.com");
    test_text(&record, &record.user, "ci");
    test_text(&record, &record.rule, "rule package mirrors");
    test_text(&record, &record.cause, "connect_timeout");
    test_mark(&record, MARK_P_POLICY, 150 * NS_PER_US);
}

/* One claim and its opposite for each key. */
static void each_key_finds_what_it_names(void **state)
{
    (void)state;
    static const struct {
        const char *yes, *no;
    } pairs[] = {
        {"host=*.example.com", "host=example.com"},
        {"host=a.example.com", "host=*.example.org"},
        {"host~exam", "host~exan"},
        {"url=http://a.example/p*h", "url=a.example"},
        {"method=get", "method=POST"},
        {"client=192.0.2.0/24", "client=10.0.0.0/8"},
        {"client=192.0.2.7", "client=192.0.2.8"},
        {"upstream=2001:db8::/32", "upstream=192.0.2.0/24"},
        {"user=ci", "user=c"},
        {"status=4xx", "status=5xx"},
        {"status=404", "status=403"},
        {"status>=400", "status>404"},
        {"status<405", "status<404"},
        {"status<=404", "status<=403"},
        {"status=400-404", "status=400-403"},
        {"kind=exchange", "kind=tunnel"},
        {"decision=allowed", "decision=refused"},
        {"end=done", "end=timeout"},
        {"cause=connect_*", "cause=connect"},
        {"rule=package*", "rule=mirrors"},
        {"rule=\"package mirrors\"", "rule=\"package\""},
        {"rule=\"rule package mirrors\"", "rule~packages"},
        {"up>1MB", "up>1.5MB"},
        {"up>=1.5MB", "up<1500000"},
        {"down>1KB", "down>1.3KiB"},
        {"worker=3", "worker=2"},
        {"use=1", "use>1"},
        {"retries=0", "retries>0"},
        {"client_conn=5", "client_conn=6"},
        {"upstream_conn=6", "upstream_conn=5"},
        {"id=0000000000000ABC", "id=0000000000000abd"},
        {"wait>27ms", "wait>28ms"},
        {"dns>=2.8ms", "dns>2.8ms"},
        {"total<1s", "total<45000us"},
        {"connect=*", "tls=*"},
        {"user=*", "agent=*"},
    };
    make_record();
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        if (!fits(pairs[i].yes) || fits(pairs[i].no))
            fail_msg("%s, %s", pairs[i].yes, pairs[i].no);
    }
}

/* All terms must hold, a '!' turns one round, and of several values one must fit. */
static void terms_are_joined(void **state)
{
    (void)state;
    make_record();
    assert_true(fits(""));
    assert_true(fits("  status=4xx\tuser=ci  "));
    assert_false(fits("status=4xx user=cd"));
    assert_true(fits("!user=cd !status=2xx"));
    assert_false(fits("!user=ci"));
    assert_true(fits("user!=cd"));
    assert_false(fits("user!=ci"));
    assert_true(fits("!user!=ci"));
    assert_true(fits("status=2xx,404,5xx"));
    assert_false(fits("!status=2xx,404"));
    assert_true(fits("host=b.*,\"*.example.com\""));
}

/* What is not there fits nothing, and so its opposite holds. */
static void what_is_absent_fits_nothing(void **state)
{
    (void)state;
    record_begin(&record);
    assert_false(fits("user=*"));
    assert_true(fits("!user=ci"));
    assert_false(fits("client=0.0.0.0/0"));
    assert_false(fits("status<600"));
    assert_false(fits("wait<1h"));
    assert_true(fits("!wait=*"));
    assert_false(fits("decision=allowed"));
    assert_false(fits("end=*"));
}

/* Of a request in flight the phase that it is in, and the total, count so far; what may cease to hold does not. */
static void a_request_in_flight_is_found_by_how_long_it_lasts(void **state)
{
    (void)state;
    make_record();
    record.timeline.at_ns[MARK_X_END] = record.timeline.at_ns[MARK_U_RX0] =
        record.timeline.at_ns[MARK_U_RX1] = record.timeline.at_ns[MARK_D_TX1] = 0;
    record.end = END_NONE;
    record.is_in_progress = true;
    record.now_ns = record.timeline.at_ns[MARK_U_TX1] + MS(500);
    assert_true(fits("wait>499ms") && fits("wait>=500ms") && fits("wait=*") && fits("!load=*"));
    assert_false(fits("wait>500ms") || fits("wait<1h") || fits("load=*"));
    assert_true(fits("total>500ms") && fits("total>=514ms") && fits("dns>2ms") &&
                fits("slow=origin"));
    assert_false(fits("total>600ms") || fits("total<1h") || fits("end=*"));
    record.kind = RECORD_TUNNEL; /* of which nothing that is not over counts */
    assert_false(fits("total=*") || fits("wait=*"));
}

/* A wait that was in vain is a wait; what went well has none that is not over. */
static void what_was_given_up_is_found_by_its_phase(void **state)
{
    (void)state;
    make_record();
    record.timeline.at_ns[MARK_U_RX0] = record.timeline.at_ns[MARK_U_RX1] = 0;
    record.timeline.at_ns[MARK_D_TX0] = record.timeline.at_ns[MARK_U_TX1] + MS(700);
    record.timeline.at_ns[MARK_X_END] = record.timeline.at_ns[MARK_D_TX0] + MS(1);
    record.cause.len = 0;
    assert_false(fits("wait=*"));
    record_set(&record, &record.cause, SLICE("response_timeout"), 64);
    assert_true(fits("wait=*") && fits("wait>=700ms") && fits("wait<=700ms") && fits("!load=*"));
}

/* What was fast has nobody who was slow. */
static void who_was_slow_is_found(void **state)
{
    (void)state;
    make_record();
    assert_false(fits("slow=*"));
    record.timeline.at_ns[MARK_U_RX0] += MS(300);
    record.timeline.at_ns[MARK_U_RX1] += MS(300);
    record.timeline.at_ns[MARK_D_TX1] += MS(300);
    record.timeline.at_ns[MARK_X_END] += MS(300);
    assert_true(fits("slow=*"));
    assert_true(fits("slow=dns,origin"));
    assert_false(fits("slow=client_network"));
}

static void decisions_exclude_each_other(void **state)
{
    (void)state;
    make_record();
    test_text(&record, &record.would_deny, "policy.default");
    assert_true(fits("decision=observed rule=policy.default"));
    assert_false(fits("decision=allowed"));
    record.end = END_REFUSED;
    assert_true(fits("decision=refused"));
    assert_false(fits("decision=observed"));
}

/* A pattern with many stars costs its length times that of the text, and no more. */
static void stars_do_not_explode(void **state)
{
    (void)state;
    char long_text[RECORD_URL_MAX + 1];
    memset(long_text, 'a', RECORD_URL_MAX);
    long_text[RECORD_URL_MAX] = '\0';
    make_record();
    record.url.len = 0;
    test_text(&record, &record.url, long_text);
    assert_false(fits("url=*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"));
    assert_true(fits("url=*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*"));
}

/* Each error says what was expected, and what was likely meant. */
static void errors_help(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"stauts=4xx", "\"stauts=4xx\": there is no key \"stauts\"; did you mean \"status\""},
        {"wiat>1ms", "did you mean \"wait\""},
        {"zzzzzz=1", "there are host url"},
        {"user=ci \x1b[31m=1", "\"\\x1b[31m=1\": a term is KEY=VALUE"},
        {"example.com", "there is no key \"example.com\""},
        {"host", "a term is KEY=VALUE"},
        {"=x", "a term is KEY=VALUE"},
        {"!", "a term is KEY=VALUE"},
        {"status=abc", "status expects 404, 4xx, 400-499, or a comparison, such as status=4xx"},
        {"status=6xx", "status expects"},
        {"status=499-400", "status expects"},
        {"status~4", "status expects"},
        {"kind=tunel",
         "kind expects one of: exchange tunnel upgrade local; did you mean \"tunnel\""},
        {"end=-", "end expects one of: done fin"},
        {"client=10.0.0.1/8", "client expects an address or a range, such as client=10.0.0.0/8"},
        {"client>10.0.0.1", "client expects"},
        {"wait=100ms", "wait expects a comparison with a duration, such as wait>100ms"},
        {"wait>100", "wait expects"},
        {"wait>1.ms", "wait expects"},
        {"wait>99999999999999s", "wait expects"},
        {"up>5parsec", "up expects a comparison with a size, such as up>1MB"},
        {"worker<0", "worker expects"},
        {"id=abc", "id expects 16 hexadecimal digits"},
        {"host=", "host expects a text"},
        {"host>a", "host expects a text"},
        {"host=a,,b", "host expects a text"},
        {"host=\"a", "a quote is not closed"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(parse(rows[i].text, &filter), ST_BAD);
        assert_has(why_room, rows[i].words);
    }
}

/* `first`, and `more` so often behind it. */
static const char *repeated(char text[FILTER_TEXT_MAX + 2], const char *first, const char *more,
                            int count)
{
    struct text words = text_on(text, FILTER_TEXT_MAX + 2);
    text_add(&words, slice_from_string(first));
    for (int i = 0; i < count; i++)
        text_add(&words, slice_from_string(more));
    assert_false(words.is_cut);
    return text_string(&words);
}

static void everything_is_bounded(void **state)
{
    (void)state;
    char text[FILTER_TEXT_MAX + 2];
    assert_int_equal(parse(repeated(text, "", "user=a ", FILTER_TERMS_MAX), &filter), ST_OK);
    assert_int_equal(parse(repeated(text, "", "user=a ", FILTER_TERMS_MAX + 1), &filter), ST_LIMIT);
    assert_int_equal(parse(repeated(text, "user=a", ",a", FILTER_VALUES_MAX - 1), &filter), ST_OK);
    assert_int_equal(parse(repeated(text, "user=a", ",a", FILTER_VALUES_MAX), &filter), ST_LIMIT);
    memset(text, 'a', FILTER_TEXT_MAX + 1);
    memcpy(text, "user=", 5);
    text[FILTER_TEXT_MAX] = '\0';
    assert_int_equal(parse(text, &filter), ST_OK);
    text[FILTER_TEXT_MAX] = 'a';
    assert_int_equal(parse(text, &filter), ST_LIMIT);
}

/* A filter may be moved: nothing in it points into the text it was read from. */
static void a_copy_works_alone(void **state)
{
    (void)state;
    char text[] = "host=*.example.com";
    struct filter first;
    make_record();
    assert_int_equal(parse(text, &first), ST_OK);
    struct filter copy = first;
    memset(&first, 0xff, sizeof(first));
    memset(text, 'x', sizeof(text) - 1);
    assert_true(filter_match(&copy, &record));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_finds_what_it_names),
        cmocka_unit_test(terms_are_joined),
        cmocka_unit_test(what_is_absent_fits_nothing),
        cmocka_unit_test(who_was_slow_is_found),
        cmocka_unit_test(a_request_in_flight_is_found_by_how_long_it_lasts),
        cmocka_unit_test(what_was_given_up_is_found_by_its_phase),
        cmocka_unit_test(decisions_exclude_each_other),
        cmocka_unit_test(stars_do_not_explode),
        cmocka_unit_test(errors_help),
        cmocka_unit_test(everything_is_bounded),
        cmocka_unit_test(a_copy_works_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
