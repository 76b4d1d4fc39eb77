#ifndef FAIRLEAD_ADMIN_ASSETS_H
#define FAIRLEAD_ADMIN_ASSETS_H

#include "admin/call.h"

#include <stddef.h>

/* The page of the admin listener: the files of src/dashboard, which the build puts into the program. */

#define ASSETS_PREFIX "/dashboard/"

struct asset {
    const char *name; /* below ASSETS_PREFIX */
    const char *type; /* Content-Type */
    const char *etag; /* with its quotes; of the content */
    const char *content;
    size_t len;
};

/* Made by tools/embed.py, sorted by name. */
extern const struct asset assets[];
extern const size_t assets_count;

/* Is `path` one that shows the page or a part of it? These tell nothing about this process, so they are given without a
 * token: a browser cannot send one with the first request. `accepts_page`: of "/", is the page wanted? */
bool assets_has_path(struct slice path, bool accepts_page);
/* Does Accept name text/html? Then "/" is the page, else the list of paths. */
bool assets_wants_page(const struct head *head);
/* Give the file that call->rest names; the page itself where that is empty. 304 where the client has it
 * (RFC 9110 §13.1.2), 404 where there is none. */
void assets_serve(const struct call *call);

#endif
