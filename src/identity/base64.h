#ifndef FAIRLEAD_IDENTITY_BASE64_H
#define FAIRLEAD_IDENTITY_BASE64_H

#include "base/slice.h"
#include "base/text.h"

#include <stddef.h>

/* Decode `text` into `cap` bytes at `into`. Strict, so that a text has one meaning: the alphabet of RFC 4648 §4, whole
 * groups with their padding, no bits left over.
 * Errors: ST_BAD it is none, ST_LIMIT there is no room; `into` may hold a part of it then. */
enum status base64_decode(struct slice text, char *into, size_t cap, size_t *ret_len) MUST_USE;
/* Encode, in whole groups. */
void base64_encode(struct slice bytes, struct text *into);

#endif
