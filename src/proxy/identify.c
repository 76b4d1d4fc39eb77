/* The step that finds out who asks.
 *
 *   credentials shown ──> remembered? ── yes ──────────────────────────────> decide
 *        │                     │ no
 *        │                 throttle ── failed too often, and these were never right from here ──> 429
 *        │                     │
 *        │                  token: looked up ────────────────────────────> decide, 407
 *        │                  password: an inquiry, joined by whoever asks the same meanwhile
 *        │                     ├─ the queue is full ──> 503
 *        │                     └─ a thread hashes it ─ loop_post ─ verdict ─> decide, 407
 *        └ none ──> certificate, process ── nobody, and it is required ──> 407, or 403 where nothing can be shown
 *
 *   N1  A name that is unknown costs what a known one does: the same throttle, queue and computation, with the hash of
 *       another user (roster_decoy); only the last line of on_hashed knows the difference.
 *   N2  What was wrong is never remembered.
 *   N3  An inquiry comes home whether anybody waits or not, and is freed there. An exchange that ends leaves it.
 *   N4  What was read of credentials is wiped where it lies, in the head too, before the step is left.
 *
 *   N5  A client certificate is judged anew with each request: by its dates, and by whether the authorities that
 *       vouched for it are those of now. What the handshake found holds for no longer than that.
 *
 * Credentials that are shown count, and nothing else of the connection makes up for wrong ones. A scheme that is not
 * asked for is no credentials.
 *
 * After 407 the connection is kept, also behind CONNECT: whatever follows on it must prove itself likewise. */

#include "proxy/exchange_internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "identity/credentials.h"
#include "identity/peer.h"
#include "net/tls.h"

#include <stdlib.h>
#include <string.h>

enum verdict {
    VERDICT_NONE, /* nothing was asked, or there is no answer yet */
    VERDICT_RIGHT,
    VERDICT_WRONG,
};

/* A password that is judged, and who waits for it. */
struct inquiry {
    struct hash_job job;
    struct proxy *proxy;
    struct link link;    /* in identify->inquiries, while somebody waits */
    struct link waiting; /* exchanges */
    struct digest field;
    uint8_t roster[DIGEST_SHA256];
    bool is_familiar; /* the throttle knows nothing of it */
    bool is_known;    /* the user exists, and `memory` is of it */
    struct credential_memory memory;
    uint64_t client;
    struct throttle_limits limits;
};

enum { CHALLENGE_TEXT = 160, BUSY_RETRY_S = 1 };

/* ---- set-up ---- */

static void note_memory(void *owner, int64_t bytes)
{
    ceiling_use_reserve(owner, bytes);
}

enum status verifier_init(struct verifier *verifier, struct ceiling *ceiling)
{
    digest_key_make(&verifier->key);
    verifier->throttle = throttle_create();
    verifier->familiar = familiar_create();
    if (verifier->throttle == NULL || verifier->familiar == NULL)
        return ST_NOMEM;
    verifier->hasher = hasher_create(note_memory, ceiling);
    return verifier->hasher == NULL ? ST_IO : ST_OK;
}

void verifier_done(struct verifier *verifier)
{
    hasher_destroy(&verifier->hasher);
    throttle_destroy(&verifier->throttle);
    familiar_destroy(&verifier->familiar);
    explicit_bzero(&verifier->key, sizeof(verifier->key));
}

void identify_init(struct identify *identify)
{
    *identify = (struct identify){.verifier = NULL};
    credential_cache_init(&identify->cache);
    link_init(&identify->inquiries);
}

void identify_done(struct identify *identify)
{
    CHECK(identify->inquiry_count == 0);
    credential_cache_done(&identify->cache);
}

/* ---- what it comes to ---- */

static void count(const struct exchange *x, enum counter counter)
{
    counter_add(x->proxy->engine->counters, counter, 1);
}

static bool takes_basic(const struct exchange *x)
{
    return exchange_config(x)->identity.users.len > 0;
}

static bool takes_bearer(const struct exchange *x)
{
    return exchange_config(x)->identity.tokens.len > 0;
}

/* May somebody be let in who shows no credentials? */
static bool takes_others(const struct exchange *x)
{
    const struct config *config = exchange_config(x);
    return !config_identity_is_required(config) || config->identity.takes_peer ||
           config->identity.certificate != CERTIFICATE_OFF;
}

/* 407; the connection goes on. Behind a CONNECT may stand bytes of the tunnel, which somebody else chose: they get no
 * further than to a 407 of their own, unless requests are let in that show nothing. */
static enum next ask_for_credentials(struct exchange *x, enum cause cause, const char *detail)
{
    if (x->method == METHOD_CONNECT && takes_others(x))
        x->down->may_persist = false;
    if (takes_basic(x))
        exchange_blame(
            x, "identity.basic",
            "show user and password: http://USER:PASSWORD@PROXY in the address of the proxy");
    else
        exchange_blame(x, "identity.bearer", "show a token: Proxy-Authorization: Bearer TOKEN");
    exchange_fail(x, cause, detail);
    return exchange_enter(x, STEP_reply);
}

static enum next fail_credentials(struct exchange *x, const char *detail)
{
    count(x, COUNT_IDENTITY_FAILURES);
    return ask_for_credentials(x, CAUSE_AUTH_FAILED, detail);
}

static enum next refuse_for_now(struct exchange *x, enum status status, uint64_t wait_ns)
{
    char remedy[32];
    bool is_throttled = status == ST_LIMIT;
    count(x, is_throttled ? COUNT_IDENTITY_THROTTLED : COUNT_IDENTITY_BUSY);
    x->retry_after_s =
        is_throttled ? (uint32_t)((wait_ns + NS_PER_S - 1) / NS_PER_S) : BUSY_RETRY_S;
    (void)snprintf(remedy, sizeof(remedy), "ask again in %u s", x->retry_after_s);
    exchange_blame(x, is_throttled ? "identity.throttle" : "identity.busy", remedy);
    return exchange_refuse(x, is_throttled ? CAUSE_AUTH_THROTTLED : CAUSE_AUTH_BUSY, "");
}

static enum next identify_as(struct exchange *x, const struct roster_member *member)
{
    x->who.proof = member->hash != NULL ? IDENTITY_BASIC : IDENTITY_BEARER;
    x->who.user = member->name;
    x->who.groups = member->groups;
    x->who.group_count = member->group_count;
    return exchange_enter(x, STEP_decide);
}

/* ---- what the connection says ---- */

static bool is_of_kind(struct slice name, const char *kind, struct slice *ret_rest)
{
    struct slice prefix = slice_from_string(kind);
    if (!slice_starts_with(name, prefix))
        return false;
    *ret_rest = slice_from(name, prefix.len);
    return true;
}

/* The user of a certificate; empty where it has none. */
static struct slice certificate_user(const struct tls_identity *certificate,
                                     enum config_certificate which)
{
    static const char *const kinds[] = {
        [CERTIFICATE_DNS] = "dns:", [CERTIFICATE_EMAIL] = "email:", [CERTIFICATE_URI] = "uri:"};
    struct slice user = SLICE_NONE;
    if (which == CERTIFICATE_OFF)
        return user;
    if (which == CERTIFICATE_CN)
        return certificate->name;
    for (size_t i = 0; i < certificate->name_count; i++) {
        if (is_of_kind(certificate->names[i], kinds[which], &user))
            break;
    }
    return user;
}

/* Is a listener of this name still there that trusts the authorities which vouched for this client? */
static bool is_trusted_still(const struct exchange *x)
{
    const struct client *client = x->client;
    const struct config *config = exchange_config(x);
    for (size_t i = 0; i < config->listen_count; i++) {
        const struct tls_server_context *now = x->snapshot->tls_server[i];
        if (now != NULL && slice_equals(config->listen[i].name, client->listen->name) &&
            tls_server_context_trusts_alike(now, client->tls_server))
            return true;
    }
    return false;
}

/* N5. Why it counts no longer; NULL: it does. */
static const char *certificate_fault(const struct exchange *x)
{
    const struct client *client = x->client;
    if (client->certificate == NULL)
        return NULL;
    if ((int64_t)(clock_wall_ns() / NS_PER_S) > client->certificate->good_until_s)
        return "tls.client_ca: the certificate has expired";
    if (snapshot_base(client->snapshot) != snapshot_base(x->snapshot) && !is_trusted_still(x))
        return "tls.client_ca: the authorities are others now";
    return NULL;
}

static enum next refuse_certificate(struct exchange *x, const char *fault)
{
    x->down->may_persist = false; /* another handshake tells */
    exchange_blame(x, fault, "connect again, with a certificate that is good now");
    return exchange_refuse(x, CAUSE_AUTH_EXPIRED, "");
}

static void know_certificate(struct exchange *x, const struct tls_identity *certificate)
{
    x->who.cert_subject = certificate->subject;
    x->who.cert_names = certificate->names;
    x->who.cert_name_count = certificate->name_count;
}

/* Who it is without credentials: by certificate, by process. False: nobody. */
static bool know_connection(struct exchange *x)
{
    const struct client *client = x->client;
    const struct config *config = exchange_config(x);
    struct slice user = SLICE_NONE;
    if (client->certificate != NULL)
        user = certificate_user(client->certificate, config->identity.certificate);
    if (user.len > 0) {
        const struct roster_member *member = roster_user(x->snapshot->roster, user);
        x->who.proof = IDENTITY_CERTIFICATE;
        x->who.user = user;
        x->who.groups = member != NULL ? member->groups : NULL;
        x->who.group_count = member != NULL ? member->group_count : 0;
        return true;
    }
    if (client->process == NULL || !config->identity.takes_peer)
        return false;
    x->who.proof = IDENTITY_PEER;
    x->who.user = client->process->user;
    x->who.groups = client->process->groups;
    x->who.group_count = client->process->group_count;
    return true;
}

static enum next go_without_credentials(struct exchange *x)
{
    if (know_connection(x) || !config_identity_is_required(exchange_config(x)))
        return exchange_enter(x, STEP_decide);
    if (takes_basic(x) || takes_bearer(x)) {
        count(x, COUNT_IDENTITY_CHALLENGES);
        return ask_for_credentials(x, CAUSE_AUTH_NEEDED, "");
    }
    exchange_blame(x, "identity.required",
                   "connect with a client certificate, or to a Unix socket");
    return exchange_refuse(x, CAUSE_AUTH_IMPOSSIBLE, "");
}

/* ---- inquiries ---- */

void identify_leave(struct exchange *x)
{
    struct inquiry *inquiry = x->inquiry;
    if (inquiry == NULL)
        return;
    x->inquiry = NULL;
    link_remove(&x->inquiry_link);
    if (!list_is_empty(&inquiry->waiting))
        return;
    link_remove(&inquiry->link); /* so that nobody joins what may not be computed */
    atomic_store_explicit(&inquiry->job.is_cancelled, true, memory_order_relaxed);
}

/* By this worker for a while, and by all that it was right from there. */
static void remember(struct identify *identify, uint64_t client, const struct digest *field,
                     const struct credential_memory *memory, uint64_t now_ns)
{
    credential_cache_put(&identify->cache, field, now_ns, memory);
    familiar_note(identify->verifier->familiar, client, field, &memory->proof, now_ns);
}

/* Home again (N3). */
static void on_hashed(struct hash_job *job)
{
    struct inquiry *inquiry = CONTAINER_OF(job, struct inquiry, job);
    struct proxy *proxy = inquiry->proxy;
    struct identify *identify = &proxy->identify;
    struct counters *counters = proxy->engine->counters;
    uint64_t now_ns = loop_now_ns(proxy->engine->loop);
    bool is_right = job->is_match && inquiry->is_known; /* N1 */
    if (!inquiry->is_familiar)
        throttle_end(identify->verifier->throttle, inquiry->client, &inquiry->limits, now_ns,
                     job->was_hashed && !is_right);
    if (is_right) /* N2 */
        remember(identify, inquiry->client, &inquiry->field, &inquiry->memory, now_ns);
    counter_add(counters, COUNT_IDENTITY_HASHES, job->was_hashed);
    counter_sub(counters, COUNT_IDENTITY_HASHES_OPEN, 1);
    LIST_EACH(link, &inquiry->waiting) {
        struct exchange *x = CONTAINER_OF(link, struct exchange, inquiry_link);
        link_remove(link);
        x->inquiry = NULL;
        x->member = inquiry->memory.member;
        x->verdict = is_right ? VERDICT_RIGHT : VERDICT_WRONG;
        exchange_wake(x);
    }
    link_remove(&inquiry->link);
    identify->inquiry_count--;
    explicit_bzero(inquiry, sizeof(*inquiry));
    free(inquiry);
}

static enum next wait_for(struct exchange *x, struct inquiry *inquiry)
{
    x->inquiry = inquiry;
    list_append(&inquiry->waiting, &x->inquiry_link);
    return NEXT_WAIT;
}

/* One for the same field under the same roster: a client that opens many connections at once has its password hashed
 * once. */
static struct inquiry *find_inquiry(const struct exchange *x, const struct digest *field)
{
    struct identify *identify = &x->proxy->identify;
    LIST_EACH(link, &identify->inquiries) {
        struct inquiry *inquiry = CONTAINER_OF(link, struct inquiry, link);
        if (digest_equals(&inquiry->field, field) &&
            memcmp(inquiry->roster, roster_digest(x->snapshot->roster), DIGEST_SHA256) == 0)
            return inquiry;
    }
    return NULL;
}

static uint64_t throttled_client(const struct exchange *x)
{
    const struct peer_process *process = x->client->process;
    return throttle_client(&x->client->peer.addr, process != NULL ? process->uid : 0);
}

static struct throttle_limits limits_of(const struct exchange *x)
{
    const struct config *config = exchange_config(x);
    return (struct throttle_limits){config->identity.failures, config->identity.failure_ns};
}

static struct credential_memory memory_of(const struct roster *roster,
                                          const struct roster_member *member)
{
    return (struct credential_memory){member->proof, roster_index(roster, member)};
}

static struct inquiry *inquiry_create(struct exchange *x, const struct credentials *credentials,
                                      const struct digest *field)
{
    const struct roster *roster = x->snapshot->roster;
    const struct roster_member *member = roster_user(roster, credentials->user);
    bool is_known = member != NULL && member->hash != NULL;
    const char *hash = is_known ? member->hash : roster_decoy(roster, credentials->user);
    struct inquiry *inquiry = calloc(1, sizeof(*inquiry));
    if (inquiry == NULL)
        return NULL;
    inquiry->job.home = exchange_loop(x);
    inquiry->job.on_done = on_hashed;
    memcpy(inquiry->job.password, credentials->password.at, credentials->password.len);
    memcpy(inquiry->job.hash, hash, strlen(hash) + 1); /* password_judge knows its length */
    inquiry->proxy = x->proxy;
    inquiry->field = *field;
    memcpy(inquiry->roster, roster_digest(roster), DIGEST_SHA256);
    inquiry->is_known = is_known;
    if (is_known)
        inquiry->memory = memory_of(roster, member);
    inquiry->client = throttled_client(x);
    inquiry->limits = limits_of(x);
    link_init(&inquiry->waiting);
    link_init(&inquiry->link);
    return inquiry;
}

static enum next judge_password(struct exchange *x, const struct credentials *credentials,
                                const struct digest *field)
{
    struct identify *identify = &x->proxy->identify;
    struct verifier *verifier = identify->verifier;
    uint64_t wait_ns = 0;
    struct inquiry *inquiry = find_inquiry(x, field);
    if (inquiry != NULL)
        return wait_for(x, inquiry);
    inquiry = inquiry_create(x, credentials, field);
    if (inquiry == NULL)
        return exchange_refuse(x, CAUSE_SHED, "");
    uint64_t now_ns = loop_now_ns(exchange_loop(x));
    inquiry->is_familiar = /* nobody's proof is all zeros */
        familiar_knows(verifier->familiar, inquiry->client, field, &inquiry->memory.proof);
    enum status status = ST_OK;
    if (!inquiry->is_familiar)
        status =
            throttle_begin(verifier->throttle, inquiry->client, &inquiry->limits, now_ns, &wait_ns);
    bool has_begun = status == ST_OK && !inquiry->is_familiar;
    if (status == ST_OK && hasher_submit(verifier->hasher, &inquiry->job) != ST_OK)
        status = ST_AGAIN;
    if (status == ST_OK) {
        list_append(&identify->inquiries, &inquiry->link);
        identify->inquiry_count++;
        counter_add(x->proxy->engine->counters, COUNT_IDENTITY_HASHES_OPEN, 1);
        return wait_for(x, inquiry);
    }
    if (has_begun)
        throttle_end(verifier->throttle, inquiry->client, &inquiry->limits, now_ns, false);
    explicit_bzero(inquiry, sizeof(*inquiry));
    free(inquiry);
    return refuse_for_now(x, status, wait_ns);
}

/* A token is looked up at once: it has too much chance in it to be guessed, so that its digest needs no cost. */
static enum next judge_token(struct exchange *x, const struct credentials *credentials,
                             const struct digest *field)
{
    const struct roster *roster = x->snapshot->roster;
    struct verifier *verifier = x->proxy->identify.verifier;
    struct throttle_limits limits = limits_of(x);
    uint64_t client = throttled_client(x);
    uint64_t now_ns = loop_now_ns(exchange_loop(x));
    uint64_t wait_ns = 0;
    const struct roster_member *member = roster_token(roster, credentials->token);
    struct credential_memory memory = {0};
    if (member != NULL)
        memory = memory_of(roster, member);
    if (!familiar_knows(verifier->familiar, client, field, &memory.proof)) {
        enum status status = throttle_begin(verifier->throttle, client, &limits, now_ns, &wait_ns);
        if (status != ST_OK)
            return refuse_for_now(x, status, wait_ns);
        throttle_end(verifier->throttle, client, &limits, now_ns, member == NULL);
    }
    if (member == NULL)
        return fail_credentials(x, "the token is not known");
    remember(&x->proxy->identify, client, field, &memory, now_ns);
    return identify_as(x, member);
}

/* ---- credentials ---- */

/* Who was judged, in the roster of now: nobody, where its line has changed. Most rosters have it where it stood. */
static const struct roster_member *find_remembered(const struct roster *roster,
                                                   const struct credentials *credentials,
                                                   struct credential_memory *memory)
{
    const struct roster_member *member = roster_at(roster, memory->member);
    if (member != NULL && digest_equals(&member->proof, &memory->proof))
        return member;
    member = credentials->kind == CREDENTIALS_BEARER ? roster_token(roster, credentials->token)
                                                     : roster_user(roster, credentials->user);
    if (member == NULL || !digest_equals(&member->proof, &memory->proof))
        return NULL;
    memory->member = roster_index(roster, member);
    return member;
}

/* Those that are remembered: no lock, no heap. */
static enum next judge_remembered(struct exchange *x, const struct credentials *credentials,
                                  const struct digest *field, bool *ret_is_one)
{
    struct credential_memory *memory =
        credential_cache_find(&x->proxy->identify.cache, field, loop_now_ns(exchange_loop(x)),
                              exchange_config(x)->identity.cache_ns);
    const struct roster_member *member = NULL;
    if (memory != NULL)
        member = find_remembered(x->snapshot->roster, credentials, memory);
    *ret_is_one = member != NULL;
    if (member == NULL)
        return NEXT_GO_ON;
    count(x, COUNT_IDENTITY_CACHE_HITS);
    return identify_as(x, member);
}

/* What is remembered is what the field says and not how it is spelt, so that one account has one entry. The two kinds
 * never say the same: a token has no colon. */
static struct slice proven_text(const struct credentials *credentials)
{
    return credentials->kind == CREDENTIALS_BEARER
               ? credentials->token
               : slice_of(credentials->user.at,
                          credentials->user.len + 1 + credentials->password.len);
}

static enum next judge(struct exchange *x, struct slice value)
{
    struct credentials credentials;
    struct digest digest = {0};
    enum next next = NEXT_GO_ON;
    bool is_remembered = false;
    credentials_parse(value, &credentials);
    bool is_known_kind =
        credentials.kind == CREDENTIALS_BASIC || credentials.kind == CREDENTIALS_BEARER;
    if (is_known_kind) {
        digest = digest_of(&x->proxy->identify.verifier->key, proven_text(&credentials));
        next = judge_remembered(x, &credentials, &digest, &is_remembered);
    }
    if (is_remembered) {
        credentials_wipe(&credentials);
        return next;
    }
    if (credentials.kind == CREDENTIALS_BASIC && takes_basic(x))
        next = judge_password(x, &credentials, &digest);
    else if (credentials.kind == CREDENTIALS_BEARER && takes_bearer(x))
        next = judge_token(x, &credentials, &digest);
    else if (credentials.kind == CREDENTIALS_BAD)
        next = fail_credentials(x, credentials.fault);
    else
        next = go_without_credentials(x);
    credentials_wipe(&credentials);
    return next;
}

/* N4: the bytes are those of the codec, which nobody reads again: the field is not passed on, told or echoed. */
static void wipe(const struct field *field)
{
    if (field->value.len > 0)
        explicit_bzero((char *)(uintptr_t)field->value.at, field->value.len);
}

static enum next begin(struct exchange *x)
{
    const struct fields *fields = &x->request->fields;
    const struct field *field = fields_find(fields, TOKEN_PROXY_AUTHORIZATION);
    enum next next;
    if (field == NULL || x->snapshot->roster == NULL || x->proxy->identify.verifier == NULL)
        return go_without_credentials(x);
    if (fields_find_next(fields, field) != NULL)
        next = fail_credentials(x, "there is more than one Proxy-Authorization field");
    else
        next = judge(x, field->value);
    for (; field != NULL; field = fields_find_next(fields, field))
        wipe(field);
    return next;
}

static enum next end_inquiry(struct exchange *x, bool is_right)
{
    if (!is_right)
        return fail_credentials(x, "no user has this password");
    return identify_as(x, roster_at(x->snapshot->roster, x->member));
}

enum next step_identify(struct exchange *x)
{
    x->was_looked_at = true;
    if (x->inquiry != NULL) /* an event of the client; the answer is on its way */
        return x->down->ops->is_gone(x->down) ? exchange_give_up(x, CAUSE_CLIENT_GONE, "")
                                              : NEXT_WAIT;
    if (x->verdict != VERDICT_NONE)
        return end_inquiry(x, x->verdict == VERDICT_RIGHT);
    const char *fault = certificate_fault(x);
    if (fault != NULL)
        return refuse_certificate(x, fault);
    if (x->client->certificate != NULL)
        know_certificate(x, x->client->certificate);
    if (!config_identity_is_on(exchange_config(x)))
        return exchange_enter(x, STEP_decide);
    return begin(x);
}

/* ---- the answer ---- */

static enum status add_challenge(struct exchange *x, struct head *head, const struct text *text)
{
    struct slice copy = arena_copy(&x->arena, text_slice(text));
    if (copy.at == NULL)
        return ST_NOMEM;
    return fields_add_token(&head->fields, TOKEN_PROXY_AUTHENTICATE,
                            token_name(TOKEN_PROXY_AUTHENTICATE), copy);
}

enum status identify_challenge(struct exchange *x, struct head *head)
{
    const struct slice realm = exchange_config(x)->identity.realm;
    char words[CHALLENGE_TEXT];
    enum status status = ST_OK;
    if (takes_basic(x)) { /* RFC 7617 §2.1 */
        struct text text = text_on(words, sizeof(words));
        text_add_format(&text, "Basic realm=\"%.*s\", charset=\"UTF-8\"", (int)realm.len, realm.at);
        status = add_challenge(x, head, &text);
    }
    if (status == ST_OK && takes_bearer(x)) { /* RFC 6750 §3 */
        struct text text = text_on(words, sizeof(words));
        text_add_format(&text, "Bearer realm=\"%.*s\"", (int)realm.len, realm.at);
        status = add_challenge(x, head, &text);
    }
    return status;
}
