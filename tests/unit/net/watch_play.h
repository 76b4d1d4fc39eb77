#ifndef FAIRLEAD_TESTS_NET_WATCH_PLAY_H
#define FAIRLEAD_TESTS_NET_WATCH_PLAY_H

/* Plays of TLS that the watch is shown: each in whole records, in pieces, and byte by byte. A millisecond passes with
 * each step, so that a moment is the number of its step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "net/tls_watch.h"
#include "octets.h"

#include <string.h>

#define CLIENT TLS_WATCH_CLIENT
#define SERVER TLS_WATCH_SERVER
enum { CCS = 20, ALERT = 21, HANDSHAKE = 22, DATA = 23 };
enum { FINISHED = 69, TICKET = 250, QUIET_MS = 5 };

struct hello {
    bool has_psk, has_early, is_retry, is_12, is_h2;
    size_t padding;   /* an extension of that length */
    size_t psk_bytes; /* of the keys offered */
};

struct play {
    struct tls_watch watch;
    struct tls_watch_means means;
    struct block_pool *blocks;
    size_t piece; /* bytes that are shown at once */
    uint64_t now_ms;
    unsigned hellos;
};

struct bytes client_hello(struct hello as);
void play_begin(struct play *play, size_t piece);
void play_end(struct play *play);
void show(struct play *play, enum tls_watch_side side, const char *at, size_t len);
/* One step: a record. */
void record(struct play *play, enum tls_watch_side side, int type, const struct bytes *body);
/* One step: a record of which only the length matters. */
void sealed(struct play *play, enum tls_watch_side side, int type, size_t len);
void hello(struct play *play, struct hello as);
void answer(struct play *play, struct hello as);
/* A clear handshake message in a record. */
void message(struct play *play, enum tls_watch_side side, size_t type, size_t len);
void assert_moments(const struct play *play, uint64_t hello, uint64_t answer, uint64_t done,
                    uint64_t request, uint64_t response);
/* Each play runs in whole records, in pieces of 1,000 bytes, and byte by byte. */
void play_all(void (*play_it)(struct play *play));
void play_open_13(struct play *play, struct hello as);

#endif
