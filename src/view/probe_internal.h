#ifndef FAIRLEAD_VIEW_PROBE_INTERNAL_H
#define FAIRLEAD_VIEW_PROBE_INTERNAL_H

#include "base/check.h"
#include "codec/h1_codec.h"
#include "view/body_line.h"
#include "view/probe.h"

/* A probe and its parts: probe.c has the steps, probe_http.c what is asked and heard in them. */

enum { PROBE_TAG = TAG('p', 'r', 'b', 'e') };

/* In the order of the way; see probe.c. */
enum probe_step {
    PROBE_OPEN,
    PROBE_SHAKE_PROXY,
    PROBE_CONNECT,
    PROBE_SHAKE_ORIGIN,
    PROBE_ASK,
    PROBE_LOAD,
    PROBE_PART,
    PROBE_OVER,
};

struct probe {
    uint32_t tag;
    enum probe_step step;
    struct probes *probes;
    const struct aim *aim;
    struct sight *sight;
    size_t number;
    struct transport *transport; /* what was reached; NULL while the codec has it */
    struct h1_codec h1;
    struct stream *stream; /* of the codec; NULL: no HTTP is spoken */
    bool is_sent;          /* the request is with the kernel */
    unsigned interim_count;
    struct task task;
    struct timer timer;
    bool is_late;             /* the step's time is over, the task has not looked yet */
    struct timer whole;       /* all its time */
    enum body_kind body_kind; /* of an answer whose head does not say why */
    size_t look_len;
    char look[BODY_LOOK_MAX]; /* the beginning of its body */
};

static inline bool probe_has_via(const struct probe *probe)
{
    return other_proxy_is_there(probe->probes->proxy);
}
static inline const struct config *probe_config(const struct probe *probe)
{
    return lab_snapshot(probe->probes->lab)->config;
}

/* The step may last so long from now on, and what was late is not. */
void probe_allow(struct probe *probe, uint64_t ns);
/* Close all, in order where it did not fail. */
void probe_end(struct probe *probe);
/* End it for a cause; `detail` is what is known beyond that. */
void probe_fail(struct probe *probe, enum cause cause, const char *detail);

/* ---- HTTP: on what was reached ---- */

/* Queue a request, which begins a step. False: it failed. */
bool probe_ask_to_open(struct probe *probe) MUST_USE;    /* the worker: a tunnel to the proxy */
bool probe_ask_for_tunnel(struct probe *probe) MUST_USE; /* the proxy: a tunnel to the origin */
bool probe_ask_for_it(struct probe *probe) MUST_USE;     /* whoever answers what is wanted */
/* Send what is queued. */
void probe_flush(struct probe *probe);
/* The final head. NULL: it has not come, or the probe failed. */
const struct head *probe_hear(struct probe *probe) MUST_USE;
/* When the last bytes came. */
void probe_mark_received(struct probe *probe, enum mark mark);
/* The status of an answer, and the words of one of the proxy's that is none of the good ones, for people. */
void probe_note_answer(struct probe *probe, const struct head *head);
void probe_note_words(struct probe *probe, const struct head *head);
/* A piece of its body, and that there was the last one. */
void probe_note_body(struct probe *probe, struct slice piece);
void probe_note_body_end(struct probe *probe);
/* The byte stream that a CONNECT has opened becomes what was reached, for the step `next`. False: it failed, since
 * whoever is there has not been spoken to yet, and has nothing to say. */
bool probe_take_tunnel(struct probe *probe, enum probe_step next) MUST_USE;
/* Leave HTTP; what it lies on is closed, unless it was taken. */
void probe_drop_codec(struct probe *probe, bool is_abort);

#endif
