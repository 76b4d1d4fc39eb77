/* Reason phrases, one table. */
#include "http/status_code.h"

/* long: a flat switch made from the table */
struct slice status_code_reason(unsigned code)
{
    switch (code) {
#define X(number, reason) \
    case number: return SLICE(reason);
        STATUS_CODES(X)
#undef X
    default: return SLICE("");
    }
}
