/* A name in a ClientHello, held against the address that was dialled.
 *
 * Only the family of that address is looked up: the other one cannot hold it. All addresses of the answer are judged as
 * the dial judges them (egress.mixed), so that a name passes here exactly where a CONNECT to it could have led to this
 * address. Nothing is dialled: the connection was made to an address that the gate has judged, and a name that leads
 * elsewhere a moment later moves nothing.
 *
 * Left out: to keep the name's answer for the connection. The next tunnel asks the resolver's cache again. */

#include "proxy/sni_name.h"

#include "base/check.h"

enum {
    NAME_SHOWN = 48, /* bytes of the name, and of a rule, in messages */
    RULE_SHOWN = 80,
    NAME_KEPT_MAX = BLOCK_HUGE, /* bytes of what is copied */
};

/* ---- who asks, kept ---- */

static bool keep_text(struct arena *arena, struct slice *text)
{
    if (text->len == 0)
        return true;
    *text = arena_copy(arena, *text);
    return text->at != NULL;
}

static bool keep_texts(struct arena *arena, const struct slice **list, size_t count)
{
    if (count == 0)
        return true;
    struct slice *copy = arena_alloc(arena, count * sizeof(*copy));
    if (copy == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        copy[i] = (*list)[i];
        if (!keep_text(arena, &copy[i]))
            return false;
    }
    *list = copy;
    return true;
}

/* What the snapshots own stays as it is: the listener's name, members of the roster. */
static bool keep_asked(struct sni_name *name)
{
    struct gate_question *asked = &name->asked;
    struct identity *who = &asked->who;
    bool is_of_connection = who->proof == IDENTITY_CERTIFICATE || who->proof == IDENTITY_PEER;
    if (asked->is_connect)
        asked->method = SLICE("CONNECT");
    else if (!keep_text(&name->arena, &asked->method))
        return false;
    if (is_of_connection && (!keep_text(&name->arena, &who->user) ||
                             !keep_texts(&name->arena, &who->groups, who->group_count)))
        return false;
    return keep_text(&name->arena, &asked->path) && keep_text(&name->arena, &who->cert_subject) &&
           keep_texts(&name->arena, &who->cert_names, who->cert_name_count);
}

struct sni_name *sni_name_create(struct slab *slab, struct block_pool *blocks,
                                 const struct sni_asked *asked, void *owner,
                                 void (*on_answer)(void *owner))
{
    CHECK(asked->question.host->kind != HOST_NAME);
    struct sni_name *name = slab_alloc(slab);
    if (name == NULL)
        return NULL;
    *name = (struct sni_name){
        .asked = asked->question,
        .dialled = inet_addr_unmap(&asked->question.host->addr),
        .snapshot = snapshot_ref(asked->snapshot),
        .accepted = snapshot_ref(asked->accepted),
        .owner = owner,
        .on_answer = on_answer,
    };
    name->asked.host = &name->host;
    arena_init(&name->arena, blocks, NAME_KEPT_MAX);
    if (!keep_asked(name))
        sni_name_destroy(slab, &name);
    return name;
}

void sni_name_destroy(struct slab *slab, struct sni_name **name)
{
    struct sni_name *dead = *name;
    if (dead == NULL)
        return;
    question_cancel(&dead->question);
    arena_done(&dead->arena);
    snapshot_unref(&dead->snapshot);
    snapshot_unref(&dead->accepted);
    slab_free(slab, dead);
    *name = NULL;
}

/* ---- judging ---- */

static void tell_name(const struct sni_name *name, struct text *why)
{
    text_add(why, SLICE("its SNI "));
    text_add(why, slice_first(host_slice(&name->host), NAME_SHOWN));
}

static enum sni_name_verdict blame_rule(const struct sni_name *name, const char *what,
                                        const struct gate_answer *answer, struct text *why)
{
    tell_name(name, why);
    text_add_format(why, "%s: ", what);
    text_add(why, slice_first(slice_from_string(answer->rule), RULE_SHOWN));
    return SNI_NAME_WRONG;
}

static void note_observed(struct sni_name *name, const struct gate_answer *answer)
{
    if (answer->has_judged && answer->would_deny.len > 0)
        name->would_deny = answer->would_deny;
}

static void name_on_answer(struct question *question, int half)
{
    (void)half;
    struct sni_name *name = question->owner;
    name->on_answer(name->owner);
}

enum sni_name_verdict sni_name_ask(struct sni_name *name, struct engine *engine,
                                   const struct host *host, struct text *why)
{
    CHECK(host->kind == HOST_NAME && name->asked_ns == 0);
    const struct gate *gate = name->snapshot->gate;
    struct gate_answer answer;
    name->host = *host;
    if (!gate_request(gate, &name->asked, &answer)) /* N1 */
        return blame_rule(name, " is refused", &answer, why);
    note_observed(name, &answer);
    name->asked_ns = loop_now_ns(engine->loop);
    unsigned asks = name->dialled.family == INET_V4 ? ASK_V4 : ASK_V6;
    if (gate_denies_names(gate))
        asks |= ASK_AS_IS;
    enum status status =
        resolver_ask(engine->resolver, &name->question, host, asks, name, name_on_answer);
    return status == ST_AGAIN ? SNI_NAME_WAITS : sni_name_judge(name, why);
}

static enum sni_name_verdict blame_answer(const struct sni_name *name, enum answer_result result,
                                          struct text *why)
{
    static const char *const texts[] = {
        [ANSWER_FOUND] = "it has no address",
        [ANSWER_NODATA] = "it has no such address",
        [ANSWER_NXDOMAIN] = "the name does not exist",
        [ANSWER_REFUSED] = "the name servers refuse to answer",
        [ANSWER_ERROR] = "the look-up failed",
        [ANSWER_SERVFAIL] = "the name servers failed to look it up",
        [ANSWER_TIMEOUT] = "the name servers did not answer in time",
    };
    CHECK((size_t)result < COUNT_OF(texts));
    tell_name(name, why);
    text_add_format(why, " could not be held against the address: %s", texts[result]);
    return SNI_NAME_WRONG;
}

static enum sni_name_verdict blame_other(const struct sni_name *name, struct text *why)
{
    char addr[INET_ADDR_TEXT];
    size_t len = inet_addr_format(&name->dialled, addr);
    tell_name(name, why);
    text_add(why, SLICE(" does not lead to "));
    text_add(why, slice_of(addr, len));
    return SNI_NAME_WRONG;
}

/* As the dial does: each address passes the gate for this name, and a refused one spoils the others, unless
 * egress.mixed says otherwise. */
static enum sni_name_verdict judge_found(struct sni_name *name, const struct question_half *half,
                                         struct text *why)
{
    bool skips = name->snapshot->config->egress.skips_mixed;
    bool is_there = false;
    for (size_t i = 0; i < half->count; i++) {
        struct inet_endpoint endpoint = {.addr = inet_addr_unmap(&half->addr[i]),
                                         .port = name->asked.port};
        bool is_dialled = inet_addr_equals(&endpoint.addr, &name->dialled);
        struct gate_answer answer;
        bool is_allowed = gate_address(name->snapshot->gate, &name->asked, &endpoint, &answer);
        if (!is_allowed && (is_dialled || !skips))
            return blame_rule(name, " leads to an address that is refused", &answer, why);
        if (is_allowed && is_dialled)
            note_observed(name, &answer);
        is_there = is_there || is_dialled;
    }
    return is_there ? SNI_NAME_FINE : blame_other(name, why);
}

enum sni_name_verdict sni_name_judge(struct sni_name *name, struct text *why)
{
    const struct question_half *half =
        &name->question.half[name->dialled.family == INET_V4 ? HALF_V4 : HALF_V6];
    if (!half->is_answered)
        return SNI_NAME_WAITS;
    return half->count == 0 ? blame_answer(name, half->result, why) : judge_found(name, half, why);
}

void sni_name_tell_late(const struct sni_name *name, struct text *why)
{
    (void)blame_answer(name, ANSWER_TIMEOUT, why);
}

uint64_t sni_name_due_ns(const struct sni_name *name)
{
    return name->asked_ns == 0 ? 0 : name->asked_ns + name->snapshot->config->timeouts.dns_ns;
}
