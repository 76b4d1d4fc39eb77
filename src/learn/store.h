#ifndef FAIRLEAD_LEARN_STORE_H
#define FAIRLEAD_LEARN_STORE_H

#include "base/table.h"
#include "report/log_line.h"

/* What an observed period came to: each destination once, with counts. Memory is bounded by the caps, whatever the logs
 * hold. */

enum {
    STORE_ALLOWED_MAX = 50000, /* distinct destinations that were let pass */
    STORE_REFUSED_MAX = 5000,
    STORE_TIME_TEXT = 40,
};

/* Whom a rule is for. X(NAME, "word") */
#define STORE_BY(X)     \
    X(USER, "user")     \
    X(CLIENT, "client") \
    X(ALL, "all")

enum store_by {
#define X(name, word) STORE_BY_##name,
    STORE_BY(X)
#undef X
        STORE_BY_COUNT
};

enum store_who { WHO_ANYBODY, WHO_USER, WHO_CLIENT };

/* What one rule of the proposal has in common: who, and how. Texts live as long as the store. */
struct store_key {
    enum store_who kind;
    struct slice who;    /* a user, or an address */
    struct slice scheme; /* "http", "https"; empty for CONNECT */
    struct slice
        method; /* "CONNECT"; of plain requests empty for those that only read (RFC 9110 §9.2.1) */
    uint16_t port;
};

struct store_item {
    bool is_refused;
    struct store_key key;
    struct slice host; /* canonical */
    struct slice rule; /* that refused the first of them */
    bool is_address;   /* the host is one */
    bool was_inside;   /* an address of the default deny list was dialled */
    uint64_t count;
    uint64_t would_count; /* only since the policy observed */
};

struct store {
    enum store_by by;
    struct table table;
    size_t allowed_count, refused_count; /* items of each kind */
    /* Requests. */
    uint64_t passed, would, refused, failed, unknown, nameless;
    uint64_t beyond; /* a new destination, when there was no room left */
    char first[STORE_TIME_TEXT], last[STORE_TIME_TEXT]; /* times, "" for none */
};

void store_init(struct store *store, enum store_by by);
void store_done(struct store *store);

/* Count a line. Errors: ST_LIMIT: a destination too many, which was not counted in; ST_BAD: no rule can say this, with
 * a sentence in *ret_fault; ST_NOMEM. */
enum status store_add(struct store *store, const struct log_line *line,
                      const char **ret_fault) MUST_USE;
/* By who, scheme, method and port. */
int store_key_compare(const struct store_key *a, const struct store_key *b);

#endif
