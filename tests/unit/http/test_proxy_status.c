#include "http_test.h"

#include "http/proxy_status.h"

static void check(const struct proxy_status *status, const char *expected)
{
    char into[512];
    struct text text = text_on(into, sizeof(into));
    proxy_status_write(&text, status);
    assert_false(text.is_cut);
    assert_slice(text_slice(&text), expected);
}

static void what_is_not_known_is_left_out(void **state)
{
    (void)state;
    check(&(struct proxy_status){.name = SLICE("fairlead")}, "fairlead");
    check(&(struct proxy_status){.name = SLICE("fairlead"), .error = PROXY_ERROR_DNS_TIMEOUT},
          "fairlead; error=dns_timeout");
}

static void all_parameters_are_written(void **state)
{
    (void)state;
    check(
        &(struct proxy_status){
            .name = SLICE("fairlead"),
            .error = PROXY_ERROR_DNS_ERROR,
            .received_status = 503,
            .rcode = SLICE("NXDOMAIN"),
            .next_hop = SLICE("[::1]:80"),
            .details = SLICE("no such name"),
            .rule = SLICE("default-deny"),
            .exchange_id = SLICE("17"),
        },
        "fairlead; error=dns_error; received-status=503; rcode=\"NXDOMAIN\"; "
        "next-hop=\"[::1]:80\"; "
        "details=\"no such name\"; rule=\"default-deny\"; exchange=\"17\"");
}

/* shows 9209-2-1 9110-5.6.4-2 */
static void strings_cannot_be_broken_out_of_rfc8941_3_3_3(void **state)
{
    (void)state;
    check(&(struct proxy_status){.name = SLICE("a"),
                                 .details = SLICE("say \"x\\y\"; z=1\r\nA: b\x80\0")},
          "a; details=\"say \\\"x\\\\y\\\"; z=1??A: b??\"");
}

/* shows 9209-2-1 */
static void a_name_that_is_no_token_is_a_string(void **state)
{
    (void)state;
    check(&(struct proxy_status){.name = SLICE("my proxy")}, "\"my proxy\"");
    check(&(struct proxy_status){.name = SLICE("1st")}, "\"1st\"");
    check(&(struct proxy_status){.name = SLICE("~a")}, "\"~a\"");
    check(&(struct proxy_status){.name = SLICE("*a")}, "*a");
    check(&(struct proxy_status){.name = SLICE("")}, "\"\"");
}

static void types_have_their_token_rfc9209_2_3(void **state)
{
    (void)state;
    assert_slice(proxy_error_token(PROXY_ERROR_PROXY_LOOP_DETECTED), "proxy_loop_detected");
    assert_slice(proxy_error_token(PROXY_ERROR_NONE), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_known_is_left_out),
        cmocka_unit_test(all_parameters_are_written),
        cmocka_unit_test(strings_cannot_be_broken_out_of_rfc8941_3_3_3),
        cmocka_unit_test(a_name_that_is_no_token_is_a_string),
        cmocka_unit_test(types_have_their_token_rfc9209_2_3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
