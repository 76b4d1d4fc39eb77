#ifndef FAIRLEAD_TESTS_SUPPORT_MEMORY_PAIR_H
#define FAIRLEAD_TESTS_SUPPORT_MEMORY_PAIR_H

#include "net/transport.h"

/* Two plain transports in memory, each other's peers, that behave as two ends of a TCP connection: bounded,
 * edge-triggered, half-closable. on_ready comes from a task of the loop. */
struct memory_end {
    struct transport base;
    struct memory_end *peer; /* NULL once it was closed */
    struct task task;
    struct grave grave;
    char *bytes; /* what waits to be received here */
    size_t len;
    size_t cap;        /* room for what waits */
    size_t recv_limit; /* bytes one recv gives at most; 0: no limit */
    bool is_fin_in;    /* the peer ended its direction */
    bool is_fin_told;
    bool is_reset_in;
    bool resets_unread; /* closing with unread bytes is a reset, as Linux does it */
    size_t recv_calls;
    size_t send_calls;
    size_t sent; /* bytes in all */
    /* What flushing and ending say before they do anything: ST_AGAIN as TLS does that has a record to send. */
    enum status flush_says;
    enum status shut_says;
};

/* `room`: bytes that each end holds. Ends free themselves when closed. */
void memory_pair_create(struct loop *loop, size_t room, struct memory_end **ret_a,
                        struct memory_end **ret_b);
/* Change how much may wait at this end; a blocked peer hears of it. */
void memory_end_set_room(struct memory_end *end, size_t room);

#endif
