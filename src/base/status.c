/* Names of results. */

#include "base/status.h"

const char *status_name(enum status status)
{
    switch (status) {
    case ST_OK: return "ok";
    case ST_AGAIN: return "again";
    case ST_EOF: return "eof";
    case ST_LIMIT: return "limit";
    case ST_BAD: return "bad";
    case ST_IO: return "io";
    case ST_NOMEM: return "nomem";
    }
    return "unknown";
}
