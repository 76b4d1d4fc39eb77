/* The world outside of the private instance.
 *
 *     worker:  outside_dial ──note, one end of a pair──> origins <──┐
 *                                                                  │ poll, in the thread that tries
 *     worker:  c-ares ──UDP on loopback──> name server <───────────┤
 *     worker:  client_accept <── the request ── client's end <─────┘
 *
 * The name server says of every name what its zone says now, so that tries need not tell it of their names. Of the two
 * questions for a name one is held back until the other was answered, so that it depends on the zone, and not on the
 * order of two datagrams, what a dial sees at first.
 *
 * Origins answer whatever comes once a head is whole. They speak no TLS: a try over https ends in an error behind the
 * dial, and the dial is what is looked at. */

#include "selftest/outside.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DNS_A = 1, DNS_CNAME = 5, DNS_AAAA = 28, DNS_HEAD = 12, DNS_PACKET = 1400 };

/* ---- dials ---- */

enum status outside_dial(void *owner, const struct inet_endpoint *endpoint,
                         const struct socket_dial_options *options, int *ret_fd)
{
    struct outside *outside = owner;
    int ends[2];
    (void)options; /* they are about packets */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return ST_IO;
    (void)pthread_mutex_lock(&outside->lock);
    if (outside->dial_count < OUTSIDE_DIALS_MAX)
        outside->dials[outside->dial_count++] = *endpoint;
    outside->dial_total++;
    if (outside->coming_count < OUTSIDE_ORIGINS_MAX)
        outside->coming[outside->coming_count++] = ends[1];
    else
        socket_close(&ends[1]);
    (void)pthread_mutex_unlock(&outside->lock);
    (void)eventfd_write(outside->wake, 1); /* it counts, so that it cannot be full */
    *ret_fd = ends[0];
    return ST_OK;
}

size_t outside_take_dials(struct outside *outside, struct inet_endpoint into[OUTSIDE_DIALS_MAX],
                          size_t *ret_count)
{
    (void)pthread_mutex_lock(&outside->lock);
    size_t total = outside->dial_total;
    *ret_count = outside->dial_count;
    memcpy(into, outside->dials, outside->dial_count * sizeof(into[0]));
    outside->dial_count = outside->dial_total = 0;
    (void)pthread_mutex_unlock(&outside->lock);
    return total;
}

/* ---- the name server ---- */

static void put16(struct text *text, unsigned value)
{
    text_add_char(text, (char)(value >> 8));
    text_add_char(text, (char)(value & 0xff));
}

/* Type, class, lifetime and length; the owner's name stands before. */
static void put_record(struct text *text, unsigned type, unsigned ttl_s, unsigned length)
{
    put16(text, type);
    put16(text, 1);
    put16(text, ttl_s >> 16);
    put16(text, ttl_s & 0xffff);
    put16(text, length);
}

/* The name of the `index`-th alias, "aN." below the root. */
static void put_alias(struct text *text, unsigned index)
{
    static const char rest[] = "\x05"
                               "alias"
                               "\x08"
                               "selftest"
                               "\x04"
                               "test"; /* and the 0 at its end */
    text_add_char(text, 1);
    text_add_char(text, (char)('a' + (int)index));
    text_add(text, slice_of(rest, sizeof(rest)));
}

enum { ALIAS_BYTES = 2 + 6 + 9 + 5 + 1 };

/* The owner of what follows `aliases` of them: a pointer to the question's name, or the last alias. */
static void put_owner(struct text *text, unsigned aliases)
{
    if (aliases == 0)
        put16(text, 0xc000 | DNS_HEAD);
    else
        put_alias(text, aliases - 1);
}

/* The length of a question's name and its type and class; 0 where it is none. */
static size_t question_bytes(const unsigned char *packet, size_t len)
{
    size_t at = DNS_HEAD;
    while (at < len && packet[at] != 0 && packet[at] < 64)
        at += packet[at] + 1U;
    return at + 5 <= len && packet[at] == 0 ? at + 5 - DNS_HEAD : 0;
}

static bool is_repeated(const struct outside_question *question,
                        const struct outside_question *last)
{
    return question->len > 0 && question->len == last->len &&
           memcmp(question->packet, last->packet, question->len) == 0 &&
           question->from_len == last->from_len &&
           memcmp(&question->from, &last->from, question->from_len) == 0;
}

static size_t answer_write(const struct zone *zone, unsigned turn, const unsigned char *query,
                           size_t question, unsigned type, char into[DNS_PACKET])
{
    const struct zone_answer *answer = &zone->answers[turn > 0 ? 1 : 0];
    unsigned family = type == DNS_A ? INET_V4 : INET_V6;
    unsigned bytes = type == DNS_A ? 4 : 16;
    unsigned count = 0;
    struct text text = text_on(into, DNS_PACKET);
    for (size_t i = 0; i < answer->count; i++)
        count += answer->addr[i].family == family;
    text_add(&text, slice_of((const char *)query, 2));
    put16(&text, 0x8180);
    put16(&text, 1);
    put16(&text, zone->aliases + count);
    put16(&text, 0);
    put16(&text, 0);
    text_add(&text, slice_of((const char *)query + DNS_HEAD, question));
    for (unsigned i = 0; i < zone->aliases; i++) {
        put_owner(&text, i);
        put_record(&text, DNS_CNAME, zone->ttl_s, ALIAS_BYTES);
        put_alias(&text, i);
    }
    for (size_t i = 0; i < answer->count; i++) {
        if (answer->addr[i].family != family)
            continue;
        put_owner(&text, zone->aliases);
        put_record(&text, type, zone->ttl_s, bytes);
        text_add(&text, slice_of((const char *)answer->addr[i].bytes, bytes));
    }
    CHECK(!text.is_cut);
    return text.len;
}

static unsigned question_type(const struct outside_question *question)
{
    size_t end = DNS_HEAD + question_bytes(question->packet, question->len);
    return (unsigned)question->packet[end - 4] << 8 | question->packet[end - 3];
}

static void name_server_say(struct outside *outside, const struct outside_question *question)
{
    char answer[DNS_PACKET];
    unsigned type = question_type(question);
    unsigned half = type == DNS_AAAA;
    unsigned turn = outside->asked[half];
    if (is_repeated(question, &outside->answered[half]))
        turn--; /* an answer that is lost is asked for again, and is the same */
    outside->asked[half] = turn + 1;
    outside->answered[half] = *question;
    size_t bytes = answer_write(&outside->zone, turn, question->packet,
                                question_bytes(question->packet, question->len), type, answer);
    (void)sendto(outside->dns, answer, bytes, 0,
                 (const struct sockaddr *)(const void *)&question->from, question->from_len);
}

static void name_server_hear(struct outside *outside)
{
    for (;;) {
        struct outside_question question = {.from_len = sizeof(question.from)};
        ssize_t len = recvfrom(outside->dns, question.packet, sizeof(question.packet), 0,
                               (struct sockaddr *)(void *)&question.from, &question.from_len);
        if (len < 0)
            return;
        question.len = (size_t)len;
        if (question_bytes(question.packet, question.len) == 0)
            continue;
        outside->lookups++;
        unsigned half = question_type(&question) == DNS_AAAA;
        unsigned first = outside->zone.is_v4_first ? 0 : 1;
        if (half != first && !is_repeated(&question, &outside->answered[half]) &&
            outside->asked[half] >= outside->asked[first]) {
            outside->held = question;
            continue;
        }
        name_server_say(outside, &question);
        if (half == first && outside->held.len > 0) {
            name_server_say(outside, &outside->held);
            outside->held.len = 0;
        }
    }
}

void outside_set_zone(struct outside *outside, const struct zone *zone)
{
    outside->zone = *zone;
    outside->asked[0] = outside->asked[1] = 0;
    outside->answered[0].len = outside->answered[1].len = 0;
    outside->held.len = 0;
}

/* ---- origins ---- */

static void origins_take(struct outside *outside)
{
    eventfd_t count;
    (void)eventfd_read(outside->wake, &count);
    (void)pthread_mutex_lock(&outside->lock);
    for (size_t i = 0; i < OUTSIDE_ORIGINS_MAX && outside->coming_count > 0; i++) {
        struct outside_origin *origin = &outside->origins[i];
        if (origin->fd < 0)
            *origin = (struct outside_origin){.fd = outside->coming[--outside->coming_count]};
    }
    while (outside->coming_count > 0)
        socket_close(&outside->coming[--outside->coming_count]);
    (void)pthread_mutex_unlock(&outside->lock);
}

static void origin_answer(struct outside *outside, struct outside_origin *origin)
{
    char words[256];
    struct text text = text_on(words, sizeof(words));
    origin->requests++;
    outside->requests++;
    bool leaves = outside->mood == ORIGIN_LEAVES && origin->requests > 1;
    bool keeps = outside->mood == ORIGIN_KEEPS || outside->mood == ORIGIN_LEAVES;
    if (outside->mood == ORIGIN_REDIRECTS)
        text_add_format(&text, "HTTP/1.1 302 Found\r\nLocation: %s\r\n", outside->location);
    else
        text_add(&text, SLICE("HTTP/1.1 200 OK\r\n"));
    text_add_format(&text, "Content-Length: 0\r\n%s\r\n", keeps ? "" : "Connection: close\r\n");
    if (!leaves)
        (void)send(origin->fd, words, text.len, MSG_NOSIGNAL); /* it fits; who is gone needs none */
    if (leaves || !keeps)
        socket_close(&origin->fd);
}

static void origin_hear(struct outside *outside, struct outside_origin *origin)
{
    static const char end[] = "\r\n\r\n";
    char bytes[4096];
    ssize_t len = recv(origin->fd, bytes, sizeof(bytes), 0);
    if (len < 0 && errno == EAGAIN)
        return;
    bool is_tls = len > 0 && bytes[0] == 0x16; /* RFC 8446 §5.1: a handshake record */
    if (len <= 0 || is_tls)
        socket_close(&origin->fd);
    for (ssize_t i = 0; i < len && origin->fd >= 0; i++) {
        bool goes_on = bytes[i] == end[origin->matched];
        origin->matched = goes_on ? origin->matched + 1 : bytes[i] == '\r';
        if (origin->matched < sizeof(end) - 1)
            continue;
        origin->matched = 0;
        origin_answer(outside, origin);
    }
}

void outside_close_origins(struct outside *outside)
{
    origins_take(outside);
    for (size_t i = 0; i < OUTSIDE_ORIGINS_MAX; i++)
        socket_close(&outside->origins[i].fd);
}

void outside_begin_try(struct outside *outside)
{
    outside->lookups = outside->requests = 0;
}

/* ---- a request and its answer ---- */

/* True where the head is whole, or the end came. */
static bool reply_hear(struct outside_reply *reply, int fd)
{
    size_t room = sizeof(reply->head) - 1 - reply->len;
    ssize_t len = recv(fd, reply->head + reply->len, room, 0);
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (len > 0)
        reply->len += (size_t)len;
    reply->head[reply->len] = '\0';
    char *end = memmem(reply->head, reply->len, "\r\n\r\n", 4);
    if (end != NULL)
        reply->len = (size_t)(end - reply->head);
    return end != NULL || len <= 0 || reply->len + 1 >= sizeof(reply->head);
}

static void reply_read_status(struct outside_reply *reply)
{
    struct slice line = slice_of(reply->head, reply->len);
    uint64_t code = 0;
    if (slice_starts_with(line, SLICE("HTTP/1.")) &&
        slice_to_u64(slice_first(slice_from(line, 9), 3), 999, &code) == ST_OK)
        reply->status = (unsigned)code;
}

void outside_exchange(struct outside *outside, int fd, struct slice request,
                      struct outside_reply *ret_reply)
{
    uint64_t end_ns = clock_monotonic_ns() + OUTSIDE_WAIT_MS * NS_PER_MS;
    ret_reply->is_late = false;
    ret_reply->status = 0;
    ret_reply->len = 0;
    ret_reply->head[0] = '\0';
    if (send(fd, request.at, request.len, MSG_NOSIGNAL) != (ssize_t)request.len)
        return; /* it was closed at once: a refusal, too */
    for (;;) {
        struct pollfd polled[3 + OUTSIDE_ORIGINS_MAX] = {
            {.fd = fd, .events = POLLIN},
            {.fd = outside->wake, .events = POLLIN},
            {.fd = outside->dns, .events = POLLIN},
        };
        nfds_t count = 3;
        for (size_t i = 0; i < OUTSIDE_ORIGINS_MAX; i++)
            polled[count++] = (struct pollfd){.fd = outside->origins[i].fd, .events = POLLIN};
        uint64_t now = clock_monotonic_ns();
        if (now >= end_ns) {
            ret_reply->is_late = true;
            return;
        }
        (void)poll(polled, count, (int)((end_ns - now) / NS_PER_MS) + 1);
        if (polled[2].revents != 0)
            name_server_hear(outside);
        for (size_t i = 0; i < OUTSIDE_ORIGINS_MAX; i++) {
            if (polled[3 + i].revents != 0)
                origin_hear(outside, &outside->origins[i]);
        }
        if (polled[1].revents != 0)
            origins_take(outside);
        if (polled[0].revents != 0 && reply_hear(ret_reply, fd)) {
            reply_read_status(ret_reply);
            return;
        }
    }
}

/* ---- the whole ---- */

enum status outside_init(struct outside *outside)
{
    *outside = (struct outside){
        .dns = -1,
        .wake = -1,
        .server = {.addr = {INET_V4, {127, 0, 0, 1}}},
    };
    for (size_t i = 0; i < OUTSIDE_ORIGINS_MAX; i++)
        outside->origins[i].fd = -1;
    (void)pthread_mutex_init(&outside->lock, NULL);
    outside->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    outside->dns = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_storage address;
    socklen_t len = inet_to_sockaddr(&outside->server, &address);
    if (outside->wake < 0 || outside->dns < 0 ||
        bind(outside->dns, (const struct sockaddr *)(const void *)&address, len) != 0)
        return ST_IO;
    outside->server.port = socket_local(outside->dns).port;
    return ST_OK;
}

void outside_done(struct outside *outside)
{
    outside_close_origins(outside);
    socket_close(&outside->dns);
    socket_close(&outside->wake);
    (void)pthread_mutex_destroy(&outside->lock);
}
