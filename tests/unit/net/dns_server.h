#ifndef FAIRLEAD_TESTS_DNS_SERVER_H
#define FAIRLEAD_TESTS_DNS_SERVER_H

#include "base/inet.h"
#include "io/loop.h"

/* For tests: DNS packets, and a scripted name server on loopback UDP in the test's own loop. */

enum { RR_A = 1, RR_CNAME = 5, RR_SOA = 6, RR_AAAA = 28 };

struct packet {
    uint8_t bytes[4096];
    size_t len;
};

void packet_u8(struct packet *packet, unsigned value);
void packet_u16(struct packet *packet, unsigned value);
void packet_u32(struct packet *packet, uint32_t value);
void packet_name(struct packet *packet, const char *name);
/* Header and question; counts are 0. */
void packet_begin(struct packet *packet, unsigned id, unsigned flags, const char *name,
                  unsigned type);
/* Set a count: field 6 for answers, 8 for authorities. */
void packet_count(struct packet *packet, size_t field, unsigned count);
void packet_address(struct packet *packet, const char *owner, const char *address, uint32_t ttl);
void packet_cname(struct packet *packet, const char *owner, const char *target, uint32_t ttl);
void packet_soa(struct packet *packet, const char *zone, uint32_t ttl, uint32_t minimum);
static inline struct slice packet_slice(const struct packet *packet)
{
    return slice_of((const char *)packet->bytes, packet->len);
}

enum { DNS_SERVER_RULES = 16, DNS_SERVER_ADDRESSES = 12, DNS_SERVER_HELD = 8 };

/* What is said to a question. */
struct dns_rule {
    const char *name;
    unsigned type;
    const char *address[DNS_SERVER_ADDRESSES]; /* none: empty answer */
    unsigned rcode;
    uint32_t ttl;
    uint32_t soa_minimum; /* 0: no SOA */
    bool is_held;         /* kept until dns_server_release */
    bool is_silent;       /* never answered */
};

struct dns_server {
    struct loop *loop;
    struct watch watch;
    struct inet_endpoint address;
    struct dns_rule rules[DNS_SERVER_RULES];
    size_t rule_count;
    size_t question_count;
    struct {
        struct sockaddr_storage from;
        socklen_t from_len;
        struct packet answer;
    } held[DNS_SERVER_HELD];
    size_t held_count;
};

void dns_server_start(struct dns_server *server, struct loop *loop);
void dns_server_add(struct dns_server *server, struct dns_rule rule);
void dns_server_release(struct dns_server *server);
void dns_server_stop(struct dns_server *server);

#endif
