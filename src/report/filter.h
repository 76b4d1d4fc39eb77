#ifndef FAIRLEAD_REPORT_FILTER_H
#define FAIRLEAD_REPORT_FILTER_H

#include "base/inet.h"
#include "base/slice.h"
#include "base/status.h"
#include "base/text.h"
#include "record/record.h"

#include <stdbool.h>
#include <stdint.h>

/* The one language in which records are chosen: `fairlead tail`, `tunnels`, `requests` and `har`, the admin API, the
 * dashboard. docs/live.md is its manual. Terms stand one behind the other and all must hold; one with '!' in front must
 * not:
 *
 *     host=*.example.com status>=400 !user=ci wait>100ms
 *
 * A term is KEY OPERATOR VALUE; with '=' there may be several values with commas, of which one must fit, and "KEY=*"
 * asks whether there is one at all. A key is one of these or a phase of record/timeline.h. What a record does not have
 * fits nothing, so that "!user=ci" holds where nobody is known.
 * X(NAME, "word", KIND, "example of a value", "meaning") */
#define FILTER_KEYS(X)                                                                             \
    X(HOST, "host", TEXT, "*.example.com", "host that was asked for")                              \
    X(URL, "url", TEXT, "*/api/*", "URL, or host and port of a CONNECT")                           \
    X(METHOD, "method", TEXT, "GET", "method of the request")                                      \
    X(CLIENT, "client", ADDRESS, "10.0.0.0/8", "address of the client, or a range")                \
    X(USER, "user", TEXT, "ci", "who asked")                                                       \
    X(UPSTREAM, "upstream", ADDRESS, "2001:db8::/32", "address that was dialled, or a range")      \
    X(STATUS, "status", STATUS, "4xx", "status that was sent")                                     \
    X(KIND, "kind", KIND, "tunnel", "exchange, tunnel, upgrade or local")                          \
    X(DECISION, "decision", DECISION, "refused", "allowed, refused or observed")                   \
    X(END, "end", END, "timeout", "how it ended")                                                  \
    X(SLOW, "slow", SLOW, "origin", "who was slow, of what took 100 ms or more")                   \
    X(CAUSE, "cause", TEXT, "connect_timeout", "word of the failure")                              \
    X(RULE, "rule", TEXT, "default-deny*", "what decided, or would have: a rule by its name")      \
    X(SNI, "sni", TEXT, "*.example.com", "name that a ClientHello in the tunnel told")             \
    X(AGENT, "agent", TEXT, "curl/*", "User-Agent of the request")                                 \
    X(UP, "up", SIZE, "1MB", "bytes from the client")                                              \
    X(DOWN, "down", SIZE, "1MB", "bytes to the client")                                            \
    X(USE, "use", NUMBER, "1", "how many the connection to the origin had carried, with this one") \
    X(RETRIES, "retries", NUMBER, "0", "how often the request was sent again")                     \
    X(WORKER, "worker", NUMBER, "0", "worker thread")                                              \
    X(CLIENT_CONN, "client_conn", NUMBER, "17", "number of the client's connection")               \
    X(UPSTREAM_CONN, "upstream_conn", NUMBER, "17", "number of the connection to the origin")      \
    X(ID, "id", ID, "00000000000000ab", "the transaction itself")

enum filter_key {
#define X(name, word, kind, example, meaning) FILTER_##name,
    FILTER_KEYS(X)
#undef X
        FILTER_KEY_COUNT /* phases follow: FILTER_KEY_COUNT + enum phase */
};

enum {
    FILTER_TERMS_MAX = 32,
    FILTER_VALUES_MAX = 64,
    FILTER_TEXT_MAX = 1024, /* bytes of an expression */
    FILTER_WHY_MAX = 600,   /* room that any message needs */
};

/* What one value of a term asks for. */
struct filter_value {
    /* private */
    struct record_text pattern; /* in the filter's text, lower case */
    struct inet_prefix prefix;
    uint64_t least, most; /* a number within these, both included */
    bool is_any;          /* '*' */
};

/* A filter holds no pointer: it may be copied. 4 KiB. */
struct filter {
    /* private */
    struct {
        uint8_t key;
        bool is_negated;
        bool is_part; /* '~': the value stands somewhere in it */
        uint8_t first_value;
        uint8_t value_count;
    } terms[FILTER_TERMS_MAX];
    struct filter_value values[FILTER_VALUES_MAX];
    uint8_t term_count;
    uint8_t value_count;
    uint16_t text_len;
    char text[FILTER_TEXT_MAX];
};

/* Read an expression; an empty one lets all pass. Nothing is allocated. `why` gets a sentence where it is none, without
 * a full stop and safe for a terminal: what was expected, and what was most likely meant.
 * Errors: ST_BAD it is no filter, ST_LIMIT too long or too many terms or values. */
enum status filter_parse(struct slice text, struct filter *ret_filter, struct text *why) MUST_USE;

/* Does the record pass? Of a record in progress the phases count that are over; of a request in flight also the one
 * that it is in, and the total, for terms that hold from now on, such as wait>1s. Thread: any. */
bool filter_match(const struct filter *filter, const struct record *record);

/* A duration as a filter writes it, "100ms". False where it is none. */
bool filter_read_duration(struct slice text, uint64_t *ret_ns);

#endif
