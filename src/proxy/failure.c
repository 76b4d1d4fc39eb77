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

void failure_add_message(enum cause cause, const char *detail, struct text *into)
{
    text_add(into, slice_from_string(failure_row(cause)->sentence));
    if (detail[0] != '\0')
        text_add_format(into, ": %s", detail);
}
