/* What both floors share: bytes between two sockets, as cheaply as the kernel lets them be moved.
 *
 * A receive that fills the buffer's bulk mark makes a direction go to splice, through a pipe of 1 MiB from a
 * list of spare ones; a splice that moves little makes it go back. Over TLS bytes are copied. Descriptors are
 * watched edge-triggered, once, and a short receive ends a round: in the steady state there is one receive
 * and one send for each message, and no other call. */
#include "floor/relay.h"

#include "common/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    COPY_BYTES = 256 * 1024,
    COPY_TLS_BYTES = 64 * 1024,
    BULK_BYTES = 64 * 1024,
    TRICKLE_BYTES = 4096,
    PIPE_BYTES = 1024 * 1024,
    ROUNDS = 8,
    SPARE_MAX = 64
};

enum moved { MOVED, MOVED_ALL, MOVED_FAILED };

static int spare_pipes[SPARE_MAX][2];
static size_t spare_count;
static char scratch[COPY_BYTES];

void relay_init(struct relay *relay, void (*on_end)(struct relay *relay, bool is_clean))
{
    relay->on_end = on_end;
    struct side *sides[] = {&relay->client, &relay->origin};
    for (int i = 0; i < 2; i++) {
        sides[i]->relay = relay;
        sides[i]->watch.fd = sides[i]->channel.fd = -1;
        sides[i]->way.pipe[0] = sides[i]->way.pipe[1] = -1;
    }
}

static bool pipe_take(int ends[2])
{
    if (spare_count > 0) {
        memcpy(ends, spare_pipes[--spare_count], sizeof(spare_pipes[0]));
        return true;
    }
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0)
        return false;
    (void)fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES); /* a smaller one works, too */
    return true;
}

void way_reset(struct way *way)
{
    if (way->pipe[0] >= 0 && way->pipe_bytes == 0 && spare_count < SPARE_MAX) {
        memcpy(spare_pipes[spare_count++], way->pipe, sizeof(way->pipe));
    } else if (way->pipe[0] >= 0) {
        (void)close(way->pipe[0]); /* pipes report nothing at close */
        (void)close(way->pipe[1]);
    }
    free(way->held);
    *way = (struct way){.pipe = {-1, -1}};
}

/* The sender has ended: tell the other side. */
static enum moved way_end(struct way *way, struct side *to)
{
    way->is_ended = true;
    if (to->channel.ssl == NULL && !to->relay->is_origin_kept)
        (void)shutdown(to->watch.fd, SHUT_WR); /* it may be gone, which its own end shows */
    return MOVED_ALL;
}

static enum moved held_send(struct way *way, struct side *to)
{
    ssize_t sent =
        channel_send(&to->channel, way->held + way->held_done, way->held_bytes - way->held_done);
    if (sent < 0)
        return sent == CHANNEL_AGAIN ? MOVED_ALL : MOVED_FAILED;
    way->held_done += (size_t)sent;
    if (way->held_done < way->held_bytes)
        return MOVED_ALL;
    free(way->held);
    way->held = NULL;
    return MOVED;
}

static enum moved copy_once(struct side *from, struct side *to)
{
    struct way *way = &from->way;
    bool is_tls = from->channel.ssl != NULL || to->channel.ssl != NULL;
    size_t room = is_tls ? COPY_TLS_BYTES : COPY_BYTES;
    ssize_t got = channel_recv(&from->channel, scratch, room);
    if (got == 0)
        return way_end(way, to);
    if (got < 0)
        return got == CHANNEL_AGAIN ? MOVED_ALL : MOVED_FAILED;
    ssize_t sent = channel_send(&to->channel, scratch, (size_t)got);
    if (sent == CHANNEL_FAILED)
        return MOVED_FAILED;
    size_t taken = sent > 0 ? (size_t)sent : 0;
    if (taken < (size_t)got) {
        way->held_bytes = (size_t)got - taken;
        way->held_done = 0;
        way->held = tool_alloc(way->held_bytes);
        memcpy(way->held, scratch + taken, way->held_bytes);
        return MOVED_ALL;
    }
    if (!is_tls && got >= BULK_BYTES && (way->pipe[0] >= 0 || pipe_take(way->pipe)))
        way->is_splicing = true;
    return (size_t)got < room && !way->is_splicing ? MOVED_ALL : MOVED;
}

static enum moved splice_once(struct side *from, struct side *to)
{
    struct way *way = &from->way;
    if (way->pipe_bytes == 0) {
        ssize_t got = splice(from->watch.fd, NULL, way->pipe[1], NULL, PIPE_BYTES,
                             SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (got == 0)
            return way_end(way, to);
        if (got < 0)
            return errno == EAGAIN ? MOVED_ALL : MOVED_FAILED;
        way->pipe_bytes = (size_t)got;
        way->is_splicing = got >= TRICKLE_BYTES;
    }
    ssize_t sent = splice(way->pipe[0], NULL, to->watch.fd, NULL, way->pipe_bytes,
                          SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (sent < 0)
        return errno == EAGAIN ? MOVED_ALL : MOVED_FAILED;
    way->pipe_bytes -= (size_t)sent;
    return way->pipe_bytes > 0 ? MOVED_ALL : MOVED;
}

/* Move from one side to the other until there is nothing, no room, or enough for one turn. */
static enum moved way_move(struct side *from, struct side *to)
{
    struct way *way = &from->way;
    enum moved moved = MOVED;
    for (int round = 0; round < ROUNDS && moved == MOVED && !way->is_ended; round++) {
        if (way->held != NULL)
            moved = held_send(way, to);
        else if (way->is_splicing || way->pipe_bytes > 0)
            moved = splice_once(from, to);
        else
            moved = copy_once(from, to);
    }
    return way->is_ended ? MOVED_ALL : moved;
}

void relay_move(struct loop *loop, struct relay *relay)
{
    struct side *client = &relay->client, *origin = &relay->origin;
    enum moved up = way_move(client, origin);
    enum moved down = up == MOVED_FAILED ? up : way_move(origin, client);
    bool is_flushed = channel_flush(&client->channel) != CHANNEL_FAILED;
    if (up == MOVED_FAILED || down == MOVED_FAILED || !is_flushed) {
        relay->on_end(relay, false);
        return;
    }
    bool is_one_enough = relay->is_origin_kept || client->channel.ssl != NULL;
    if (is_one_enough ? client->way.is_ended || origin->way.is_ended
                      : client->way.is_ended && origin->way.is_ended)
        relay->on_end(relay, true);
    else if (up == MOVED || down == MOVED)
        loop_again(loop, &client->watch);
}

void side_open(struct loop *loop, struct side *side, int fd,
               void (*on_event)(struct watch *, uint32_t), SSL_CTX *context, bool is_server)
{
    side->watch = (struct watch){fd, on_event};
    channel_init(&side->channel, fd, context, is_server);
    loop_add(loop, &side->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

void floor_serve(struct loop *loop, void (*on_connection)(struct watch *listener, uint32_t events))
{
    struct watch listener = {socket_listen(INADDR_LOOPBACK, 0), on_connection};
    if (listener.fd < 0)
        tool_die("cannot listen");
    loop_add(loop, &listener, EPOLLIN);
    (void)printf("%u\n", socket_port(listener.fd));
    (void)fflush(stdout);
    while (!loop->is_over)
        loop_turn(loop, -1);
}
