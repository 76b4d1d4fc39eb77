#ifndef FAIRLEAD_BASE_EDIT_H
#define FAIRLEAD_BASE_EDIT_H

#include "base/slice.h"

/* How far two words are from each other: for what is most likely meant by a word that is none. */

enum { EDIT_WORD_MAX = 64 };

/* Letters to change, add or take away so that one becomes the other (Levenshtein). ASCII case does not count, and '_',
 * '.' and '-' are the same. Words beyond EDIT_WORD_MAX are compared by their beginning. */
size_t edit_distance(struct slice a, struct slice b);

/* Is `word`, at this distance of what was written, near enough to be offered? */
static inline bool edit_is_near(struct slice written, size_t distance)
{
    return distance <= 1 + written.len / 3;
}

/* One byte as edit_distance sees it. */
static inline char edit_plain(char c)
{
    return c == '_' || c == '.' ? '-' : char_lower(c);
}

#endif
