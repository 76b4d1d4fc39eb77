#ifndef FAIRLEAD_LEARN_SUFFIXES_H
#define FAIRLEAD_LEARN_SUFFIXES_H

#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>

/* The Public Suffix List (publicsuffix.org): under which names anybody may have one of his own, so that "*.NAME" says
 * nothing of who is meant. Both parts count, that of the registries (com, co.uk) and that of others (github.io). */
struct suffixes;

/* Errors: ST_BAD no rule in it, ST_NOMEM. */
enum status suffixes_create(struct slice text, struct suffixes **ret_suffixes) MUST_USE;
/* *suffixes is NULL afterwards. Takes a pointer to NULL. */
void suffixes_destroy(struct suffixes **suffixes);

/* Does one owner stand behind all names below `name` (canonical)? That is, it is longer than its public suffix, and the
 * list has none below it. False also for what the list cannot tell here: its rules are UTF-8, and no name with an
 * "xn--" label is compared with them. */
bool suffixes_has_owner(const struct suffixes *suffixes, struct slice name);

#endif
