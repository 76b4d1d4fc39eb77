#ifndef FAIRLEAD_TESTS_VIEW_TEST_H
#define FAIRLEAD_TESTS_VIEW_TEST_H

/* cmocka wants these four before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"

#include <string.h>

#endif
