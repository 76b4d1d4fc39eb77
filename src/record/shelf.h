#ifndef FAIRLEAD_RECORD_SHELF_H
#define FAIRLEAD_RECORD_SHELF_H

#include "base/slab.h"
#include "record/record.h"

/* Where the records of what is still open lie, packed: most bytes of a record are zero, and those are left out. The
 * record of a usual CONNECT needs some 260 bytes of its 1,000.
 *
 * To pack and unpack takes longer than all else that a short tunnel does with its record. So the last SHELF_FRESH_MAX
 * that were put lie as they are until record_shelf_tidy, or until as many came after them: of many short tunnels hardly
 * one is packed, and what stays open soon is.
 * Thread: the worker's own. */

enum {
    SHELF_FRESH_MAX = 256,      /* records that are not packed yet */
    SHELF_FRESH_TEXT_MAX = 512, /* bytes of text; one with more is packed at once */
    SHELF_STEP = 16,            /* bytes between two sizes of packed records */
    SHELF_STEPS = 48,           /* sizes with a slab of their own */
    SHELF_LARGE = 3,            /* slabs behind them, each of twice the size */
    SHELF_SLABS = SHELF_STEPS + SHELF_LARGE,
};

struct record_shelf {
    struct slab slabs[SHELF_SLABS];
    struct slab fresh_slab;
    struct link fresh; /* oldest first */
    size_t fresh_count;
};

/* A record on a shelf; embedded by whoever put it, and not moved while it lies there. */
struct record_kept {
    /* private */
    uintptr_t at; /* of the packed record; of the fresh one, plus 1; or 0 */
};

static inline bool record_is_kept(const struct record_kept *kept)
{
    return kept->at != 0;
}

void record_shelf_init(struct record_shelf *shelf);
/* Every record was dropped. */
void record_shelf_done(struct record_shelf *shelf);
/* Pack what is not packed yet, as far as there is memory, and as slab_tidy. */
bool record_shelf_tidy(struct record_shelf *shelf);
/* Keep a copy of a record. Errors: ST_NOMEM. */
enum status record_shelf_put(struct record_shelf *shelf, const struct record *record,
                             struct record_kept *kept) MUST_USE;
/* The fixed part of a record, to be changed where it lies, without its texts. NULL: it is packed, or none is there. */
struct record *record_shelf_front(const struct record_kept *kept);
/* Put a record in the place of the one that lies there. Out of memory nothing lies there, as record_is_kept tells. */
void record_shelf_renew(struct record_shelf *shelf, const struct record *record,
                        struct record_kept *kept);
/* Forget it: *kept is empty afterwards, as all zeros is. Takes an empty one. */
void record_shelf_drop(struct record_shelf *shelf, struct record_kept *kept);
/* The record as it was put. */
void record_shelf_get(const struct record_kept *kept, struct record *into);
/* What a packed record takes of the shelf; 0 for one that is not packed yet. */
size_t record_packed_bytes(const struct record_kept *kept);

#endif
