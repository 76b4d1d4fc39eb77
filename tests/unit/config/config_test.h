#ifndef FAIRLEAD_TESTS_CONFIG_TEST_H
#define FAIRLEAD_TESTS_CONFIG_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>

/* Loading, with what was reported kept as lines. */
struct loaded {
    struct config_errors errors; /* first, so that the callback finds the rest */
    enum status status;
    struct config *config; /* NULL after errors */
    char lines[16384];
};

static inline void loaded_report(struct config_errors *errors, const char *line)
{
    struct loaded *loaded = CONTAINER_OF(errors, struct loaded, errors);
    size_t len = strlen(loaded->lines);
    (void)snprintf(loaded->lines + len, sizeof(loaded->lines) - len, "%s\n", line);
}

/* `flags` ends with NULL, or is NULL. */
static inline struct loaded *load_all(const char *yaml, const char *const *flags)
{
    struct loaded *loaded = calloc(1, sizeof(*loaded));
    int argc = 0;
    assert_non_null(loaded);
    loaded->errors.report = loaded_report;
    while (flags != NULL && flags[argc] != NULL)
        argc++;
    loaded->status = config_load("t.yaml", slice_from_string(yaml), argc, flags, &loaded->errors,
                                 &loaded->config);
    assert_int_equal(loaded->status == ST_OK, loaded->config != NULL);
    assert_int_equal(loaded->status == ST_OK, loaded->lines[0] == '\0');
    return loaded;
}

static inline void loaded_done(struct loaded *loaded)
{
    config_destroy(&loaded->config);
    free(loaded);
}

static inline struct loaded *load_file(const char *yaml)
{
    struct loaded *loaded = load_all(yaml, NULL);
    if (loaded->status != ST_OK)
        fail_msg("%s", loaded->lines);
    return loaded;
}

static inline struct loaded *load_flags(const char *const *flags)
{
    struct loaded *loaded = load_all("", flags);
    if (loaded->status != ST_OK)
        fail_msg("%s", loaded->lines);
    return loaded;
}

/* This file is refused with exactly these lines. */
static inline void file_fails(const char *yaml, const char *lines)
{
    struct loaded *loaded = load_all(yaml, NULL);
    assert_string_equal(loaded->lines, lines);
    assert_int_equal(loaded->status, ST_BAD);
    loaded_done(loaded);
}

static inline void flags_fail(const char *const *flags, const char *lines)
{
    struct loaded *loaded = load_all("", flags);
    assert_string_equal(loaded->lines, lines);
    assert_int_equal(loaded->status, ST_BAD);
    loaded_done(loaded);
}

#define FLAGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static inline void assert_slice(struct slice slice, const char *expected)
{
    if (!slice_equals(slice, slice_from_string(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", (int)slice.len, slice.len > 0 ? slice.at : "", expected);
}

/* What the configuration prints of itself; the caller frees it. */
static inline char *printed(const struct config *config)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    config_print(config, out);
    (void)fclose(out);
    return text;
}

#endif
