/* Records to moments. Three readers are stacked for each direction: record headers, heads of handshake messages, and of
 * the ServerHello its fields; what is in between is passed over. Each takes any number of bytes, so that it does not
 * matter how they were cut on their way. Only the ClientHello is read as a whole (net/tls_hello), since much is wanted
 * of it.
 *
 * TLS 1.3 hides the handshake behind its ServerHello in records of data. This is how it is seen all the same:
 *
 *   Finished     has a length that follows from the cipher's hash and tag, and is the client's first record, or follows
 *                its certificate; with 0-RTT, the end of the early data
 *   tickets      small records of the server soon after, but for what they hold of a client's certificate. HTTP/2 sends
 *                its settings there as well, which are no response either. A busy server sends them later, and one that
 *                waits for the acknowledgement of the first (Nagle's algorithm) sends the second some 40 ms later: they
 *                are of one length, but for what a cipher rounds up. When the client goes on after it was quiet and
 *                nothing else came, the last of them was the response
 *   alert        a record of 19 bytes; a good-bye is as long
 *
 * Java's TLS puts 16 zeros behind the content of each record (RFC 8446 §5.4): its lengths are so much more.
 *
 * What it does not do: alerts after the first response, renegotiation (RFC 5246 §7.4.1.1), DTLS, SSL 2. */

#include "net/tls_watch.h"

#include "base/check.h"
#include "base/clock.h"

#include <assert.h>
#include <string.h>

enum {
    RECORD_CCS = 20,
    RECORD_ALERT = 21,
    RECORD_HANDSHAKE = 22,
    RECORD_DATA = 23,
    RECORD_LAST = 24,
    RECORD_MAX = 16384 + 2048, /* RFC 5246 §6.2.3 */
    MESSAGE_CLIENT_HELLO = 1,
    MESSAGE_SERVER_HELLO = 2,
    MESSAGE_CERTIFICATE = 11,
    MESSAGE_HELLO_DONE = 14,
    EXTENSION_ALPN = 16,
    EXTENSION_PSK = 41,
    EXTENSION_VERSIONS = 43,
    ALERT_LEVEL_FATAL = 2,
    VERSION_13 = 0x0304,
    CIPHER_AES_256_GCM_SHA384 = 0x1302,
    CIPHER_AES_128_CCM_8_SHA256 = 0x1305,
    /* Lengths of encrypted records of TLS 1.3: content, its type, and a tag of 16 bytes. */
    HIDDEN_ALERT = 2 + 1 + 16,
    HIDDEN_END_OF_EARLY = 4 + 1 + 16,
    HIDDEN_NO_CERTIFICATE = 4 + 4 + 1 + 16,
    HIDDEN_FINISHED_256 = 4 + 32 + 1 + 16,
    HIDDEN_FINISHED_384 = 4 + 48 + 1 + 16,
    HIDDEN_FINISHED_CCM8 = 4 + 32 + 1 + 8,
    HIDDEN_PADDING = 16,
    HIDDEN_TICKET_MAX = 320, /* of one that holds no certificate */
    HIDDEN_TICKET_MORE = 64, /* as one more than the key offered, which is an older ticket */
    HIDDEN_TICKET_ROUND = 16,
    TICKETS_LATE_MAX = 8, /* as many as come later than soon */
    FLIGHT_MAX = 3,       /* Certificate, CertificateVerify, Finished */
    /* Where it gives up. */
    HANDSHAKE_BYTES_MAX = 128 * 1024,
    REQUEST_BYTES_MAX = 64 * 1024,
    KEPT_MAX = TLS_HELLO_MAX + 4096,
};

enum stage {
    STAGE_HELLO,     /* waiting for the ClientHello */
    STAGE_ANSWER,    /* for the ServerHello */
    STAGE_HANDSHAKE, /* for the last Finished */
    STAGE_DATA,      /* for request and response */
};

enum part {
    PART_LEGACY,    /* the version */
    PART_RANDOM,    /* which is compared as it comes */
    PART_SESSION,   /* the length of the session id */
    PART_CHOICE,    /* cipher and compression */
    PART_LENGTH,    /* of all extensions */
    PART_EXTENSION, /* type and length */
    PART_VERSION,   /* the content of supported_versions */
    PART_PROTOCOL,  /* that of ALPN, as far as it is wanted */
    PART_COUNT,
};

/* Bytes of each part. */
static const uint8_t part_bytes[] = {
    [PART_LEGACY] = 2, [PART_RANDOM] = 32,   [PART_SESSION] = 1, [PART_CHOICE] = 3,
    [PART_LENGTH] = 2, [PART_EXTENSION] = 4, [PART_VERSION] = 2, [PART_PROTOCOL] = 5,
};
static_assert(COUNT_OF(part_bytes) == PART_COUNT, "every part has a length");
static_assert(sizeof(struct tls_watch) <= 128, "it may wait for as long as its tunnel is open");

static const uint64_t watch_late_ns = 250 * NS_PER_MS; /* for the first ticket of a busy server */

/* SHA-256 of "HelloRetryRequest", the random of one (RFC 8446 §4.1.3). */
static const uint8_t retry_random[32] = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

bool tls_watch_may_begin(enum tls_watch_side side, struct slice bytes)
{
    unsigned char first = (unsigned char)bytes.at[0];
    return first == RECORD_HANDSHAKE || (first == RECORD_ALERT && side == TLS_WATCH_SERVER);
}

void tls_watch_init(struct tls_watch *watch, uint64_t quiet_ns)
{
    *watch = (struct tls_watch){.quiet_us = (uint32_t)(quiet_ns / NS_PER_US)};
}

static uint64_t watch_quiet_ns(const struct tls_watch *watch)
{
    return watch->quiet_us * NS_PER_US;
}

void tls_watch_done(struct tls_watch *watch)
{
    if (watch->stage == STAGE_HELLO)
        block_unref(&watch->at.hello.block);
}

static void watch_enter(struct tls_watch *watch, enum tls_watch_state state)
{
    watch->state = (uint8_t)state;
}

static void mark(uint64_t *mark_ns, uint64_t now_ns)
{
    if (*mark_ns == 0)
        *mark_ns = now_ns;
}

static unsigned number_at(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static bool watch_is_13(const struct tls_watch *watch)
{
    return watch->facts.version >= VERSION_13;
}

/* ---- what the moments mean ---- */

static void watch_finish_handshake(struct tls_watch *watch, uint64_t now_ns)
{
    mark(&watch->facts.done_ns, now_ns);
    watch->stage = STAGE_DATA;
    if (watch->facts.response_ns != 0) /* which 0-RTT has brought */
        watch_enter(watch, TLS_WATCH_KNOWS);
}

static void watch_alert(struct tls_watch *watch, enum tls_watch_side side, unsigned code,
                        bool is_hidden)
{
    watch->facts.alert = (uint8_t)code;
    watch->facts.alert_by = side == TLS_WATCH_CLIENT ? TLS_WATCH_BY_CLIENT : TLS_WATCH_BY_SERVER;
    watch->facts.alert_is_hidden = is_hidden;
    watch_enter(watch, TLS_WATCH_KNOWS);
}

static void watch_respond(struct tls_watch *watch, uint64_t now_ns)
{
    mark(&watch->facts.response_ns, now_ns);
    if (watch->facts.done_ns != 0)
        watch_enter(watch, TLS_WATCH_KNOWS);
}

/* ---- data: request and response ---- */

/* Milliseconds since the handshake was over, as far as they can be kept; 0 before that. */
static uint16_t watch_ms(const struct tls_watch *watch, uint64_t now_ns)
{
    uint64_t ms = watch->facts.done_ns == 0 ? 0 : (now_ns - watch->facts.done_ns) / NS_PER_MS;
    return ms < UINT16_MAX ? (uint16_t)ms : UINT16_MAX;
}

static void watch_client_data(struct tls_watch *watch, uint64_t now_ns)
{
    uint16_t now_ms = watch_ms(watch, now_ns);
    uint16_t pause_ms = (uint16_t)(now_ms - watch->at.spoke_ms);
    bool was_quiet = pause_ms * NS_PER_MS >= watch_quiet_ns(watch) || now_ms == UINT16_MAX;
    /* It goes on after a pause: what looked like a ticket was an answer. */
    if (watch->at.maybe_ns != 0 && was_quiet)
        watch_respond(watch, watch->at.maybe_ns);
    else
        mark(&watch->facts.request_ns, now_ns);
    watch->at.spoke_ms = now_ms;
}

static bool is_like_last(const struct tls_watch *watch, unsigned len)
{
    unsigned last = watch->at.ticket_len;
    return len <= last + HIDDEN_TICKET_ROUND && last <= len + HIDDEN_TICKET_ROUND;
}

static bool may_be_ticket(const struct tls_watch *watch, unsigned len, uint64_t now_ns)
{
    uint64_t quiet_ns = watch_quiet_ns(watch);
    uint64_t since_ns = now_ns - watch->facts.done_ns;
    bool may_come = watch_is_13(watch) || watch->facts.speaks_h2;
    if (!may_come || len > watch->at.ticket_max)
        return false;
    if (since_ns <= quiet_ns)
        return true;
    if (watch->at.tickets == 0)
        return since_ns <= watch_late_ns;
    bool goes_on = watch->at.maybe_ns != 0 && now_ns - watch->at.maybe_ns <= quiet_ns;
    return watch->at.tickets < TICKETS_LATE_MAX && (goes_on || is_like_last(watch, len));
}

static void watch_server_data(struct tls_watch *watch, unsigned len, uint64_t now_ns)
{
    bool may_respond = watch->facts.request_ns != 0;
    if (!may_be_ticket(watch, len, now_ns)) {
        if (may_respond)
            watch_respond(watch, now_ns);
        return;
    }
    watch->at.ticket_len = (uint16_t)len;
    if (watch->at.tickets < UINT8_MAX)
        watch->at.tickets++;
    if (may_respond)
        watch->at.maybe_ns = now_ns;
}

/* ---- TLS 1.3 behind its ServerHello ---- */

static bool has_length(unsigned len, unsigned bare)
{
    return len == bare || len == bare + HIDDEN_PADDING;
}

/* A Finished also tells whether its side pads. */
static bool watch_is_finished(struct tls_watch *watch, enum tls_watch_side side, unsigned len)
{
    unsigned bare = HIDDEN_FINISHED_256;
    if (watch->facts.cipher == CIPHER_AES_256_GCM_SHA384)
        bare = HIDDEN_FINISHED_384;
    else if (watch->facts.cipher == CIPHER_AES_128_CCM_8_SHA256)
        bare = HIDDEN_FINISHED_CCM8;
    if (!has_length(len, bare))
        return false;
    watch->readers[side].pads = len != bare;
    return true;
}

static bool watch_is_hidden_alert(const struct tls_watch *watch, enum tls_watch_side side,
                                  unsigned len)
{
    return len == HIDDEN_ALERT + (watch->readers[side].pads ? (unsigned)HIDDEN_PADDING : 0);
}

/* Data of 0-RTT, or their end. A quick ServerHello may have overtaken the first of them: who resumes shows no
 * certificate that could stand there (RFC 8446 §4.3.2). */
static bool watch_is_early(const struct tls_watch *watch, unsigned len)
{
    if (watch->facts.has_early_data)
        return true;
    return watch->offers_early_data && watch->facts.is_resumed && !watch->facts.is_retried &&
           watch->flight == 0 && !has_length(len, HIDDEN_ALERT);
}

/* The client's records before the end of its flight, which is known once a Finished came, or as many as there can
 * be. */
static void watch_client_flight(struct tls_watch *watch, unsigned len, uint64_t now_ns)
{
    struct tls_watch_facts *facts = &watch->facts;
    bool is_finished = watch_is_finished(watch, TLS_WATCH_CLIENT, len);
    if (!is_finished && watch_is_early(watch, len)) {
        if (len == HIDDEN_END_OF_EARLY) {
            watch->has_end_of_early = true;
        } else {
            facts->has_early_data = true;
            mark(&facts->request_ns, now_ns);
        }
        return;
    }
    if (watch->flight == 0 && has_length(len, HIDDEN_ALERT)) {
        watch_alert(watch, TLS_WATCH_CLIENT, 0, /* is_hidden= */ true);
        return;
    }
    watch->flight++;
    facts->early_data_is_refused |= facts->has_early_data && !watch->has_end_of_early;
    if (facts->early_data_is_refused && watch->flight == 1)
        facts->request_ns = facts->response_ns = 0; /* it is sent once more */
    if (is_finished) {
        facts->done_ns = now_ns;
        if (watch->flight > 1)
            facts->request_ns = 0;
        watch_finish_handshake(watch, now_ns);
        return;
    }
    if (watch->flight == 1) { /* a certificate, and perhaps all the rest */
        facts->asks_client = true;
        facts->has_client_certificate = !has_length(len, HIDDEN_NO_CERTIFICATE);
        facts->done_ns = now_ns;
        watch->at.ticket_max += (uint16_t)len; /* a ticket may hold it; both are of a record */
        return;
    }
    mark(&facts->request_ns, now_ns);
    if (watch->flight >= FLIGHT_MAX)
        watch->stage = STAGE_DATA;
}

/* The server's records before the client's Finished: with 0-RTT its response may be among them. */
static void watch_server_flight(struct tls_watch *watch, unsigned len, uint64_t now_ns)
{
    if (watch->facts.has_early_data && watch->server_is_done)
        mark(&watch->facts.response_ns, now_ns);
    watch->server_is_done |= watch_is_finished(watch, TLS_WATCH_SERVER, len);
}

static void watch_hidden_13(struct tls_watch *watch, enum tls_watch_side side, unsigned len,
                            uint64_t now_ns)
{
    bool is_open = watch->stage == STAGE_DATA;
    if (side == TLS_WATCH_CLIENT) {
        if (!is_open)
            watch_client_flight(watch, len, now_ns);
        else if (watch_is_hidden_alert(watch, side, len))
            watch->says_good_bye = true;
        else
            watch_client_data(watch, now_ns);
        return;
    }
    bool is_alert = watch_is_hidden_alert(watch, side, len);
    if (is_alert && !watch->says_good_bye && watch->facts.response_ns == 0) {
        watch_alert(watch, side, 0, /* is_hidden= */ true);
        return;
    }
    /* The client's flight may end without a Finished of its own record: what the server says then shows it. */
    if (!is_open && watch->facts.done_ns == 0)
        watch_server_flight(watch, len, now_ns);
    else
        watch_server_data(watch, len, now_ns);
}

/* ---- TLS 1.2 and before ---- */

/* Who sends the last Finished: the server of a full handshake, the client of an abbreviated one (RFC 5246 §7.3). */
static void watch_finished_12(struct tls_watch *watch, enum tls_watch_side side, uint64_t now_ns)
{
    bool is_last = (side == TLS_WATCH_SERVER) == watch->has_hello_done;
    if (watch->stage == STAGE_HANDSHAKE && is_last)
        watch_finish_handshake(watch, now_ns);
}

static void watch_data_12(struct tls_watch *watch, enum tls_watch_side side, unsigned len,
                          uint64_t now_ns)
{
    if (side == TLS_WATCH_SERVER) {
        watch_server_data(watch, len, now_ns);
        return;
    }
    watch->facts.is_false_start |= watch->facts.done_ns == 0;
    watch_client_data(watch, now_ns);
}

/* ---- the ServerHello ---- */

/* A part is gathered: gives how much is passed over before the next one. */
static size_t watch_part(struct tls_watch *watch)
{
    const uint8_t *at = watch->at.gathered;
    switch ((enum part)watch->part) {
    case PART_LEGACY:
        watch->facts.version = (uint16_t)number_at(at);
        watch->is_retry = true;
        watch->part = PART_RANDOM;
        return 0;
    case PART_RANDOM:
        watch->facts.is_retried |= watch->is_retry;
        watch->part = PART_SESSION;
        return 0;
    case PART_SESSION: watch->part = PART_CHOICE; return at[0];
    case PART_CHOICE:
        watch->facts.cipher = (uint16_t)number_at(at);
        watch->part = PART_LENGTH;
        return 0;
    case PART_EXTENSION: {
        unsigned type = number_at(at);
        unsigned len = number_at(at + 2);
        watch->facts.is_resumed |= type == EXTENSION_PSK;
        if (type == EXTENSION_VERSIONS && len == part_bytes[PART_VERSION])
            watch->part = PART_VERSION;
        else if (type == EXTENSION_ALPN && len == part_bytes[PART_PROTOCOL])
            watch->part = PART_PROTOCOL;
        else
            return len;
        return 0;
    }
    case PART_VERSION: watch->facts.version = (uint16_t)number_at(at); break;
    case PART_PROTOCOL: watch->facts.speaks_h2 = at[3] == 'h' && at[4] == '2'; break;
    case PART_LENGTH:
    case PART_COUNT: break;
    }
    watch->part = PART_EXTENSION;
    return 0;
}

/* Bytes of its body. */
static void watch_server_hello(struct tls_watch *watch, struct slice bytes)
{
    while (bytes.len > 0) {
        size_t over = watch->part_left < bytes.len ? watch->part_left : bytes.len;
        watch->part_left -= (uint16_t)over;
        bytes = slice_from(bytes, over);
        size_t want = (size_t)part_bytes[watch->part] - watch->gathered_len;
        size_t take = want < bytes.len ? want : bytes.len;
        if (take == 0)
            continue;
        if (watch->part == PART_RANDOM)
            watch->is_retry &= memcmp(retry_random + watch->gathered_len, bytes.at, take) == 0;
        else
            memcpy(watch->at.gathered + watch->gathered_len, bytes.at, take);
        watch->gathered_len += (uint8_t)take;
        bytes = slice_from(bytes, take);
        if (take < want)
            continue;
        watch->gathered_len = 0;
        watch->part_left = (uint16_t)watch_part(watch);
    }
}

/* It is whole. */
static void watch_answered(struct tls_watch *watch)
{
    watch->part = PART_LEGACY;
    watch->gathered_len = 0;
    watch->part_left = 0;
    if (watch->is_retry) { /* the early data before it counts for nothing (RFC 8446 §4.2.10) */
        watch->facts.early_data_is_refused |= watch->facts.has_early_data;
        watch->facts.request_ns = 0;
        watch->facts.has_early_data = false;
        watch->facts.is_resumed = false;
        watch->facts.version = 0; /* the next one tells it */
        return;
    }
    watch->stage = STAGE_HANDSHAKE;
    watch->at.maybe_ns = 0;
    if (!watch->facts.is_resumed)
        watch->at.ticket_max = HIDDEN_TICKET_MAX;
    if (watch_is_13(watch))
        watch->readers[0].is_hidden = watch->readers[1].is_hidden = true;
}

/* ---- messages ---- */

static void watch_message_begins(struct tls_watch *watch, enum tls_watch_side side, uint64_t now_ns)
{
    const struct tls_watch_reader *reader = &watch->readers[side];
    switch (reader->message[0]) {
    case MESSAGE_SERVER_HELLO:
        if (side == TLS_WATCH_SERVER && watch->stage == STAGE_ANSWER)
            mark(&watch->facts.answer_ns, now_ns);
        break;
    case MESSAGE_HELLO_DONE: watch->has_hello_done |= side == TLS_WATCH_SERVER; break;
    case MESSAGE_CERTIFICATE:
        if (side == TLS_WATCH_CLIENT) {
            watch->facts.asks_client = true;
            watch->facts.has_client_certificate = reader->message_left > 3;
        }
        break;
    default: break;
    }
}

/* Bytes of clear handshake messages. */
static void watch_messages(struct tls_watch *watch, enum tls_watch_side side, struct slice bytes,
                           uint64_t now_ns)
{
    struct tls_watch_reader *reader = &watch->readers[side];
    while (bytes.len > 0) {
        if (reader->message_len < sizeof(reader->message)) {
            reader->message[reader->message_len++] = (uint8_t)bytes.at[0];
            bytes = slice_from(bytes, 1);
            if (reader->message_len < sizeof(reader->message))
                continue;
            reader->message_left =
                (uint32_t)reader->message[1] << 16 | number_at(reader->message + 2);
            watch_message_begins(watch, side, now_ns);
        }
        size_t here = reader->message_left < bytes.len ? reader->message_left : bytes.len;
        bool is_answer = side == TLS_WATCH_SERVER && watch->stage == STAGE_ANSWER &&
                         reader->message[0] == MESSAGE_SERVER_HELLO;
        if (is_answer)
            watch_server_hello(watch, slice_first(bytes, here));
        bytes = slice_from(bytes, here);
        reader->message_left -= (uint32_t)here;
        if (reader->message_left > 0)
            continue;
        reader->message_len = 0;
        if (is_answer)
            watch_answered(watch);
    }
}

/* ---- records ---- */

static void watch_record_begins(struct tls_watch *watch, enum tls_watch_side side, unsigned len,
                                uint64_t now_ns)
{
    struct tls_watch_reader *reader = &watch->readers[side];
    switch (reader->head[0]) {
    case RECORD_CCS:
        if (watch->stage >= STAGE_HANDSHAKE && !watch_is_13(watch)) {
            reader->is_hidden = true;
            watch->facts.is_resumed |= side == TLS_WATCH_SERVER && !watch->has_hello_done;
        }
        break;
    case RECORD_ALERT:
        if (len > 2 && watch->facts.done_ns == 0)
            watch_alert(watch, side, 0, /* is_hidden= */ true);
        else if (len > 2) /* a good-bye, mostly */
            watch_enter(watch, TLS_WATCH_KNOWS);
        break;
    case RECORD_HANDSHAKE:
        if (reader->is_hidden && !watch_is_13(watch))
            watch_finished_12(watch, side, now_ns);
        break;
    case RECORD_DATA:
        if (watch->stage <= STAGE_ANSWER && side == TLS_WATCH_CLIENT && watch->offers_early_data) {
            watch->facts.has_early_data = !watch->facts.is_retried;
            mark(&watch->facts.request_ns, now_ns);
        } else if (watch->stage >= STAGE_HANDSHAKE && watch_is_13(watch)) {
            watch_hidden_13(watch, side, len, now_ns);
        } else if (watch->stage >= STAGE_HANDSHAKE) {
            watch_data_12(watch, side, len, now_ns);
        } else {
            watch_enter(watch, TLS_WATCH_LOST);
        }
        break;
    default: break;
    }
}

/* What stands in a record, as far as it is clear. */
static void watch_record_bytes(struct tls_watch *watch, enum tls_watch_side side,
                               struct slice bytes, uint64_t now_ns)
{
    struct tls_watch_reader *reader = &watch->readers[side];
    if (reader->head[0] == RECORD_HANDSHAKE && !reader->is_hidden) {
        watch_messages(watch, side, bytes, now_ns);
    } else if (reader->head[0] == RECORD_ALERT) {
        for (size_t i = 0; i < bytes.len && reader->message_len < 2; i++)
            reader->message[reader->message_len++] = (uint8_t)bytes.at[i];
        bool is_whole = reader->record_left == bytes.len;
        if (is_whole && reader->message_len == 2 && reader->message[0] == ALERT_LEVEL_FATAL)
            watch_alert(watch, side, reader->message[1], /* is_hidden= */ false);
        if (is_whole)
            reader->message_len = 0;
    }
}

/* Gather a header. False: it is none. */
static bool watch_head(struct tls_watch *watch, enum tls_watch_side side, struct slice *bytes,
                       uint64_t now_ns)
{
    struct tls_watch_reader *reader = &watch->readers[side];
    size_t want = sizeof(reader->head) - reader->head_len;
    size_t take = want < bytes->len ? want : bytes->len;
    memcpy(reader->head + reader->head_len, bytes->at, take);
    reader->head_len += (uint8_t)take;
    *bytes = slice_from(*bytes, take);
    bool is_fine = reader->head[0] >= RECORD_CCS && reader->head[0] <= RECORD_LAST &&
                   (reader->head_len < 2 || reader->head[1] == 3);
    if (!is_fine || take < want)
        return is_fine;
    unsigned len = number_at(reader->head + 3);
    if (len > RECORD_MAX)
        return false;
    reader->head_len = 0;
    reader->record_left = (uint16_t)len;
    watch_record_begins(watch, side, len, now_ns);
    return true;
}

/* Is the handshake over, and something asked? */
static bool watch_is_asked(const struct tls_watch *watch)
{
    return watch->stage == STAGE_DATA && watch->facts.request_ns != 0;
}

static void watch_count(struct tls_watch *watch, size_t bytes)
{
    size_t seen = watch->seen_bytes + bytes;
    watch->seen_bytes = seen < UINT32_MAX ? (uint32_t)seen : UINT32_MAX;
}

static void watch_records(struct tls_watch *watch, enum tls_watch_side side, struct slice bytes,
                          uint64_t now_ns)
{
    struct tls_watch_reader *reader = &watch->readers[side];
    bool was_asked = watch_is_asked(watch);
    if (!was_asked || side == TLS_WATCH_CLIENT)
        watch_count(watch, bytes.len);
    while (bytes.len > 0 && watch->state == TLS_WATCH_LOOKS) {
        if (reader->record_left == 0) {
            if (!watch_head(watch, side, &bytes, now_ns))
                watch_enter(watch,
                            watch->stage == STAGE_HELLO ? TLS_WATCH_NOT_TLS : TLS_WATCH_LOST);
            continue;
        }
        size_t here = reader->record_left < bytes.len ? reader->record_left : bytes.len;
        watch_record_bytes(watch, side, slice_first(bytes, here), now_ns);
        reader->record_left -= (uint16_t)here;
        bytes = slice_from(bytes, here);
    }
    if (watch->state == TLS_WATCH_LOOKS && watch->facts.done_ns == 0 &&
        watch->seen_bytes > HANDSHAKE_BYTES_MAX)
        watch_enter(watch, TLS_WATCH_LOST);
    if (!was_asked && watch_is_asked(watch))
        watch->seen_bytes = 0;
}

/* ---- the ClientHello ---- */

/* Put `bytes` behind what is kept. False: out of memory, or too long. */
static bool watch_keep(struct tls_watch *watch, struct slice bytes, struct block_pool *blocks)
{
    struct block **kept = &watch->at.hello.block;
    size_t kept_len = watch->at.hello.kept_len;
    size_t len = kept_len + bytes.len;
    if (len > KEPT_MAX)
        return false;
    if (*kept == NULL || (*kept)->size < len) {
        struct block *block = block_create(blocks, len > BLOCK_SMALL ? len : BLOCK_SMALL);
        if (block == NULL)
            return false;
        if (*kept != NULL)
            memcpy(block->data, (*kept)->data, kept_len);
        block_unref(kept);
        *kept = block;
    }
    memcpy((*kept)->data + kept_len, bytes.at, bytes.len);
    watch->at.hello.kept_len = (uint32_t)len;
    return true;
}

static void watch_hello(struct tls_watch *watch, const struct tls_hello *hello, uint64_t now_ns,
                        const struct tls_watch_means *means)
{
    mark(&watch->facts.hello_ns, now_ns);
    watch->facts.offered = hello->version;
    watch->facts.has_ech = hello->has_ech;
    watch->offers_early_data = hello->has_early_data;
    watch->stage = STAGE_ANSWER;
    memset(&watch->at, 0, sizeof(watch->at));
    uint32_t like_offered = hello->psk_bytes + HIDDEN_TICKET_MORE;
    if (like_offered > RECORD_MAX)
        like_offered = RECORD_MAX;
    watch->at.ticket_max =
        (uint16_t)(like_offered > HIDDEN_TICKET_MAX ? like_offered : HIDDEN_TICKET_MAX);
    if (means->on_hello != NULL)
        means->on_hello(means->owner, hello);
}

static void watch_client_begins(struct tls_watch *watch, struct slice bytes, uint64_t now_ns,
                                const struct tls_watch_means *means)
{
    struct tls_hello hello;
    enum tls_hello_result result = TLS_HELLO_MORE;
    bool is_first = watch->at.hello.kept_len == 0;
    if (is_first)
        result = tls_hello_view(bytes, &hello);
    if (result == TLS_HELLO_MORE) {
        if (is_first && !tls_watch_may_begin(TLS_WATCH_CLIENT, bytes)) {
            watch_enter(watch, TLS_WATCH_NOT_TLS);
            return;
        }
        if (!watch_keep(watch, bytes, means->blocks)) {
            watch_enter(watch, TLS_WATCH_LOST);
            return;
        }
        bytes = slice_of(watch->at.hello.block->data, watch->at.hello.kept_len);
        result = tls_hello_read(bytes, means->scratch, &hello);
    }
    if (result == TLS_HELLO_WHOLE) {
        struct block *block = watch->at.hello.block; /* where `bytes` may lie */
        watch_hello(watch, &hello, now_ns, means);
        watch_records(watch, TLS_WATCH_CLIENT, slice_from(bytes, hello.bytes), now_ns);
        block_unref(&block);
    } else if (result != TLS_HELLO_MORE) {
        watch_enter(watch, result == TLS_HELLO_NOT_TLS ? TLS_WATCH_NOT_TLS : TLS_WATCH_LOST);
    }
}

void tls_watch_see(struct tls_watch *watch, enum tls_watch_side side, struct slice bytes,
                   uint64_t now_ns, const struct tls_watch_means *means)
{
    if (watch->state != TLS_WATCH_LOOKS || bytes.len == 0)
        return;
    if (watch->stage == STAGE_HELLO && side == TLS_WATCH_CLIENT)
        watch_client_begins(watch, bytes, now_ns, means);
    else
        watch_records(watch, side, bytes, now_ns);
    if (watch->state != TLS_WATCH_LOOKS)
        tls_watch_done(watch);
}

bool tls_watch_wants(const struct tls_watch *watch, enum tls_watch_side side)
{
    if (watch->state != TLS_WATCH_LOOKS)
        return false;
    return side == TLS_WATCH_SERVER || !watch_is_asked(watch) ||
           watch->seen_bytes < REQUEST_BYTES_MAX;
}

struct tls_watch_facts tls_watch_facts(const struct tls_watch *watch)
{
    struct tls_watch_facts facts = watch->facts;
    if (facts.response_ns == 0 && watch->stage >= STAGE_HANDSHAKE)
        facts.response_ns = watch->at.maybe_ns;
    return facts;
}
