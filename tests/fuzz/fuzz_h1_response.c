/* A response head: parsed whole and in pieces with the same outcome, framed for every kind of request.
 * The first byte of the data is the size of the pieces. */
#include "fuzz_http.h"

#include "http/framing.h"
#include "http/hop.h"

static void check_meaning(const struct head *head, struct slice input)
{
    CHECK(head->status >= 100 && head->status <= 999);
    CHECK(fuzz_is_within(head->reason, input));
    const enum method methods[] = {METHOD_GET, METHOD_HEAD, METHOD_CONNECT};
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        struct framing framing;
        enum framing_fault fault = framing_of_response(head, methods[i], &framing);
        if (fault == FRAMING_FAULT_NONE && methods[i] == METHOD_HEAD)
            CHECK(framing.kind == FRAMING_NONE);
        if (fault == FRAMING_FAULT_NONE && head_is_interim(head))
            CHECK(framing.kind == FRAMING_NONE);
    }
    struct hop hop;
    if (hop_collect(head, &hop) != ST_OK)
        return;
    FIELDS_EACH(field, &head->fields) {
        bool is_removed = hop_is_connection_level(&hop, field);
        CHECK(!is_removed || !hop_trailer_may_pass(&hop, field));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 1)
        return 0;
    struct fuzz_http fuzz;
    fuzz_http_begin(&fuzz);
    struct slice input = slice_of((const char *)data + 1, len - 1);
    struct head head;
    size_t consumed = 0;
    enum status status = fuzz_parse_both_ways(&fuzz, h1_parse_response, input, (size_t)data[0] + 1,
                                              &head, &consumed);
    if (status == ST_OK)
        check_meaning(&head, input);
    fuzz_http_end(&fuzz);
    return 0;
}
