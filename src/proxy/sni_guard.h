#ifndef FAIRLEAD_PROXY_SNI_GUARD_H
#define FAIRLEAD_PROXY_SNI_GUARD_H

#include "base/block.h"
#include "base/host.h"
#include "base/slab.h"
#include "net/transport.h"
#include "policy/rule.h"

#include <stdbool.h>

/* What stands at the beginning of a tunnel: the client's first bytes are held until they are a whole ClientHello that
 * names the host of the CONNECT. Nothing of them has left before.
 *
 *   empty --(bytes)--> waiting --(whole)--> passes: the pipe gets the bytes, and the guard is gone
 *                         +--(another name, no TLS, malformed, too long)--> refused
 *
 * One for each tunnel that is guarded, from a slab; its buffer exists while bytes are in it. */

enum { SNI_DETAIL = 160, SNI_HELD_MAX = 20 * 1024 };

/* What is asked of a tunnel. */
struct sni_wanted {
    int mode; /* enum sni_mode */
    bool tls_is_optional;
    struct host host; /* of the CONNECT */
};

struct sni_guard {
    struct sni_wanted wanted;
    struct block *block; /* what is held; NULL: nothing came */
    uint32_t held_len;
    uint64_t begun_ns; /* monotonic: when the first byte came; 0: none did */
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

/* Errors: NULL out of memory. */
struct sni_guard *sni_guard_create(struct slab *slab, const struct sni_wanted *wanted) MUST_USE;
/* *guard is NULL afterwards. Takes a pointer to NULL. */
void sni_guard_destroy(struct slab *slab, struct sni_guard **guard);

/* Bytes that came together with the CONNECT, before anything else. Errors: ST_NOMEM. */
enum status sni_guard_add(struct sni_guard *guard, struct block_pool *blocks,
                          struct slice bytes) MUST_USE;
/* It did not come whole in time, and mode is SNI_LOG: the next run passes. */
void sni_guard_give_up(struct sni_guard *guard);
/* Receive and judge what there is. `scratch` holds TLS_HELLO_MAX, for the time of the call. */
enum sni_result sni_guard_run(struct sni_guard *guard, struct transport *client,
                              struct block_pool *blocks, char *scratch);
/* What is held, until the guard is destroyed. */
struct slice sni_guard_held(const struct sni_guard *guard);

#endif
