/* Reads a raw DNS response (RFC 1035 §4), with nothing taken on trust.
 *
 * The response must ask our own question back. Names are unpacked to lower-case wire form, at most 255
 * bytes, and a compression pointer must point before the piece of name it stands in, so that unpacking
 * ends. The answer section is searched once for each CNAME, at most DNS_CHAIN_MAX times, in whatever
 * order the records stand; then the addresses of the chain's last name are taken. Addresses of any other
 * name are ignored, as is everything of another class. The additional section is not looked at.
 *
 * The time to live is the least of all records used. A negative answer lives as long as the lesser of
 * the SOA's own TTL and its MINIMUM (RFC 2308 §5), and without an SOA it must not be kept.
 *
 * It does not check who sent the packet or its id: the library below does. */

#include "net/dns_answer.h"

#include "base/check.h"

#include <string.h>

enum {
    DNS_HEADER_BYTES = 12,
    DNS_NAME_BYTES = 255,
    DNS_LABEL_BYTES = 63,
    DNS_TYPE_A = 1,
    DNS_TYPE_CNAME = 5,
    DNS_TYPE_SOA = 6,
    DNS_TYPE_AAAA = 28,
    DNS_CLASS_IN = 1,
    DNS_FLAG_RESPONSE = 0x8000,
    DNS_MASK_OPCODE = 0x7800,
    DNS_FLAG_TRUNCATED = 0x0200,
    DNS_MASK_RCODE = 0x000f,
};

/* A name in wire form, lower case, with its final empty label. */
struct dns_name {
    size_t len;
    uint8_t bytes[DNS_NAME_BYTES];
};

struct dns_record {
    struct dns_name owner;
    unsigned type;
    unsigned class;
    uint32_t ttl_s;
    size_t data_at;
    size_t data_len;
};

struct dns_packet {
    const uint8_t *at;
    size_t len;
    unsigned answers;
    unsigned authorities;
    size_t answers_at;
    size_t authorities_at;
};

static unsigned dns_u16(const struct dns_packet *packet, size_t at)
{
    return (unsigned)packet->at[at] << 8 | packet->at[at + 1];
}

static uint32_t dns_u32(const struct dns_packet *packet, size_t at)
{
    return (uint32_t)dns_u16(packet, at) << 16 | dns_u16(packet, at + 2);
}

/* RFC 2181 §8: a TTL with the top bit set is 0. */
static uint32_t dns_ttl(const struct dns_packet *packet, size_t at)
{
    uint32_t ttl = dns_u32(packet, at);
    return ttl > INT32_MAX ? 0 : ttl;
}

static bool dns_name_add(struct dns_name *name, const uint8_t *label, size_t len)
{
    if (name->len + 1 + len > DNS_NAME_BYTES)
        return false;
    name->bytes[name->len++] = (uint8_t)len;
    for (size_t i = 0; i < len; i++)
        name->bytes[name->len++] = (uint8_t)char_lower((char)label[i]);
    return true;
}

static bool dns_name_equals(const struct dns_name *a, const struct dns_name *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* True where `name` is `zone` or stands below it. */
static bool dns_name_is_within(const struct dns_name *name, const struct dns_name *zone)
{
    size_t at = 0;
    while (name->len - at > zone->len)
        at += 1U + name->bytes[at];
    return name->len - at == zone->len && memcmp(name->bytes + at, zone->bytes, zone->len) == 0;
}

static enum status dns_name_from_text(struct slice text, struct dns_name *ret_name)
{
    struct dns_name name = {0};
    if (text.len > 0 && text.at[text.len - 1] == '.')
        text.len--;
    while (text.len > 0) {
        size_t len = slice_find(text, '.');
        if (len == 0 || len > DNS_LABEL_BYTES)
            return ST_BAD;
        if (!dns_name_add(&name, (const uint8_t *)text.at, len))
            return ST_BAD;
        text = slice_from(text, len + 1);
    }
    if (!dns_name_add(&name, NULL, 0))
        return ST_BAD;
    *ret_name = name;
    return ST_OK;
}

/* Unpack the name at *at and step behind it. */
static enum status dns_read_name(const struct dns_packet *packet, size_t *at,
                                 struct dns_name *ret_name)
{
    size_t cursor = *at;
    size_t piece = cursor; /* where this piece began: pointers lead before it */
    size_t behind = 0;     /* what follows the name in the record; 0 until the first pointer */

    ret_name->len = 0;
    for (;;) {
        if (cursor >= packet->len)
            return ST_BAD;
        unsigned len = packet->at[cursor];
        if (len >= 0xc0) {
            if (packet->len - cursor < 2)
                return ST_BAD;
            size_t to = dns_u16(packet, cursor) & 0x3fffU;
            if (to >= piece)
                return ST_BAD;
            if (behind == 0)
                behind = cursor + 2;
            cursor = piece = to;
            continue;
        }
        if (len > DNS_LABEL_BYTES || packet->len - cursor - 1 < len)
            return ST_BAD;
        if (!dns_name_add(ret_name, packet->at + cursor + 1, len))
            return ST_BAD;
        cursor += 1 + len;
        if (len == 0)
            break;
    }
    *at = behind != 0 ? behind : cursor;
    return ST_OK;
}

static enum status dns_read_record(const struct dns_packet *packet, size_t *at,
                                   struct dns_record *ret_record)
{
    enum status status = dns_read_name(packet, at, &ret_record->owner);
    if (status != ST_OK)
        return status;
    if (packet->len - *at < 10)
        return ST_BAD;
    ret_record->type = dns_u16(packet, *at);
    ret_record->class = dns_u16(packet, *at + 2);
    ret_record->ttl_s = dns_ttl(packet, *at + 4);
    ret_record->data_len = dns_u16(packet, *at + 8);
    ret_record->data_at = *at + 10;
    if (packet->len - ret_record->data_at < ret_record->data_len)
        return ST_BAD;
    *at = ret_record->data_at + ret_record->data_len;
    return ST_OK;
}

/* Walk the first two sections once, so that everything behind can rely on their shape. */
static enum status dns_check_sections(struct dns_packet *packet, size_t at)
{
    struct dns_record record;

    if (packet->answers + packet->authorities > DNS_RECORDS_MAX)
        return ST_BAD;
    packet->answers_at = at;
    for (unsigned i = 0; i < packet->answers + packet->authorities; i++) {
        if (i == packet->answers)
            packet->authorities_at = at;
        enum status status = dns_read_record(packet, &at, &record);
        if (status != ST_OK)
            return status;
    }
    return ST_OK;
}

/* Header and question. */
static enum status dns_check_question(struct dns_packet *packet, struct slice name, unsigned type,
                                      struct dns_name *ret_asked)
{
    if (packet->len < DNS_HEADER_BYTES)
        return ST_BAD;
    unsigned flags = dns_u16(packet, 2);
    if ((flags & DNS_FLAG_RESPONSE) == 0 || (flags & (DNS_MASK_OPCODE | DNS_FLAG_TRUNCATED)) != 0)
        return ST_BAD;
    if (dns_u16(packet, 4) != 1)
        return ST_BAD;
    packet->answers = dns_u16(packet, 6);
    packet->authorities = dns_u16(packet, 8);

    size_t at = DNS_HEADER_BYTES;
    struct dns_name wanted;
    enum status status = dns_read_name(packet, &at, ret_asked);
    if (status != ST_OK)
        return status;
    if (packet->len - at < 4)
        return ST_BAD;
    if (dns_u16(packet, at) != type || dns_u16(packet, at + 2) != DNS_CLASS_IN)
        return ST_BAD;
    if (!slice_is_empty(name)) {
        status = dns_name_from_text(name, &wanted);
        if (status != ST_OK || !dns_name_equals(&wanted, ret_asked))
            return ST_BAD;
    }
    return dns_check_sections(packet, at + 4);
}

/* One step along the chain: ST_OK *name was replaced, ST_EOF it is no alias. */
static enum status dns_follow(const struct dns_packet *packet, struct dns_name *name,
                              uint32_t *ttl_s)
{
    struct dns_record record;
    size_t at = packet->answers_at;
    for (unsigned i = 0; i < packet->answers; i++) {
        if (dns_read_record(packet, &at, &record) != ST_OK)
            return ST_BAD;
        if (record.type != DNS_TYPE_CNAME || record.class != DNS_CLASS_IN ||
            !dns_name_equals(&record.owner, name))
            continue;
        size_t target = record.data_at;
        if (dns_read_name(packet, &target, name) != ST_OK ||
            target != record.data_at + record.data_len)
            return ST_BAD;
        if (record.ttl_s < *ttl_s)
            *ttl_s = record.ttl_s;
        return ST_OK;
    }
    return ST_EOF;
}

static void dns_add_address(struct dns_answer *answer, enum inet_family family,
                            const uint8_t *bytes, size_t len)
{
    struct inet_addr addr = {.family = (uint8_t)family};
    memcpy(addr.bytes, bytes, len);
    for (uint32_t i = 0; i < answer->count && i < DNS_DISTINCT_MAX; i++)
        if (inet_addr_equals(&answer->addr[i], &addr))
            return;
    CHECK(answer->count < DNS_ADDRESSES_MAX); /* there are no more records */
    answer->addr[answer->count++] = addr;
}

static enum status dns_take_addresses(const struct dns_packet *packet, const struct dns_name *name,
                                      enum inet_family family, struct dns_answer *answer)
{
    unsigned type = family == INET_V4 ? DNS_TYPE_A : DNS_TYPE_AAAA;
    size_t len = family == INET_V4 ? 4 : 16;
    struct dns_record record;
    size_t at = packet->answers_at;

    for (unsigned i = 0; i < packet->answers; i++) {
        if (dns_read_record(packet, &at, &record) != ST_OK)
            return ST_BAD;
        if (record.type != type || record.class != DNS_CLASS_IN ||
            !dns_name_equals(&record.owner, name))
            continue;
        if (record.data_len != len)
            return ST_BAD;
        if (record.ttl_s < answer->ttl_s)
            answer->ttl_s = record.ttl_s;
        dns_add_address(answer, family, packet->at + record.data_at, len);
    }
    return ST_OK;
}

/* RFC 2308 §5: how long "no" may be believed. The SOA must be of a zone that `name` stands in. */
static enum status dns_take_negative_ttl(const struct dns_packet *packet,
                                         const struct dns_name *name, struct dns_answer *answer)
{
    struct dns_record record;
    struct dns_name ignored;
    size_t at = packet->authorities_at;

    for (unsigned i = 0; i < packet->authorities; i++) {
        if (dns_read_record(packet, &at, &record) != ST_OK)
            return ST_BAD;
        if (record.type != DNS_TYPE_SOA || record.class != DNS_CLASS_IN ||
            !dns_name_is_within(name, &record.owner))
            continue;
        size_t cursor = record.data_at;
        if (dns_read_name(packet, &cursor, &ignored) != ST_OK) /* MNAME */
            return ST_BAD;
        if (dns_read_name(packet, &cursor, &ignored) != ST_OK || /* RNAME */
            record.data_at + record.data_len != cursor + 20)
            return ST_BAD;
        uint32_t minimum = dns_ttl(packet, cursor + 16);
        uint32_t ttl = record.ttl_s < minimum ? record.ttl_s : minimum;
        answer->ttl_s = ttl < answer->ttl_s ? ttl : answer->ttl_s;
        answer->has_ttl = true;
        return ST_OK;
    }
    return ST_OK;
}

static enum answer_result dns_result_of_rcode(unsigned rcode)
{
    switch (rcode) {
    case 0: return ANSWER_FOUND;
    case 2: return ANSWER_SERVFAIL;
    case 3: return ANSWER_NXDOMAIN;
    case 5: return ANSWER_REFUSED;
    default: return ANSWER_ERROR;
    }
}

static enum status dns_take_answer(const struct dns_packet *packet, struct dns_name *name,
                                   enum inet_family family, struct dns_answer *answer)
{
    enum status status = ST_OK;
    unsigned steps = 0;
    while ((status = dns_follow(packet, name, &answer->ttl_s)) == ST_OK)
        if (++steps > DNS_CHAIN_MAX) /* a loop gets here too */
            return ST_BAD;
    if (status != ST_EOF)
        return status;

    if (answer->result == ANSWER_FOUND) {
        status = dns_take_addresses(packet, name, family, answer);
        if (status != ST_OK)
            return status;
        answer->has_ttl = answer->count > 0;
        if (answer->count == 0)
            answer->result = ANSWER_NODATA;
    }
    return answer->count > 0 ? ST_OK : dns_take_negative_ttl(packet, name, answer);
}

enum status dns_answer_parse(struct slice bytes, struct slice name, enum inet_family family,
                             struct dns_answer *ret_answer)
{
    struct dns_packet packet = {.at = (const uint8_t *)bytes.at, .len = bytes.len};
    struct dns_name chain_name;
    unsigned type = family == INET_V4 ? DNS_TYPE_A : DNS_TYPE_AAAA;
    enum status status = dns_check_question(&packet, name, type, &chain_name);
    if (status != ST_OK)
        return status;

    struct dns_answer answer;
    answer.result = dns_result_of_rcode(dns_u16(&packet, 2) & DNS_MASK_RCODE);
    answer.has_ttl = false;
    answer.ttl_s = INT32_MAX;
    answer.count = 0;
    if (answer.result == ANSWER_FOUND || answer.result == ANSWER_NXDOMAIN) {
        status = dns_take_answer(&packet, &chain_name, family, &answer);
        if (status != ST_OK)
            return status;
    }
    if (!answer.has_ttl)
        answer.ttl_s = 0;
    memset(answer.addr + answer.count, 0,
           (DNS_ADDRESSES_MAX - answer.count) * sizeof(answer.addr[0]));
    *ret_answer = answer;
    return ST_OK;
}
