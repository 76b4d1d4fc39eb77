#ifndef FAIRLEAD_TESTS_UNIT_LEARN_LEARN_TEST_H
#define FAIRLEAD_TESTS_UNIT_LEARN_LEARN_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/slice.h"

static inline void check_slice(struct slice seen, const char *expected, const char *file, int line)
{
    if (slice_equals(seen, slice_from_string(expected)))
        return;
    print_error("\"%.*s\" is not \"%s\"\n", (int)seen.len, seen.len > 0 ? seen.at : "", expected);
    _fail(file, line);
}

#define assert_slice(seen, expected) check_slice(seen, expected, __FILE__, __LINE__)

#endif
