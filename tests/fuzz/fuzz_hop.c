/* The lists of one connection: each line of the data is the value of one of the fields that are read as lists, in
 * turn. Host and Content-Length are never lost, Connection never stays, and the writer's element of Via is
 * found again. */
#include "fuzz_http.h"

#include "base/text.h"
#include "http/framing.h"
#include "http/hop.h"
#include "http/syntax.h"

static const char *const names[] = {"Connection", "Proxy-Connection", "TE",    "Via",
                                    "Upgrade",    "Expect",           "Host",  "Transfer-Encoding",
                                    "Trailer",    "Max-Forwards",     "X-Own", "Content-Length"};

static void fill(struct head *head, struct slice lines)
{
    struct slice line;
    for (size_t i = 0; i < 32 && slice_next_part(&lines, '\n', &line); i++) {
        struct slice name = slice_from_string(names[i % COUNT_OF(names)]);
        if (!syntax_is_value(line))
            continue;
        CHECK(fields_add(&head->fields, name, slice_trim(line)) == ST_OK);
    }
}

static void check_via(struct head *head)
{
    CHECK(hop_add_via(&head->fields, head, SLICE("me")) == ST_OK);
    CHECK(hop_via_holds(&head->fields, SLICE("ME")));
}

static void check_lists(struct head *head)
{
    struct hop hop;
    if (hop_collect(head, &hop) == ST_OK) {
        FIELDS_EACH(field, &head->fields) {
            bool is_removed = hop_is_connection_level(&hop, field);
            CHECK(!is_removed ||
                  (field->token != TOKEN_HOST && field->token != TOKEN_CONTENT_LENGTH));
            CHECK(is_removed || field->token != TOKEN_CONNECTION);
        }
        CHECK(!hop.close || !hop_may_persist(&hop, head));
        CHECK(!hop_has_upgrade(&hop, head) || fields_has(&head->fields, TOKEN_UPGRADE));
        struct slice list = SLICE_NONE;
        if (fields_join(&head->fields, TOKEN_UPGRADE, &list) == ST_OK)
            CHECK(list.len == 0 || fields_has(&head->fields, TOKEN_UPGRADE));
    }
    bool other = false;
    (void)hop_expects_continue(head, &other); /* must only not break */
    uint32_t value = 0;
    if (hop_max_forwards(head, &value) == ST_OK)
        CHECK(fields_count_of(&head->fields, TOKEN_MAX_FORWARDS) == 1);
    struct framing framing;
    if (framing_of_request(head, &framing) == FRAMING_FAULT_NONE)
        CHECK(framing.kind != FRAMING_CLOSE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct fuzz_http fuzz;
    fuzz_http_begin(&fuzz);
    struct head head;
    head_init(&head, &fuzz.arena);
    head.is_request = true;
    head.major = 1;
    head.minor = 1;
    fill(&head, slice_of((const char *)data, len));
    check_lists(&head);
    check_via(&head);
    fuzz_http_end(&fuzz);
    return 0;
}
