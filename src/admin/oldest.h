#ifndef FAIRLEAD_ADMIN_OLDEST_H
#define FAIRLEAD_ADMIN_OLDEST_H

#include "base/least.h"
#include "base/status.h"
#include "record/record.h"

#include <stdbool.h>
#include <stddef.h>

/* The N oldest of much that is open, by the mark that it begins with, in memory that does not grow. Ownership: its
 * own. */
struct oldest {
    enum mark begin;
    bool is_cut;        /* there were more */
    struct least least; /* `count` records so far */
    /* private */
    struct record *slots; /* one more than are kept */
    struct record *room;  /* the one that is free */
};

/* Errors: ST_NOMEM. */
enum status oldest_init(struct oldest *oldest, enum mark begin, size_t limit) MUST_USE;
void oldest_done(struct oldest *oldest);

/* When one began, monotonic. */
uint64_t oldest_begin_ns(const struct oldest *oldest, const struct record *record);
/* Would one that began then be kept? If not, that counts as offered. */
bool oldest_wants(struct oldest *oldest, uint64_t begin_ns, uint64_t id);
/* Where the next record is to be written. */
struct record *oldest_room(struct oldest *oldest);
/* Take in what was written there. False: as many that are older are there already. */
bool oldest_keep(struct oldest *oldest);
/* The oldest first, from now on; nothing may be added any more. */
void oldest_sort(struct oldest *oldest);
/* After oldest_sort: the record at this place, below the count. */
const struct record *oldest_at(const struct oldest *oldest, size_t index);

#endif
