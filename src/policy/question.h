#ifndef FAIRLEAD_POLICY_QUESTION_H
#define FAIRLEAD_POLICY_QUESTION_H

#include "base/host.h"
#include "base/inet.h"
#include "policy/identity.h"

#include <stdbool.h>
#include <stdint.h>

/* What the gate is asked: who wants what. Borrows everything. */
struct gate_question {
    const struct host *host;
    uint16_t port;
    bool is_connect;
    struct inet_addr client; /* INET_NONE for Unix sockets */
    struct identity who;
    struct slice listener; /* its name */
    struct slice method;
    struct slice scheme; /* "http" or "https"; empty for CONNECT */
    struct slice path;   /* as it came, with its query; empty for CONNECT */
    int64_t at_s;        /* the time, in seconds since 1970; 0: now */
};

#endif
