/* The PROXY protocol header: a load balancer says who really connected (HAProxy's proxy-protocol.txt).
 *
 * Pure: bytes in, a value out. A header that comes in pieces is parsed again from its start, which is
 * cheap: the sender writes it at once, and version 1 ends within 107 bytes. Bytes that cannot become a
 * header any more are refused at once instead of waited for.
 *
 * Strict where the document leaves room: one blank between fields, no leading zeros in ports, addresses
 * in their strict forms and of the announced family, nothing between the last field and CRLF (but for
 * UNKNOWN, whose rest is to be ignored). Of version 2, TLVs must fill the header exactly and are not
 * kept; datagram protocols and values that §2.2 does not name are refused.
 *
 * Not done here: who may send one (the owner asks first), writing headers, the CRC32C TLV. */
#include "net/proxy_protocol.h"

#include "base/check.h"

static const char V2_SIGNATURE[] = "\r\n\r\n\0\r\nQUIT\n";

enum {
    V2_SIGNATURE_LEN = sizeof(V2_SIGNATURE) - 1,
    V2_FIXED = 16, /* signature, version and command, family and protocol, length */
    V2_IPV4 = 12,
    V2_IPV6 = 36,
    V2_UNIX = 216,
    V2_TLV_FIXED = 3,
};

_Static_assert(V2_SIGNATURE_LEN == 12, "the signature has twelve bytes");

/* ---- version 1 ---- */

static enum status v1_port(struct slice text, uint16_t *ret_port)
{
    uint64_t port = 0;
    if (text.len > 1 && text.at[0] == '0')
        return ST_BAD;
    if (slice_to_u64(text, UINT16_MAX, &port) != ST_OK)
        return ST_BAD;
    *ret_port = (uint16_t)port;
    return ST_OK;
}

static enum status v1_addr(struct slice text, uint8_t family, struct inet_addr *ret_addr)
{
    struct inet_addr addr;
    if (inet_addr_parse(text, &addr) != ST_OK || addr.family != family)
        return ST_BAD;
    *ret_addr = addr;
    return ST_OK;
}

/* "SOURCE DESTINATION SPORT DPORT", with nothing before, between or after. */
static enum status v1_endpoints(struct slice rest, uint8_t family, struct proxy_header *header)
{
    struct slice part[4];
    for (size_t i = 0; i < COUNT_OF(part); i++) {
        size_t end = slice_find(rest, ' ');
        bool is_last = i + 1 == COUNT_OF(part);
        if (is_last != (end == rest.len))
            return ST_BAD;
        part[i] = slice_first(rest, end);
        rest = slice_from(rest, end + 1);
    }
    bool is_good = v1_addr(part[0], family, &header->source.addr) == ST_OK &&
                   v1_addr(part[1], family, &header->destination.addr) == ST_OK &&
                   v1_port(part[2], &header->source.port) == ST_OK &&
                   v1_port(part[3], &header->destination.port) == ST_OK;
    return is_good ? ST_OK : ST_BAD;
}

/* What stands between "PROXY " and CRLF. */
static enum status v1_line(struct slice line, struct proxy_header *header)
{
    header->version = 1;
    if (slice_starts_with(line, SLICE("TCP4 ")))
        return v1_endpoints(slice_from(line, 5), INET_V4, header);
    if (slice_starts_with(line, SLICE("TCP6 ")))
        return v1_endpoints(slice_from(line, 5), INET_V6, header);
    if (!slice_equals(line, SLICE("UNKNOWN")) && !slice_starts_with(line, SLICE("UNKNOWN ")))
        return ST_BAD;
    header->is_local = true;
    return ST_OK;
}

/* Every byte of a version 1 header is printable ASCII, so that a wait for CRLF ends early. */
static bool v1_is_text(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] < ' ' || s.at[i] > '~')
            return false;
    }
    return true;
}

static enum status v1_parse(struct slice bytes, struct proxy_header *header, size_t *ret_len)
{
    const struct slice prefix = SLICE("PROXY ");
    struct slice window = slice_first(bytes, PROXY_HEADER_V1_MAX);
    size_t end = slice_find(window, '\r');
    if (!v1_is_text(slice_first(window, end)))
        return ST_BAD;
    if (end + 1 >= window.len) /* CRLF is not whole */
        return bytes.len >= PROXY_HEADER_V1_MAX ? ST_BAD : ST_AGAIN;
    if (window.at[end + 1] != '\n')
        return ST_BAD;
    struct slice line = slice_from(slice_first(window, end), prefix.len);
    if (v1_line(line, header) != ST_OK)
        return ST_BAD;
    *ret_len = end + 2;
    return ST_OK;
}

/* ---- version 2 ---- */

static uint16_t v2_u16(const char *at)
{
    return (uint16_t)((uint8_t)at[0] << 8 | (uint8_t)at[1]);
}

/* The TLVs must fill `rest` exactly. */
static enum status v2_skip_tlvs(struct slice rest)
{
    while (rest.len > 0) {
        if (rest.len < V2_TLV_FIXED)
            return ST_BAD;
        size_t len = (size_t)V2_TLV_FIXED + v2_u16(rest.at + 1);
        if (len > rest.len)
            return ST_BAD;
        rest = slice_from(rest, len);
    }
    return ST_OK;
}

/* Both addresses of `size` bytes, then both ports. */
static void v2_endpoints(const char *at, uint8_t family, size_t size, struct proxy_header *header)
{
    header->source.addr.family = family;
    header->destination.addr.family = family;
    memcpy(header->source.addr.bytes, at, size);
    memcpy(header->destination.addr.bytes, at + size, size);
    header->source.port = v2_u16(at + 2 * size);
    header->destination.port = v2_u16(at + 2 * size + 2);
}

/* The part behind the fixed one: addresses by family, then TLVs. */
static enum status v2_proxied(uint8_t kind, struct slice rest, struct proxy_header *header)
{
    uint8_t family = kind >> 4;
    uint8_t protocol = kind & 0x0f;
    static const size_t SIZES[] = {0, V2_IPV4, V2_IPV6, V2_UNIX};
    if (kind == 0) {
        header->is_local = true; /* UNSPEC: whatever follows has no agreed form */
        return ST_OK;
    }
    /* A datagram (protocol 2) cannot have come over this stream. */
    if (family == 0 || family >= COUNT_OF(SIZES) || protocol != 1)
        return ST_BAD;
    size_t size = SIZES[family];
    if (rest.len < size)
        return ST_BAD;
    if (family == 1)
        v2_endpoints(rest.at, INET_V4, 4, header);
    else if (family == 2)
        v2_endpoints(rest.at, INET_V6, 16, header);
    return v2_skip_tlvs(slice_from(rest, size));
}

static enum status v2_parse(struct slice bytes, struct proxy_header *header, size_t *ret_len)
{
    enum { AT_COMMAND = 12, AT_KIND = 13, AT_LENGTH = 14 };
    if (bytes.len > AT_COMMAND) {
        uint8_t command = (uint8_t)bytes.at[AT_COMMAND];
        if (command != 0x20 && command != 0x21)
            return ST_BAD;
    }
    if (bytes.len < V2_FIXED)
        return ST_AGAIN;
    size_t len = (size_t)V2_FIXED + v2_u16(bytes.at + AT_LENGTH);
    if (len > PROXY_HEADER_V2_MAX)
        return ST_LIMIT;
    if (bytes.len < len)
        return ST_AGAIN;
    header->version = 2;
    *ret_len = len;
    if (bytes.at[AT_COMMAND] == 0x20) {
        header->is_local = true; /* LOCAL: the rest is to be skipped unseen */
        return ST_OK;
    }
    return v2_proxied((uint8_t)bytes.at[AT_KIND], slice_from(slice_first(bytes, len), V2_FIXED),
                      header);
}

/* ---- both ---- */

/* Do `bytes`, as far as they go, agree with `prefix`? */
static bool agrees(struct slice bytes, struct slice prefix)
{
    return slice_starts_with(prefix, slice_first(bytes, prefix.len));
}

enum status proxy_header_parse(struct slice bytes, struct proxy_header *ret_header, size_t *ret_len)
{
    const struct slice prefix = SLICE("PROXY ");
    const struct slice signature = slice_of(V2_SIGNATURE, V2_SIGNATURE_LEN);
    struct proxy_header header = {0};
    size_t len = 0;
    enum status status = ST_BAD;
    if (bytes.len == 0)
        return ST_AGAIN;
    if (agrees(bytes, prefix))
        status = bytes.len < prefix.len ? ST_AGAIN : v1_parse(bytes, &header, &len);
    else if (agrees(bytes, signature))
        status = bytes.len < signature.len ? ST_AGAIN : v2_parse(bytes, &header, &len);
    if (status != ST_OK)
        return status;
    header.source.addr = inet_addr_unmap(&header.source.addr); /* as an accepted socket's */
    header.destination.addr = inet_addr_unmap(&header.destination.addr);
    *ret_header = header;
    *ret_len = len;
    return ST_OK;
}
