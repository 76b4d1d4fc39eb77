#ifndef FAIRLEAD_HTTP_TARGET_H
#define FAIRLEAD_HTTP_TARGET_H

#include "base/host.h"
#include "base/slice.h"
#include "http/head.h"

#include <stdbool.h>
#include <stdint.h>

/* What a request asks for: the request-target and Host (RFC 9112 §3.2, §3.3; RFC 9110 §7.1, §7.2). */

enum target_form {
    TARGET_ORIGIN,    /* /path?query */
    TARGET_ABSOLUTE,  /* http://host/path?query */
    TARGET_AUTHORITY, /* host:port, of CONNECT alone */
    TARGET_ASTERISK,  /* *, of OPTIONS alone */
};

enum target_scheme {
    SCHEME_NONE, /* origin-form, authority-form, asterisk-form */
    SCHEME_HTTP,
    SCHEME_HTTPS,
    SCHEME_OTHER, /* ftp: and all others; nothing behind the scheme was looked at */
};

/* What is wrong with a target or Host; it is answered with 400. X(NAME, "sentence") */
#define TARGET_FAULTS(X)                                                          \
    X(NONE, "no fault")                                                           \
    X(MALFORMED, "the request target has none of the four forms")                 \
    X(BAD_BYTE, "the request target holds a byte that is not allowed")            \
    X(BACKSLASH, "the request target holds a backslash")                          \
    X(FRAGMENT, "the request target holds a fragment")                            \
    X(USERINFO, "the request target holds a user name or password")               \
    X(NO_HOST, "the request target names no host")                                \
    X(BAD_HOST, "the host of the request target is malformed")                    \
    X(NO_PORT, "CONNECT needs a host and a port")                                 \
    X(BAD_PORT, "the port of the request target is not a number from 1 to 65535") \
    X(ASTERISK_METHOD, "only OPTIONS may ask for *")                              \
    X(HOST_FIELD_MISSING, "an HTTP/1.1 request needs a Host field")               \
    X(HOST_FIELD_REPEATED, "the request has more than one Host field")            \
    X(HOST_FIELD_BAD, "the Host field is malformed")

enum target_fault {
#define X(name, sentence) TARGET_FAULT_##name,
    TARGET_FAULTS(X)
#undef X
};

/* A sentence without a full stop; static storage. */
const char *target_fault_text(enum target_fault fault);

struct target {
    enum target_form form;
    enum target_scheme scheme;
    struct slice scheme_name;    /* as written; empty without one */
    struct slice authority;      /* host and port as written; empty without one */
    struct slice host_name;      /* host as written, with the brackets of IPv6 */
    struct slice path_and_query; /* as written, never normalised; may be empty or begin with '?' */
    uint16_t port;               /* 0: not written; target_port gives the default */
    bool has_host;               /* `host` is set */
    enum host_fault host_fault;  /* closer reason of BAD_HOST and HOST_FIELD_BAD */
    struct host host;            /* canonical */
};

/* Of nothing: in origin-form, without a host. */
void target_init(struct target *target);

/* Understand a raw target alone, without Host. On a fault only ret_target->host_fault is meant. */
enum target_fault target_parse(struct slice raw, enum method method,
                               struct target *ret_target) MUST_USE;

/* Understand target and Host of a request head together. Host is checked whatever the form; an absolute-
 * or authority-form wins over it (RFC 9112 §3.2.2); origin- and asterisk-form take their host from it.
 * `has_host` is false where the request names none (HTTP/1.0, an empty Host field). */
enum target_fault target_of_head(const struct head *head, struct target *ret_target) MUST_USE;

/* The port that is meant: as written, or the scheme's own (80, 443); 0 for other schemes. */
uint16_t target_port(const struct target *target);

/* The target in origin-form (or "*", RFC 9112 §3.2.4) as an origin wants it: path_and_query itself where it
 * can be, else a copy in `arena` with '/' in front. at is NULL where the arena is at its cap. */
struct slice target_origin_form(const struct target *target, enum method method,
                                struct arena *arena);

/* The value of a regenerated Host field: the host as written, and the port as written unless it is the
 * scheme's own. A view of the request's bytes. */
struct slice target_host_field(const struct target *target);

#endif
