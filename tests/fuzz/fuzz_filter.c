/* Fuzz target: an expression, a line feed, and what a record holds. An expression that is refused is told with words
 * that are safe for a terminal and fit; one that is taken gives the same answer as its terms one by one. */
#include "base/check.h"
#include "report/filter.h"

#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill(struct record *record, struct slice text)
{
    record_begin(record);
    record->status = (uint16_t)(text.len > 0 ? 100 + (unsigned char)text.at[0] * 2 : 0);
    record->kind = (uint8_t)(text.len % 4);
    record->client.addr.family = INET_V4;
    record_set(record, &record->host, text, 253);
    record_set(record, &record->url, text, RECORD_URL_MAX);
    record_set(record, &record->rule, text, 160);
    timeline_mark_at(&record->timeline, MARK_U_TX0, 1);
    timeline_mark_at(&record->timeline, MARK_U_RX0, 1 + text.len);
}

/* Does each term hold alone? Terms are parted at blanks outside of quotes. */
static bool each_holds(struct slice text, const struct record *record)
{
    char room[FILTER_WHY_MAX];
    bool is_quoted = false;
    size_t begin = 0;
    for (size_t i = 0; i <= text.len; i++) {
        bool is_end = i == text.len ||
                      (!is_quoted && strchr(" \t\r", text.at[i]) != NULL && text.at[i] != '\0');
        if (i < text.len && text.at[i] == '"')
            is_quoted = !is_quoted;
        if (!is_end)
            continue;
        struct filter one;
        struct text why = text_on(room, sizeof(room));
        CHECK(filter_parse(slice_first(slice_from(text, begin), i - begin), &one, &why) == ST_OK);
        if (!filter_match(&one, record))
            return false;
        begin = i + 1;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct record record;
    static struct filter filter;
    char room[FILTER_WHY_MAX];
    struct text why = text_on(room, sizeof(room));
    struct slice rest = slice_of((const char *)data, size);
    struct slice text = SLICE_NONE;
    (void)slice_next_part(&rest, '\n', &text);
    fill(&record, rest);
    if (filter_parse(text, &filter, &why) == ST_OK) {
        CHECK(why.len == 0);
        CHECK(filter_match(&filter, &record) == each_holds(text, &record));
        return 0;
    }
    CHECK(why.len > 0 && !why.is_cut);
    for (size_t i = 0; i < why.len; i++)
        CHECK(why.at[i] >= 0x20 && why.at[i] < 0x7f);
    return 0;
}
