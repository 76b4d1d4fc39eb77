#include "server_test.h"

#include "server/sandbox_places.h"

#include <fcntl.h>
#include <sys/stat.h>

static char folder[64];
static char path[256];
static struct sandbox_places places;

static const char *in(const char *name)
{
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void make_file(const char *name)
{
    int fd = open(in(name), O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
}

static int begin(void **state)
{
    (void)state;
    char made[] = "/tmp/fairlead-places-XXXXXX";
    char *real = realpath(mkdtemp(made), NULL);
    (void)snprintf(folder, sizeof(folder), "%s", real);
    free(real);
    assert_int_equal(mkdir(in("conf"), 0700), 0);
    assert_int_equal(mkdir(in("live"), 0700), 0);
    assert_int_equal(mkdir(in("archive"), 0700), 0);
    assert_int_equal(mkdir(in("log"), 0700), 0);
    assert_int_equal(mkdir(in("run"), 0700), 0);
    assert_int_equal(mkdir(in("elsewhere"), 0700), 0);
    make_file("conf/fairlead.yaml");
    make_file("archive/key1.pem");
    make_file("archive/key2.pem");
    make_file("elsewhere/key.pem");
    char target[256];
    (void)snprintf(target, sizeof(target), "%s/archive/key1.pem", folder);
    return symlink(target, in("live/key.pem"));
}

static int end(void **state)
{
    (void)state;
    static const char *const names[] = {"conf/fairlead.yaml", "archive/key1.pem",
                                        "archive/key2.pem", "elsewhere/key.pem", "live/key.pem"};
    static const char *const folders[] = {"conf", "live", "archive", "log", "run", "elsewhere", ""};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        (void)unlink(in(names[i]));
    for (size_t i = 0; i < COUNT_OF(folders); i++)
        (void)rmdir(in(folders[i]));
    return 0;
}

static void report(struct config_errors *errors, const char *line)
{
    (void)errors;
    fail_msg("%s", line);
}

static void collect(bool makes_bundles)
{
    char text[1200];
    struct config *config = NULL;
    struct config_errors errors = {report, 0};
    int len = snprintf(text, sizeof(text),
                       "listen:\n"
                       "  - { address: \"127.0.0.1:1\", tls: { certificate: %s/live/key.pem, key: "
                       "%s/live/key.pem } }\n"
                       "  - \"unix:%s/run/proxy.sock\"\n"
                       "resolver: { hosts_file: %s/conf/hosts }\n"
                       "log: { access: { file: %s/log/access.log } }\n",
                       folder, folder, folder, folder, folder);
    assert_int_equal(config_load("t.yaml", slice_of(text, (size_t)len), 0, NULL, &errors, &config),
                     ST_OK);
    char own[256];
    (void)snprintf(own, sizeof(own), "%s/conf/fairlead.yaml", folder);
    sandbox_places_free(&places);
    assert_int_equal(sandbox_places_collect(config, own, makes_bundles, &places), ST_OK);
    config_destroy(&config);
}

static bool may(const char *name, unsigned what)
{
    return sandbox_places_hold(&places, in(name), what);
}

static void what_the_configuration_names_stays_open(void **state)
{
    (void)state;
    collect(/* makes_bundles= */ true);
    assert_true(may("conf/fairlead.yaml", LANDLOCK_MAY_READ));
    assert_true(may("conf/named-later.pem", LANDLOCK_MAY_READ)); /* also what is not there */
    assert_true(may("log/access.log", LANDLOCK_MAY_LOG));
    assert_true(may("run/other.sock", LANDLOCK_MAY_SOCKET));
}

static void where_links_lead_stays_open(void **state)
{
    (void)state;
    collect(/* makes_bundles= */ true);
    assert_true(may("live/key.pem", LANDLOCK_MAY_READ));
    assert_true(may("archive/key2.pem", LANDLOCK_MAY_READ)); /* the next certificate */
}

static void the_rest_is_shut(void **state)
{
    (void)state;
    collect(/* makes_bundles= */ true);
    assert_false(may("elsewhere/key.pem", LANDLOCK_MAY_READ));
    assert_false(may("conf/fairlead.yaml", LANDLOCK_MAY_LOG));
    assert_false(may("log/access.log", LANDLOCK_MAY_SOCKET));
    assert_false(may("run/proxy.sock", LANDLOCK_MAY_LOG));
    assert_false(sandbox_places_hold(&places, "/usr/bin/env", LANDLOCK_MAY_READ));
}

static void under_a_parent_it_is_less(void **state)
{
    (void)state;
    collect(/* makes_bundles= */ false);
    assert_true(may("conf/hosts", LANDLOCK_MAY_READ));       /* read again by whoever resolves */
    assert_true(may("run/proxy.sock", LANDLOCK_MAY_SOCKET)); /* removed, where the parent is gone */
    assert_false(may("live/key.pem", LANDLOCK_MAY_READ));
    assert_false(may("log/access.log", LANDLOCK_MAY_LOG));
}

static void a_name_is_no_folder_that_begins_alike(void **state)
{
    (void)state;
    char other[128];
    collect(/* makes_bundles= */ true);
    (void)snprintf(other, sizeof(other), "%s/conference", folder);
    assert_int_equal(mkdir(other, 0700), 0);
    assert_false(may("conference/x", LANDLOCK_MAY_READ));
    assert_int_equal(rmdir(other), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_configuration_names_stays_open),
        cmocka_unit_test(where_links_lead_stays_open),
        cmocka_unit_test(the_rest_is_shut),
        cmocka_unit_test(under_a_parent_it_is_less),
        cmocka_unit_test(a_name_is_no_folder_that_begins_alike),
    };
    int failed = cmocka_run_group_tests(tests, begin, end);
    sandbox_places_free(&places);
    return failed;
}
