/* One row of the table of distances at a time, so that the room is that of a word. */

#include "base/edit.h"

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

size_t edit_distance(struct slice a, struct slice b)
{
    size_t row[EDIT_WORD_MAX + 1];
    a = slice_first(a, EDIT_WORD_MAX);
    b = slice_first(b, EDIT_WORD_MAX);
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 0; i < a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b.len; j++) {
            size_t above = row[j + 1];
            bool differs = edit_plain(a.at[i]) != edit_plain(b.at[j]);
            row[j + 1] = smallest(above + 1, row[j] + 1, diagonal + differs);
            diagonal = above;
        }
    }
    return row[b.len];
}
