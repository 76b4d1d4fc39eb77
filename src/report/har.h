#ifndef FAIRLEAD_REPORT_HAR_H
#define FAIRLEAD_REPORT_HAR_H

#include "base/text.h"
#include "record/record.h"

/* Records as an HTTP Archive, HAR 1.2, which browsers and many tools open. docs/live.md says what each of its members
 * is made of. Tunnels are in it, with CONNECT as their method. */

/* Room that any entry needs, and that the begin and the end need. */
enum { HAR_ENTRY_MAX = 40960, HAR_FRAME_MAX = 512 };

/* How an archive begins, up to the first entry, and how it ends. */
void har_begin(struct text *into);
void har_end(struct text *into);

/* One entry; a comma comes before all but the first one. Every byte that a peer chose is escaped, and what cannot stand
 * in a URL is written as %XX. */
void har_add(const struct record *record, bool is_first, struct text *into);

#endif
