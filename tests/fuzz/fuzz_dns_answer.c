/* Fuzz target: a DNS response. Whatever the bytes are, the parser stays in them and in its bounds, and what
 * it gives makes sense in itself. The first byte chooses the family, the name is the packet's own. */
#include "base/check.h"
#include "net/dns_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum inet_family family = (data[0] & 1) != 0 ? INET_V4 : INET_V6;
    struct slice packet = slice_of((const char *)data + 1, size - 1);
    struct dns_answer answer;
    enum status status = dns_answer_parse(packet, SLICE_NONE, family, &answer);
    CHECK(status == ST_OK || status == ST_BAD);
    if (status == ST_OK) {
        CHECK(answer.count <= DNS_ADDRESSES_MAX);
        CHECK((answer.count > 0) == (answer.result == ANSWER_FOUND));
        CHECK(answer.has_ttl || answer.ttl_s == 0);
        CHECK(answer.ttl_s <= INT32_MAX);
        for (uint32_t i = 0; i < answer.count; i++)
            CHECK(answer.addr[i].family == family);
    }
    CHECK(dns_answer_parse(packet, SLICE("a.test"), family, &answer) == ST_BAD || status == ST_OK);
    return 0;
}
