/* The floor of an HTTP forwarder: what it costs to carry requests and responses without looking at them.
 *
 *     floor-forward --origin 127.1.0.1:8000 [--tls CERTIFICATE]
 *
 * prints the port it listens on. Each client gets a connection to the origin, which outlives it and serves the
 * next one; since nothing is parsed, that is right only for clients that wait for each response to its end. */
#include "common/tool.h"
#include "floor/relay.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/socket.h>

enum { IDLE_MAX = 65536 };

static struct loop loop;
static struct addresses origin_address;
static SSL_CTX *context;
static struct relay *idle[IDLE_MAX]; /* without a client; most have a connection to the origin */
static size_t idle_count;

static void forward_on_end(struct relay *relay, bool is_clean)
{
    channel_done(&relay->client.channel);
    loop_close(&relay->client.watch);
    if (!is_clean || relay->origin.way.is_ended)
        loop_close(&relay->origin.watch);
    way_reset(&relay->client.way);
    way_reset(&relay->origin.way);
    if (idle_count == IDLE_MAX)
        tool_die("too many relays");
    idle[idle_count++] = relay;
}

static void side_on_event(struct watch *watch, uint32_t events)
{
    struct relay *relay = ((struct side *)watch)->relay;
    (void)events;
    if (relay->client.watch.fd < 0) { /* idle: the origin says something only to end */
        char byte;
        if (recv(watch->fd, &byte, 1, 0) >= 0 || errno != EAGAIN)
            loop_close(watch);
        return;
    }
    if (context != NULL && !SSL_is_init_finished(relay->client.channel.ssl)) {
        int verdict = channel_handshake(&relay->client.channel);
        if (verdict == CHANNEL_FAILED)
            forward_on_end(relay, false);
        if (verdict != 1)
            return;
    }
    relay_move(&loop, relay);
}

static bool origin_connect(struct relay *relay)
{
    struct sockaddr_in to = addresses_next(&origin_address);
    int fd = socket_connect(NULL, &to);
    if (fd < 0)
        return false;
    side_open(&loop, &relay->origin, fd, side_on_event, NULL, false);
    return true;
}

static struct relay *relay_make(void)
{
    struct relay *relay = tool_alloc(sizeof(*relay));
    relay_init(relay, forward_on_end);
    relay->is_origin_kept = true;
    return relay;
}

static void listener_on_event(struct watch *watch, uint32_t events)
{
    (void)events;
    int fd;
    while ((fd = socket_accept(watch->fd)) >= 0) {
        struct relay *relay = idle_count > 0 ? idle[--idle_count] : relay_make();
        side_open(&loop, &relay->client, fd, side_on_event, context, true);
        if (relay->origin.watch.fd < 0 && !origin_connect(relay))
            forward_on_end(relay, false);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"origin", required_argument, NULL, 'o'}, {"tls", required_argument, NULL, 't'}, {0}};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'o': origin_address = addresses_parse(optarg); break;
        case 't': context = channel_context(optarg); break;
        default: return 2;
        }
    }
    tool_start();
    if (origin_address.count == 0)
        tool_die("--origin is missing");
    loop_init(&loop);
    floor_serve(&loop, listener_on_event);
    return 0;
}
