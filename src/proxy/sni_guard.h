#ifndef FAIRLEAD_PROXY_SNI_GUARD_H
#define FAIRLEAD_PROXY_SNI_GUARD_H

#include "base/block.h"
#include "base/host.h"
#include "base/slab.h"
#include "base/text.h"
#include "net/transport.h"
#include "policy/rule.h"
#include "proxy/sni_name.h"

#include <stdbool.h>

/* What stands at the beginning of a tunnel: the client's first bytes are held until they are a whole ClientHello that
 * names the host of the request. Nothing of them has left before.
 *
 *   empty --(bytes)--> waiting --(whole)--> passes: the pipe gets the bytes, and the guard is gone
 *                         |        +--(a name, and an address was dialled)--> asking --(it leads there)--> passes
 *                         |                                                      +--(time-out, elsewhere)--> refused
 *                         +--(another name, no TLS, malformed, too long)--> refused
 *
 * One for each tunnel that is guarded, from a slab; its buffer exists while bytes are in it. Nothing is received while
 * it asks. */

enum { SNI_DETAIL = 200, SNI_HELD_MAX = 20 * 1024 };

/* What is asked of a tunnel. */
struct sni_wanted {
    int mode; /* enum sni_mode */
    bool tls_is_optional;
    uint64_t hello_ns;             /* the time for a ClientHello, once it has begun */
    uint64_t asker;                /* of proxy/denials.h */
    const struct sni_asked *asked; /* who wanted which host; borrowed for the time of the call */
};

/* What the guards of one worker share. */
struct sni_room {
    struct slab guards;
    struct slab names;
};

struct sni_guard {
    int mode; /* enum sni_mode */
    bool tls_is_optional;
    bool is_asking; /* about what `other` names */
    bool has_ech;
    bool is_connect;        /* the request was */
    uint16_t port;          /* of it */
    struct host host;       /* of it */
    uint64_t asker;         /* of proxy/denials.h */
    struct sni_name *other; /* where that is an address; NULL: it is a name */
    struct block *block;    /* what is held; NULL: nothing came */
    uint32_t held_len;
    uint64_t hello_ns;
    uint64_t begun_ns; /* monotonic: when the first byte came; 0: none did */
    uint64_t last_ns;  /* and the last one */
    uint64_t heard_ns; /* when what it asked was answered or given up; 0: it waited for nobody */
    /* The judgement; empty where all is well. */
    char detail[SNI_DETAIL];
    char name[HOST_MAX + 1]; /* canonical; empty: none */
};

enum sni_result {
    SNI_WAITS,
    SNI_PASSES,  /* `detail` is what would be refused; held bytes are the caller's to send */
    SNI_REFUSES, /* `detail` says why */
    SNI_ENDED,   /* the client's end of file came before anything else */
    SNI_BROKEN,  /* its connection broke */
    SNI_SHED,    /* out of memory */
};

void sni_room_init(struct sni_room *room);
/* Every guard was destroyed. */
void sni_room_done(struct sni_room *room);
/* As slab_tidy. */
bool sni_room_tidy(struct sni_room *room);

/* `on_answer` is called in a task when sni_guard_run is worth while although nothing came. Errors: NULL out of
 * memory. */
struct sni_guard *sni_guard_create(struct sni_room *room, struct block_pool *blocks,
                                   const struct sni_wanted *wanted, void *owner,
                                   void (*on_answer)(void *owner)) MUST_USE;
/* *guard is NULL afterwards. Takes a pointer to NULL. */
void sni_guard_destroy(struct sni_room *room, struct sni_guard **guard);

/* Bytes that came together with the CONNECT, before anything else. Errors: ST_NOMEM. */
enum status sni_guard_add(struct sni_guard *guard, struct block_pool *blocks,
                          struct slice bytes) MUST_USE;
/* When what it waits for must be there, monotonic: the ClientHello its time after its first byte, the answer of name
 * servers after timeouts.dns. 0: it may take its time. */
uint64_t sni_guard_due_ns(const struct sni_guard *guard);
/* That time is over: the next run tells what is missing. */
void sni_guard_give_up(struct sni_guard *guard);
/* Receive and judge what there is. */
enum sni_result sni_guard_run(struct sni_guard *guard, struct engine *engine,
                              struct transport *client);
/* What only observes and would have refused what it names; good until the guard is destroyed. Empty: nothing. */
struct slice sni_guard_would_deny(const struct sni_guard *guard);
/* How long it waited for name servers, or does by now. */
uint64_t sni_guard_asking_ns(const struct sni_guard *guard);
/* Of a refusal: what would change it. */
void sni_guard_add_remedy(const struct sni_guard *guard, struct text *into);
/* What is held, until the guard is destroyed. */
struct slice sni_guard_held(const struct sni_guard *guard);

#endif
