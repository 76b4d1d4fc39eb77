#ifndef FAIRLEAD_RECORD_SHELF_H
#define FAIRLEAD_RECORD_SHELF_H

#include "base/slab.h"
#include "record/record.h"

/* Where the records of what is still open lie, packed: most bytes of a record are zero, and those are left out. The
 * record of a usual CONNECT needs some 260 bytes of its 1,000.
 * Thread: the worker's own. */

enum {
    SHELF_STEP = 16,  /* bytes between two sizes of packed records */
    SHELF_STEPS = 48, /* sizes with a slab of their own */
    SHELF_LARGE = 3,  /* slabs behind them, each of twice the size */
    SHELF_SLABS = SHELF_STEPS + SHELF_LARGE,
};

struct record_shelf {
    struct slab slabs[SHELF_SLABS];
};

struct record_packed;

void record_shelf_init(struct record_shelf *shelf);
/* Every record was dropped. */
void record_shelf_done(struct record_shelf *shelf);
/* As slab_tidy. */
bool record_shelf_tidy(struct record_shelf *shelf);
/* A packed copy. Errors: NULL out of memory. */
struct record_packed *record_shelf_put(struct record_shelf *shelf,
                                       const struct record *record) MUST_USE;
/* Forget it: *packed is NULL afterwards. Takes a pointer to NULL. */
void record_shelf_drop(struct record_shelf *shelf, struct record_packed **packed);
/* The record as it was put. */
void record_unpack(const struct record_packed *packed, struct record *into);
/* What it takes of the shelf. */
size_t record_packed_bytes(const struct record_packed *packed);

#endif
