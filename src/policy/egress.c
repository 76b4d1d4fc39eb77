/* The built-in tables: those of egress.txt, and where IPv6 carries IPv4. */

#include "policy/egress.h"

#include "base/check.h"

#include "policy/egress_tables.h"

/* RFC 6052 §2.2 places the address by the length of the prefix, which for local NAT64 is not known. */
#define NAT64_LOCAL                                \
    {                                              \
        {INET_V6, {0, 0x64, 0xff, 0x9b, 0, 1}}, 48 \
    }

static const struct egress_carrier egress_carriers[] = {
    {{{INET_V6, {0}}, 96}, {12, 13, 14, 15}, false, false},                      /* compatible */
    {{{INET_V6, {[8] = 0xff, [9] = 0xff}}, 96}, {12, 13, 14, 15}, false, false}, /* translated */
    {{{INET_V6, {0, 0x64, 0xff, 0x9b}}, 96}, {12, 13, 14, 15}, false, false},    /* NAT64 */
    {NAT64_LOCAL, {6, 7, 9, 10}, false, true},
    {NAT64_LOCAL, {7, 9, 10, 11}, false, true},
    {NAT64_LOCAL, {9, 10, 11, 12}, false, true},
    {NAT64_LOCAL, {12, 13, 14, 15}, false, true},
    {{{INET_V6, {0x20, 0x02}}, 16}, {2, 3, 4, 5}, false, false},    /* 6to4 */
    {{{INET_V6, {0x20, 0x01}}, 32}, {4, 5, 6, 7}, false, false},    /* Teredo server */
    {{{INET_V6, {0x20, 0x01}}, 32}, {12, 13, 14, 15}, true, false}, /* Teredo client */
};

const struct egress_tables egress_built_in = {
    .ranges = egress_ranges,
    .range_count = COUNT_OF(egress_ranges),
    .floors = egress_floors,
    .floor_count = COUNT_OF(egress_floors),
    .names = egress_names,
    .name_count = COUNT_OF(egress_names),
    .ports = egress_ports,
    .port_count = COUNT_OF(egress_ports),
    .carriers = egress_carriers,
    .carrier_count = COUNT_OF(egress_carriers),
};

struct inet_addr egress_unwrap(const struct egress_carrier *carrier, const struct inet_addr *addr)
{
    struct inet_addr inner = {.family = INET_V4};
    for (size_t i = 0; i < 4; i++) {
        uint8_t byte = addr->bytes[carrier->places[i]];
        inner.bytes[i] = carrier->is_inverted ? (uint8_t)~byte : byte;
    }
    return inner;
}
