#ifndef FAIRLEAD_TESTS_IDENTITY_TEST_H
#define FAIRLEAD_TESTS_IDENTITY_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/slice.h"

#include <stdio.h>
#include <stdlib.h>

/* "secret" by each method, at the least cost. */
#define HASH_SHA256 "$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2"
#define HASH_SHA512                                                 \
    "$6$rounds=1000$saltsalt$LAV5VE5Y7w1d73x1mFNspYWUpazfmwv2SoepN" \
    "XNKJ/otop/Zok96Hr8Q13LEv0DRY/x8v0/crpIjl8NJSAqXV/"
#define HASH_BCRYPT   "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
#define HASH_YESCRYPT "$y$j75$saltsaltsalt$jyf/lxrpdyAIshWRo1x5DRC6KIE7sNRRtjcomR3PgHA"

static inline void assert_slice(struct slice slice, const char *expected)
{
    if (!slice_equals(slice, slice_from_string(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", (int)slice.len, slice.len > 0 ? slice.at : "", expected);
}

#endif
