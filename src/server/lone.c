/* A client comes as one end of a socket pair, in a message to the worker's loop. */

#include "server/lone.h"

#include "base/check.h"
#include "proxy/client.h"

#include <stdlib.h>
#include <sys/socket.h>

void lone_describe(struct bundle *bundle)
{
    const struct config *config = bundle->config;
    bundle->listen_count = config->listen_count;
    for (size_t i = 0; i < config->listen_count; i++) {
        opening_describe(&bundle->listens[i], &config->listen[i]);
        if (config->listen[i].kind == LISTEN_TCP)
            bundle->listens[i].bound = config->listen[i].endpoint;
    }
    if (config->admin.is_off)
        return;
    opening_describe(&bundle->admin, &config->admin.listen);
    if (config->admin.listen.kind == LISTEN_TCP)
        bundle->admin.bound = config->admin.listen.endpoint;
}

struct arrival {
    struct message message;
    struct proxy *proxy;
    int fd;
};

static void arrival_deliver(struct message *message)
{
    struct arrival *arrival = CONTAINER_OF(message, struct arrival, message);
    struct client_door door = {.listen = NULL}; /* no address, no PROXY header, in clear */
    client_accept(arrival->proxy, &door, arrival->fd);
    free(arrival);
}

enum status lone_connect(struct worker *worker, int *ret_fd)
{
    int ends[2];
    struct arrival *arrival = malloc(sizeof(*arrival));
    if (arrival == NULL)
        return ST_NOMEM;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
        free(arrival);
        return ST_IO;
    }
    *arrival = (struct arrival){
        .message.deliver = arrival_deliver,
        .proxy = worker_proxy(worker),
        .fd = ends[1],
    };
    loop_post(worker_loop(worker), &arrival->message);
    *ret_fd = ends[0];
    return ST_OK;
}
