/* Clients and origins. */
#include "sim/peer.h"

#include <stdlib.h>
#include <string.h>

/* ---- saying and hearing ---- */

static void peer_push(struct peer *peer)
{
    while (peer->end != NULL && peer->unsaid_len > 0) {
        struct iovec iov = {peer->unsaid, peer->unsaid_len};
        size_t sent = 0;
        enum status status = transport_send(&peer->end->base, &iov, 1, &sent);
        if (status == ST_IO)
            sent = peer->unsaid_len; /* the proxy closed: nobody will hear it */
        if (status == ST_AGAIN)
            return;
        peer->unsaid_len -= sent;
        memmove(peer->unsaid, peer->unsaid + sent, peer->unsaid_len);
    }
    if (peer->end != NULL && peer->is_ending) {
        peer->is_ending = false;
        (void)transport_shut(&peer->end->base); /* the proxy may have closed already */
    }
}

static void peer_reserve(struct peer *peer, size_t len)
{
    if (peer->heard_len + len + 1 <= peer->heard_cap)
        return;
    peer->heard_cap = (peer->heard_len + len + 1) * 2;
    peer->heard = realloc(peer->heard, peer->heard_cap);
    CHECK(peer->heard != NULL);
}

static void peer_note_end(struct peer *peer, bool is_reset)
{
    if (!peer_is_open(peer) && !is_reset)
        return;
    world_trace(peer->world, "peer %u is %s", peer->number, is_reset ? "reset" : "ended");
    peer->saw_fin = peer->saw_fin || !is_reset;
    peer->saw_reset = is_reset;
    peer->ended_ms = world_ms(peer->world);
}

static void peer_pull(struct peer *peer, size_t max)
{
    while (peer->end != NULL && max > 0 && !peer->saw_reset) {
        size_t part = max < 65536 ? max : 65536;
        size_t got = 0;
        peer_reserve(peer, part);
        enum status status =
            transport_recv(&peer->end->base, peer->heard + peer->heard_len, part, &got);
        if (status == ST_EOF || status == ST_IO)
            peer_note_end(peer, status == ST_IO);
        if (status != ST_OK)
            return;
        peer->heard_len += got;
        peer->heard_total += got;
        peer->heard[peer->heard_len] = '\0';
        world_trace(peer->world, "peer %u hears %zu bytes: %.60s", peer->number, got,
                    peer->heard + peer->heard_len - got);
        peer->heard_ms = world_ms(peer->world);
        max -= got;
    }
}

static void peer_on_ready(struct transport *transport)
{
    struct peer *peer = transport->owner;
    peer_push(peer);
    if (!peer->is_deaf)
        peer_pull(peer, SIZE_MAX);
}

static void peer_settle(struct peer *peer)
{
    if (!peer->world->is_held)
        world_settle(peer->world);
}

/* ---- life ---- */

struct peer *peer_create(struct world *world, struct transport **ret_proxy_side)
{
    struct memory_end *proxy_side = NULL;
    struct peer *peer = calloc(1, sizeof(*peer));
    CHECK(peer != NULL);
    peer->world = world;
    peer->number = ++world->peer_count;
    peer->is_deaf = world->makes_deaf;
    memory_pair_create(world->loop, world->room, &proxy_side, &peer->end);
    proxy_side->resets_unread = peer->end->resets_unread = true;
    transport_listen(&peer->end->base, peer, peer_on_ready);
    link_init(&peer->origin_link);
    list_append(&world->peers, &peer->link);
    peer_reserve(peer, 0);
    peer->heard[0] = '\0';
    *ret_proxy_side = &proxy_side->base;
    return peer;
}

static void peer_leave(struct peer *peer, bool is_abort)
{
    if (peer->end == NULL)
        return;
    struct transport *transport = &peer->end->base;
    peer->end = NULL;
    transport_close(&transport, is_abort);
}

void peer_destroy_all(struct world *world)
{
    LIST_EACH(link, &world->peers) {
        struct peer *peer = CONTAINER_OF(link, struct peer, link);
        peer_leave(peer, /* is_abort= */ true);
        free(peer->unsaid);
        free(peer->heard);
        free(peer);
    }
}

/* ---- what plays do ---- */

void peer_say_bytes(struct peer *peer, const char *bytes, size_t len)
{
    world_trace(peer->world, "peer %u says %zu bytes: %.60s", peer->number, len, bytes);
    if (peer->unsaid_len + len + 1 > peer->unsaid_cap) {
        peer->unsaid_cap = (peer->unsaid_len + len + 1) * 2;
        peer->unsaid = realloc(peer->unsaid, peer->unsaid_cap);
        CHECK(peer->unsaid != NULL);
    }
    memcpy(peer->unsaid + peer->unsaid_len, bytes, len);
    peer->unsaid_len += len;
    peer_push(peer);
    peer_settle(peer);
}

void peer_say(struct peer *peer, const char *text)
{
    peer_say_bytes(peer, text, strlen(text));
}

/* Every offset has its own neighbourhood, so that lost and swapped bytes show. */
static char pattern_at(size_t offset)
{
    return (char)('!' + (offset * 7 + offset / 251 + offset / 65521) % 90);
}

void peer_say_pattern_from(struct peer *peer, size_t offset, size_t len)
{
    char *bytes = malloc(len + 1);
    CHECK(bytes != NULL);
    for (size_t i = 0; i < len; i++)
        bytes[i] = pattern_at(offset + i);
    bytes[len] = '\0';
    peer_say_bytes(peer, bytes, len);
    free(bytes);
}

void peer_say_pattern(struct peer *peer, size_t len)
{
    peer_say_pattern_from(peer, 0, len);
}

void peer_fin(struct peer *peer)
{
    world_trace(peer->world, "peer %u fin", peer->number);
    peer->is_ending = true;
    peer_push(peer);
    peer_settle(peer);
}

void peer_reset(struct peer *peer)
{
    world_trace(peer->world, "peer %u reset", peer->number);
    peer_leave(peer, /* is_abort= */ true);
    peer_settle(peer);
}

void peer_close(struct peer *peer)
{
    world_trace(peer->world, "peer %u close", peer->number);
    peer_leave(peer, /* is_abort= */ false);
    peer_settle(peer);
}

void peer_deafen(struct peer *peer)
{
    world_trace(peer->world, "peer %u deafen", peer->number);
    peer->is_deaf = true;
}

void peer_listen(struct peer *peer)
{
    world_trace(peer->world, "peer %u listen", peer->number);
    peer->is_deaf = false;
    peer_pull(peer, SIZE_MAX);
    peer_settle(peer);
}

void peer_read(struct peer *peer, size_t len)
{
    world_trace(peer->world, "peer %u reads %zu bytes", peer->number, len);
    peer_pull(peer, len);
    peer_settle(peer);
}

void peer_set_room(struct peer *peer, size_t room)
{
    memory_end_set_room(peer->end, room);
}

/* ---- what plays expect ---- */

static void peer_forget(struct peer *peer, size_t len)
{
    peer->heard_len -= len;
    memmove(peer->heard, peer->heard + len, peer->heard_len + 1);
}

void peer_hears(struct peer *peer, const char *text)
{
    assert_string_equal(peer->heard, text);
    peer_forget(peer, peer->heard_len);
}

void peer_hears_nothing(struct peer *peer)
{
    peer_hears(peer, "");
}

const char *peer_hears_head(struct peer *peer, const char *first_line)
{
    static char head[8192];
    const char *end = strstr(peer->heard, "\r\n\r\n");
    size_t len = end == NULL ? 0 : (size_t)(end - peer->heard) + 4;
    size_t line_len = strlen(first_line);
    if (end == NULL || strncmp(peer->heard, first_line, line_len) != 0 ||
        strncmp(peer->heard + line_len, "\r\n", 2) != 0)
        fail_msg("no head that begins with \"%s\" but \"%.200s\"", first_line, peer->heard);
    CHECK(len < sizeof(head));
    memcpy(head, peer->heard, len);
    head[len] = '\0';
    peer_forget(peer, len);
    return head;
}

void expect_pattern(const char *bytes, size_t offset, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != pattern_at(offset + i))
            fail_msg("byte %zu is not that of the pattern", offset + i);
    }
}

void peer_hears_pattern(struct peer *peer, size_t offset, size_t len)
{
    assert_int_equal(peer->heard_len, len);
    expect_pattern(peer->heard, offset, len);
    peer_forget(peer, len);
}

void peer_ended_at(const struct peer *peer, uint64_t ms)
{
    if (!peer->saw_fin || peer->saw_reset)
        fail_msg("the proxy did not end the connection in order: %s",
                 peer->saw_reset ? "it was reset" : "it is open");
    assert_int_equal(peer->ended_ms, ms);
}

void peer_reset_at(const struct peer *peer, uint64_t ms)
{
    if (!peer->saw_reset)
        fail_msg("the proxy did not reset the connection: it is %s",
                 peer->saw_fin ? "ended in order" : "open");
    assert_int_equal(peer->ended_ms, ms);
}
