/* Which source address would be used: a datagram socket is connected, which makes the kernel choose a
 * route and a source and sends nothing, and its own address is read.
 *
 * One socket a family is kept. It is disconnected before each question, since a datagram socket keeps
 * the source of its first connect otherwise. Answers are remembered for two seconds in a small table
 * that is indexed by hash and simply overwritten: dials to one origin come in bursts. */

#include "net/addr_source.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/table.h"

#include <stdlib.h>
#include <unistd.h>

#define ADDR_SOURCE_TAG TAG('a', 's', 'r', 'c')

enum { ADDR_SOURCE_SLOTS = 128 };
static const uint64_t addr_source_life_ns = 2 * NS_PER_S;

struct addr_source {
    uint32_t tag;
    int fd[2]; /* IPv4, IPv6; -1 not opened */
    struct addr_source_slot {
        struct inet_addr to;
        struct inet_addr from;
        uint64_t until_ns;
    } slots[ADDR_SOURCE_SLOTS];
};

struct addr_source *addr_source_create(void)
{
    struct addr_source *sources = calloc(1, sizeof(*sources));
    if (sources == NULL)
        return NULL;
    sources->tag = ADDR_SOURCE_TAG;
    sources->fd[0] = sources->fd[1] = -1;
    return sources;
}

void addr_source_destroy(struct addr_source **destroy)
{
    struct addr_source *sources = *destroy;
    *destroy = NULL;
    if (sources == NULL)
        return;
    CHECK_TAG(sources, ADDR_SOURCE_TAG);
    for (size_t i = 0; i < COUNT_OF(sources->fd); i++)
        if (sources->fd[i] >= 0)
            (void)close(sources->fd[i]); /* nothing was written */
    sources->tag = 0;
    free(sources);
}

static struct inet_addr addr_source_look(struct addr_source *sources, const struct inet_addr *to)
{
    const struct inet_addr none = {0};
    bool is_v4 = to->family == INET_V4;
    int *fd = &sources->fd[is_v4 ? 0 : 1];
    if (*fd < 0)
        *fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        return none;

    struct sockaddr_storage storage;
    struct sockaddr *sa = (struct sockaddr *)(void *)&storage;
    const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    const struct inet_endpoint endpoint = {.addr = *to, .port = 53};
    socklen_t len = inet_to_sockaddr(&endpoint, &storage);
    (void)connect(*fd, &nowhere, sizeof(nowhere)); /* fails where it was not connected */
    if (connect(*fd, sa, len) != 0)
        return none;
    len = sizeof(storage);
    if (getsockname(*fd, sa, &len) != 0)
        return none;
    return inet_from_sockaddr(sa, len).addr;
}

struct inet_addr addr_source_ask(void *owner, const struct inet_addr *to)
{
    struct addr_source *sources = owner;
    CHECK_TAG(sources, ADDR_SOURCE_TAG);
    uint64_t now = clock_monotonic_ns();
    uint64_t hash = table_hash(slice_of((const char *)to->bytes, sizeof(to->bytes)));
    struct addr_source_slot *slot = &sources->slots[hash % ADDR_SOURCE_SLOTS];
    if (slot->until_ns > now && inet_addr_equals(&slot->to, to))
        return slot->from;
    slot->to = *to;
    slot->from = addr_source_look(sources, to);
    slot->until_ns = now + addr_source_life_ns;
    return slot->from;
}

bool addr_source_has_family(struct addr_source *sources, enum inet_family family)
{
    /* Any global unicast address will do; nothing is sent to it. */
    static const struct inet_addr v4 = {INET_V4, {192, 0, 32, 1}};
    static const struct inet_addr v6 = {INET_V6, {0x26, 0x20, [15] = 1}};
    return addr_source_ask(sources, family == INET_V4 ? &v4 : &v6).family != INET_NONE;
}
