#ifndef FAIRLEAD_PROXY_PACE_H
#define FAIRLEAD_PROXY_PACE_H

#include "proxy/pipe.h"
#include "record/record.h"

#include <stdbool.h>
#include <stdint.h>

/* Where the time of a tunnel goes: who was waited for, who stalled the other side, who paused. Fed after each run of
 * its pipes; in the record it is what record/verdict judges.
 *
 * Microseconds in 32 bits, since idle tunnels come by the thousand: what is longer than 71 minutes in all stays
 * there. */

struct pace_way {
    uint64_t turned_ns;  /* a stall or a limit began or ended last; 0: none did */
    uint32_t stalled_us; /* how long it took nothing, before that */
    uint32_t moving_us;  /* bytes came one upon the other */
    uint32_t quiet_us;   /* with pauses between */
    uint32_t pauses;
};

struct pace {
    struct pace_way up;
    struct pace_way down;
    uint32_t awaited_us; /* the origin's next bytes, after bytes of the client */
    uint32_t limited_us; /* by limits on bandwidth */
    uint32_t waits;      /* of which `awaited_us` is the sum */
    bool is_up_stalled;
    bool is_down_stalled;
};

/* When bytes came last, before a run. */
struct pace_before {
    uint64_t up_ns, down_ns;
    bool
        is_asked; /* what came down since the client asked was no answer yet, as is seen of TLS; the tunnel's to set */
};

/* Before a run: to be given to pace_note. */
struct pace_before pace_look(const struct pipe *up, const struct pipe *down);
/* After a run. */
void pace_note(struct pace *pace, const struct pipe *up, const struct pipe *down,
               struct pace_before before);
/* Nothing was let pass until `at_ns`: what is quiet or awaited is so from then on. */
void pace_resume(struct pace *pace, uint64_t at_ns);
/* A limit on bandwidth stalled both ways from `begin_ns` until `end_ns`. */
void pace_limited(struct pace *pace, uint64_t begin_ns, uint64_t end_ns);
/* Put it into the record. `now_ns`: until when a stall counts that goes on. */
void pace_tell(const struct pace *pace, uint64_t now_ns, struct record *record);

#endif
