/* One question, "the addresses of this name", over literals, the hosts table, a cache and name servers.
 *
 *     resolver_ask ──> literal? ──> hosts? ──> cache? ──> a fetch for the same name? ──> new fetch
 *                        │            │          │                 │                        │
 *                        └── answered at once ───┘                 └── waits ── on_answer ──┘
 *
 * A and AAAA go this way separately. A fetch is one query under way and has a list of the question
 * halves that wait for it; when it ends it moves to a list of ended fetches and a task tells those who
 * wait. So on_answer never runs under resolver_ask, also when the library fails at once.
 *
 * Invariants:
 *     R1  a half is answered, or waits in exactly one fetch, or is not wanted.
 *     R2  a fetch is in `fetches` (the table, to be joined) until it ended or ran out of time.
 *     R3  a fetch whose query is under way stays in memory until the query ends, even if nobody waits:
 *         its answer goes to the cache. Their number is capped; at the cap those for nobody are given up.
 *     R4  the addresses of an answered half are kept by its own reference.
 *
 * The hosts file and resolv.conf are looked at once a second at most, when somebody asks. A changed
 * resolv.conf empties the cache: it is another network.
 *
 * Names below "localhost" are the loopback addresses whatever a server would say (RFC 6761 §6.3).
 * It does not judge addresses and does not order them. */

#include "net/resolver.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/slab.h"
#include "net/answer_cache.h"
#include "net/dns_channel.h"
#include "net/hosts.h"

#include <stdlib.h>

#define RESOLVER_TAG TAG('r', 's', 'l', 'v')
#define FETCH_TAG    TAG('f', 'e', 't', 'c')

static const uint64_t resolver_timeout_default_ns = 5 * NS_PER_S;
static const uint64_t resolver_look_ns = NS_PER_S;
static const uint64_t resolver_shed_ns = 50 * NS_PER_MS;

enum {
    RESOLVER_KEPT_ADDRESSES = 64, /* an answer of more is not cached: memory */
};

struct resolver {
    uint32_t tag;
    struct loop *loop;
    struct counters *counters; /* or NULL */
    struct resolver_options options;
    struct dns_channel *channel;
    struct hosts *hosts;
    struct address_set *localhost[HALF_COUNT];
    uint64_t looked_ns; /* when the files were looked at */
    uint64_t shed_ns;   /* when fetches for nobody were last looked for */
    struct answer_cache cache;
    struct table fetches; /* by key, to be joined */
    struct link all;      /* every fetch in memory */
    struct link ended;    /* fetches whose waiters are to be told */
    struct slab slab;     /* of fetches */
    struct task tell;
};

struct resolver_fetch {
    uint32_t tag;
    struct resolver *resolver;
    struct link link;       /* in resolver->all */
    struct link ended_link; /* in resolver->ended */
    struct link waiters;    /* of question_half.link */
    struct dns_query query;
    struct timer limit;
    bool is_under_way; /* the query has not ended */
    bool is_telling;   /* resolver_tell is at it, and frees it where nothing is under way */
    enum answer_result result;
    struct address_set *set;
    struct answer_key key;
    char name[HOST_MAX + 1];
};

static enum inet_family half_family(int half)
{
    return half == HALF_V4 ? INET_V4 : INET_V6;
}

static void resolver_count(struct resolver *resolver, enum counter which)
{
    if (resolver->counters != NULL)
        counter_add(resolver->counters, which, 1);
}

/* ---- halves ---- */

/* The half is answered; takes a reference to `set`. */
static void half_answer(struct question_half *half, enum dns_source source,
                        enum answer_result result, struct address_set *set)
{
    half->is_answered = true;
    half->source = source;
    half->result = result;
    half->answered_ns = clock_monotonic_ns();
    if (set == NULL)
        return;
    half->set = address_set_ref(set);
    half->addr = set->addr;
    half->count = set->count;
}

static void half_answer_literal(struct question *question, const struct inet_addr *addr)
{
    question->literal = *addr;
    for (int i = 0; i < HALF_COUNT; i++) {
        struct question_half *half = &question->half[i];
        if (!half->is_wanted)
            continue;
        bool is_it = half_family(i) == (enum inet_family)addr->family;
        half->is_answered = true;
        half->source = DNS_LITERAL;
        half->result = is_it ? ANSWER_FOUND : ANSWER_NODATA;
        half->answered_ns = question->asked_ns;
        half->addr = is_it ? &question->literal : NULL;
        half->count = is_it ? 1 : 0;
    }
}

static bool name_is_localhost(struct slice name)
{
    struct slice word = SLICE("localhost");
    if (name.len < word.len || !slice_equals(slice_from(name, name.len - word.len), word))
        return false;
    return name.len == word.len || name.at[name.len - word.len - 1] == '.';
}

/* From the hosts file or RFC 6761; false where neither knows the name. */
static bool half_answer_hosts(struct resolver *resolver, struct question_half *half, int index,
                              struct slice name)
{
    struct address_set *set = NULL;
    bool is_known =
        resolver->hosts != NULL && hosts_find(resolver->hosts, name, half_family(index), &set);
    if (!is_known && name_is_localhost(name)) {
        is_known = true;
        set = resolver->localhost[index];
    }
    if (is_known)
        half_answer(half, DNS_HOSTS, set != NULL ? ANSWER_FOUND : ANSWER_NODATA, set);
    return is_known;
}

/* ---- fetches ---- */

static bool fetch_match(const void *entry, const void *key)
{
    const struct resolver_fetch *fetch = entry;
    return answer_key_equals(&fetch->key, key);
}

static void fetch_destroy(struct resolver_fetch *fetch)
{
    CHECK_TAG(fetch, FETCH_TAG);
    struct resolver *resolver = fetch->resolver;
    CHECK(list_is_empty(&fetch->waiters));
    timer_cancel(&fetch->limit);
    link_remove(&fetch->link);
    link_remove(&fetch->ended_link);
    address_set_unref(&fetch->set);
    if (resolver->counters != NULL)
        counter_sub(resolver->counters, COUNT_DNS_QUERIES_OPEN, 1);
    fetch->tag = 0;
    slab_free(&resolver->slab, fetch);
}

/* The fetch has its result: nobody joins it any more, and those who wait are told soon. */
static void fetch_end(struct resolver_fetch *fetch, enum answer_result result)
{
    struct resolver *resolver = fetch->resolver;
    if (!table_remove(&resolver->fetches, fetch->key.hash, fetch))
        return; /* it ran out of time before; the answer came late */
    timer_cancel(&fetch->limit);
    fetch->result = result;
    if (result != ANSWER_FOUND && result != ANSWER_NODATA)
        resolver_count(resolver, COUNT_DNS_FAILURES);
    list_append(&resolver->ended, &fetch->ended_link);
    loop_queue(resolver->loop, &resolver->tell);
}

static void fetch_on_limit(struct timer *timer)
{
    struct resolver_fetch *fetch = CONTAINER_OF(timer, struct resolver_fetch, limit);
    CHECK_TAG(fetch, FETCH_TAG);
    fetch_end(fetch, ANSWER_TIMEOUT);
}

static uint32_t resolver_clamp_ttl(const struct resolver *resolver, const struct dns_answer *answer)
{
    const struct resolver_options *options = &resolver->options;
    uint32_t max =
        answer->result == ANSWER_FOUND ? options->max_ttl_s : options->max_negative_ttl_s;
    uint32_t ttl = answer->ttl_s < options->min_ttl_s ? options->min_ttl_s : answer->ttl_s;
    return ttl > max ? max : ttl;
}

static void fetch_keep_answer(struct resolver_fetch *fetch, const struct dns_answer *answer)
{
    struct resolver *resolver = fetch->resolver;
    if (!answer->has_ttl || answer->count > RESOLVER_KEPT_ADDRESSES)
        return;
    uint32_t ttl_s = resolver_clamp_ttl(resolver, answer);
    if (ttl_s == 0)
        return;
    answer_cache_put(&resolver->cache, &fetch->key, answer->result, fetch->set,
                     loop_now_ns(resolver->loop) + ttl_s * NS_PER_S);
}

/* The library gave up before our time is over: over TCP it tries once, and newer versions shorten their tries by
 * what earlier answers took. As long as somebody waits, the question is asked anew. */
static bool fetch_asks_again(struct resolver_fetch *fetch, enum answer_result result)
{
    if (result != ANSWER_TIMEOUT || !timer_is_set(&fetch->limit) || list_is_empty(&fetch->waiters))
        return false;
    dns_channel_ask(fetch->resolver->channel, &fetch->query);
    return true;
}

static void fetch_on_end(struct dns_query *query, const struct dns_answer *answer)
{
    struct resolver_fetch *fetch = CONTAINER_OF(query, struct resolver_fetch, query);
    CHECK_TAG(fetch, FETCH_TAG);
    bool was_given_up = fetch->result == ANSWER_TIMEOUT; /* the limit fired already */
    enum answer_result result = answer->result;

    if (fetch_asks_again(fetch, result))
        return;
    fetch->is_under_way = false;
    if (result == ANSWER_FOUND) {
        struct address_set *set = address_set_create(answer->addr, answer->count);
        if (set == NULL)
            result = ANSWER_ERROR;
        fetch->set = set;
    }
    if (result == answer->result)
        fetch_keep_answer(fetch, answer);
    if (!was_given_up)
        fetch_end(fetch, result);
    else if (!link_is_linked(&fetch->ended_link) && !fetch->is_telling) /* all were told long ago */
        fetch_destroy(fetch);
}

/* Tell everybody who waits for an ended fetch. */
static void resolver_tell(struct task *task)
{
    struct resolver *resolver = CONTAINER_OF(task, struct resolver, tell);
    CHECK_TAG(resolver, RESOLVER_TAG);
    struct link batch;
    struct link *link;
    link_init(&batch);
    list_take_all(&batch, &resolver->ended);
    while ((link = list_first(&batch)) != NULL) {
        struct resolver_fetch *fetch = CONTAINER_OF(link, struct resolver_fetch, ended_link);
        CHECK_TAG(fetch, FETCH_TAG);
        link_remove(link);
        fetch->is_telling = true;
        while ((link = list_first(&fetch->waiters)) != NULL) {
            struct question_half *half = CONTAINER_OF(link, struct question_half, link);
            struct question *question = half->question;
            link_remove(link);
            half->fetch = NULL;
            half_answer(half, half->source, fetch->result,
                        fetch->result == ANSWER_FOUND ? fetch->set : NULL);
            question->on_answer(question, (int)(half - question->half));
        }
        fetch->is_telling = false;
        if (!fetch->is_under_way)
            fetch_destroy(fetch);
    }
}

static bool fetch_is_wanted(struct dns_query *query)
{
    const struct resolver_fetch *fetch = CONTAINER_OF(query, struct resolver_fetch, query);
    return fetch->is_telling || !list_is_empty(&fetch->waiters);
}

/* No fetch is left. Where at least half of them are under way for nobody (R3), they are given up, or somebody
 * who asks for names that nobody answers, and leaves, would keep all others from theirs. */
static void resolver_shed(struct resolver *resolver)
{
    uint64_t now = loop_now_ns(resolver->loop);
    size_t unwanted = 0;
    if (now - resolver->shed_ns < resolver_shed_ns)
        return;
    resolver->shed_ns = now;
    LIST_EACH(link, &resolver->all)
        unwanted += !fetch_is_wanted(&CONTAINER_OF(link, struct resolver_fetch, link)->query);
    if (unwanted * 2 < resolver->slab.used ||
        !dns_channel_renew(resolver->channel, fetch_is_wanted))
        return;
    LIST_EACH(link, &resolver->all) {
        struct resolver_fetch *fetch = CONTAINER_OF(link, struct resolver_fetch, link);
        if (fetch_is_wanted(&fetch->query))
            continue;
        (void)table_remove(&resolver->fetches, fetch->key.hash, fetch); /* gone if it ran late */
        fetch_destroy(fetch);
    }
}

/* Join or begin the query for a half. */
static void half_fetch(struct resolver *resolver, struct question_half *half, int index,
                       struct slice name, const struct answer_key *key, bool is_search)
{
    struct resolver_fetch *fetch = table_find(&resolver->fetches, key->hash, fetch_match, key);
    half->source = fetch != NULL ? DNS_COALESCED : DNS_QUERY;
    if (fetch == NULL && resolver->slab.used >= resolver->options.fetch_limit_count)
        resolver_shed(resolver);
    if (fetch == NULL && resolver->slab.used < resolver->options.fetch_limit_count)
        fetch = slab_alloc(&resolver->slab);
    if (fetch == NULL ||
        (half->source == DNS_QUERY && table_add(&resolver->fetches, key->hash, fetch) != ST_OK)) {
        if (fetch != NULL)
            slab_free(&resolver->slab, fetch);
        resolver_count(resolver, COUNT_DNS_FAILURES);
        half_answer(half, DNS_QUERY, ANSWER_ERROR, NULL);
        return;
    }
    if (half->source == DNS_COALESCED) {
        half->fetch = fetch;
        list_append(&fetch->waiters, &half->link);
        return;
    }

    resolver_count(resolver, COUNT_DNS_QUERIES_OPEN);
    fetch->tag = FETCH_TAG;
    fetch->resolver = resolver;
    fetch->is_under_way = true;
    fetch->key = *key;
    memcpy(fetch->name, name.at, name.len);
    link_init(&fetch->ended_link);
    link_init(&fetch->waiters);
    link_init(&fetch->link);
    list_append(&resolver->all, &fetch->link);
    timer_init(&fetch->limit, fetch_on_limit);
    timer_set_in(resolver->loop, &fetch->limit, resolver->options.timeout_ns);
    half->fetch = fetch;
    list_append(&fetch->waiters, &half->link);
    fetch->query = (struct dns_query){
        .name = fetch->name,
        .family = half_family(index),
        .is_search = is_search,
        .on_end = fetch_on_end,
    };
    dns_channel_ask(resolver->channel, &fetch->query);
}

/* ---- asking ---- */

static void resolver_look_at_hosts(struct resolver *resolver)
{
    enum status status = hosts_refresh(resolver->hosts); /* the table is what it is */
    if (status == ST_LIMIT && resolver->options.on_long_hosts != NULL)
        resolver->options.on_long_hosts();
}

/* Notice changed files, at most once a second. */
static void resolver_look_at_files(struct resolver *resolver)
{
    uint64_t now = loop_now_ns(resolver->loop);
    if (now - resolver->looked_ns < resolver_look_ns)
        return;
    resolver->looked_ns = now;
    if (resolver->hosts != NULL)
        resolver_look_at_hosts(resolver);
    if (dns_channel_refresh(resolver->channel))
        answer_cache_clear(&resolver->cache);
}

static void half_ask(struct resolver *resolver, struct question_half *half, int index,
                     struct slice name, bool is_search)
{
    resolver_count(resolver, COUNT_DNS_QUESTIONS);
    if (half_answer_hosts(resolver, half, index, name))
        return;
    struct answer_key key;
    answer_key_make(&key, name, half_family(index), is_search);
    const struct cached_answer *cached =
        answer_cache_find(&resolver->cache, &key, loop_now_ns(resolver->loop));
    if (cached != NULL) {
        resolver_count(resolver, COUNT_DNS_CACHE_HITS);
        half_answer(half, DNS_CACHE, cached->result, cached->set);
        return;
    }
    half_fetch(resolver, half, index, name, &key, is_search);
}

enum status resolver_ask(struct resolver *resolver, struct question *question,
                         const struct host *host, unsigned asks, void *owner,
                         void (*on_answer)(struct question *question, int half))
{
    CHECK_TAG(resolver, RESOLVER_TAG);
    *question = (struct question){
        .asked_ns = clock_monotonic_ns(),
        .owner = owner,
        .on_answer = on_answer,
        .resolver = resolver,
    };
    for (int i = 0; i < HALF_COUNT; i++) {
        question->half[i].is_wanted = (asks & 1U << i) != 0;
        question->half[i].question = question;
        link_init(&question->half[i].link);
    }
    if (host->kind != HOST_NAME) {
        half_answer_literal(question, &host->addr);
        return ST_OK;
    }

    resolver_look_at_files(resolver);
    struct slice name = host_slice(host);
    bool is_search = (asks & ASK_AS_IS) == 0 && slice_find(name, '.') == name.len;
    enum status status = ST_OK;
    for (int i = HALF_COUNT - 1; i >= 0; i--) { /* AAAA first, as RFC 8305 §3 wants */
        if (!question->half[i].is_wanted)
            continue;
        half_ask(resolver, &question->half[i], i, name, is_search);
        if (!question->half[i].is_answered)
            status = ST_AGAIN;
    }
    return status;
}

void question_cancel(struct question *question)
{
    if (question->resolver == NULL)
        return;
    for (int i = 0; i < HALF_COUNT; i++) {
        struct question_half *half = &question->half[i];
        link_remove(&half->link);
        half->fetch = NULL;
        half->addr = NULL;
        half->count = 0;
        address_set_unref(&half->set);
    }
    question->resolver = NULL;
}

/* ---- life ---- */

static void resolver_set_options(struct resolver *resolver, const struct resolver_options *options)
{
    struct resolver_options *own = &resolver->options;
    *own = *options;
    own->servers = NULL; /* the channel keeps what it needs */
    own->resolv_path = own->hosts_path = NULL;
    if (own->cache_limit_count == 0)
        own->cache_limit_count = RESOLVER_CACHE_COUNT;
    if (own->fetch_limit_count == 0)
        own->fetch_limit_count = RESOLVER_FETCH_COUNT;
    if (own->max_ttl_s == 0)
        own->max_ttl_s = RESOLVER_MAX_TTL_S;
    if (own->max_negative_ttl_s == 0)
        own->max_negative_ttl_s = RESOLVER_MAX_NEGATIVE_S;
    if (own->timeout_ns == 0)
        own->timeout_ns = resolver_timeout_default_ns;
}

/* Loopback for "localhost" and below. */
static bool resolver_make_localhost(struct resolver *resolver)
{
    static const struct inet_addr v4 = {INET_V4, {127, 0, 0, 1}};
    static const struct inet_addr v6 = {INET_V6, {[15] = 1}};
    resolver->localhost[HALF_V4] = address_set_create(&v4, 1);
    resolver->localhost[HALF_V6] = address_set_create(&v6, 1);
    return resolver->localhost[HALF_V4] != NULL && resolver->localhost[HALF_V6] != NULL;
}

enum status resolver_create(struct loop *loop, const struct resolver_options *options,
                            struct counters *counters, struct resolver **ret_resolver)
{
    if (options->server_count > RESOLVER_SERVERS_MAX)
        return ST_BAD;
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    if (resolver == NULL)
        return ST_NOMEM;
    resolver->tag = RESOLVER_TAG;
    resolver->loop = loop;
    resolver->counters = counters;
    resolver_set_options(resolver, options);
    resolver->looked_ns = loop_now_ns(loop);
    answer_cache_init(&resolver->cache, resolver->options.cache_limit_count);
    table_init(&resolver->fetches);
    link_init(&resolver->all);
    link_init(&resolver->ended);
    slab_init(&resolver->slab, sizeof(struct resolver_fetch));
    task_init(&resolver->tell, resolver_tell);

    const struct dns_channel_options channel = {
        .servers = options->servers,
        .server_count = options->server_count,
        .resolv_path = options->resolv_path != NULL ? options->resolv_path : "/etc/resolv.conf",
        .timeout_ns = resolver->options.timeout_ns,
    };
    enum status status = dns_channel_create(loop, &channel, &resolver->channel);
    const char *hosts_path = options->hosts_path != NULL ? options->hosts_path : "/etc/hosts";
    if (hosts_path[0] != '\0')
        resolver->hosts = hosts_create(hosts_path);
    bool has_memory =
        resolver_make_localhost(resolver) && (hosts_path[0] == '\0' || resolver->hosts != NULL);
    if (status == ST_OK && !has_memory)
        status = ST_NOMEM;
    if (status != ST_OK)
        resolver_destroy(&resolver);
    else
        *ret_resolver = resolver;
    return status;
}

/* Those who wait will never be told. */
static void fetch_abandon(struct resolver_fetch *fetch)
{
    LIST_EACH(link, &fetch->waiters) {
        struct question_half *half = CONTAINER_OF(link, struct question_half, link);
        link_remove(link);
        half->fetch = NULL;
    }
    (void)table_remove(&fetch->resolver->fetches, fetch->key.hash, fetch); /* gone if it ended */
    fetch_destroy(fetch);
}

bool resolver_tidy(struct resolver *resolver)
{
    return slab_tidy(&resolver->slab);
}

void resolver_destroy(struct resolver **destroy)
{
    struct resolver *resolver = *destroy;
    *destroy = NULL;
    if (resolver == NULL)
        return;
    CHECK_TAG(resolver, RESOLVER_TAG);
    dns_channel_destroy(&resolver->channel);
    LIST_EACH(link, &resolver->all)
        fetch_abandon(CONTAINER_OF(link, struct resolver_fetch, link));
    task_cancel(&resolver->tell);
    table_done(&resolver->fetches);
    slab_done(&resolver->slab);
    answer_cache_done(&resolver->cache);
    hosts_destroy(&resolver->hosts);
    address_set_unref(&resolver->localhost[HALF_V4]);
    address_set_unref(&resolver->localhost[HALF_V6]);
    resolver->tag = 0;
    free(resolver);
}

size_t resolver_cached_count(const struct resolver *resolver)
{
    CHECK_TAG(resolver, RESOLVER_TAG);
    return answer_cache_count(&resolver->cache);
}
