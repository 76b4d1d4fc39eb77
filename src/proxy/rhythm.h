#ifndef FAIRLEAD_PROXY_RHYTHM_H
#define FAIRLEAD_PROXY_RHYTHM_H

#include <stdbool.h>
#include <stdint.h>

/* When a tunnel speaks, whatever it says: how often its client begins, and how long nobody says anything. A client
 * begins with its first byte, and whenever it speaks after the origin did and it was quiet for a while. With one
 * exchange at a time these turns are its exchanges; where several interleave (HTTP/2) there are fewer turns than
 * exchanges. */
struct rhythm {
    uint64_t idle_ns; /* the longest time without a byte of either side */
    uint32_t turns;
    uint32_t quiet_us : 31; /* what "a while" is; 0: nobody listens */
    uint32_t client_was_last : 1;
};

/* `round_trip_ns`: between the proxy and the origin, as far as it is known; 0 it is not. */
void rhythm_init(struct rhythm *rhythm, uint64_t round_trip_ns);
uint64_t rhythm_quiet_ns(const struct rhythm *rhythm);
/* Bytes came, of one side, at `now_ns`; the last ones of any side before that, or the opening, at `last_ns`. Without
 * `counts` it is no turn: a handshake is no exchange. */
void rhythm_note(struct rhythm *rhythm, bool is_client, bool counts, uint64_t last_ns,
                 uint64_t now_ns);

#endif
