#ifndef FAIRLEAD_POLICY_URL_PATH_H
#define FAIRLEAD_POLICY_URL_PATH_H

#include "base/slice.h"

#include <stdbool.h>

/* The path of a request as an origin may read it: without its query, with escapes undone, "\" taken for "/", runs of
 * "/" as one, and without dot segments (RFC 3986 §6.2.2, §5.2.4). What is sent stays as it came. */

enum { URL_PATH_MAX = 8192 };

/* Write it to `into`, which holds URL_PATH_MAX. False: origins may read it in more than one way, such as
 * escaped slashes, an escape in an escape, a control byte; or it is too long, or leaves the root. */
bool url_path_read(struct slice path_and_query, char *into, struct slice *ret_path);
/* Is `path` what `prefix` names, or below it? "/a" holds "/a" and "/a/b" and not "/ab". */
bool url_path_is_below(struct slice path, struct slice prefix);

#endif
