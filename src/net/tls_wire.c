/* Ciphertext between the library and the lower transport.
 *
 * Outwards: what the library writes in one call gathers in the thread's scratch and leaves with one
 * lower send when the call ends (tls_uncork). What was not taken waits in the connection's queue, in blocks
 * of the pool. Inwards the library's own read-ahead buffer is filled straight from below, with as many records as it
 * holds whole.
 *
 * TLS over TLS: the lower transport's calls nest inside ours, so the scratch is used as a stack, and each
 * level has a region behind the one above.
 *
 *     W1  Between calls the scratch is empty and nobody is corked.
 *     W2  The BIO takes every write; what bounds the queue is that nobody calls the library for more
 *         (tls_send), and that reading stops at QUEUE_STOP.
 *     W3  Between calls is_reading_stalled implies that the queue is not empty.
 *
 * The library never meets an end or an error of the lower transport: the BIO says "later" and notes
 * `lower_end`. */
#include "net/tls_sniff.h"
#include "net/tls_stream_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>

enum { QUEUE_STOP = 136 * 1024, QUEUE_PIECES = 16 };

/* Reading stops at QUEUE_STOP, and what was read by then adds at most a region and a handshake flight. What one send
 * makes stops no reading: the directions are independent. */
_Static_assert(QUEUE_STOP >= TLS_SEND_MAX + TLS_SEND_MAX / TLS_RECORD * TLS_RECORD_EXTRA,
               "one send holds no reading");
_Static_assert(QUEUE_STOP + TLS_REGION < TLS_QUEUE_MAX, "the queue's bound holds");

/* ---- ciphertext on its way out ---- */

static void send_failed(struct tls *tls, int os_error)
{
    tls->send_end = ST_IO;
    tls->base.os_error = os_error;
    chain_clear(&tls->queue);
}

/* The queue is empty: reading may go on (W3). */
static void stall_end(struct tls *tls)
{
    if (!tls->is_reading_stalled)
        return;
    tls->is_reading_stalled = false;
    tls->base.ready |= WATCH_READ;
    tls_tell(tls);
}

enum status tls_queue_push(struct tls *tls)
{
    if (tls->send_end == ST_IO)
        return ST_IO;
    while (!chain_is_empty(&tls->queue)) {
        if ((tls->lower->ready & WATCH_WRITE) == 0)
            return ST_AGAIN;
        struct iovec iov[QUEUE_PIECES];
        int count = chain_iovec(&tls->queue, iov, QUEUE_PIECES);
        size_t len = 0;
        enum status status = transport_send(tls->lower, iov, count, &len);
        if (status == ST_AGAIN)
            return ST_AGAIN;
        if (status != ST_OK) {
            send_failed(tls, tls->lower->os_error);
            return ST_IO;
        }
        chain_consume(&tls->queue, len);
    }
    stall_end(tls);
    return ST_OK;
}

/* Hand our region of the scratch to the lower transport, or what it does not take to the queue. The bytes
 * stay where they are until then, for a lower transport that is TLS too uses what lies behind them. */
static void scratch_push(struct tls *tls)
{
    struct tls_scratch *scratch = tls->scratch;
    struct slice bytes = slice_of(scratch->out + tls->out_start, scratch->out_len - tls->out_start);
    if (bytes.len == 0 || tls->send_end == ST_IO)
        return;
    size_t sent = 0;
    if (chain_is_empty(&tls->queue) && (tls->lower->ready & WATCH_WRITE) != 0) {
        struct iovec iov = {scratch->out + tls->out_start, bytes.len};
        enum status status = transport_send(tls->lower, &iov, 1, &sent);
        if (status != ST_OK && status != ST_AGAIN) {
            send_failed(tls, tls->lower->os_error);
            return;
        }
    }
    if (sent == bytes.len)
        return;
    if (chain_append(&tls->queue, slice_from(bytes, sent)) != ST_OK)
        send_failed(tls, ENOMEM);
    else
        (void)tls_queue_push(tls); /* a short send may have left room; its end is noted inside */
}

void tls_cork(struct tls *tls)
{
    struct tls_scratch *scratch = tls->scratch;
    CHECK(scratch->corked != tls);
    tls->corked_before = scratch->corked;
    tls->out_start = scratch->out_len;
    scratch->corked = tls;
    tls->read_len = 0;
    tls->read_most = TLS_READ_MAX;
    tls->is_cut_off = false;
    ERR_clear_error();
}

void tls_uncork(struct tls *tls)
{
    struct tls_scratch *scratch = tls->scratch;
    CHECK(scratch->corked == tls);
    scratch_push(tls);
    scratch->out_len = tls->out_start;
    scratch->corked = tls->corked_before;
    tls->corked_before = NULL;
    if (chain_is_empty(&tls->queue))
        stall_end(tls);
    /* The kernel has told of those bytes already. They are bulk, behind a whole share of it. */
    if (tls->is_cut_off)
        loop_queue_later(tls->base.loop, &tls->again_task);
}

/* Each takes at most half of what is free where its region begins, so that there is always room for a
 * lower one. */
static size_t region_end(const struct tls *tls)
{
    return tls->out_start + (TLS_SCRATCH - tls->out_start) / 2;
}

/* ---- the BIO ---- */

/* Look at the peer's very first bytes; false where it spoke clear HTTP. */
static bool first_bytes_are_fine(struct tls *tls, struct slice first)
{
    if (tls->is_first_seen)
        return true;
    tls->is_first_seen = true;
    tls->spoke_http = tls_sniff_is_http(first);
    return !tls->spoke_http;
}

/* How much to ask for where `most` bytes have room, or may be read: whole records of the longest kind, which bulk
 * consists of. The library asks for as much as its buffer holds where a record begins, and for the rest of one else. */
static size_t whole_records(const struct tls *tls, size_t most)
{
    size_t record = SSL_version(tls->ssl) >= TLS1_3_VERSION ? TLS_RECORD_1_3 : TLS_RECORD_1_2;
    return most > record ? most - most % record : most;
}

static int bio_read(BIO *bio, char *into, int cap)
{
    struct tls *tls = BIO_get_data(bio);
    CHECK_TAG(tls, TAG_TLS);
    BIO_set_retry_read(bio);
    if (cap <= 0 || tls->lower_end != ST_OK || tls->spoke_http)
        return -1;
    if (tls->queue.len + tls->scratch->out_len - tls->out_start > QUEUE_STOP) {
        tls->is_reading_stalled = true;
        return -1;
    }
    if ((tls->lower->ready & WATCH_READ) == 0)
        return -1;
    size_t left = tls->read_most - tls->read_len;
    if (left == 0) { /* records without content could keep the library reading for ever */
        tls->is_cut_off = true;
        return -1;
    }
    size_t len = 0;
    size_t most = whole_records(tls, (size_t)cap < left ? (size_t)cap : left);
    enum status status = transport_recv(tls->lower, into, most, &len);
    if (status == ST_AGAIN)
        return -1;
    if (status != ST_OK) {
        tls->lower_end = status == ST_EOF ? ST_EOF : ST_IO;
        return -1;
    }
    if (!first_bytes_are_fine(tls, slice_of(into, len)))
        return -1;
    tls->read_len += len;
    BIO_clear_retry_flags(bio);
    return (int)len;
}

/* Takes everything: the scratch, and the queue when that is full (E1). */
static int bio_write(BIO *bio, const char *from, int len)
{
    struct tls *tls = BIO_get_data(bio);
    CHECK_TAG(tls, TAG_TLS);
    struct tls_scratch *scratch = tls->scratch;
    CHECK(scratch->corked == tls);
    BIO_clear_retry_flags(bio);
    size_t end = region_end(tls);
    CHECK(end > tls->out_start);
    for (size_t done = 0; done < (size_t)len;) {
        if (scratch->out_len == end) {
            scratch_push(tls);
            scratch->out_len = tls->out_start;
        }
        size_t room = end - scratch->out_len;
        size_t part = (size_t)len - done < room ? (size_t)len - done : room;
        memcpy(scratch->out + scratch->out_len, from + done, part);
        scratch->out_len += part;
        done += part;
    }
    return len;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *bio_method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "transport");
    if (method == NULL)
        return NULL;
    bool is_set = BIO_meth_set_read(method, bio_read) == 1 &&
                  BIO_meth_set_write(method, bio_write) == 1 &&
                  BIO_meth_set_ctrl(method, bio_ctrl) == 1;
    if (is_set)
        return method;
    BIO_meth_free(method);
    return NULL;
}

/* ---- scratch ---- */

struct tls_scratch *tls_scratch_create(struct block_pool *pool)
{
    struct tls_scratch *scratch = malloc(sizeof(*scratch));
    BIO_METHOD *method = bio_method_new();
    if (scratch == NULL || method == NULL) {
        BIO_meth_free(method);
        free(scratch);
        return NULL;
    }
    scratch->tag = TAG_SCRATCH;
    scratch->pool = pool;
    scratch->bio_method = method;
    scratch->corked = NULL;
    scratch->out_len = 0;
    slab_init(&scratch->objects, sizeof(struct tls));
    return scratch;
}

bool tls_scratch_tidy(struct tls_scratch *scratch)
{
    return slab_tidy(&scratch->objects);
}

void tls_scratch_destroy(struct tls_scratch **scratch)
{
    struct tls_scratch *gone = *scratch;
    *scratch = NULL;
    if (gone == NULL)
        return;
    CHECK_TAG(gone, TAG_SCRATCH);
    slab_done(&gone->objects);
    BIO_meth_free(gone->bio_method);
    gone->tag = 0;
    free(gone);
}
