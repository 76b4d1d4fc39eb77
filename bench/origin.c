/* The far side of every benchmark: an HTTP origin, an echo, a source and a sink, in one thread.
 *
 *     origin --at 127.1.0.1:0,64
 *
 * listens on that many consecutive addresses, with the same port of each kind on all of them, and prints the
 * ports as one line of JSON. Many addresses are there since a kernel that looks for a free port towards a
 * single one spends more than the proxy does.
 *
 *   http    answers /N with N bytes, and keeps the connection; the body of a request is counted and dropped
 *   echo    sends back what it receives
 *   source  sends without end
 *   sink    receives without end
 *   talk    says its lines of a conversation (--talk FILE, common/talk.h), and waits for those of the client
 *
 * It shall cost little next to the proxy. Bodies that are dropped are not copied (MSG_TRUNC), bulk is sent from
 * a file in memory that is larger than the cache of a core, so that a proxy which copies does not find it there.
 * It ends with its standard input. */
#include "common/loop.h"
#include "common/talk.h"
#include "common/tool.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BULK_BYTES = 32 << 20,
    BULK_STEP = 1 << 20,
    HEAD_BYTES = 8192,
    ECHO_BYTES = 16384,
    SMALL_BODY = 128 * 1024,
    ADDRESSES_MAX = 1024
};

enum role { ROLE_HTTP, ROLE_ECHO, ROLE_SOURCE, ROLE_SINK, ROLE_TALK, ROLE_COUNT };

static const char *const role_names[ROLE_COUNT] = {"http", "echo", "source", "sink", "talk"};

struct origin {
    struct loop loop;
    int bulk_fd; /* BULK_BYTES of memory */
    char *bulk;  /* the same, mapped */
    struct talk talk;
    off_t bulk_start; /* where the next large body begins */
};

static struct origin origin; /* the one of this program */

struct listener {
    struct watch watch;
    enum role role;
};

struct peer {
    struct watch watch;
    enum role role;
    bool is_blocked;   /* EPOLLOUT is watched */
    off_t file_offset; /* of what is sent from the bulk file */
    size_t file_left;  /* bytes of a large body to send yet */
    size_t drop_left;  /* bytes of a request's body to come */
    size_t answer;     /* body size of the response that `drop_left` delays */
    size_t have,
        done; /* bytes of `text`, and of them sent (echo) or read; a line of the talk, and bytes of it */
    char text[]; /* a request head (http), bytes to echo, or nothing */
};

/* ---- what all have in common ---- */

static void peer_close(struct peer *peer)
{
    loop_close(&peer->watch);
    free(peer);
}

/* Watch for room only while there is none. */
static void peer_block(struct peer *peer, bool is_blocked)
{
    if (peer->is_blocked == is_blocked)
        return;
    peer->is_blocked = is_blocked;
    loop_change(&origin.loop, &peer->watch, is_blocked ? EPOLLOUT : EPOLLIN);
}

static bool is_later(ssize_t result)
{
    return result < 0 && errno == EAGAIN;
}

/* ---- HTTP ---- */

/* A response of a head and the first bytes of the bulk memory, in one send. False: the peer is gone. */
static bool http_answer(struct peer *peer, size_t body)
{
    static char response[HEAD_BYTES + SMALL_BODY];
    int head =
        snprintf(response, HEAD_BYTES,
                 "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                 "Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n"
                 "Cache-Control: no-store\r\nETag: \"5e2f0d1c\"\r\n\r\n",
                 body);
    size_t len = (size_t)head;
    if (body <= SMALL_BODY) {
        memcpy(response + head, origin.bulk, body);
        len += body;
    }
    ssize_t sent = send(peer->watch.fd, response, len, body > SMALL_BODY ? MSG_MORE : 0);
    if (sent < head)
        return false; /* room for a head there is, or the peer broke */
    peer->file_left = (size_t)head + body - (size_t)sent;
    if (body <= SMALL_BODY) {
        peer->file_offset = (off_t)(body - peer->file_left); /* the same bytes, from the file */
        return true;
    }
    origin.bulk_start = (origin.bulk_start + (off_t)body) % BULK_BYTES;
    peer->file_offset = origin.bulk_start;
    return true;
}

/* Send what is left of a large body: true when all is sent, or later. */
static bool file_send(struct peer *peer, size_t step)
{
    while (peer->file_left > 0) {
        if (peer->file_offset >= BULK_BYTES)
            peer->file_offset = 0;
        size_t here = (size_t)(BULK_BYTES - peer->file_offset);
        size_t want = peer->file_left < here ? peer->file_left : here;
        ssize_t sent =
            sendfile(peer->watch.fd, origin.bulk_fd, &peer->file_offset, want < step ? want : step);
        if (sent <= 0)
            return is_later(sent);
        peer->file_left -= (size_t)sent;
    }
    return true;
}

static size_t number_at(const char *text)
{
    return strtoull(text, NULL, 10);
}

/* Take one request from `text`: its head, and what is there of its body. */
static bool http_take(struct peer *peer, const char *end)
{
    const char *target_end = memchr(peer->text, '\n', (size_t)(end - peer->text));
    const char *size = NULL;
    for (const char *at = strchr(peer->text, ' '); at < target_end && strncmp(at, " HTTP", 5) != 0;
         at++) {
        if (*at == '/')
            size = at + 1;
    }
    peer->drop_left = 0;
    for (const char *line = target_end; line != NULL && line < end; line = strchr(line + 1, '\n')) {
        if (strncasecmp(line + 1, "content-length:", 15) == 0)
            peer->drop_left = number_at(line + 16);
    }
    peer->answer = size ? number_at(size) : 0;

    size_t extra = peer->have - (size_t)(end + 4 - peer->text);
    size_t body = extra < peer->drop_left ? extra : peer->drop_left;
    peer->drop_left -= body;
    peer->have = extra - body;
    memmove(peer->text, end + 4 + body, peer->have + 1);
    return peer->drop_left > 0 || http_answer(peer, peer->answer);
}

/* Read what is there: a head, or a body to drop. */
static bool http_read(struct peer *peer)
{
    ssize_t got;
    if (peer->drop_left > 0) {
        got = recv(peer->watch.fd, NULL, peer->drop_left, MSG_TRUNC);
        if (got <= 0)
            return is_later(got);
        peer->drop_left -= (size_t)got;
        return peer->drop_left > 0 || http_answer(peer, peer->answer);
    }
    got = recv(peer->watch.fd, peer->text + peer->have, HEAD_BYTES - 1 - peer->have, 0);
    if (got <= 0)
        return is_later(got);
    peer->have += (size_t)got;
    peer->text[peer->have] = '\0';
    const char *end;
    while (peer->file_left == 0 && peer->drop_left == 0 &&
           (end = strstr(peer->text, "\r\n\r\n")) != NULL) {
        if (!http_take(peer, end))
            return false;
    }
    return peer->have < HEAD_BYTES - 1;
}

static void http_on_event(struct watch *watch, uint32_t events)
{
    struct peer *peer = (struct peer *)watch;
    (void)events;
    if ((peer->file_left == 0 && !http_read(peer)) || !file_send(peer, BULK_STEP)) {
        peer_close(peer);
        return;
    }
    peer_block(peer, peer->file_left > 0);
}

/* ---- the ends of tunnels ---- */

static void echo_on_event(struct watch *watch, uint32_t events)
{
    struct peer *peer = (struct peer *)watch;
    (void)events;
    if (peer->have == 0) {
        ssize_t got = recv(watch->fd, peer->text, ECHO_BYTES, 0);
        if (got <= 0) {
            if (!is_later(got))
                peer_close(peer);
            return;
        }
        peer->have = (size_t)got;
        peer->done = 0;
    }
    ssize_t sent = send(watch->fd, peer->text + peer->done, peer->have - peer->done, MSG_NOSIGNAL);
    if (sent < 0 && !is_later(sent)) {
        peer_close(peer);
        return;
    }
    peer->done += sent > 0 ? (size_t)sent : 0;
    if (peer->done == peer->have)
        peer->have = 0;
    peer_block(peer, peer->have > 0);
}

static void source_on_event(struct watch *watch, uint32_t events)
{
    struct peer *peer = (struct peer *)watch;
    peer->file_left = BULK_STEP;
    if ((events & (EPOLLHUP | EPOLLERR)) != 0 || !file_send(peer, BULK_STEP))
        peer_close(peer);
}

static void sink_on_event(struct watch *watch, uint32_t events)
{
    (void)events;
    ssize_t got = recv(watch->fd, NULL, BULK_BYTES, MSG_TRUNC);
    if (got == 0 || (got < 0 && !is_later(got)))
        peer_close((struct peer *)watch);
}

/* One step of the line that is due: bytes that went through, 0 at the end of the connection, below that with errno. */
static ssize_t talk_move(const struct peer *peer)
{
    static const struct talk_line rest = {.is_client = true, .len = HEAD_BYTES};
    const struct talk *talk = &origin.talk;
    const struct talk_line *line = peer->have < talk->count ? &talk->lines[peer->have] : &rest;
    size_t left = line->len - peer->done;
    return line->is_client ? recv(peer->watch.fd, NULL, left, MSG_TRUNC)
                           : send(peer->watch.fd, line->bytes + peer->done, left, MSG_NOSIGNAL);
}

static void talk_on_event(struct watch *watch, uint32_t events)
{
    struct peer *peer = (struct peer *)watch;
    ssize_t moved;
    (void)events;
    while ((moved = talk_move(peer)) > 0) {
        peer->done += (size_t)moved;
        if (peer->have < origin.talk.count && peer->done == origin.talk.lines[peer->have].len) {
            peer->have++;
            peer->done = 0;
        }
    }
    if (!is_later(moved)) {
        peer_close(peer);
        return;
    }
    peer_block(peer, peer->have < origin.talk.count && !origin.talk.lines[peer->have].is_client);
}

/* ---- accepting ---- */

static void listener_on_event(struct watch *watch, uint32_t events)
{
    static const struct {
        void (*on_event)(struct watch *watch, uint32_t events);
        size_t text_bytes;
        uint32_t events;
    } roles[ROLE_COUNT] = {{http_on_event, HEAD_BYTES, EPOLLIN},
                           {echo_on_event, ECHO_BYTES, EPOLLIN},
                           {source_on_event, 0, EPOLLOUT},
                           {sink_on_event, 0, EPOLLIN},
                           {talk_on_event, 0, EPOLLIN}};
    struct listener *listener = (struct listener *)watch;
    (void)events;
    int fd;
    while ((fd = socket_accept(watch->fd)) >= 0) {
        struct peer *peer = malloc(sizeof(*peer) + roles[listener->role].text_bytes);
        if (peer == NULL)
            tool_die("no memory");
        *peer =
            (struct peer){.watch = {fd, roles[listener->role].on_event}, .role = listener->role};
        loop_add(&origin.loop, &peer->watch, roles[listener->role].events);
    }
}

/* One port on all addresses; another one when it is taken on a later of them. */
static uint16_t role_listen(enum role role, struct addresses addresses)
{
    for (int attempt = 0; attempt < 100; attempt++) {
        int fds[ADDRESSES_MAX];
        uint16_t port = 0;
        unsigned count = 0;
        for (; count < addresses.count; count++) {
            fds[count] = socket_listen(addresses.first + count, port);
            if (fds[count] < 0)
                break;
            port = socket_port(fds[count]);
        }
        for (unsigned i = 0; i < count; i++) {
            if (count < addresses.count) {
                (void)close(fds[i]); /* another attempt follows */
                continue;
            }
            struct listener *listener = tool_alloc(sizeof(*listener));
            *listener = (struct listener){{fds[i], listener_on_event}, role};
            loop_add(&origin.loop, &listener->watch, EPOLLIN);
        }
        if (count == addresses.count)
            return port;
    }
    tool_die("no port is free on all addresses");
}

static void bulk_make(void)
{
    origin.bulk_fd = memfd_create("bulk", MFD_CLOEXEC);
    if (origin.bulk_fd < 0 || ftruncate(origin.bulk_fd, BULK_BYTES) != 0)
        tool_die("memfd");
    origin.bulk = mmap(NULL, BULK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, origin.bulk_fd, 0);
    if (origin.bulk == MAP_FAILED)
        tool_die("mmap");
    for (size_t i = 0; i < BULK_BYTES; i++)
        origin.bulk[i] = (char)('a' + i % 23);
}

static void stdin_on_event(struct watch *watch, uint32_t events)
{
    char ignored[64];
    (void)events;
    if (read(watch->fd, ignored, sizeof(ignored)) <= 0)
        origin.loop.is_over = true;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"at", required_argument, NULL, 'a'}, {"talk", required_argument, NULL, 't'}, {0}};
    struct addresses addresses = addresses_parse("127.0.0.1:0");
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'a')
            addresses = addresses_parse(optarg);
        else if (option == 't')
            origin.talk = talk_load(optarg);
        else
            return 2;
    }
    if (addresses.count > ADDRESSES_MAX)
        tool_die("too many addresses");

    tool_start();
    loop_init(&origin.loop);
    bulk_make();
    for (enum role role = 0; role < ROLE_COUNT; role++)
        (void)printf("%s\"%s\": %u", role ? ", " : "{", role_names[role],
                     role_listen(role, addresses));
    (void)printf("}\n");
    (void)fflush(stdout);

    struct watch input = {STDIN_FILENO, stdin_on_event};
    loop_add(&origin.loop, &input, EPOLLIN);
    while (!origin.loop.is_over)
        loop_turn(&origin.loop, -1);
    return 0;
}
