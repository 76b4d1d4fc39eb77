#ifndef FAIRLEAD_SELFTEST_OUTSIDE_H
#define FAIRLEAD_SELFTEST_OUTSIDE_H

#include "base/inet.h"
#include "base/slice.h"
#include "base/status.h"
#include "io/socket.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* All that the private instance believes to be the world: a name server on loopback, origins that are the other end of
 * a socket pair, and the note of whom it was about to dial.
 *
 * Everything runs in the thread that makes the tries, while it waits for an answer; outside_dial alone runs in the
 * worker's. */

enum {
    OUTSIDE_DIALS_MAX = 64,
    OUTSIDE_ORIGINS_MAX = 32,
    OUTSIDE_ADDRESSES_MAX = 24,
    OUTSIDE_HEAD_MAX = 16 * 1024,
    OUTSIDE_WAIT_MS = 5000, /* for an answer; later is a hang */
};

/* What a name has at a time. */
struct zone_answer {
    struct inet_addr addr[OUTSIDE_ADDRESSES_MAX]; /* of both families */
    size_t count;
};

/* What every name has, whichever is asked for. */
struct zone {
    struct zone_answer answers[2]; /* the first that is asked for, and all later ones */
    unsigned ttl_s;
    unsigned aliases; /* so many CNAMEs stand before the addresses */
    bool is_v4_first; /* A is answered before AAAA; otherwise AAAA is */
};

enum origin_mood {
    ORIGIN_ENDS,     /* answers and closes */
    ORIGIN_KEEPS,    /* answers and keeps the connection */
    ORIGIN_LEAVES,   /* keeps it, and closes at the second request without an answer */
    ORIGIN_REDIRECTS /* answers with 302 and closes */
};

/* What came back to the client. */
struct outside_reply {
    bool is_late;    /* nothing within OUTSIDE_WAIT_MS */
    unsigned status; /* 0: the connection ended without an answer */
    char head[OUTSIDE_HEAD_MAX];
    size_t len;
};

/* A question that waits, or was answered last. Whoever asks again does so from the same port and under the same
 * identifier; either alone may come twice by chance, in some thousand questions. */
struct outside_question {
    size_t len; /* 0: none */
    unsigned char packet[512];
    struct sockaddr_storage from;
    socklen_t from_len;
};

struct outside_origin {
    int fd; /* -1: none */
    unsigned requests;
    unsigned matched; /* bytes of the end of a head that have come */
};

/* Embedded by its owner; members are for reading, but for `zone`, `mood` and `location`. */
struct outside {
    struct inet_endpoint server; /* the name server */
    struct zone zone;
    enum origin_mood mood;
    char location[128]; /* where ORIGIN_REDIRECTS leads */
    unsigned lookups;   /* questions since outside_begin_try */
    unsigned requests;  /* that origins got since then */

    /* private */
    int dns;
    int wake;
    unsigned
        asked[2]; /* A and AAAA since the zone was set; a question that is repeated counts once */
    struct outside_question answered[2]; /* the last of each since then */
    struct outside_question held;        /* waits for the one of the other family */
    struct outside_origin origins[OUTSIDE_ORIGINS_MAX];
    pthread_mutex_t lock; /* of what follows */
    struct inet_endpoint dials[OUTSIDE_DIALS_MAX];
    size_t dial_count;
    size_t dial_total; /* also those that had no room */
    int coming[OUTSIDE_ORIGINS_MAX];
    size_t coming_count;
};

/* Errors: ST_IO with errno. */
enum status outside_init(struct outside *outside) MUST_USE;
void outside_done(struct outside *outside);

/* The recorder, as dial_engine wants it (net/dial.h); `owner` is the struct outside. Notes the address and gives one
 * end of a socket pair. Nothing is sent anywhere. Thread: the worker's. */
enum status outside_dial(void *owner, const struct inet_endpoint *endpoint,
                         const struct socket_dial_options *options, int *ret_fd);

/* Count lookups and requests from here. */
void outside_begin_try(struct outside *outside);
/* Close all origins. */
void outside_close_origins(struct outside *outside);
/* Names have these from now on. */
void outside_set_zone(struct outside *outside, const struct zone *zone);
/* Send `request` on `fd`, a client's end, and play the world until the head of the answer is there. */
void outside_exchange(struct outside *outside, int fd, struct slice request,
                      struct outside_reply *ret_reply);
/* Take the notes: how many there were in all; *ret_count of them are written to `into`. */
size_t outside_take_dials(struct outside *outside, struct inet_endpoint into[OUTSIDE_DIALS_MAX],
                          size_t *ret_count);

#endif
