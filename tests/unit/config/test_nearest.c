#include "config_test.h"

#include "config/nearest.h"

static struct nearest near_main(const char *wrong)
{
    struct nearest best = NEAREST_NONE;
    nearest_key(&schema_main, slice_from_string(wrong), &best);
    return best;
}

static void a_slip_of_the_pen_finds_its_key(void **state)
{
    (void)state;
    assert_slice(near_main("wrokers").word, "workers");
    assert_slice(near_main("timeouts.conect").word, "timeouts.connect");
    assert_slice(near_main("Egress.Connect-Ports").word, "egress.connect_ports");
    assert_slice(near_main("timeouts").word, "timeouts");
    assert_null(near_main("timeouts").row);
    assert_int_equal(near_main("zzzzzzzz").word.len, 0);
    assert_int_equal(near_main("").word.len, 0);
}

/* The same map is nearer than another one, and a part of a word is near. */
static void the_nearest_stands_in_the_same_map(void **state)
{
    (void)state;
    assert_slice(near_main("egress.connect").word, "egress.connect_ports");
    assert_slice(near_main("timeouts.idle").word, "timeouts.tunnel_idle");
    assert_slice(near_main("connect_ports").word, "egress.connect_ports");
    assert_slice(near_main("log.file").word, "log.access.file");
}

/* A row is found by its flag, and by what others call it, even where letters say something else. */
static void other_names_lead_to_the_key(void **state)
{
    (void)state;
    assert_slice(near_main("log.level").word, "log.diagnostics");
    assert_slice(near_main("allow_clients").word, "clients.allow");
    assert_slice(near_main("dns").word, "resolver.servers");
    assert_slice(near_main("allow").word, "egress.allow");
    for (size_t i = 0; i < schema_main.count; i++) {
        const struct schema_row *row = &schema_main.rows[i];
        if (row->flag != NULL)
            assert_ptr_equal(near_main(row->flag + 2).row, row);
    }
}

static const char *taker(const char *section, const char *value, bool is_list)
{
    const struct schema_row *row =
        nearest_taker(&schema_main, slice_from_string(section), slice_from_string(value), is_list);
    return row == NULL ? "" : row->key;
}

static void a_value_tells_its_key_where_only_one_takes_it(void **state)
{
    (void)state;
    assert_string_equal(taker("admin.", "off", false), "admin.address");
    assert_string_equal(taker("log.", "json", false), "log.access.format");
    assert_string_equal(taker("log.", "debug", false), "log.diagnostics");
    assert_string_equal(taker("log.", "/var/log/x", false), "log.access.file");
    assert_string_equal(taker("via.", "gate", false), "via.pseudonym");
    assert_string_equal(taker("clients.", "10.0.0.0/8", true), "clients.allow");
    assert_string_equal(taker("admin.", "off", true), "");         /* no list there */
    assert_string_equal(taker("egress.", "10.0.0.0/8", true), ""); /* allow or deny? */
    assert_string_equal(taker("timeouts.", "10s", false), "");
    assert_string_equal(taker("admin.", "false", false), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slip_of_the_pen_finds_its_key),
        cmocka_unit_test(the_nearest_stands_in_the_same_map),
        cmocka_unit_test(other_names_lead_to_the_key),
        cmocka_unit_test(a_value_tells_its_key_where_only_one_takes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
