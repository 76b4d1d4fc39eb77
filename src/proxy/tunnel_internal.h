#ifndef FAIRLEAD_PROXY_TUNNEL_INTERNAL_H
#define FAIRLEAD_PROXY_TUNNEL_INTERNAL_H

#include "proxy/failure.h"
#include "proxy/pace.h"
#include "proxy/rhythm.h"
#include "proxy/tunnel.h"

#include <assert.h>

/* What the files of a tunnel share: tunnel.c (its life: both pipes, ends, limits), tunnel_look.c (who looks at its
 * bytes), tunnel_tell.c (its record). */

enum { TUNNEL_TAG = TAG('t', 'u', 'n', 'l') };

struct tunnel {
    uint32_t tag;
    uint8_t ended_by;
    uint8_t end;
    bool is_late : 1; /* the timer fired */
    bool is_bulk : 1; /* its last run moved SHARE_FIRST or more */
    uint8_t told_age; /* its age when it was last to be told of, in intervals */
    struct tunnel_room *room;
    struct link link;
    struct timer timer;
    union { /* the grave begins where the task ends */
        struct task task;
        struct grave grave;
    };
    struct pipe up;   /* client to origin; both transports are the tunnel's */
    struct pipe down; /* origin to client */
    struct pace pace; /* where its time goes */
    struct tunnel_limits limits;
    uint64_t opened_ns;
    uint64_t progress_ns;
    uint64_t id; /* of the record */
    struct record_kept record;
    struct budget budget;
    uint64_t resume_ns;      /* when its budget lets more pass; 0: now */
    struct sni_guard *guard; /* NULL: the client's bytes go to the origin as they come */
    struct inside *inside;   /* what looks at the bytes of both; NULL: nobody, or nothing came */
    struct rhythm rhythm;
};

static_assert(sizeof(struct tunnel) <= 528, "idle tunnels come by the thousand");

/* 0: there is no guard, or it waits for nothing that has begun. */
static inline uint64_t tunnel_guard_due_ns(const struct tunnel *tunnel)
{
    return tunnel->guard == NULL ? 0 : sni_guard_due_ns(tunnel->guard);
}

/* ---- tunnel.c ---- */

/* Set the timer to the nearest limit, which may be nearer than it was. */
void tunnel_arm_anew(struct tunnel *tunnel);
/* It ends now: both transports are closed, the record is handed in, the tunnel is buried. */
void tunnel_finish(struct tunnel *tunnel, enum record_leg by, enum record_end end,
                   enum cause cause);
/* A side broke, whose pipe is `from`: that is its end, unless it had ended in order before. */
void tunnel_break(struct tunnel *tunnel, enum record_leg by, struct pipe *from);

/* ---- tunnel_look.c ---- */

/* What came of the client already: to the pipe, or to the guard before it, which `sni` asks for. Errors: ST_NOMEM. */
enum status tunnel_load(struct tunnel *tunnel, struct slice from_client,
                        const struct sni_wanted *sni) MUST_USE;
/* Look at what the client says. False: the tunnel is no more. *ret_waits: its pipe is not to run yet. */
bool tunnel_guard(struct tunnel *tunnel, bool *ret_waits);
/* Look at what comes, and at what came already. An upgrade is no TLS, but has a rhythm. */
void tunnel_begin_inside(struct tunnel *tunnel, const struct record *record);
/* pipe_means.show: these bytes went on. */
void tunnel_show(struct pipe *pipe, struct slice bytes);
/* The same, of what went on at `at_ns`. */
void tunnel_show_at(struct pipe *pipe, struct slice bytes, uint64_t at_ns);

/* ---- tunnel_tell.c ---- */

/* The record as it stands now: what it was at the beginning, what the pipes know, and while its transports are open the
 * kernel's figures of both. */
void tunnel_tell(const struct tunnel *tunnel, struct record *record);
/* What the guard knows of the ClientHello. */
void tunnel_tell_guard(const struct sni_guard *guard, struct record *record);
/* Tell of it while it is open. */
void tunnel_tell_open(struct tunnel *tunnel);
/* The same, where an interval of log.tell_every is over and bytes came since. */
void tunnel_tell_if_due(struct tunnel *tunnel);
/* When that is due next. 0: never. */
uint64_t tunnel_next_told_ns(const struct tunnel *tunnel);
/* Finish the record in the scratch, which tunnel_tell filled, and hand it in. */
void tunnel_hand_in(struct tunnel *tunnel, enum cause cause);

#endif
