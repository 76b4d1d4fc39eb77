#ifndef FAIRLEAD_JOB_H
#define FAIRLEAD_JOB_H

#include "common/channel.h"
#include "common/histogram.h"
#include "common/loop.h"
#include "common/talk.h"
#include "common/tool.h"

/* What is done again and again; the word on the command line stands in job.c. */
enum kind {
    KIND_GET,  /* a request for `body` bytes */
    KIND_POST, /* a request with `body` bytes */
    KIND_OPEN, /* a tunnel is opened, `body` bytes go there and back, it is closed */
    KIND_ECHO, /* `body` bytes go there and back through a tunnel that stays open */
    KIND_DOWN, /* bytes come through a tunnel without end; the unit is a byte */
    KIND_UP,   /* bytes go */
    KIND_TALK, /* a tunnel is opened, `talk` is said in it, it is closed */
    KIND_IDLE, /* a tunnel is opened, used once and then stays */
    KIND_COUNT
};

/* One task for the generator, as given on the command line. */
struct job {
    enum kind kind;
    struct addresses proxy, targets, sources; /* sources.count 0: any address */
    bool is_raw;                              /* no CONNECT: the proxy is a bare relay */
    bool is_fresh;                            /* a new connection for each request */
    SSL_CTX *tls;                             /* NULL: the proxy is spoken to in clear */
    unsigned connections;
    size_t body;
    struct talk talk;  /* of KIND_TALK */
    const char *field; /* one more of each request, without its end; NULL: none */
};

/* What came out. The loop counts; the program says when counting begins and when no unit is begun any more. */
struct tally {
    uint64_t units, bytes; /* since the window opened */
    uint64_t all_units;    /* since the start */
    uint64_t failures;
    const char *first_failure;
    unsigned first_status; /* the HTTP status of that failure, or 0 */
    unsigned running;      /* units */
    struct histogram latency;
};

struct client;

/* All clients of a job, and the loop they live in. */
struct crew {
    struct loop loop;
    struct job job;
    struct tally tally;
    /* A unit of `client` has ended: begin another one (client_begin), or let it rest. */
    void (*on_rest)(struct client *client);
    struct client *clients;
    struct client **resting; /* those without a unit, `resting_count` of them */
    unsigned resting_count;
};

/* Create job.connections clients, all of them resting. */
void crew_init(struct crew *crew);

/* Let a unit begin whose latency counts from `from_ns`. Outside of on_rest, client_go follows. */
void client_begin(struct client *client, uint64_t from_ns);

/* Go on as far as the socket lets it. */
void client_go(struct client *client);

/* How many tunnels have moved no byte at all (KIND_DOWN, KIND_UP). */
unsigned crew_count_silent(const struct crew *crew);

/* The kind that `word` names; ends the program for other words. */
enum kind kind_parse(const char *word);

#endif
