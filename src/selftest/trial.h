#ifndef FAIRLEAD_SELFTEST_TRIAL_H
#define FAIRLEAD_SELFTEST_TRIAL_H

#include "base/text.h"
#include "selftest/instance.h"
#include "selftest/oracle.h"
#include "selftest/outside.h"

/* One try: a request, what came of it, and whether that was right. */

/* What is tried. X(NAME, "word of the JSON", "words of the table") */
#define TRIAL_CLASSES(X)                                               \
    X(RANGES, "ranges", "addresses of the deny list")                  \
    X(SPELLINGS, "ipv4-spellings", "IPv4 in other spellings")          \
    X(EMBEDDED, "ipv4-in-ipv6", "IPv4 in IPv6")                        \
    X(IPV6, "ipv6-spellings", "IPv6 in other spellings")               \
    X(FLOOR, "floor", "metadata services, as addresses")               \
    X(FLOOR_NAMES, "floor-names", "metadata services, as names")       \
    X(MACHINE, "this-machine", "this machine and the proxy")           \
    X(HOSTS, "hosts", "hosts that are none")                           \
    X(PORTS, "ports", "ports")                                         \
    X(FORMS, "forms", "forms of a request")                            \
    X(NAMES, "names", "names that lead there")                         \
    X(MIXED, "mixed-answers", "names that lead there, too")            \
    X(REBINDING, "rebinding", "names that change")                     \
    X(HOSTS_FILE, "hosts-file", "names of the hosts file")             \
    X(REDIRECTS, "redirects", "redirects")                             \
    X(REUSE, "reuse", "reuse after a change, retries")                 \
    X(OWN_LISTS, "configured", "what the configuration denies")        \
    X(CARRIED, "ipv4-in-open-ipv6", "IPv4 in IPv6, with ::/0 allowed") \
    X(FLOOR_ALONE, "floor-alone", "the floor, with all allowed")

enum trial_class {
#define X(name, word, words) TRIAL_##name,
    TRIAL_CLASSES(X)
#undef X
        TRIAL_CLASS_COUNT
};

enum trial_outcome {
    OUTCOME_REFUSED, /* nothing was dialled */
    OUTCOME_OPENED,  /* it passed, and would not but for a setting of the operator */
    OUTCOME_PASSED,  /* nothing is wrong with it: a control, say */
    OUTCOME_BLOCKED, /* it must pass and did not: then a refusal shows nothing either */
    OUTCOME_HOLE,
};

/* What a hole is. X(NAME, "word of the JSON", "words for people") */
#define TRIAL_HOLES(X)                                                      \
    X(DIALLED, "dialled", "it was dialled")                                 \
    X(ELSEWHERE, "dialled-elsewhere", "an address of nobody's was dialled") \
    X(ANSWERED, "answered", "it was answered as if it were fine")           \
    X(OTHER_RULE, "other-rule", "only another rule held it")                \
    X(LOOKED_UP, "looked-up", "it was asked of the name server")            \
    X(LATE, "late", "no answer in time")                                    \
    X(BLOCKED, "blocked", "it must pass, and was refused")

enum trial_fault {
#define X(name, word, words) FAULT_##name,
    TRIAL_HOLES(X)
#undef X
};

enum {
    TRIAL_REQUEST_MAX = 1400,
    TRIAL_SHOWN = 240,
    TRIAL_RULE = 200,
    TRIAL_HOLES_MAX = 256,
    TRIAL_LATE_MAX = 3
};

/* A hole, or a try that must pass and did not. */
struct trial_hole {
    enum trial_class class;
    enum trial_fault fault;
    unsigned status;              /* of the answer; 0: none */
    struct inet_endpoint dialled; /* INET_NONE: nothing was */
    char request[TRIAL_SHOWN];    /* escaped, cut at the end of its request line and Host */
    char rule[TRIAL_RULE];        /* that refused it; empty where none did */
    char should[TRIAL_RULE];      /* the one that should have */
};

struct trial_tally {
    unsigned tries, refused, opened, passed, blocked, holes;
};

enum { TRIAL_OPENINGS_MAX = 24 };

struct trial_opening {
    char rule[ORACLE_RULE_TEXT];
    unsigned tries;
};

struct trial_results {
    struct trial_tally classes[TRIAL_CLASS_COUNT];
    struct trial_hole holes[TRIAL_HOLES_MAX]; /* the first ones */
    size_t hole_count;
    struct trial_opening openings[TRIAL_OPENINGS_MAX]; /* the last one counts the rest, too */
    size_t opening_count;
};

/* What a try came to, for whoever lists them. */
struct trial_report {
    enum trial_class class;
    enum trial_outcome outcome;
    unsigned status;
    const char *request; /* escaped */
    const char *rule;
};

/* Who makes tries; members are for the classes to read, but for `keeps_origins`. */
struct trials {
    struct outside outside;
    struct instance instance;
    struct oracle oracle;
    struct trial_results results;
    uint32_t classes;   /* bits of those that are wanted */
    bool stops_at_hole; /* and it is over then */
    bool is_broken;     /* the instance cannot be had any more: it was said */
    bool keeps_origins; /* connections to origins last from one try to the next */
    unsigned serial;    /* of names */
    struct slice base;  /* names are made below it; empty: none passes */
    char base_text[254];
    bool is_base_exact; /* it is the only name */
    struct inet_addr
        v4; /* public addresses that nothing is said against, as far as there are any */
    struct inet_addr v6;
    void (*on_try)(void *owner, const struct trial_report *report); /* or NULL */
    void *owner;
    char *present; /* TRIAL_SHOWN bytes for the request under way, or NULL */
    unsigned late; /* tries that had no answer in time */
};

enum trial_forms {
    FORM_CONNECT = 1,
    FORM_HTTP = 2,
    FORM_HTTPS = 4,
    FORM_UPGRADE = 8,
    FORMS_TWO = FORM_CONNECT | FORM_HTTP,
    FORMS_PLAIN = FORM_HTTP | FORM_HTTPS | FORM_UPGRADE,
    FORMS_ALL = FORM_CONNECT | FORM_HTTP | FORM_HTTPS | FORM_UPGRADE,
};

/* What is asked for, and what is known of it. */
struct asking {
    enum trial_class class;
    unsigned forms;    /* each is a try */
    struct slice host; /* as it stands in the request */
    uint16_t port;     /* 0: that of the form */
    struct slice name; /* the host as a name, canonical; empty: it is an address, or neither */
    const struct inet_addr *addr; /* that it is, or has */
    size_t addr_count;
    const char *must_refuse; /* why, whatever the configuration; NULL: as the oracle says */
    bool is_either; /* it may pass or not, as long as none but its good addresses is dialled */
    bool is_reused; /* where it passes, it may do so on a connection that is there already */
};

/* The request in its own bytes, for what has no host. */
struct raw_asking {
    enum trial_class class;
    struct slice request;
    bool is_connect;
    const char
        *must_refuse; /* NULL: either is fine, as long as nothing is dialled that is forbidden */
};

/* Is this class wanted, and is it not over yet? */
bool trials_want(const struct trials *trials, enum trial_class class);
/* Make the tries, one for each form, and note what came of them. */
void trials_ask(struct trials *trials, const struct asking *asking);
void trials_ask_raw(struct trials *trials, const struct raw_asking *asking);
/* Judge and decide by another snapshot from now on (instance_use). */
void trials_use(struct trials *trials, enum instance_ranges ranges,
                const struct inet_prefix *denied);
/* Does this name pass, if it has a public address? It is asked for, and no try. */
bool trials_pass(struct trials *trials, struct slice name);
/* A name that was not asked for before, or the only one there is; terminated. `into` holds 254 bytes. */
struct slice trials_name(struct trials *trials, char *into);
/* All names have these addresses from now on, with a lifetime of 0. */
void trials_set_zone(struct trials *trials, const struct inet_addr *addr, size_t count);

/* No hole, nothing blocked, and it came to its end. */
bool trials_are_sound(const struct trials *trials);
const char *trial_class_word(enum trial_class class);
const char *trial_class_words(enum trial_class class);
const char *trial_fault_word(enum trial_fault fault);
const char *trial_fault_words(enum trial_fault fault);
/* All classes together. */
struct trial_tally trial_sum(const struct trial_results *results);

/* ---- the classes, each in the file of its name ---- */

void try_addresses(struct trials *trials);
void try_requests(struct trials *trials);
void try_names(struct trials *trials);
/* What try_names wants in the hosts table; returns its length. */
size_t try_names_hosts(char *into, size_t cap);

#endif
