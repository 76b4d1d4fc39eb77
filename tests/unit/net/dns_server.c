/* Questions without a rule are answered NXDOMAIN without an SOA. */
#include "dns_server.h"

#include "base/check.h"

#include <string.h>
#include <unistd.h>

void packet_u8(struct packet *packet, unsigned value)
{
    CHECK(packet->len < sizeof(packet->bytes));
    packet->bytes[packet->len++] = (uint8_t)value;
}

void packet_u16(struct packet *packet, unsigned value)
{
    packet_u8(packet, value >> 8);
    packet_u8(packet, value & 0xff);
}

void packet_u32(struct packet *packet, uint32_t value)
{
    packet_u16(packet, value >> 16);
    packet_u16(packet, value & 0xffff);
}

void packet_name(struct packet *packet, const char *name)
{
    struct slice rest = slice_from_string(name);
    struct slice label;
    while (slice_next_part(&rest, '.', &label)) {
        packet_u8(packet, (unsigned)label.len);
        for (size_t i = 0; i < label.len; i++)
            packet_u8(packet, (uint8_t)label.at[i]);
    }
    packet_u8(packet, 0);
}

void packet_begin(struct packet *packet, unsigned id, unsigned flags, const char *name,
                  unsigned type)
{
    packet->len = 0;
    packet_u16(packet, id);
    packet_u16(packet, flags);
    packet_u16(packet, 1);
    packet_u16(packet, 0);
    packet_u32(packet, 0);
    packet_name(packet, name);
    packet_u16(packet, type);
    packet_u16(packet, 1);
}

void packet_count(struct packet *packet, size_t field, unsigned count)
{
    packet->bytes[field] = (uint8_t)(count >> 8);
    packet->bytes[field + 1] = (uint8_t)count;
}

static void packet_record(struct packet *packet, const char *owner, unsigned type, uint32_t ttl)
{
    packet_name(packet, owner);
    packet_u16(packet, type);
    packet_u16(packet, 1);
    packet_u32(packet, ttl);
}

void packet_address(struct packet *packet, const char *owner, const char *address, uint32_t ttl)
{
    struct inet_addr addr;
    CHECK(inet_addr_parse(slice_from_string(address), &addr) == ST_OK);
    bool is_v4 = addr.family == INET_V4;
    packet_record(packet, owner, is_v4 ? RR_A : RR_AAAA, ttl);
    packet_u16(packet, is_v4 ? 4 : 16);
    for (size_t i = 0; i < (is_v4 ? 4U : 16U); i++)
        packet_u8(packet, addr.bytes[i]);
}

/* Data whose length is known only behind it. */
static void packet_close_data(struct packet *packet, size_t length_at)
{
    packet_count(packet, length_at, (unsigned)(packet->len - length_at - 2));
}

void packet_cname(struct packet *packet, const char *owner, const char *target, uint32_t ttl)
{
    packet_record(packet, owner, RR_CNAME, ttl);
    size_t length_at = packet->len;
    packet_u16(packet, 0);
    packet_name(packet, target);
    packet_close_data(packet, length_at);
}

void packet_soa(struct packet *packet, const char *zone, uint32_t ttl, uint32_t minimum)
{
    packet_record(packet, zone, RR_SOA, ttl);
    size_t length_at = packet->len;
    packet_u16(packet, 0);
    packet_name(packet, "ns.test");
    packet_name(packet, "admin.test");
    for (int i = 0; i < 4; i++)
        packet_u32(packet, 1);
    packet_u32(packet, minimum);
    packet_close_data(packet, length_at);
}

/* ---- the server ---- */

static size_t read_question(const struct packet *packet, char *name, unsigned *ret_type)
{
    size_t at = 12;
    size_t len = 0;
    while (packet->bytes[at] != 0) {
        unsigned label = packet->bytes[at++];
        if (len > 0)
            name[len++] = '.';
        memcpy(name + len, packet->bytes + at, label);
        len += label;
        at += label;
    }
    name[len] = '\0';
    *ret_type = (unsigned)packet->bytes[at + 1] << 8 | packet->bytes[at + 2];
    return len;
}

static const struct dns_rule *find_rule(const struct dns_server *server, const char *name,
                                        unsigned type)
{
    for (size_t i = 0; i < server->rule_count; i++)
        if (strcmp(server->rules[i].name, name) == 0 && server->rules[i].type == type)
            return &server->rules[i];
    static const struct dns_rule unknown = {.name = "", .rcode = 3};
    return &unknown;
}

static void write_answer(struct packet *answer, unsigned id, const char *name, unsigned type,
                         const struct dns_rule *rule)
{
    unsigned count = 0;
    packet_begin(answer, id, 0x8180U | rule->rcode, name, type);
    for (; count < DNS_SERVER_ADDRESSES && rule->address[count] != NULL; count++)
        packet_address(answer, name, rule->address[count], rule->ttl);
    packet_count(answer, 6, count);
    if (rule->soa_minimum == 0)
        return;
    packet_soa(answer, "test", rule->soa_minimum, rule->soa_minimum);
    packet_count(answer, 8, 1);
}

static void serve_one(struct dns_server *server, const struct packet *question,
                      const struct sockaddr_storage *from, socklen_t from_len)
{
    char name[256];
    unsigned type = 0;
    (void)read_question(question, name, &type);
    server->question_count++;
    const struct dns_rule *rule = find_rule(server, name, type);
    if (rule->is_silent)
        return;
    struct packet answer;
    unsigned id = (unsigned)question->bytes[0] << 8 | question->bytes[1];
    write_answer(&answer, id, name, type, rule);
    if (rule->is_held) {
        CHECK(server->held_count < DNS_SERVER_HELD);
        server->held[server->held_count].from = *from;
        server->held[server->held_count].from_len = from_len;
        server->held[server->held_count++].answer = answer;
        return;
    }
    (void)sendto(server->watch.fd, answer.bytes, answer.len, 0, (const struct sockaddr *)from,
                 from_len);
}

static void on_question(struct watch *watch, unsigned ready)
{
    (void)ready;
    struct dns_server *server = CONTAINER_OF(watch, struct dns_server, watch);
    for (;;) {
        struct packet question;
        struct sockaddr_storage from;
        socklen_t from_len = sizeof(from);
        ssize_t got = recvfrom(watch->fd, question.bytes, sizeof(question.bytes), 0,
                               (struct sockaddr *)&from, &from_len);
        if (got < 12)
            return;
        question.len = (size_t)got;
        serve_one(server, &question, &from, from_len);
    }
}

void dns_server_start(struct dns_server *server, struct loop *loop)
{
    memset(server, 0, sizeof(*server));
    server->loop = loop;
    server->watch = (struct watch){-1, on_question};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct inet_endpoint any = {.addr = {INET_V4, {127, 0, 0, 1}}};
    struct sockaddr_storage address;
    socklen_t len = inet_to_sockaddr(&any, &address);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0);
    len = sizeof(address);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    server->address = inet_from_sockaddr((struct sockaddr *)&address, len);
    CHECK(loop_watch(loop, &server->watch, fd, WATCH_READ | WATCH_LEVEL) == ST_OK);
}

void dns_server_add(struct dns_server *server, struct dns_rule rule)
{
    CHECK(server->rule_count < DNS_SERVER_RULES);
    server->rules[server->rule_count++] = rule;
}

void dns_server_release(struct dns_server *server)
{
    for (size_t i = 0; i < server->held_count; i++)
        (void)sendto(server->watch.fd, server->held[i].answer.bytes, server->held[i].answer.len, 0,
                     (const struct sockaddr *)&server->held[i].from, server->held[i].from_len);
    server->held_count = 0;
}

void dns_server_stop(struct dns_server *server)
{
    int fd = server->watch.fd;
    loop_unwatch(server->loop, &server->watch, /* is_closing= */ true);
    (void)close(fd);
}
