#ifndef FAIRLEAD_TESTS_BUDGET_TEST_H
#define FAIRLEAD_TESTS_BUDGET_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
