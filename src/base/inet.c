/* Addresses as values. Parsing is strict: one spelling of IPv4, RFC 4291 spellings of IPv6. A prefix is unmapped when
 * it is parsed, since addresses are before they are held against it. */

#include "base/inet.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

/* Four numbers up to 255 without leading zeros, dots between them. */
static bool inet_parse_v4(struct slice text, uint8_t bytes[4])
{
    size_t at = 0;
    for (int i = 0; i < 4; i++) {
        if (i > 0 && (at == text.len || text.at[at++] != '.'))
            return false;
        size_t from = at;
        unsigned value = 0;
        while (at < text.len && at < from + 3 && char_is_digit(text.at[at]))
            value = value * 10 + (unsigned)(text.at[at++] - '0');
        if (at == from || value > 255 || (at > from + 1 && text.at[from] == '0'))
            return false;
        bytes[i] = (uint8_t)value;
    }
    return at == text.len;
}

enum status inet_addr_parse(struct slice text, struct inet_addr *ret_addr)
{
    struct inet_addr addr = {0};
    char copy[INET_ADDR_TEXT];
    if (slice_find(text, ':') == text.len) {
        if (!inet_parse_v4(text, addr.bytes))
            return ST_BAD;
        addr.family = INET_V4;
        *ret_addr = addr;
        return ST_OK;
    }
    if (text.len >= sizeof(copy) || memchr(text.at, '\0', text.len) != NULL)
        return ST_BAD;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET6, copy, addr.bytes) != 1)
        return ST_BAD;
    addr.family = INET_V6;
    *ret_addr = addr;
    return ST_OK;
}

enum status inet_endpoint_parse(struct slice text, struct inet_endpoint *ret_endpoint)
{
    size_t colon = slice_find_last(text, ':');
    if (colon == text.len)
        return ST_BAD;
    struct slice host = slice_first(text, colon);
    struct slice port_text = slice_from(text, colon + 1);
    bool is_bracketed = host.len >= 2 && host.at[0] == '[' && host.at[host.len - 1] == ']';
    if (is_bracketed)
        host = slice_first(slice_from(host, 1), host.len - 2);
    struct inet_endpoint endpoint = {0};
    uint64_t port;
    if (port_text.len > 5 || slice_to_u64(port_text, 65535, &port) != ST_OK ||
        inet_addr_parse(host, &endpoint.addr) != ST_OK ||
        is_bracketed != (endpoint.addr.family == INET_V6))
        return ST_BAD;
    endpoint.port = (uint16_t)port;
    *ret_endpoint = endpoint;
    return ST_OK;
}

static uint8_t inet_bits(const struct inet_addr *addr)
{
    return addr->family == INET_V4 ? 32 : 128;
}

/* The byte at `i` with only the bits of a prefix kept. */
static uint8_t inet_masked(const struct inet_addr *addr, unsigned bits, unsigned i)
{
    if (bits >= (i + 1) * 8)
        return addr->bytes[i];
    if (bits <= i * 8)
        return 0;
    return (uint8_t)(addr->bytes[i] & (0xff00u >> (bits - i * 8)));
}

/* ::ffff:10.0.0.0/104 as 10.0.0.0/8. One that holds more than mapped addresses stays. */
static struct inet_prefix inet_prefix_unmap(const struct inet_prefix *prefix)
{
    struct inet_prefix plain = {inet_addr_unmap(&prefix->addr), prefix->bits};
    if (prefix->addr.family == plain.addr.family || prefix->bits < 96)
        return *prefix;
    plain.bits = (uint8_t)(prefix->bits - 96);
    return plain;
}

enum status inet_prefix_parse(struct slice text, struct inet_prefix *ret_prefix)
{
    size_t slash = slice_find(text, '/');
    struct inet_prefix prefix;
    if (inet_addr_parse(slice_first(text, slash), &prefix.addr) != ST_OK)
        return ST_BAD;
    uint64_t bits = inet_bits(&prefix.addr);
    if (slash < text.len) {
        struct slice digits = slice_from(text, slash + 1);
        bool has_zero = digits.len > 1 && digits.at[0] == '0';
        if (has_zero || slice_to_u64(digits, bits, &bits) != ST_OK)
            return ST_BAD;
    }
    prefix.bits = (uint8_t)bits;
    for (unsigned i = 0; i < 16; i++) {
        if (inet_masked(&prefix.addr, prefix.bits, i) != prefix.addr.bytes[i])
            return ST_BAD;
    }
    *ret_prefix = inet_prefix_unmap(&prefix);
    return ST_OK;
}

size_t inet_addr_format(const struct inet_addr *addr, char *into)
{
    into[0] = '\0';
    if (addr->family == INET_V4)
        (void)inet_ntop(AF_INET, addr->bytes, into, INET_ADDR_TEXT);
    else if (addr->family == INET_V6)
        (void)inet_ntop(AF_INET6, addr->bytes, into, INET_ADDR_TEXT);
    else
        (void)snprintf(into, INET_ADDR_TEXT, "-");
    return strlen(into);
}

size_t inet_endpoint_format(const struct inet_endpoint *endpoint, char *into)
{
    char addr[INET_ADDR_TEXT];
    inet_addr_format(&endpoint->addr, addr);
    int len;
    if (endpoint->addr.family == INET_NONE)
        len = snprintf(into, INET_ENDPOINT_TEXT, "-");
    else if (endpoint->addr.family == INET_V6)
        len = snprintf(into, INET_ENDPOINT_TEXT, "[%s]:%u", addr, endpoint->port);
    else
        len = snprintf(into, INET_ENDPOINT_TEXT, "%s:%u", addr, endpoint->port);
    return len < 0 ? 0 : (size_t)len;
}

size_t inet_prefix_format(const struct inet_prefix *prefix, char *into)
{
    char addr[INET_ADDR_TEXT];
    inet_addr_format(&prefix->addr, addr);
    int len = snprintf(into, INET_PREFIX_TEXT, "%s/%u", addr, prefix->bits);
    return len < 0 ? 0 : (size_t)len;
}

bool inet_addr_equals(const struct inet_addr *a, const struct inet_addr *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

int inet_addr_compare(const struct inet_addr *a, const struct inet_addr *b)
{
    return a->family != b->family ? (int)a->family - (int)b->family
                                  : memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool inet_endpoint_equals(const struct inet_endpoint *a, const struct inet_endpoint *b)
{
    return a->port == b->port && inet_addr_equals(&a->addr, &b->addr);
}

bool inet_prefix_contains(const struct inet_prefix *prefix, const struct inet_addr *addr)
{
    if (prefix->addr.family != addr->family)
        return false;
    unsigned whole = prefix->bits / 8;
    for (unsigned i = 0; i < whole; i++) {
        if (addr->bytes[i] != prefix->addr.bytes[i])
            return false;
    }
    return whole == 16 || inet_masked(addr, prefix->bits, whole) == prefix->addr.bytes[whole];
}

bool inet_addr_is_loopback(const struct inet_addr *addr)
{
    static const uint8_t one[16] = {[15] = 1};
    struct inet_addr plain = inet_addr_unmap(addr);
    if (plain.family == INET_V4)
        return plain.bytes[0] == 127;
    return plain.family == INET_V6 && memcmp(plain.bytes, one, 16) == 0;
}

bool inet_addr_is_unspecified(const struct inet_addr *addr)
{
    static const uint8_t zero[16];
    struct inet_addr plain = inet_addr_unmap(addr);
    return plain.family != INET_NONE && memcmp(plain.bytes, zero, 16) == 0;
}

struct inet_addr inet_addr_unmap(const struct inet_addr *addr)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (addr->family != INET_V6 || memcmp(addr->bytes, mapped, 12) != 0)
        return *addr;
    struct inet_addr plain = {.family = INET_V4};
    memcpy(plain.bytes, addr->bytes + 12, 4);
    return plain;
}

struct inet_endpoint inet_from_sockaddr(const struct sockaddr *sa, socklen_t len)
{
    struct inet_endpoint endpoint = {0};
    if (sa->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof(in));
        endpoint.addr.family = INET_V4;
        memcpy(endpoint.addr.bytes, &in.sin_addr, 4);
        endpoint.port = ntohs(in.sin_port);
    } else if (sa->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 in;
        memcpy(&in, sa, sizeof(in));
        endpoint.addr.family = INET_V6;
        memcpy(endpoint.addr.bytes, &in.sin6_addr, 16);
        endpoint.port = ntohs(in.sin6_port);
        endpoint.addr = inet_addr_unmap(&endpoint.addr);
    }
    return endpoint;
}

socklen_t inet_to_sockaddr(const struct inet_endpoint *endpoint, struct sockaddr_storage *into)
{
    memset(into, 0, sizeof(*into));
    if (endpoint->addr.family == INET_V4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(endpoint->port)};
        memcpy(&in.sin_addr, endpoint->addr.bytes, 4);
        memcpy(into, &in, sizeof(in));
        return sizeof(in);
    }
    CHECK(endpoint->addr.family == INET_V6);
    struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(endpoint->port)};
    memcpy(&in.sin6_addr, endpoint->addr.bytes, 16);
    memcpy(into, &in, sizeof(in));
    return sizeof(in);
}
