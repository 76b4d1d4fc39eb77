/* What every answer of the admin listener needs: to be given in words or to fail in them, and to read what the query of
 * its request says. */

#include "admin/call.h"

#include "base/text.h"
#include "http/media.h"
#include "proxy/handler.h"

enum { CALL_TEXT_MAX = 2048 };

/* ---- answers ---- */

void call_answer_text(const struct call *call, unsigned status, struct slice body)
{
    struct answer answer = {.status = status, .type = MEDIA_TEXT, .body = body};
    exchange_answer(call->exchange, &answer);
}

void call_fail(struct exchange *exchange, bool wants_json, const struct answer *answer,
               const char *word, struct slice message)
{
    char body[CALL_TEXT_MAX];
    struct text text = text_on(body, sizeof(body));
    struct answer whole = *answer;
    whole.type = wants_json ? MEDIA_JSON : MEDIA_TEXT;
    if (wants_json) {
        text_add_format(&text, "{\"v\":1,\"status\":%u,\"error\":\"%s\",\"message\":\"",
                        answer->status, word);
        text_add_json(&text, message);
        text_add(&text, SLICE("\"}\n"));
    } else {
        text_add(&text, message);
        text_add_char(&text, '\n');
    }
    whole.body = text_slice(&text);
    exchange_answer(exchange, &whole);
}

/* ---- the query ---- */

bool query_find(struct slice query, struct slice name, struct slice *ret_value)
{
    struct slice part;
    while (slice_next_part(&query, '&', &part)) {
        struct slice value = part;
        struct slice key;
        if (slice_next_part(&value, '=', &key) && slice_equals(key, name)) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

bool query_decode(struct slice value, bool is_form, struct text *into)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = is_form && value.at[i] == '+' ? ' ' : value.at[i];
        uint64_t byte = 0;
        if (c == '%') {
            struct slice digits = slice_first(slice_from(value, i + 1), 2);
            if (digits.len != 2 || slice_hex_to_u64(digits, UINT8_MAX, &byte) != ST_OK)
                return false;
            c = (char)byte;
            i += 2;
        }
        text_add_char(into, c);
    }
    return !into->is_cut;
}

bool query_filter(const struct call *call, struct filter *ret_filter)
{
    char words[FILTER_TEXT_MAX + 1];
    char why[FILTER_WHY_MAX];
    struct text text = text_on(words, sizeof(words));
    struct text reason = text_on(why, sizeof(why));
    struct slice value = SLICE_NONE;
    (void)query_find(call->query, SLICE("filter"), &value);
    if (!query_decode(value, /* is_form= */ true, &text))
        text_add(&reason,
                 SLICE("the filter is too long, or a '%' in it has no two digits behind it"));
    else if (filter_parse(text_slice(&text), ret_filter, &reason) == ST_OK)
        return true;
    struct answer answer = {.status = 400};
    call_fail(call->exchange, call->wants_json, &answer, "bad_filter", text_slice(&reason));
    return false;
}
