#ifndef FAIRLEAD_NET_RESOLVER_H
#define FAIRLEAD_NET_RESOLVER_H

#include "base/host.h"
#include "io/loop.h"
#include "net/address_set.h"
#include "net/dns_answer.h"
#include "record/counter.h"
#include "record/record.h"

/* "The addresses of this name", asked of literals, the hosts file, the cache and name servers, in this
 * order. A and AAAA are two answers that come separately. One resolver a worker; it never blocks. */
struct resolver;
struct resolver_fetch;

struct resolver_options {
    const struct inet_endpoint *servers; /* port 0 is 53; copied */
    size_t server_count;                 /* 0: resolv.conf, read again when it changes */
    const char *resolv_path;             /* watched for changes; NULL: /etc/resolv.conf */
    const char *hosts_path;              /* NULL: /etc/hosts; "": no hosts table */
    size_t cache_limit_count;            /* answers kept; 0: RESOLVER_CACHE_COUNT */
    size_t fetch_limit_count;            /* queries under way at a time; 0: RESOLVER_FETCH_COUNT */
    uint32_t min_ttl_s;                  /* shorter ones are stretched to it */
    uint32_t max_ttl_s;                  /* longer ones are cut to it; 0: RESOLVER_MAX_TTL_S */
    uint32_t max_negative_ttl_s; /* the same for negative answers; 0: RESOLVER_MAX_NEGATIVE_S */
    uint64_t timeout_ns;         /* of one query in all, retries included; 0: 5 s */
    /* The hosts file has grown too long: the table is that of before. NULL: nobody listens. */
    void (*on_long_hosts)(void);
};

enum {
    RESOLVER_CACHE_COUNT = 10000,
    RESOLVER_FETCH_COUNT = 4096,
    RESOLVER_MAX_TTL_S = 24 * 3600,
    RESOLVER_MAX_NEGATIVE_S = 900,
    RESOLVER_SERVERS_MAX = 8,
};

/* `counters` may be NULL. Errors: ST_NOMEM, ST_BAD too many servers. */
enum status resolver_create(struct loop *loop, const struct resolver_options *options,
                            struct counters *counters, struct resolver **ret_resolver) MUST_USE;
/* No callback comes after this; questions that still wait are cancelled. Takes a pointer to NULL. */
void resolver_destroy(struct resolver **resolver);
/* As slab_tidy. */
bool resolver_tidy(struct resolver *resolver);

/* Index of a family's half in a question. */
enum { HALF_V4, HALF_V6, HALF_COUNT };

/* What is known of one family of the name. */
struct question_half {
    bool is_wanted;
    bool is_answered;
    enum answer_result result;
    enum dns_source source;
    uint64_t answered_ns;         /* monotonic; 0 not yet */
    const struct inet_addr *addr; /* borrowed from the question, until question_cancel */
    size_t count;                 /* 0 unless result is ANSWER_FOUND */
    /* private */
    struct address_set *set;
    struct resolver_fetch *fetch;
    struct question *question;
    struct link link; /* in the fetch's list of those who wait */
};

/* One asking; embedded by its owner and cleared with {0} or by resolver_ask. */
struct question {
    uint64_t asked_ns; /* monotonic; 0 never asked */
    struct question_half half[HALF_COUNT];
    void *owner;
    /* private */
    void (*on_answer)(struct question *question, int half);
    struct resolver *resolver;
    struct inet_addr literal;
};

/* Bits for the families that resolver_ask is to look for; and whether for the name as it is alone. */
enum {
    ASK_V4 = 1 << HALF_V4,
    ASK_V6 = 1 << HALF_V6,
    ASK_BOTH = ASK_V4 | ASK_V6,
    ASK_AS_IS = 1 << HALF_COUNT
};

/* Ask. What is known already (a literal, the hosts file, the cache) is in question->half[] on return and
 * is not reported again. For every half that is wanted and not answered on_answer(question, half) runs
 * once, from a task, never under resolver_ask. It may cancel this or any other question.
 * Ownership: the caller owns `question`, which must stay until question_cancel; `host` is not kept.
 * A name without a dot uses the search list of resolv.conf, unless ASK_AS_IS is among the bits; names with one
 * never do.
 * Returns ST_OK all is answered, ST_AGAIN some answer will come. */
enum status resolver_ask(struct resolver *resolver, struct question *question,
                         const struct host *host, unsigned asks, void *owner,
                         void (*on_answer)(struct question *question, int half)) MUST_USE;
/* End the asking and let go of the addresses: no callback comes after this. Idempotent, and safe on a
 * question that is all zero. Also due after all is answered. */
void question_cancel(struct question *question);

/* Answers in the cache, for tests. */
size_t resolver_cached_count(const struct resolver *resolver);

#endif
