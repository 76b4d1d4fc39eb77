/* A hole is shown with its request, with what was dialled, and with the row that should have held it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "policy/egress.h"
#include "selftest/report.h"
#include "selftest/selftest.h"

#include <stdlib.h>
#include <string.h>

static const char *const flags[] = {"--admin", "off"};

/* The gate's table without its private range 10.0.0.0/8. */
static struct egress_tables holed(struct egress_range *rows)
{
    struct egress_tables tables = egress_built_in;
    tables.range_count = 0;
    for (size_t i = 0; i < egress_built_in.range_count; i++) {
        const struct egress_range *row = &egress_built_in.ranges[i];
        if (row->prefix.addr.family != INET_V4 || row->prefix.addr.bytes[0] != 10)
            rows[tables.range_count++] = *row;
    }
    assert_int_equal(tables.range_count, egress_built_in.range_count - 1);
    tables.ranges = rows;
    return tables;
}

/* What is said of a run with that hole; the caller frees it. */
static char *told(bool is_json)
{
    struct egress_range rows[64];
    struct egress_tables tables = holed(rows);
    struct trials *trials = NULL;
    char *words = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&words, &len);
    struct report report = {.out = out, .is_json = is_json, .config_name = ""};
    assert_int_equal(selftest_begin(COUNT_OF(flags), flags, &trials), ST_OK);
    trials->instance.tables = &tables;
    report_begin(&report, trials);
    selftest_run(trials, 1U << TRIAL_RANGES);
    report_end(&report, trials, 1500000000);
    assert_false(trials_are_sound(trials));
    selftest_end(&trials);
    assert_int_equal(fclose(out), 0);
    return words;
}

static void says(const char *words, const char *part)
{
    if (strstr(words, part) == NULL)
        print_error("not said: %s\n", part);
    assert_non_null(strstr(words, part));
}

static void a_hole_is_shown_to_people(void **state)
{
    (void)state;
    char *words = told(false);
    says(words, "hole: it was dialled: 10.128.0.0:443\n"
                "  class       addresses of the deny list\n"
                "  request     CONNECT 10.128.0.0:443\n"
                "  should hold default-deny 10.0.0.0/8\n"
                "  answered    200\n");
    says(words, "\n12 holes in 536 tries, in 1.50s\n");
    free(words);
}

static void a_hole_is_shown_as_json(void **state)
{
    (void)state;
    char *words = told(true);
    says(words, "{\"class\":\"ranges\",\"what\":\"dialled\",\"request\":\"GET http://10.0.0.0/\","
                "\"dialled\":\"10.0.0.0:80\",\"rule\":\"\",\"should\":\"default-deny 10.0.0.0/8\","
                "\"status\":200}");
    says(words, "\"complete\":true,\"sound\":false,\"elapsed_ms\":1500}\n");
    free(words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hole_is_shown_to_people),
        cmocka_unit_test(a_hole_is_shown_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
