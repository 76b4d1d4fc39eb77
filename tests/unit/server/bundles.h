#ifndef FAIRLEAD_TESTS_UNIT_SERVER_BUNDLES_H
#define FAIRLEAD_TESTS_UNIT_SERVER_BUNDLES_H

#include "server_test.h"

#include "server/maker.h"

/* A maker whose flags a test changes between two bundles, and a folder for socket files. */
static struct {
    struct maker maker;
    struct bundle *old;
    struct bundle *fresh;
    size_t fds; /* open before the test */
    char folder[64];
    char unix_flag[160];
    char path[128];
} test;

static inline int begin(void **state)
{
    (void)state;
    (void)snprintf(test.folder, sizeof(test.folder), "/tmp/fairlead-bundles-XXXXXX");
    assert_non_null(mkdtemp(test.folder));
    (void)snprintf(test.path, sizeof(test.path), "%s/x.sock", test.folder);
    (void)snprintf(test.unix_flag, sizeof(test.unix_flag), "unix:%s", test.path);
    test.fds = count_fds();
    maker_init(&test.maker, 0, NULL);
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    bundle_destroy(&test.old);
    bundle_destroy(&test.fresh);
    maker_done(&test.maker);
    assert_int_equal(count_fds(), test.fds);
    (void)unlink(test.path);
    return rmdir(test.folder);
}

/* A bundle that listens on these, up to NULL. */
static inline enum status make(const struct bundle *old, struct bundle **ret_bundle, const char *a,
                               const char *b, const char *c)
{
    static const char *argv[16];
    const char *addresses[] = {a, b, c};
    int argc = 0;
    argv[argc++] = "--workers=2";
    argv[argc++] = "--admin=127.0.0.1:0";
    argv[argc++] = "--log-file=off";
    argv[argc++] = "--allow-clients=127.0.0.0/8";
    for (int i = 0; i < 3 && addresses[i] != NULL; i++) {
        argv[argc++] = "--listen";
        argv[argc++] = addresses[i];
    }
    test.maker.argc = argc;
    test.maker.argv = argv;
    return maker_make(&test.maker, old, ret_bundle);
}

#endif
