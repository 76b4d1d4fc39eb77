#ifndef FAIRLEAD_TESTS_SIM_EXPECT_H
#define FAIRLEAD_TESTS_SIM_EXPECT_H

#include "sim/peer.h"

/* What plays expect of records and heads. */

/* The phases of the record are exactly these, in ms and in the order of timeline.h: "dns 7 connect 11 …". Those
 * that are not named must be absent. */
void expect_phases(const struct record *record, const char *phases);
/* Milliseconds of the world at a mark; -1 where it never happened. */
long mark_ms(const struct record *record, enum mark mark);
/* kind, status, end and leg of the record: "exchange 200 done -", "local 504 timeout proxy". */
void expect_end(const struct record *record, const char *words);
void expect_text(const struct record *record, struct record_text text, const char *expected);

/* The value of a field in a head, or NULL; good until the next call. */
const char *head_field(const char *head, const char *name);
void expect_field(const char *head, const char *name, const char *value);
/* The value holds `part`. */
void expect_field_has(const char *head, const char *name, const char *part);

/* A message with its chunk framing taken away where its head says chunked: head, body, then "[trailer lines]" where
 * there are some. Fails where the framing is broken or not ended; the caller frees it. */
char *unchunked(const char *message);

/* ---- plays drawn from a seed ---- */

/* Play each seed from 1 to `count`, or to SIM_SEEDS; SIM_SEED=n plays that one alone. A failure names its seed. */
void play_seeds(void (*play)(void), uint64_t count);
/* The next number of this seed, 0 to below - 1. */
unsigned draw(unsigned below);

#endif
