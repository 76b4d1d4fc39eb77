/* Pieces from the heap in one list. Settings are read once and kept, so nothing is freed singly. */

#include "config/memory.h"

#include <stdlib.h>

struct memory_piece {
    struct memory_piece *next;
    max_align_t bytes[];
};

void *memory_alloc(struct memory *memory, size_t bytes)
{
    struct memory_piece *piece = calloc(1, sizeof(*piece) + bytes);
    if (piece == NULL)
        return NULL;
    piece->next = memory->pieces;
    memory->pieces = piece;
    return piece->bytes;
}

struct slice memory_copy(struct memory *memory, struct slice s)
{
    char *copy = memory_alloc(memory, s.len + 1);
    if (copy == NULL)
        return SLICE_NONE;
    if (s.len > 0)
        memcpy(copy, s.at, s.len);
    return slice_of(copy, s.len);
}

void *memory_grow(struct memory *memory, void *list, size_t count, size_t element_bytes)
{
    /* Lists double, so they are full at 0 and at every power of two. */
    if ((count & (count - 1)) != 0)
        return list;
    size_t room = count == 0 ? 1 : 2 * count;
    void *grown = memory_alloc(memory, room * element_bytes);
    if (grown != NULL && count > 0)
        memcpy(grown, list, count * element_bytes);
    return grown;
}

void memory_done(struct memory *memory)
{
    while (memory->pieces != NULL) {
        struct memory_piece *piece = memory->pieces;
        memory->pieces = piece->next;
        free(piece);
    }
}
