#ifndef FAIRLEAD_NET_DNS_CHANNEL_H
#define FAIRLEAD_NET_DNS_CHANNEL_H

#include "base/inet.h"
#include "io/loop.h"
#include "net/dns_answer.h"

/* Single questions to name servers through c-ares, driven by the loop. No cache, no coalescing: that is
 * the resolver's. The only file that knows the library. */
struct dns_channel;

struct dns_channel_options {
    const struct inet_endpoint *servers; /* port 0 is 53 */
    size_t server_count;                 /* 0: those of resolv.conf */
    const char *resolv_path;
    uint64_t timeout_ns; /* of one query in all; a try gets a fifth of it */
};

/* One query; embedded by its owner. The first four members are the owner's to set. */
struct dns_query {
    const char *name; /* terminated; stays while the query is under way */
    enum inet_family family;
    bool is_search; /* use the search list */
    /* The end, once; `answer` is borrowed. It may run under dns_channel_ask. */
    void (*on_end)(struct dns_query *query, const struct dns_answer *answer);
    /* private */
    struct dns_channel *channel;
    struct link link;
};

/* Errors: ST_NOMEM, ST_BAD. */
enum status dns_channel_create(struct loop *loop, const struct dns_channel_options *options,
                               struct dns_channel **ret_channel) MUST_USE;
/* Queries under way are forgotten without on_end. Takes a pointer to NULL. */
void dns_channel_destroy(struct dns_channel **channel);
void dns_channel_ask(struct dns_channel *channel, struct dns_query *query);
/* Read resolv.conf again if it changed and ask what is under way again; true where it changed. */
bool dns_channel_refresh(struct dns_channel *channel);
/* Begin anew, since the library cannot give up a single query: what is under way and wanted is asked again, the
 * rest is forgotten without on_end. NULL: all is wanted. False: nothing was done, out of memory. */
bool dns_channel_renew(struct dns_channel *channel, bool (*is_wanted)(struct dns_query *));

#endif
