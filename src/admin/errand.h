#ifndef FAIRLEAD_ADMIN_ERRAND_H
#define FAIRLEAD_ADMIN_ERRAND_H

#include "io/loop.h"
#include "proxy/proxy.h"

/* A message that goes from worker to worker and comes home.
 *
 *   admin loop --> worker 0 --> worker 1 --> ... --> admin loop
 *
 *   E1  one thread at a time has it: whoever runs its callback. Nothing is locked and no one waits.
 *   E2  in a worker's hands it touches that worker's objects; at home none of them.
 *   E3  it always comes home; until then neither the admin loop nor a worker may end. */

struct errand;

/* Where errands call. */
struct errand_stop {
    struct loop *loop;
    struct proxy *proxy; /* touched by that loop's thread alone */
};

enum { ERRAND_STOPS_MAX = 256 };

/* All errands of one admin worker. */
struct errands {
    struct errand_stop stops[ERRAND_STOPS_MAX]; /* complete before the admin worker begins */
    size_t stop_count;
    size_t away_count; /* thread: the admin worker's */
};

/* Embedded in what it carries. */
struct errand {
    struct message message;
    struct errands *errands;
    struct loop *home;
    size_t at; /* the stop that it calls at; private */
    /* At a worker, in its thread: look, copy into memory of its own. False: it has seen enough. */
    bool (*visit)(struct errand *errand, struct proxy *proxy);
    /* At home again, in a later turn. May free the errand. */
    void (*on_home)(struct errand *errand);
};

/* Send it off. Thread: the admin worker's, that of `home`. */
void errand_send(struct errands *errands, struct errand *errand, struct loop *home);

#endif
