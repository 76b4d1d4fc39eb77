#include "http_test.h"

#include "http/fields.h"
#include "http/method.h"
#include "http/status_code.h"

static void order_and_spelling_are_kept_beyond_the_first_array(void **state)
{
    (void)state;
    struct http_test test;
    http_test_begin(&test);
    static char names[100][8];
    struct fields *fields = &test.head.fields;
    for (unsigned i = 0; i < 100; i++) {
        int len = snprintf(names[i], sizeof(names[i]), "X-%03u", i);
        assert_int_equal(fields_add(fields, slice_of(names[i], (size_t)len), SLICE("v")), ST_OK);
    }
    assert_int_equal(fields->count, 100);
    for (unsigned i = 0; i < 100; i++)
        assert_slice(fields->at[i].name, names[i]);
    assert_ptr_equal(fields_find_name(fields, SLICE("x-042")), &fields->at[42]);
    assert_null(fields_find_name(fields, SLICE("x-420")));
    http_test_end(&test);
}

static void repeated_fields_are_walked_in_order(void **state)
{
    (void)state;
    struct http_test test;
    http_test_begin(&test);
    struct fields *fields = &test.head.fields;
    assert_false(fields_has(fields, TOKEN_VIA));
    assert_null(fields_find(fields, TOKEN_VIA));
    assert_int_equal(fields_add(fields, SLICE("via"), SLICE("1")), ST_OK);
    assert_int_equal(fields_add(fields, SLICE("Host"), SLICE("h")), ST_OK);
    assert_int_equal(fields_add(fields, SLICE("VIA"), SLICE("2")), ST_OK);
    const struct field *field = fields_find(fields, TOKEN_VIA);
    assert_slice(field->value, "1");
    field = fields_find_next(fields, field);
    assert_slice(field->value, "2");
    assert_null(fields_find_next(fields, field));
    assert_int_equal(fields_count_of(fields, TOKEN_VIA), 2);
    assert_int_equal(fields_count_of(fields, TOKEN_HOST), 1);
    assert_int_equal(fields_count_of(fields, TOKEN_TE), 0);
    unsigned seen = 0;
    FIELDS_EACH(each, fields)
        seen += each->name.len > 0;
    assert_int_equal(seen, 3);
    http_test_end(&test);
}

static void clearing_keeps_the_memory(void **state)
{
    (void)state;
    struct http_test test;
    http_test_begin(&test);
    struct fields *fields = &test.head.fields;
    assert_int_equal(fields_add(fields, SLICE("Host"), SLICE("h")), ST_OK);
    const struct field *at = fields->at;
    fields_clear(fields);
    assert_int_equal(fields->count, 0);
    assert_false(fields_has(fields, TOKEN_HOST));
    assert_int_equal(fields_add(fields, SLICE("TE"), SLICE("t")), ST_OK);
    assert_ptr_equal(fields->at, at);
    http_test_end(&test);
}

static void a_full_arena_is_a_result(void **state)
{
    (void)state;
    struct block_pool *pool = block_pool_create(0, 0);
    struct arena arena;
    arena_init(&arena, pool, 16 * sizeof(struct field) + 64);
    struct fields fields;
    fields_init(&fields, &arena);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(fields_add(&fields, SLICE("a"), SLICE("b")), ST_OK);
    assert_int_equal(fields_add(&fields, SLICE("a"), SLICE("b")), ST_NOMEM);
    assert_int_equal(fields.count, 16);
    arena_done(&arena);
    block_pool_destroy(&pool);
}

static void lines_are_joined_to_one_list(void **state)
{
    (void)state;
    struct http_test test;
    http_test_begin(&test);
    const struct head *head =
        http_test_request(&test, "GET / HTTP/1.1\r\nUpgrade: a, b\r\nVia: "
                                 "x\r\nupgrade:\r\nUPGRADE: c\r\nTE:\r\nTE: y\r\n\r\n");
    struct slice list = SLICE("not touched");
    assert_int_equal(fields_join(&head->fields, TOKEN_UPGRADE, &list), ST_OK);
    assert_slice(list, "a, b, c");
    assert_int_equal(fields_join(&head->fields, TOKEN_TE, &list), ST_OK);
    assert_slice(list, "y");
    assert_ptr_equal(list.at, head->fields.at[5].value.at); /* a view */
    assert_int_equal(fields_join(&head->fields, TOKEN_EXPECT, &list), ST_OK);
    assert_slice(list, "");
    test.arena.cap = test.arena.used;
    assert_int_equal(fields_join(&head->fields, TOKEN_UPGRADE, &list), ST_NOMEM);
    assert_slice(list, "");
    http_test_end(&test);
}

static void methods_are_case_sensitive_and_have_their_properties(void **state)
{
    (void)state;
    assert_int_equal(method_of(SLICE("GET")), METHOD_GET);
    assert_int_equal(method_of(SLICE("CONNECT")), METHOD_CONNECT);
    assert_int_equal(method_of(SLICE("get")), METHOD_OTHER);
    assert_int_equal(method_of(SLICE("PROPFIND")), METHOD_OTHER);
    assert_int_equal(method_of(SLICE("G")), METHOD_OTHER);
    assert_int_equal(method_of(SLICE("ABC")), METHOD_OTHER);
    assert_slice(method_name(METHOD_PATCH), "PATCH");
    assert_slice(method_name(METHOD_OTHER), "");
    assert_true(method_is_idempotent(METHOD_PUT));
    assert_true(method_is_idempotent(METHOD_DELETE));
    assert_false(method_is_idempotent(METHOD_POST));
    assert_false(method_is_idempotent(METHOD_OTHER));
}

static void status_codes_have_their_phrases(void **state)
{
    (void)state;
    assert_slice(status_code_reason(200), "OK");
    assert_slice(status_code_reason(407), "Proxy Authentication Required");
    assert_slice(status_code_reason(299), "");
#define X(code, reason) assert_slice(status_code_reason(code), reason);
    STATUS_CODES(X)
#undef X
    assert_true(head_is_interim(&(struct head){.status = 199}));
    assert_false(head_is_interim(&(struct head){.status = 200}));
    assert_false(head_is_interim(&(struct head){.is_request = true}));
    assert_true(status_code_is_bodiless(103));
    assert_true(status_code_is_bodiless(204));
    assert_true(status_code_is_bodiless(304));
    assert_false(status_code_is_bodiless(205));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_and_spelling_are_kept_beyond_the_first_array),
        cmocka_unit_test(repeated_fields_are_walked_in_order),
        cmocka_unit_test(clearing_keeps_the_memory),
        cmocka_unit_test(a_full_arena_is_a_result),
        cmocka_unit_test(lines_are_joined_to_one_list),
        cmocka_unit_test(methods_are_case_sensitive_and_have_their_properties),
        cmocka_unit_test(status_codes_have_their_phrases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
