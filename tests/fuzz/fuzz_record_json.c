/* Fuzz target: a line of the access log that somebody else may have written. What is taken is a record that every view
 * can be made of, and that comes back as it was from its own line; what is refused is told with safe words. */
#include "base/check.h"
#include "report/access_log.h"
#include "report/har.h"
#include "report/record_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char first[ACCESS_LOG_LINE_MAX];
static char second[ACCESS_LOG_LINE_MAX];

static struct slice write_line(const struct record *record, enum access_log_format format,
                               char *into)
{
    struct text text = text_on(into, ACCESS_LOG_LINE_MAX);
    access_log_add(record, &(struct access_log_style){.format = format}, &text);
    CHECK(!text.is_cut);
    return text_slice(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct record record;
    static struct record again;
    static char entry[HAR_ENTRY_MAX];
    char room[RECORD_JSON_WHY_MAX];
    struct text why = text_on(room, sizeof(room));
    struct text har = text_on(entry, sizeof(entry));
    if (record_json_read(slice_of((const char *)data, size), &record, &why) != ST_OK) {
        CHECK(why.len > 0 && !why.is_cut);
        for (size_t i = 0; i < why.len; i++)
            CHECK(why.at[i] >= 0x20 && why.at[i] < 0x7f);
        return 0;
    }
    for (int format = 0; format < ACCESS_LOG_FORMAT_COUNT; format++)
        (void)write_line(&record, (enum access_log_format)format, first);
    har_add(&record, false, &har);
    CHECK(!har.is_cut);
    struct slice line = write_line(&record, ACCESS_LOG_JSON, first);
    CHECK(record_json_read(line, &again, &why) == ST_OK);
    bool may_be_cut = record.text_len > RECORD_TEXT_MAX / 2;
    CHECK(may_be_cut || slice_equals(write_line(&again, ACCESS_LOG_JSON, second), line));
    return 0;
}
