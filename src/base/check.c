/* What happens when a promise to ourselves is broken: say where, and stop. */

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void check_failed(const char *expression, const char *file, int line)
{
    (void)fprintf(stderr, "fairlead: broken promise: %s (%s:%d)\n", expression, file, line);
    abort();
}
