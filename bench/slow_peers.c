/* The peers of bench/slow.py: an origin, a crowd of slow clients, and good clients that measure. One thread and
 * one epoll each, with a clock that ticks a hundred times a second, so that they cost little beside the proxy.
 *
 *     slow-peers origin
 *         says its port. /good is answered at once, /never not at all, /trickle a byte at a time, /big without
 *         end as far as it is taken; what is posted is read; a tunnel is poured into.
 *     slow-peers crowd KIND COUNT PORT ORIGIN INTERVAL_MS
 *         opens so many connections to the proxy, says "open", and does what its kind does once in an interval.
 *         A line on stdin: says how many are still there, as JSON, and ends.
 *     slow-peers good RATE TOTAL CONNECTIONS PORT ORIGIN
 *         sends so many requests a second at fixed times, whether those before were answered or not, so many in
 *         all, and says how long they took from the time at which they were due, as JSON. */
#include "common/tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    TICK_NS = 10 * 1000 * 1000,
    EVENTS = 256,
    HEAD_MAX = 1024,
    BODY = 200,      /* bytes of a good answer */
    CONNECTING = 64, /* connections under way at a time */
    NARROW = 4096,   /* receive buffer of those who read slowly */
    SIP = 16,        /* bytes that they read at a time */
};

enum kind { HEAD, BODY_UP, READER, DEAF, TLS, TUNNEL, NEVER, TRICKLE, KINDS };

static const char *const kind_names[] = {"head", "body",   "reader", "deaf",
                                         "tls",  "tunnel", "never",  "trickle"};

struct peer {
    int fd;
    bool is_open;
    int role;   /* of the origin's connections: a letter of the path; of the crowd's: 1 connected */
    size_t at;  /* bytes sent of what goes out one by one */
    size_t len; /* bytes in `head` */
    size_t answer; /* bytes of the answer that are still to come; 0: its head */
    uint64_t due_ns;
    char head[HEAD_MAX];
};

static int poller, ticker;
static char scratch[1 << 16];

/* Above 0. */
static uint64_t number(const char *text)
{
    uint64_t value = tool_number(text, UINT32_MAX);
    if (value == 0)
        tool_die(text);
    return value;
}

static void watch(int fd, struct peer *peer, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = peer};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0 &&
        epoll_ctl(poller, EPOLL_CTL_MOD, fd, &event) != 0)
        tool_die("epoll_ctl");
}

static void tick_at(uint64_t first_ns, uint64_t every_ns)
{
    struct itimerspec spec = {
        .it_value = {(time_t)(first_ns / 1000000000), (long)(first_ns % 1000000000)},
        .it_interval = {0, (long)every_ns}};
    if (timerfd_settime(ticker, TFD_TIMER_ABSTIME, &spec, NULL) != 0)
        tool_die("timerfd_settime");
}

static void begin(void)
{
    tool_start();
    poller = epoll_create1(0);
    ticker = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    if (poller < 0 || ticker < 0)
        tool_die("epoll");
    watch(ticker, NULL, EPOLLIN);
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int dial(int port, int receive_bytes)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    const struct linger reset = {1, 0}; /* who leaves does not wait for an answer */
    struct sockaddr_in to = loopback(port);
    if (fd < 0)
        tool_die("socket");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    if (receive_bytes > 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS)
        tool_die("connect");
    return fd;
}

static bool would_block(ssize_t got)
{
    return got < 0 && (errno == EAGAIN || errno == EINTR);
}

static void put(const struct peer *peer, const char *bytes, size_t len)
{
    ssize_t sent = send(peer->fd, bytes, len, MSG_NOSIGNAL);
    (void)sent; /* small, or its end is heard of another way */
}

/* ---- the origin ---- */

static const char big_head[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";
static struct peer **trickling;
static size_t trickling_count, trickling_room;

static void origin_pour(const struct peer *peer)
{
    while (send(peer->fd, scratch, sizeof(scratch), MSG_NOSIGNAL) > 0)
        ;
}

static void origin_trickle(struct peer *peer)
{
    if (trickling_count == trickling_room) {
        trickling_room = trickling_room * 2 + 64;
        trickling = realloc(trickling, trickling_room * sizeof(*trickling));
        if (trickling == NULL)
            tool_die("realloc");
    }
    trickling[trickling_count++] = peer;
}

static void origin_answer(struct peer *peer)
{
    static char good[BODY + 128];
    if (good[0] == '\0')
        (void)snprintf(good, sizeof(good), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%0*d",
                       (int)BODY, (int)BODY, 0);
    const char *path = memchr(peer->head, '/', peer->len);
    peer->role = peer->head[0] == 'P' || path == NULL ? 'p' : path[1];
    if (strncmp(peer->head, "pour", 4) == 0)
        peer->role = 'o';
    peer->len = 0;
    if (peer->role == 'g') {
        put(peer, good, strlen(good));
        peer->role = 0;
    } else if (peer->role == 'b' || peer->role == 'o') {
        if (peer->role == 'b')
            put(peer, big_head, sizeof(big_head) - 1);
        watch(peer->fd, peer, EPOLLOUT | EPOLLET);
        origin_pour(peer);
    } else if (peer->role == 't') {
        origin_trickle(peer);
    }
}

static void origin_hear(struct peer *peer)
{
    char *to = peer->role == 0 ? peer->head + peer->len : scratch;
    size_t room = peer->role == 0 ? HEAD_MAX - 1 - peer->len : sizeof(scratch);
    ssize_t got = recv(peer->fd, to, room, 0);
    if (would_block(got))
        return;
    if (got <= 0) {
        close(peer->fd);
        peer->is_open = false;
        if (peer->role != 't') /* else the trickle frees it */
            free(peer);
        return;
    }
    if (peer->role != 0)
        return;
    peer->len += (size_t)got;
    peer->head[peer->len] = '\0';
    if (strstr(peer->head, "\r\n\r\n") != NULL || strncmp(peer->head, "pour", 4) == 0)
        origin_answer(peer);
}

/* A byte for each, once a second: a hundredth of them at a tick. */
static void origin_tick(void)
{
    static size_t turn;
    turn = (turn + 1) % 100;
    for (size_t i = turn; i < trickling_count; i += 100) {
        struct peer *peer = trickling[i];
        if (!peer->is_open) {
            free(peer);
            trickling[i] = trickling[--trickling_count];
        } else {
            put(peer, peer->at < sizeof(big_head) - 1 ? &big_head[peer->at] : "x", 1);
            peer->at++;
        }
    }
}

static void origin_accept(int door)
{
    int fd;
    while ((fd = socket_accept(door)) >= 0) {
        struct peer *peer = tool_alloc(sizeof(*peer));
        peer->fd = fd;
        peer->is_open = true;
        watch(fd, peer, EPOLLIN);
    }
}

static void be_origin(void)
{
    static struct peer door;
    door.fd = socket_listen(INADDR_LOOPBACK, 0);
    if (door.fd < 0)
        tool_die("listen");
    printf("%d\n", socket_port(door.fd));
    watch(door.fd, &door, EPOLLIN);
    tick_at(tool_now_ns(), TICK_NS);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(poller, events, EVENTS, -1);
        bool is_tick = false;
        for (int i = 0; i < count; i++) {
            struct peer *peer = events[i].data.ptr;
            if (peer == NULL)
                is_tick = read(ticker, scratch, 8) == 8;
            else if (peer == &door)
                origin_accept(door.fd);
            else if ((events[i].events & (EPOLLHUP | EPOLLERR)) == 0 &&
                     (peer->role == 'b' || peer->role == 'o'))
                origin_pour(peer);
            else
                origin_hear(peer);
        }
        if (is_tick) /* last, since it frees */
            origin_tick();
    }
}

/* ---- the crowd ---- */

static struct peer *crowd;
static size_t crowd_count, begun_count, connected_count, lost_count;
static enum kind crowd_kind;

/* What one of them says at first; %d is the origin's port. */
static const char *crowd_words(void)
{
    switch (crowd_kind) {
    case HEAD: return "GET http://127.0.0.1:%d/never HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ";
    case BODY_UP:
        return "POST http://127.0.0.1:%d/post HTTP/1.1\r\nHost: 127.0.0.1\r\n"
               "Content-Length: 1000000\r\n\r\n";
    case READER:
    case DEAF: return "GET http://127.0.0.1:%d/big HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    case TLS: return "\x16\x03\x01\x02";
    case TUNNEL: return "CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\npour";
    case NEVER: return "GET http://127.0.0.1:%d/never HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    case TRICKLE: return "GET http://127.0.0.1:%d/trickle HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    case KINDS: break;
    }
    tool_die("no such crowd");
}

static size_t crowd_request(char *into, int origin)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    return (size_t)snprintf(into, HEAD_MAX, crowd_words(), origin);
#pragma GCC diagnostic pop
}

/* What a slow one does once in an interval. */
static void crowd_step(struct peer *peer)
{
    if (!peer->is_open || peer->role == 0)
        return;
    if (crowd_kind == HEAD) {
        put(peer, peer->at < peer->len ? &peer->head[peer->at] : "x", 1);
        peer->at++;
    } else if (crowd_kind == BODY_UP) {
        put(peer, "x", 1);
    } else if (crowd_kind == READER) {
        (void)!recv(peer->fd, scratch, SIP, 0);
    }
}

static void crowd_connect(int port)
{
    bool is_narrow = crowd_kind == READER || crowd_kind == DEAF || crowd_kind == TUNNEL;
    while (begun_count < crowd_count && begun_count - connected_count < CONNECTING) {
        struct peer *peer = &crowd[begun_count++];
        peer->fd = dial(port, is_narrow ? NARROW : 0);
        peer->is_open = true;
        watch(peer->fd, peer, EPOLLOUT);
    }
}

static void crowd_hear(struct peer *peer, uint32_t events)
{
    if (peer->role == 0 && (events & EPOLLOUT) != 0) {
        peer->role = 1;
        connected_count++;
        if (crowd_kind != HEAD)
            put(peer, peer->head, peer->len);
        bool is_reading = crowd_kind != READER && crowd_kind != DEAF && crowd_kind != TUNNEL;
        watch(peer->fd, peer, is_reading ? EPOLLIN : EPOLLRDHUP);
        return;
    }
    if ((events & EPOLLIN) != 0) {
        ssize_t got = recv(peer->fd, scratch, sizeof(scratch), 0);
        if (got > 0 || would_block(got))
            return;
    }
    close(peer->fd); /* the proxy gave it up */
    peer->is_open = false;
    lost_count++;
}

static void be_crowd(char **argv)
{
    while (crowd_kind < KINDS && strcmp(argv[0], kind_names[crowd_kind]) != 0)
        crowd_kind++;
    if (crowd_kind == KINDS)
        tool_die(argv[0]);
    crowd_count = number(argv[1]);
    int port = (int)number(argv[2]);
    size_t ticks = number(argv[4]) / (TICK_NS / 1000000), turn = 0;
    if (ticks == 0)
        tool_die(argv[4]);
    crowd = tool_alloc(crowd_count * sizeof(*crowd));
    for (size_t i = 0; i < crowd_count; i++)
        crowd[i].len = crowd_request(crowd[i].head, (int)number(argv[3]));
    struct peer orders = {.fd = STDIN_FILENO};
    watch(STDIN_FILENO, &orders, EPOLLIN);
    tick_at(tool_now_ns(), TICK_NS);
    for (bool is_told = false;;) {
        struct epoll_event events[EVENTS];
        crowd_connect(port);
        if (!is_told && connected_count == crowd_count) {
            is_told = true;
            puts("open");
        }
        int count = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            struct peer *peer = events[i].data.ptr;
            if (peer == &orders) {
                printf("{\"open\": %zu, \"lost\": %zu}\n", connected_count - lost_count,
                       lost_count);
                return;
            }
            if (peer != NULL) {
                crowd_hear(peer, events[i].events);
            } else if (read(ticker, scratch, 8) == 8) {
                turn = (turn + 1) % ticks;
                for (size_t each = turn; each < crowd_count; each += ticks)
                    crowd_step(&crowd[each]);
            }
        }
    }
}

/* ---- good clients ---- */

static uint64_t *took_ns;
static size_t took_count, failed_count;
static struct peer **idle; /* a stack */
static size_t idle_count;

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* One piece of an answer; true at its end. */
static bool good_hear(struct peer *peer)
{
    ssize_t got = recv(peer->fd, peer->head + peer->len, HEAD_MAX - 1 - peer->len, 0);
    if (would_block(got))
        return false;
    if (got <= 0) {
        tool_die("a good connection ended");
    }
    peer->len += (size_t)got;
    peer->head[peer->len] = '\0';
    const char *end = strstr(peer->head, "\r\n\r\n");
    return end != NULL && peer->len - (size_t)(end + 4 - peer->head) >= BODY;
}

static void good_tell(size_t total)
{
    qsort(took_ns, took_count, sizeof(*took_ns), compare);
    const double shares[] = {0.5, 0.9, 0.99, 0.999};
    printf("{\"answered\": %zu, \"failed\": %zu", took_count - failed_count,
           failed_count + total - took_count);
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]) && took_count > 0; i++)
        printf(", \"p%g\": %.1f", shares[i] * 100,
               (double)took_ns[(size_t)((double)(took_count - 1) * shares[i])] / 1000);
    printf(", \"max\": %.1f}\n", (double)(took_count > 0 ? took_ns[took_count - 1] : 0) / 1000);
}

static void be_good(char **argv)
{
    uint64_t every_ns = 1000000000 / number(argv[0]);
    size_t total = number(argv[1]), begun = 0;
    size_t connections = number(argv[2]);
    char request[HEAD_MAX];
    int len = snprintf(request, sizeof(request),
                       "GET http://127.0.0.1:%s/good HTTP/1.1\r\nHost: 127.0.0.1:%s\r\n\r\n",
                       argv[4], argv[4]);
    struct peer *all = tool_alloc(connections * sizeof(*all));
    idle = tool_alloc(connections * sizeof(struct peer *));
    took_ns = tool_alloc(total * sizeof(*took_ns));
    for (size_t i = 0; i < connections; i++) {
        all[i].fd = dial((int)number(argv[3]), 0);
        watch(all[i].fd, &all[i], EPOLLIN);
        idle[idle_count++] = &all[i];
    }
    uint64_t first_ns = tool_now_ns() + 20 * TICK_NS;
    tick_at(first_ns, every_ns);
    while (took_count < total) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(poller, events, EVENTS, 10000);
        if (count == 0) /* nothing for so long: what has no answer counts as failed */
            break;
        for (int i = 0; i < count; i++) {
            struct peer *peer = events[i].data.ptr;
            if (peer == NULL) {
                (void)!read(ticker, scratch, 8);
            } else if (good_hear(peer)) {
                failed_count += strncmp(peer->head, "HTTP/1.1 200", 12) != 0;
                took_ns[took_count++] = tool_now_ns() - peer->due_ns;
                idle[idle_count++] = peer;
            }
        }
        for (uint64_t now = tool_now_ns(); begun < total && idle_count > 0; begun++) {
            uint64_t due_ns = first_ns + begun * every_ns;
            if (due_ns > now)
                break;
            struct peer *peer = idle[--idle_count];
            peer->due_ns = due_ns;
            peer->len = 0;
            put(peer, request, (size_t)len);
        }
    }
    good_tell(total);
}

int main(int argc, char **argv)
{
    setlinebuf(stdout);
    begin();
    if (argc == 2 && strcmp(argv[1], "origin") == 0)
        be_origin();
    else if (argc == 7 && strcmp(argv[1], "crowd") == 0)
        be_crowd(argv + 2);
    else if (argc == 7 && strcmp(argv[1], "good") == 0)
        be_good(argv + 2);
    else
        return 2;
    return 0;
}
