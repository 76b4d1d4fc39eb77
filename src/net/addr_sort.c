/* RFC 6724 §6, destination address selection: pairs are compared rule by rule, and what no rule decides
 * stays in the order in which it came, which keeps the name server's rotation.
 *
 * Rules 3, 4 and 7 (deprecated, home and encapsulated sources) need facts that a proxy does not have.
 * Rule 9 (longest matching prefix) is used for IPv6 only and on the first 64 bits: for IPv4 it says
 * nothing about distance and would undo the rotation. */

#include "net/addr_sort.h"

#include "base/check.h"

#include <string.h>

/* RFC 6724 §2.1; the longest matching row wins, so longer ones stand first. */
static const struct addr_policy {
    uint8_t bytes[16];
    uint8_t bits;
    uint8_t precedence;
    uint8_t label;
} addr_policies[] = {
    {{[15] = 1}, 128, 50, 0},                /* ::1/128 */
    {{[10] = 0xff, [11] = 0xff}, 96, 35, 4}, /* ::ffff:0:0/96 */
    {{0}, 96, 1, 3},                         /* ::/96 */
    {{0x20, 0x01, 0x00, 0x00}, 32, 5, 5},    /* 2001::/32 */
    {{0x20, 0x02}, 16, 30, 2},               /* 2002::/16 */
    {{0x3f, 0xfe}, 16, 1, 12},               /* 3ffe::/16 */
    {{0xfe, 0xc0}, 10, 1, 11},               /* fec0::/10 */
    {{0xfc, 0x00}, 7, 3, 13},                /* fc00::/7 */
    {{0}, 0, 40, 1},                         /* ::/0 */
};

/* What is compared of one destination. */
struct addr_rank {
    struct inet_addr to;
    struct inet_addr from;
    unsigned precedence;
    unsigned scope;
    bool scope_matches;
    bool label_matches;
    bool is_usable;
    unsigned prefix_bits;
};

/* IPv4 as ::ffff:a.b.c.d. */
static void addr_bytes16(const struct inet_addr *addr, uint8_t into[16])
{
    if (addr->family == INET_V6) {
        memcpy(into, addr->bytes, 16);
        return;
    }
    memset(into, 0, 10);
    into[10] = into[11] = 0xff;
    memcpy(into + 12, addr->bytes, 4);
}

static unsigned addr_common_bits(const uint8_t *a, const uint8_t *b, unsigned max)
{
    unsigned bits = 0;
    while (bits < max && ((a[bits / 8] ^ b[bits / 8]) & (0x80U >> bits % 8)) == 0)
        bits++;
    return bits;
}

static const struct addr_policy *addr_policy_of(const struct inet_addr *addr)
{
    uint8_t bytes[16];
    addr_bytes16(addr, bytes);
    for (size_t i = 0; i < COUNT_OF(addr_policies); i++) {
        const struct addr_policy *policy = &addr_policies[i];
        if (addr_common_bits(bytes, policy->bytes, policy->bits) == policy->bits)
            return policy;
    }
    CHECK(false); /* the last row takes all */
    return NULL;
}

unsigned addr_precedence(const struct inet_addr *addr)
{
    return addr_policy_of(addr)->precedence;
}

unsigned addr_label(const struct inet_addr *addr)
{
    return addr_policy_of(addr)->label;
}

unsigned addr_scope(const struct inet_addr *addr)
{
    enum { SCOPE_LINK = 2, SCOPE_SITE = 5, SCOPE_GLOBAL = 14 };
    const uint8_t *bytes = addr->bytes;
    if (addr->family == INET_V4)
        return bytes[0] == 127 || (bytes[0] == 169 && bytes[1] == 254) ? SCOPE_LINK : SCOPE_GLOBAL;
    if (bytes[0] == 0xff)
        return bytes[1] & 0x0fU;
    if (inet_addr_is_loopback(addr) || (bytes[0] == 0xfe && (bytes[1] & 0xc0U) == 0x80))
        return SCOPE_LINK;
    if (bytes[0] == 0xfe && (bytes[1] & 0xc0U) == 0xc0)
        return SCOPE_SITE;
    return SCOPE_GLOBAL;
}

static struct addr_rank addr_rank_of(const struct inet_addr *to, const struct inet_addr *from)
{
    struct addr_rank rank = {
        .to = *to,
        .from = *from,
        .precedence = addr_precedence(to),
        .scope = addr_scope(to),
        .is_usable = from->family != INET_NONE,
    };
    if (!rank.is_usable)
        return rank;
    rank.scope_matches = rank.scope == addr_scope(from);
    rank.label_matches = addr_label(to) == addr_label(from);
    if (to->family == INET_V6 && from->family == INET_V6)
        rank.prefix_bits = addr_common_bits(to->bytes, from->bytes, 64);
    return rank;
}

/* True where `a` must stand before `b`. */
static bool addr_is_better(const struct addr_rank *a, const struct addr_rank *b)
{
    if (a->is_usable != b->is_usable) /* rule 1 */
        return a->is_usable;
    if (a->scope_matches != b->scope_matches) /* rule 2 */
        return a->scope_matches;
    if (a->label_matches != b->label_matches) /* rule 5 */
        return a->label_matches;
    if (a->precedence != b->precedence) /* rule 6 */
        return a->precedence > b->precedence;
    if (a->scope != b->scope) /* rule 8 */
        return a->scope < b->scope;
    if (a->to.family == INET_V6 && b->to.family == INET_V6) /* rule 9 */
        return a->prefix_bits > b->prefix_bits;
    return false; /* rule 10 */
}

void addr_sort(const struct inet_addr *addr, size_t count, addr_source_fn *source, void *owner,
               uint8_t *ret_order)
{
    struct addr_rank ranks[ADDR_SORT_MAX];
    CHECK(count <= ADDR_SORT_MAX);

    for (size_t i = 0; i < count; i++) {
        struct inet_addr from = source(owner, &addr[i]);
        ranks[i] = addr_rank_of(&addr[i], &from);
    }
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        for (; at > 0 && addr_is_better(&ranks[i], &ranks[ret_order[at - 1]]); at--)
            ret_order[at] = ret_order[at - 1];
        ret_order[at] = (uint8_t)i;
    }
}
