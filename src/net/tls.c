/* TLS over any transport.
 *
 *      owner          recv, send, shut ...          on_ready
 *        |                                              ^
 *     struct tls   SSL_read_ex, SSL_write_ex            |
 *        |                                              |
 *      the BIO     reads: straight from the lower transport into the library's buffer of four records
 *        |         writes: into the thread's scratch, which leaves with one lower send when the call ends
 *        v                                              |
 *      lower          recv, send, shut ...          on_ready
 *
 * The library never meets an end or an error of the lower transport: the BIO tells it "later" and notes
 * `lower_end`, which we then turn into the exact end ourselves. So an end of file without close_notify
 * does not break the connection inside the library, and sending may go on (half-close).
 *
 * What the lower transport does not take of the scratch is copied to `queue` (tls_wire.c). As long as
 * that holds anything, no plaintext is taken, and once it is long nothing is read either, since reading
 * may answer (key updates). A task empties it when the lower transport is writable again.
 *
 *     E1  No SSL_ function that may write runs outside tls_cork() ... tls_uncork().
 *     E2  base.ready says WATCH_WRITE only when `queue` is empty.
 *     E3  base.ready says WATCH_READ while the library holds bytes or the lower transport does, unless
 *         the library asked for more and the lower one is dry.
 *     E4  After recv_end or send_end is set, that direction of the library is not called again.
 *     E5  close never sends close_notify: without transport_shut the peer sees a cut-off stream, which
 *         is what a body that was cut short must look like.
 *
 * Not done here: renegotiation, early data, kernel TLS, growing record sizes. */
#include "net/tls.h"

#include "net/tls_stream_internal.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

static const struct transport_ops TLS_OPS;

struct tls *tls_of(struct transport *transport)
{
    struct tls *tls = CONTAINER_OF(transport, struct tls, base);
    CHECK_TAG(tls, TAG_TLS);
    return tls;
}

const struct tls *tls_of_const(const struct transport *transport)
{
    const struct tls *tls = (const void *)transport; /* base is the first member */
    CHECK_TAG(tls, TAG_TLS);
    return tls;
}

void tls_tell(struct tls *tls)
{
    if (tls->base.on_ready != NULL)
        tls->base.on_ready(&tls->base);
}

static void tls_say(struct tls *tls, const char *sentence)
{
    struct text text = text_on(tls->fault, sizeof(tls->fault));
    text_add(&text, slice_from_string(sentence));
    (void)text_string(&text);
}

/* ---- what may be tried now ---- */

/* E2, E3. `is_dry`: the library asked for bytes that are not there. */
static void ready_update(struct tls *tls, bool is_dry)
{
    unsigned lower = tls->lower->ready;
    unsigned ready = lower & (WATCH_HANGUP | WATCH_ERROR);
    bool may_read = (lower & WATCH_READ) != 0 || (!is_dry && SSL_has_pending(tls->ssl));
    may_read = may_read && !tls->is_reading_stalled;
    if (tls->recv_end != ST_OK)
        may_read = !tls->base.is_end_told;
    if (may_read)
        ready |= WATCH_READ;
    bool may_write = chain_is_empty(&tls->queue) && (lower & WATCH_WRITE) != 0;
    if (tls->send_end != ST_OK || (may_write && !tls->write_wants_read))
        ready |= WATCH_WRITE;
    tls->base.ready = ready;
}

static void on_lower_ready(struct transport *lower)
{
    struct tls *tls = lower->owner;
    CHECK_TAG(tls, TAG_TLS);
    unsigned ready = lower->ready & (WATCH_READ | WATCH_HANGUP | WATCH_ERROR);
    if (chain_is_empty(&tls->queue))
        ready |= lower->ready & WATCH_WRITE;
    else if ((lower->ready & WATCH_WRITE) != 0)
        loop_queue(tls->base.loop, &tls->flush_task);
    if (tls->is_reading_stalled || tls->base.is_end_told)
        ready &= ~(unsigned)WATCH_READ;
    tls->base.ready |= ready;
    tls_tell(tls);
}

static void run_again(struct task *task)
{
    struct tls *tls = CONTAINER_OF(task, struct tls, again_task);
    CHECK_TAG(tls, TAG_TLS);
    tls_tell(tls);
}

/* Empty the queue on our own; the owner hears when it may go on. */
static void run_flush(struct task *task)
{
    struct tls *tls = CONTAINER_OF(task, struct tls, flush_task);
    CHECK_TAG(tls, TAG_TLS);
    if (tls_queue_push(tls) == ST_AGAIN)
        return;
    tls->base.ready |= WATCH_WRITE;
    tls_tell(tls);
}

/* ---- creation ---- */

static void bury_tls(struct grave *grave)
{
    struct tls *tls = CONTAINER_OF(grave, struct tls, grave);
    slab_free(&tls->scratch->objects, tls);
}

/* Everything but the peers' roles. NULL out of memory; `*lower` is still the caller's. */
static struct tls *tls_new(struct tls_scratch *scratch, struct transport *lower, SSL_CTX *context)
{
    CHECK_TAG(scratch, TAG_SCRATCH);
    struct tls *tls = slab_alloc(&scratch->objects);
    if (tls == NULL)
        return NULL;
    SSL *ssl = SSL_new(context);
    BIO *bio = BIO_new(scratch->bio_method);
    if (ssl == NULL || bio == NULL || SSL_set_app_data(ssl, tls) != 1) {
        BIO_free(bio);
        SSL_free(ssl);
        slab_free(&scratch->objects, tls);
        ERR_clear_error();
        return NULL;
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    tls->tag = TAG_TLS;
    tls->base = (struct transport){.ops = &TLS_OPS, .loop = lower->loop, .ready = lower->ready};
    tls->scratch = scratch;
    tls->lower = lower;
    tls->ssl = ssl;
    tls->peer_alert = -1;
    tls->grave.bury = bury_tls;
    chain_init(&tls->queue, scratch->pool);
    task_init(&tls->flush_task, run_flush);
    task_init(&tls->again_task, run_again);
    return tls;
}

/* Give back all but the lower transport; the object itself goes at the end of the turn. */
static void tls_end(struct tls *tls)
{
    CHECK(tls->scratch->corked != tls);
    task_cancel(&tls->flush_task);
    task_cancel(&tls->again_task);
    tls->base.on_ready = NULL;
    /* Without this the library takes a connection that was only dropped for a broken one, and spoils
     * the session that others may resume. */
    if (tls->is_open && tls->recv_end != ST_BAD)
        SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(tls->ssl);
    ERR_clear_error();
    tls->ssl = NULL;
    tls_server_context_unref(&tls->server);
    tls_client_context_unref(&tls->client);
    chain_clear(&tls->queue);
    tls->tag = 0;
    loop_bury(tls->base.loop, &tls->grave);
}

/* From here on nothing can fail: take the lower transport over. */
static void tls_adopt(struct tls *tls, struct transport **lower, struct transport **ret_transport)
{
    transport_listen(*lower, tls, on_lower_ready);
    *lower = NULL;
    *ret_transport = &tls->base;
}

enum status tls_accept_create(struct tls_scratch *scratch, struct transport **lower,
                              struct tls_server_context *context, struct transport **ret_transport)
{
    CHECK_TAG(context, TAG_TLS_SERVER);
    struct tls *tls = tls_new(scratch, *lower, context->ssl);
    if (tls == NULL)
        return ST_NOMEM;
    tls->server = tls_server_context_ref(context);
    SSL_set_accept_state(tls->ssl);
    tls_adopt(tls, lower, ret_transport);
    return ST_OK;
}

/* Whom the certificate must name, and what to tell the server of it (RFC 6066 §3: no addresses). */
static bool connect_set_host(struct tls *tls, const struct host *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
    memcpy(tls->host, host->text, host->len);
    if (host->kind != HOST_NAME)
        return X509_VERIFY_PARAM_set1_ip(param, host->addr.bytes,
                                         host->addr.family == INET_V4 ? 4 : 16) == 1;
    /* not the subject's common name, RFC 9110 §4.3.4 */
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return X509_VERIFY_PARAM_set1_host(param, host->text, host->len) == 1 &&
           SSL_set_tlsext_host_name(tls->ssl, tls->host) == 1;
}

static void connect_set_session(struct tls *tls, const struct tls_connect_options *options)
{
    if (options->sessions == NULL || options->session_key.len == 0 ||
        options->session_key.len > TLS_SESSION_KEY_MAX)
        return;
    tls->sessions = options->sessions;
    tls->has_session_digest = true;
    tls_session_digest(tls->client->id, options->session_key, tls->session_digest);
    SSL_SESSION *session = tls_sessions_take(tls->sessions, tls->session_digest);
    if (session == NULL)
        return;
    (void)SSL_set_session(tls->ssl, session); /* where it cannot, the handshake is a full one */
    SSL_SESSION_free(session);
}

enum status tls_connect_create(struct tls_scratch *scratch, struct transport **lower,
                               struct tls_client_context *context,
                               const struct tls_connect_options *options,
                               struct transport **ret_transport)
{
    CHECK_TAG(context, TAG_TLS_CLIENT);
    struct tls *tls = tls_new(scratch, *lower, context->ssl);
    if (tls == NULL)
        return ST_NOMEM;
    tls->client = tls_client_context_ref(context);
    SSL_set_connect_state(tls->ssl);
    if (!connect_set_host(tls, options->host)) {
        tls_end(tls);
        return ST_NOMEM;
    }
    connect_set_session(tls, options);
    tls_adopt(tls, lower, ret_transport);
    return ST_OK;
}

int tls_on_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls *tls = SSL_get_app_data(ssl);
    CHECK_TAG(tls, TAG_TLS);
    if (!tls->has_session_digest)
        return 0;
    tls_sessions_give(tls->sessions, tls->session_digest, session);
    return 1;
}

/* ---- failure ---- */

/* The library gave up: both directions are over. */
static void tls_broke(struct tls *tls)
{
    struct text text = text_on(tls->fault, sizeof(tls->fault));
    tls->peer_alert = tls_explain(tls->ssl, tls->host, &text);
    (void)text_string(&text);
    tls->recv_end = ST_BAD;
    if (tls->send_end == ST_OK)
        tls->send_end = ST_BAD;
}

void tls_on_chatter(const SSL *ssl, int where, int result)
{
    struct tls *tls = SSL_get_app_data(ssl);
    (void)result;
    if (!tls->is_open || (where & (SSL_CB_LOOP | SSL_CB_ALERT)) == 0)
        return;
    tls->chatter++;
    tls->is_flooded = tls->chatter > TLS_CHATTER_MAX + tls->content_len / TLS_CHATTER_BYTES;
    if (tls->is_flooded) /* the library reads nothing more of what it has in its buffer */
        SSL_set_shutdown(tls->ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
}

static void tls_was_flooded(struct tls *tls)
{
    tls_say(tls, "too many TLS messages without content");
    tls->recv_end = ST_BAD;
    if (tls->send_end == ST_OK)
        tls->send_end = ST_BAD;
}

/* The lower transport ended where the library wanted more. */
static void tls_was_cut(struct tls *tls)
{
    tls->recv_end = tls->lower_end;
    if (tls->lower_end == ST_EOF)
        tls->base.is_truncated = true;
    else
        tls->base.os_error = tls->lower->os_error;
}

/* The peer's close_notify came. Before TLS 1.3 it asks for ours at once (RFC 5246 §7.2.1). */
static void tls_was_ended(struct tls *tls)
{
    tls->recv_end = ST_EOF;
    tls->base.ends_both = SSL_version(tls->ssl) < TLS1_3_VERSION;
}

/* ---- handshake ---- */

static void handshake_was_cut(struct tls *tls)
{
    tls_was_cut(tls);
    tls_say(tls, tls->lower_end == ST_EOF ? "the peer closed the connection during the handshake"
                                          : "the connection broke during the handshake");
}

static void handshake_met_http(struct tls *tls)
{
    tls_say(tls, tls->server != NULL ? "the client speaks clear HTTP on a port that speaks TLS"
                                     : "the server speaks clear HTTP, not TLS");
    tls->recv_end = ST_BAD;
    tls->send_end = ST_BAD;
}

static enum status tls_handshake(struct transport *transport)
{
    struct tls *tls = tls_of(transport);
    if (tls->is_open)
        return ST_OK;
    if (tls->recv_end != ST_OK)
        return tls->recv_end;
    tls->is_reading_stalled = false;
    tls_cork(tls);
    int result = SSL_do_handshake(tls->ssl);
    int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(tls->ssl, result);
    if (result == 1)
        tls->is_open = true;
    else if (tls->spoke_http)
        handshake_met_http(tls);
    else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        tls_broke(tls);
    else if (tls->lower_end != ST_OK)
        handshake_was_cut(tls);
    tls_uncork(tls);
    ready_update(tls, /* is_dry= */ !tls->is_open);
    if (tls->recv_end != ST_OK)
        return tls->recv_end;
    if (tls->send_end != ST_OK)
        return tls->send_end;
    return tls->is_open ? ST_OK : ST_AGAIN;
}

/* ---- receiving ---- */

/* Decrypt into `into` until it is full or nothing is left; true where the library asked for more. */
static bool read_records(struct tls *tls, char *into, size_t cap, size_t *ret_len)
{
    size_t got = 0;
    bool is_dry = false;
    while (got < cap) {
        size_t len = 0;
        int result = SSL_read_ex(tls->ssl, into + got, cap - got, &len);
        if (result == 1) {
            got += len;
            tls->read_most += len;
            if (!SSL_has_pending(tls->ssl) && (tls->lower->ready & WATCH_READ) == 0)
                break;
            continue;
        }
        int error = SSL_get_error(tls->ssl, result);
        if (tls->is_flooded)
            tls_was_flooded(tls);
        else if (error == SSL_ERROR_ZERO_RETURN)
            tls_was_ended(tls);
        else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
            tls_broke(tls);
        else if (tls->lower_end != ST_OK)
            tls_was_cut(tls);
        is_dry = true;
        break;
    }
    *ret_len = got;
    return is_dry;
}

static enum status recv_tell_end(struct tls *tls)
{
    tls->base.is_end_told = true;
    tls->base.ready &= ~(unsigned)WATCH_READ;
    return tls->recv_end;
}

static enum status tls_recv(struct transport *transport, void *into, size_t cap, size_t *ret_len)
{
    struct tls *tls = tls_of(transport);
    CHECK(cap > 0);
    if (!tls->is_open) {
        enum status status = tls_handshake(transport);
        if (status != ST_OK)
            return status;
    }
    if (tls->recv_end != ST_OK)
        return recv_tell_end(tls);
    tls->is_reading_stalled = false;
    size_t got = 0;
    tls_cork(tls);
    bool is_dry = read_records(tls, into, cap, &got);
    tls_uncork(tls);
    if (tls->write_wants_read && tls->read_len > 0) { /* what it waited for may have come */
        tls->write_wants_read = false;
        loop_queue(tls->base.loop, &tls->again_task);
    }
    ready_update(tls, is_dry);
    tls->content_len += got;
    if (got > 0) {
        *ret_len = got;
        return ST_OK;
    }
    return tls->recv_end == ST_OK ? ST_AGAIN : recv_tell_end(tls);
}

/* ---- sending ---- */

/* Where the walk over the caller's pieces stands. */
struct walk {
    const struct iovec *iov;
    int count;
    size_t offset; /* in iov[0] */
};

static void walk_skip(struct walk *walk, size_t len)
{
    walk->offset += len;
    while (walk->count > 0 && walk->offset >= walk->iov->iov_len) {
        walk->offset -= walk->iov->iov_len;
        walk->iov++;
        walk->count--;
    }
}

/* The plaintext of the next record: out of one piece where that fills it, else gathered from several
 * small ones. The walk does not move. */
static struct slice walk_record(const struct walk *walk, char gather[TLS_RECORD])
{
    size_t first = walk->iov->iov_len - walk->offset;
    const char *at = (const char *)walk->iov->iov_base + walk->offset;
    if (first >= TLS_RECORD || walk->count == 1)
        return slice_of(at, first < TLS_RECORD ? first : TLS_RECORD);
    struct walk next = *walk;
    size_t len = 0;
    while (next.count > 0 && len < TLS_RECORD) {
        size_t part = next.iov->iov_len - next.offset;
        part = part < TLS_RECORD - len ? part : TLS_RECORD - len;
        memcpy(gather + len, (const char *)next.iov->iov_base + next.offset, part);
        len += part;
        walk_skip(&next, part);
    }
    return slice_of(gather, len);
}

/* Encrypt up to TLS_SEND_MAX; returns the plaintext bytes that were taken. */
static size_t write_records(struct tls *tls, const struct iovec *iov, int count)
{
    struct walk walk = {iov, count, 0};
    size_t total = 0;
    walk_skip(&walk, 0);
    while (walk.count > 0 && total < TLS_SEND_MAX) {
        struct slice plain = walk_record(&walk, tls->scratch->gather);
        plain = slice_first(plain, TLS_SEND_MAX - total);
        size_t len = 0;
        int result = SSL_write_ex(tls->ssl, plain.at, plain.len, &len);
        if (result != 1) {
            int error = SSL_get_error(tls->ssl, result);
            if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
                tls_broke(tls);
            break;
        }
        total += len;
        walk_skip(&walk, len);
    }
    return total;
}

/* The rest of a handshake message will not come, so that nothing can be sent any more. */
static void send_cut(struct tls *tls)
{
    tls->write_wants_read = false;
    tls->send_end = ST_IO;
}

/* May plaintext be taken? ST_OK, ST_AGAIN, or the end of sending. */
static enum status send_begin(struct tls *tls)
{
    if (!tls->is_open) {
        enum status status = tls_handshake(&tls->base);
        if (status != ST_OK)
            return status;
    }
    if (tls->send_end != ST_OK)
        return tls->send_end;
    enum status status = tls_queue_push(tls);
    if (status != ST_OK)
        return status;
    return (tls->lower->ready & WATCH_WRITE) != 0 ? ST_OK : ST_AGAIN;
}

static enum status tls_send(struct transport *transport, const struct iovec *iov, int count,
                            size_t *ret_len)
{
    struct tls *tls = tls_of(transport);
    CHECK(!tls->is_shut);
    enum status status = send_begin(tls);
    if (status != ST_OK) {
        tls->base.ready &= ~(unsigned)WATCH_WRITE;
        return status;
    }
    tls_cork(tls);
    size_t total = write_records(tls, iov, count);
    tls_uncork(tls);
    tls->content_len += total;
    tls->write_wants_read = total == 0 && tls->send_end == ST_OK;
    if (tls->write_wants_read && tls->lower_end != ST_OK)
        send_cut(tls);
    ready_update(tls, /* is_dry= */ (tls->base.ready & WATCH_READ) == 0);
    if (tls->send_end != ST_OK)
        return tls->send_end;
    if (tls->write_wants_read) /* on_lower_ready tells of the next bytes */
        return ST_AGAIN;
    *ret_len = total;
    return ST_OK;
}

static enum status tls_flush(struct transport *transport)
{
    struct tls *tls = tls_of(transport);
    enum status status = tls_queue_push(tls);
    ready_update(tls, /* is_dry= */ (tls->base.ready & WATCH_READ) == 0);
    return status;
}

/* ---- ends ---- */

static enum status tls_shut(struct transport *transport)
{
    struct tls *tls = tls_of(transport);
    if (!tls->is_shut && tls->is_open && tls->send_end == ST_OK) {
        tls_cork(tls);
        (void)SSL_shutdown(tls->ssl); /* 0 and 1 say whether the peer's came; -1 cannot be helped */
        tls_uncork(tls);
        ERR_clear_error();
    }
    tls->is_shut = true;
    enum status status = tls_queue_push(tls);
    return status == ST_OK ? transport_shut(tls->lower) : status;
}

static void tls_close(struct transport *transport, bool is_abort)
{
    struct tls *tls = tls_of(transport);
    if (!is_abort) /* the last chance; what stays is lost, and looks so to the peer (E5) */
        (void)tls_queue_push(tls);
    transport_close(&tls->lower, is_abort);
    tls_end(tls);
}

/* An end or a fault may have come in one receive with the bytes before it, of which alone recv told. */
static bool tls_is_quiet(struct transport *transport, enum transport_look look)
{
    const struct tls *tls = tls_of_const(transport);
    if (tls->recv_end != ST_OK || tls->send_end != ST_OK || SSL_has_pending(tls->ssl))
        return false;
    return transport_is_quiet(tls->lower, look);
}

static const char *tls_fault_text(struct transport *transport)
{
    struct tls *tls = tls_of(transport);
    return tls->fault[0] != '\0' ? tls->fault : transport_fault(tls->lower);
}

static const struct transport_ops TLS_OPS = {
    .handshake = tls_handshake,
    .recv = tls_recv,
    .send = tls_send,
    .flush = tls_flush,
    .shut = tls_shut,
    .close = tls_close,
    .is_quiet = tls_is_quiet,
    .fault = tls_fault_text,
};

/* ---- the transport below ---- */

bool tls_is_tls(const struct transport *transport)
{
    return transport->ops == &TLS_OPS;
}

struct transport *tls_lower(const struct transport *transport)
{
    return tls_of_const(transport)->lower;
}

struct transport *tls_take_lower(struct transport **transport)
{
    struct tls *tls = tls_of(*transport);
    *transport = NULL;
    struct transport *lower = tls->lower;
    tls->lower = NULL;
    transport_listen(lower, NULL, NULL);
    tls_end(tls);
    return lower;
}
