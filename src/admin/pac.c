/* Which address to name: one that the client that asks can really use.
 *
 * A wildcard address is none that can be dialled; the name or address by which the client reached us is, for
 * the wildcard of its family. A loopback address serves the clients of this machine alone. Over TLS the name
 * matters, since the certificate must hold it, so "localhost" stays "localhost".
 *
 * The file is made of our own words, numbers and a canonical host (letters, digits, '-', '_', '.', ':'), so
 * nothing that a client chose can break out of the string it stands in. */

#include "admin/pac.h"

static bool client_is_local(const struct pac_client *client)
{
    return client->peer.addr.family == INET_NONE || inet_addr_is_loopback(&client->peer.addr);
}

/* The client's way to us, where it is an address of this family or a name. */
static const struct host *client_host(const struct pac_client *client, uint8_t family)
{
    const struct host *host = client->host;
    if (host == NULL || client->peer.addr.family == INET_NONE) /* there Host is any word */
        return NULL;
    if (host->kind == HOST_NAME)
        return host;
    struct inet_addr addr = inet_addr_unmap(&host->addr);
    return addr.family == family ? host : NULL;
}

static bool door_is_wild(const struct pac_door *door)
{
    return inet_addr_is_unspecified(&door->bound.addr);
}

static bool door_is_for(const struct pac_door *door, const struct pac_client *client)
{
    const struct inet_addr *addr = &door->bound.addr;
    if (addr->family == INET_NONE)
        return false;
    if (door_is_wild(door))
        return client->peer.addr.family == INET_NONE || client_host(client, addr->family) != NULL;
    return !inet_addr_is_loopback(addr) || client_is_local(client);
}

static void door_add(const struct pac_door *door, const struct pac_client *client,
                     struct text *into)
{
    const struct inet_addr *addr = &door->bound.addr;
    const struct host *host = client_host(client, addr->family);
    bool is_named =
        host != NULL && host->kind == HOST_NAME && door->is_tls && inet_addr_is_loopback(addr);
    text_add(into, door->is_tls ? SLICE("HTTPS ") : SLICE("PROXY "));
    if (host != NULL && (door_is_wild(door) || is_named)) {
        text_add_format(into, host->kind == HOST_IPV6 ? "[%s]:%u" : "%s:%u", host->text,
                        door->bound.port);
        return;
    }
    struct inet_endpoint shown = door->bound;
    char address[INET_ENDPOINT_TEXT];
    if (door_is_wild(door)) /* asked through a Unix socket: the client is on this machine */
        shown.addr = addr->family == INET_V4 ? (struct inet_addr){INET_V4, {127, 0, 0, 1}}
                                             : (struct inet_addr){INET_V6, {[15] = 1}};
    text_add(into, slice_of(address, inet_endpoint_format(&shown, address)));
}

bool pac_add(const struct pac_door *doors, size_t count, const struct pac_client *client,
             struct text *into)
{
    const struct pac_door *best = NULL;
    bool is_unix_only = true;
    for (size_t i = 0; i < count; i++) {
        is_unix_only = is_unix_only && doors[i].bound.addr.family == INET_NONE;
        if (door_is_for(&doors[i], client) && (best == NULL || (best->is_tls && !doors[i].is_tls)))
            best = &doors[i];
    }
    if (best == NULL) {
        text_add(into, is_unix_only
                           ? SLICE("the proxy listens on Unix sockets only, which proxy.pac cannot "
                                   "name")
                           : SLICE("the proxy has no listener that this client can reach"));
        return false;
    }
    text_add(into,
             SLICE("function FindProxyForURL(url, host) {\n"
                   "  if (isPlainHostName(host) || host === \"localhost\" ||\n"
                   "      shExpMatch(host, \"*.localhost\") || shExpMatch(host, \"127.*\") ||\n"
                   "      host === \"::1\" || host === \"[::1]\") return \"DIRECT\";\n"
                   "  return \""));
    door_add(best, client, into);
    text_add(into, SLICE("\";\n}\n"));
    return true;
}
