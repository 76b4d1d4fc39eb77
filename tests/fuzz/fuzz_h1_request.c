/* A request head: parsed whole and in pieces with the same outcome; every slice lies in the input; what is
 * written from it is the same field by field and in runs, and is read back as the same head; framing, target and hop
 * lists never break. The first byte of the data is the size of the pieces. */
#include "fuzz_http.h"

#include "http/framing.h"
#include "http/h1_write.h"
#include "http/hop.h"
#include "http/target.h"

static void check_written(struct fuzz_http *fuzz, const struct head *head)
{
    static char into[32768];
    struct text text = text_on(into, sizeof(into));
    struct h1_writer writer;
    h1_write_begin(&writer, &text);
    h1_write_request_line(&writer, head->method_name, head->target);
    FIELDS_EACH(field, &head->fields)
        h1_write_field(&writer, field->name, field->value);
    CHECK(h1_write_end(&writer) == ST_OK);

    static char copied[sizeof(into)];
    struct text copy = text_on(copied, sizeof(copied));
    h1_write_begin(&writer, &copy);
    h1_write_request_line(&writer, head->method_name, head->target);
    h1_write_fields(&writer, &head->fields);
    CHECK(h1_write_end(&writer) == ST_OK);
    CHECK(slice_equals(text_slice(&text), text_slice(&copy)));

    struct head again;
    head_init(&again, &fuzz->arena);
    struct h1_progress progress = {0};
    const struct h1_limits limits = {
        .head_bytes = sizeof(into), .field_count = 64, .target_bytes = 2048};
    size_t consumed = 0;
    enum h1_fault fault = H1_FAULT_NONE;
    CHECK(h1_parse_request(text_slice(&text), &limits, &progress, &again, &consumed, &fault) ==
          ST_OK);
    CHECK(consumed == text.len);
    again.minor = head->minor; /* ours is always 1.1 */
    CHECK(fuzz_heads_equal(head, &again));
}

static void check_meaning(struct fuzz_http *fuzz, const struct head *head, struct slice input)
{
    FIELDS_EACH(field, &head->fields) {
        CHECK(field->name.len > 0 && fuzz_is_within(field->name, input));
        CHECK(fuzz_is_within(field->value, input));
    }
    struct framing framing;
    if (framing_of_request(head, &framing) == FRAMING_FAULT_NONE)
        CHECK(framing.kind != FRAMING_CLOSE && framing.length <= INT64_MAX);
    struct hop hop;
    if (hop_collect(head, &hop) == ST_OK)
        CHECK(!hop_may_persist(&hop, head) || head->minor > 0);
    struct target target;
    if (target_of_head(head, &target) == TARGET_FAULT_NONE)
        CHECK(target_origin_form(&target, head->method, &fuzz->arena).at != NULL ||
              target.form == TARGET_AUTHORITY);
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
    enum status status =
        fuzz_parse_both_ways(&fuzz, h1_parse_request, input, (size_t)data[0] + 1, &head, &consumed);
    if (status == ST_OK) {
        check_meaning(&fuzz, &head, input);
        check_written(&fuzz, &head);
    }
    fuzz_http_end(&fuzz);
    return 0;
}
