#ifndef FAIRLEAD_PROXY_DENIALS_H
#define FAIRLEAD_PROXY_DENIALS_H

#include "base/host.h"
#include "base/status.h"
#include "proxy/failure.h"

#include <stdint.h>

/* The last refusals of each asker, for all workers: clients do not show the body of a refused CONNECT, and of a tunnel
 * that is refused later they hear nothing, so whoever was refused may ask why.
 *
 *   D1  an asker is a number (denials_asker_...), and gets what was noted under that number alone.
 *   D2  memory is fixed: DENIALS_ASKERS askers with DENIALS_EACH refusals each. Of one asker the oldest goes first; a
 *       new asker takes the place of the one who was refused the longest time ago. So one asker drives out nobody else.
 *   D3  the same refusal again is counted, and not kept twice.
 *   D4  no path, query, credential or body is kept: what was asked for is scheme, host and port.
 *
 * Touched by refusals and by those who look alone, under one lock. Thread: any. */
struct denials;

enum { DENIALS_ASKERS = 256, DENIALS_EACH = 16, DENIAL_METHOD = 24, DENIAL_TEXT = 160 };

/* One refusal. Texts are terminated, and cut where they are longer. */
struct denial {
    uint64_t at_ns; /* wall time of the last one */
    uint64_t count; /* times it was met; denials_note begins with 1 */
    uint16_t port;
    uint16_t status; /* that the client was sent */
    uint8_t cause;   /* enum cause */
    char scheme[8];  /* "http", "https"; empty for CONNECT */
    char method[DENIAL_METHOD];
    char host[HOST_MAX + 1]; /* canonical */
    char rule[DENIAL_TEXT];
    char detail[DENIAL_TEXT]; /* beyond the sentence of the cause and the rule; empty: nothing */
    char remedy[DENIAL_TEXT]; /* empty: nothing allows it */
};

/* Fill a text of a denial. */
void denial_set(char *into, size_t room, struct slice text);

/* Who asks, as a number that is not 0: a user, whichever way it was proven; else an address, IPv6 by its /64; else the
 * owner of the process behind a Unix socket. No two of these are the same but by a chance of 2^-63, and a client cannot
 * look for it: the hash has a secret of the process. */
uint64_t denials_asker_user(struct slice user);
uint64_t denials_asker_addr(const struct inet_addr *addr);
uint64_t denials_asker_uid(uint32_t uid);

/* Memory is touched as it is needed. Errors: NULL out of memory. */
struct denials *denials_create(void) MUST_USE;
/* *denials is NULL afterwards. Takes a pointer to NULL. */
void denials_destroy(struct denials **denials);

/* Note a refusal; `denial` is copied, its time and count are not looked at. Equal is what was asked for and refused by
 * the same rule; the rest is that of the last time. */
void denials_note(struct denials *denials, uint64_t asker, const struct denial *denial,
                  uint64_t now_ns);
/* The asker's refusals, newest first. Gives how many. */
size_t denials_copy(struct denials *denials, uint64_t asker, struct denial into[DENIALS_EACH]);

#endif
