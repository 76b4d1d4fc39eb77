#ifndef FAIRLEAD_VIEW_WATERFALL_H
#define FAIRLEAD_VIEW_WATERFALL_H

#include "base/text.h"
#include "record/record.h"
#include "view/screen.h"

/* One transaction as a person reads it: what it was, how its connection came about, a bar a phase, and of what took 100
 * ms or more, who was slow.
 *
 *     GET http://a.example/  200  1.23KB in 145ms
 *     new connection to 192.0.2.1:80
 *       dns        ###                                12.3ms  query, 2 found
 *       connect       #####                           20.1ms
 *       send               |                          21.0us
 *       wait               ########################    112ms
 *       slow: origin 91.8ms of 145ms
 */

/* Room that any of them needs. */
enum { WATERFALL_MAX = 32768 };

/* When the transaction succeeded: it was answered by the origin, below 400, to its end. A tunnel was opened. */
bool waterfall_is_good(const struct record *record);
/* From its beginning to the end that is drawn, which is that of `total`, or of a tunnel its opening. */
uint64_t waterfall_length(const struct record *record);
/* `axis_ns` is what the full width stands for; a phase that lasts longer is cut. */
void waterfall_add(const struct record *record, uint64_t axis_ns, const struct screen *screen,
                   struct text *into);

#endif
