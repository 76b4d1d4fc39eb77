/* The floor of a tunnel: CONNECT with an address and a port, 200, and bytes both ways.
 *
 *     floor-connect [--tls CERTIFICATE]
 *
 * prints the port it listens on. No names, no rules, no limits of time, no record: it shows what the kernel's part
 * of a tunnel costs, and serves nobody but the benchmark. */
#include "common/tool.h"
#include "floor/relay.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { HEAD_BYTES = 4096, IDLE_MAX = 65536 };

enum stage { STAGE_HANDSHAKE, STAGE_HEAD, STAGE_CONNECTING, STAGE_RELAY };

struct tunnel {
    struct relay relay; /* first: it is cast */
    enum stage stage;
};

static struct loop loop;
static SSL_CTX *context;
static struct tunnel *idle[IDLE_MAX];
static size_t idle_count;

static void tunnel_on_end(struct relay *relay, bool is_clean)
{
    struct tunnel *tunnel = (struct tunnel *)relay;
    (void)is_clean;
    channel_done(&relay->client.channel);
    loop_close(&relay->client.watch);
    loop_close(&relay->origin.watch);
    way_reset(&relay->client.way);
    way_reset(&relay->origin.way);
    if (idle_count == IDLE_MAX)
        tool_die("too many tunnels");
    idle[idle_count++] = tunnel;
}

static void side_on_event(struct watch *watch, uint32_t events);

/* CONNECT ADDR:PORT, and nothing behind the head. */
static bool tunnel_connect(struct tunnel *tunnel, char *head, size_t len)
{
    struct side *origin = &tunnel->relay.origin;
    head[len] = '\0';
    char *end = strstr(head, "\r\n\r\n"), *space = strchr(head + 8, ' ');
    if (end == NULL || end + 4 != head + len || strncmp(head, "CONNECT ", 8) != 0 || space == NULL)
        return false;
    *space = '\0';
    struct addresses target = addresses_parse(head + 8);
    struct sockaddr_in to = addresses_next(&target);
    int fd = socket_connect(NULL, &to);
    if (fd < 0)
        return false;
    side_open(&loop, origin, fd, side_on_event, NULL, false);
    return true;
}

/* Go on as far as it goes. False: the tunnel is at its end. */
static bool tunnel_step(struct tunnel *tunnel, struct watch *watch, uint32_t events)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\n\r\n";
    struct channel *client = &tunnel->relay.client.channel;
    if (tunnel->stage == STAGE_HANDSHAKE) {
        int verdict = channel_handshake(client);
        if (verdict != 1)
            return verdict == CHANNEL_AGAIN;
        tunnel->stage = STAGE_HEAD;
    }
    if (tunnel->stage == STAGE_HEAD) {
        char head[HEAD_BYTES + 1];
        ssize_t got = channel_recv(client, head, HEAD_BYTES);
        if (got <= 0)
            return got == CHANNEL_AGAIN;
        tunnel->stage = STAGE_CONNECTING;
        return tunnel_connect(tunnel, head, (size_t)got);
    }
    if (tunnel->stage == STAGE_CONNECTING) {
        if (watch != &tunnel->relay.origin.watch)
            return true;
        if ((events & (EPOLLERR | EPOLLHUP)) != 0)
            return false;
        if (channel_send(client, ok, sizeof(ok) - 1) != (ssize_t)sizeof(ok) - 1)
            return false;
        tunnel->stage = STAGE_RELAY;
        if ((events & EPOLLIN) == 0)
            return true;
    }
    relay_move(&loop, &tunnel->relay);
    return true;
}

static void side_on_event(struct watch *watch, uint32_t events)
{
    struct relay *relay = ((struct side *)watch)->relay;
    if (!tunnel_step((struct tunnel *)relay, watch, events))
        tunnel_on_end(relay, false);
}

static void listener_on_event(struct watch *watch, uint32_t events)
{
    (void)events;
    int fd;
    while ((fd = socket_accept(watch->fd)) >= 0) {
        struct tunnel *tunnel = idle_count > 0 ? idle[--idle_count] : tool_alloc(sizeof(*tunnel));
        relay_init(&tunnel->relay, tunnel_on_end);
        tunnel->stage = context ? STAGE_HANDSHAKE : STAGE_HEAD;
        side_open(&loop, &tunnel->relay.client, fd, side_on_event, context, true);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"tls", required_argument, NULL, 't'}, {0}};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option != 't')
            return 2;
        context = channel_context(optarg);
    }
    tool_start();
    loop_init(&loop);
    floor_serve(&loop, listener_on_event);
    return 0;
}
