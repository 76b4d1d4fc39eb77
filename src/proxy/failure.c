/* The table of causes as rows. What depends on a cause (status, token, words) is read from here only. */

#include "proxy/failure.h"

#include "base/check.h"

#include <stddef.h>

static const struct failure_row rows[] = {
#define X(name, word, status, token, sentence) {word, token, sentence, status},
    FAILURES(X)
#undef X
};

const struct failure_row *failure_row(enum cause cause)
{
    CHECK((size_t)cause < COUNT_OF(rows));
    return &rows[cause];
}
