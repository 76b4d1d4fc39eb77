/* Text into bounded memory; every adder cuts at the end and remembers that it did.
 *
 * The escaping adders add an escape, or a character of several bytes, whole or not at all, so that a text
 * that was cut can still be closed and read. */

#include "base/text.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdio.h>

void text_add(struct text *text, struct slice s)
{
    /* It never is longer; written so that a compiler which sees the whole program sees that, too. */
    size_t room = text->len < text->cap ? text->cap - text->len : 0;
    size_t take = s.len < room ? s.len : room;
    if (take > 0)
        memcpy(text->at + text->len, s.at, take);
    text->len += take;
    text->is_cut = text->is_cut || take < s.len;
}

void text_add_char(struct text *text, char c)
{
    text_add(text, slice_of(&c, 1));
}

void text_add_u64(struct text *text, uint64_t value)
{
    char digits[20]; /* of UINT64_MAX */
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    text_add(text, slice_of(digits + at, sizeof(digits) - at));
}

void text_add_format(struct text *text, const char *format, ...)
{
    size_t room = text->cap - text->len;
    char small[256];
    va_list args;
    va_start(args, format);
    /* Large room: printed in place, with one byte for the terminator that is not counted. */
    bool is_in_place = room >= sizeof(small);
    char *at = is_in_place ? text->at + text->len : small;
    size_t cap = is_in_place ? room : sizeof(small);
    int printed = vsnprintf(at, cap, format, args);
    va_end(args);
    if (printed < 0)
        return;
    size_t len = (size_t)printed < cap ? (size_t)printed : cap - 1;
    if (is_in_place)
        text->len += len;
    else
        text_add(text, slice_of(small, len));
    text->is_cut = text->is_cut || len < (size_t)printed;
}

/* Add all of `unit` or nothing of it; false, with the text marked as cut, where it has no room. */
static bool text_add_whole(struct text *text, struct slice unit)
{
    if (unit.len > text->cap - text->len) {
        text->is_cut = true;
        return false;
    }
    memcpy(text->at + text->len, unit.at, unit.len);
    text->len += unit.len;
    return true;
}

/* "\x1b" or "\u001b": `prefix` and the two hexadecimal digits of a byte. */
static bool text_add_escape(struct text *text, struct slice prefix, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    char unit[8];
    memcpy(unit, prefix.at, prefix.len);
    unit[prefix.len] = hex[byte >> 4];
    unit[prefix.len + 1] = hex[byte & 15];
    return text_add_whole(text, slice_of(unit, prefix.len + 2));
}

bool text_add_unicode(struct text *text, uint32_t unit)
{
    static const char hex[] = "0123456789abcdef";
    char escape[6] = {'\\', 'u'};
    for (int i = 0; i < 4; i++)
        escape[2 + i] = hex[unit >> (12 - 4 * i) & 15];
    return text_add_whole(text, slice_of(escape, sizeof(escape)));
}

size_t utf8_length(struct slice s)
{
    unsigned char c = (unsigned char)s.at[0];
    size_t len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    if (len == 0 || len > s.len)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if (((unsigned char)s.at[i] & 0xc0) != 0x80)
            return 0;
    }
    unsigned char second = len > 1 ? (unsigned char)s.at[1] : 0;
    bool is_bad = (c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f) ||
                  (c == 0xf0 && second < 0x90) || (c == 0xf4 && second > 0x8f);
    return is_bad ? 0 : len;
}

static bool json_byte_is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* What a terminal obeys or that turns the order of what is shown, of two and three bytes: C1 control characters, line
 * and paragraph separators, marks and overrides of direction, what has no width. 0: it is none of these. */
static uint32_t utf8_hidden(struct slice unit)
{
    const unsigned char *at = (const unsigned char *)unit.at;
    uint32_t code = 0;
    if (unit.len == 2)
        code = (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu);
    else if (unit.len == 3)
        code = (at[0] & 0x0fu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
    bool is_hidden = (code >= 0x80 && code <= 0x9f) || (code >= 0x200b && code <= 0x200f) ||
                     (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) ||
                     code == 0xfeff;
    return is_hidden ? code : 0;
}

void text_add_json(struct text *text, struct slice s)
{
    bool fits = true;
    while (s.len > 0 && fits) {
        size_t plain = 0;
        while (plain < s.len && json_byte_is_plain((unsigned char)s.at[plain]))
            plain++;
        text_add(text, slice_first(s, plain));
        s = slice_from(s, plain);
        if (s.len == 0)
            break;
        unsigned char c = (unsigned char)s.at[0];
        size_t len = c == 0x7f ? 0 : utf8_length(s);
        uint32_t hidden;
        if (c == '"' || c == '\\')
            fits = text_add_whole(text, slice_of((const char[]){'\\', (char)c}, 2));
        else if (c < 0x20 || len == 0)
            fits = text_add_escape(text, SLICE("\\u00"), c);
        else if ((hidden = utf8_hidden(slice_first(s, len))) != 0)
            fits = text_add_unicode(text, hidden);
        else
            fits = text_add_whole(text, slice_first(s, len));
        s = slice_from(s, len > 0 ? len : 1);
    }
}

static struct slice html_reference(unsigned char c)
{
    switch (c) {
    case '&': return SLICE("&amp;");
    case '<': return SLICE("&lt;");
    case '>': return SLICE("&gt;");
    case '"': return SLICE("&quot;");
    case '\'': return SLICE("&#39;");
    default: return SLICE_NONE;
    }
}

void text_add_html(struct text *text, struct slice s)
{
    bool fits = true;
    for (size_t i = 0; i < s.len && fits; i++) {
        unsigned char c = (unsigned char)s.at[i];
        struct slice reference = html_reference(c);
        if (reference.len > 0)
            fits = text_add_whole(text, reference);
        else if (c >= 0x20 && c != 0x7f)
            fits = text_add_whole(text, slice_of(s.at + i, 1));
    }
}

void text_add_log(struct text *text, struct slice s, char quote)
{
    bool fits = true;
    for (size_t i = 0; i < s.len && fits; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if (c < 0x20 || c > 0x7e || c == '\\' || (quote != '\0' && s.at[i] == quote))
            fits = text_add_escape(text, SLICE("\\x"), c);
        else
            fits = text_add_whole(text, slice_of(s.at + i, 1));
    }
}

/* Three significant digits of value/unit. */
static void text_add_scaled(struct text *text, uint64_t value, uint64_t unit, const char *name)
{
    uint64_t whole = value / unit;
    uint64_t rest = value % unit;
    if (whole >= 100 || unit == 1)
        text_add_format(text, "%llu%s", (unsigned long long)whole, name);
    else if (whole >= 10)
        text_add_format(text, "%llu.%llu%s", (unsigned long long)whole,
                        (unsigned long long)(rest * 10 / unit), name);
    else
        text_add_format(text, "%llu.%02llu%s", (unsigned long long)whole,
                        (unsigned long long)(rest * 100 / unit), name);
}

void text_add_duration(struct text *text, uint64_t ns)
{
    if (ns >= NS_PER_S)
        text_add_scaled(text, ns, NS_PER_S, "s");
    else if (ns >= NS_PER_MS)
        text_add_scaled(text, ns, NS_PER_MS, "ms");
    else if (ns >= NS_PER_US)
        text_add_scaled(text, ns, NS_PER_US, "us");
    else if (ns == 0)
        text_add(text, SLICE("0us"));
    else
        text_add_scaled(text, ns, 1, "ns");
}

void text_add_short_duration(struct text *into, uint64_t ns)
{
    static const struct {
        uint64_t unit;
        uint64_t below; /* in this unit */
        const char *name;
    } scales[] = {
        {NS_PER_US, 1000, "us"},   {NS_PER_MS, 1000, "ms"},    {NS_PER_S, 120, "s"},
        {NS_PER_S * 60, 120, "m"}, {NS_PER_S * 3600, 48, "h"}, {NS_PER_S * 86400, 0, "d"},
    };
    size_t i = 0;
    while (i + 1 < COUNT_OF(scales) && ns / scales[i].unit >= scales[i].below)
        i++;
    text_add_u64(into, ns / scales[i].unit);
    bool has_tenths = i > 0 && ns / scales[i].unit < 10;
    if (has_tenths)
        text_add_format(into, ".%u", (unsigned)(ns % scales[i].unit * 10 / scales[i].unit));
    text_add(into, slice_from_string(scales[i].name));
}

void text_add_size(struct text *text, uint64_t bytes)
{
    static const char *const names[] = {"B", "KB", "MB", "GB", "TB"};
    uint64_t unit = 1;
    size_t i = 0;
    while (i + 1 < COUNT_OF(names) && bytes / unit >= 1000) {
        unit *= 1000;
        i++;
    }
    text_add_scaled(text, bytes, unit, names[i]);
}

static void add_line_break(struct text *text, size_t indent)
{
    text_add_char(text, '\n');
    for (size_t i = 0; i < indent; i++)
        text_add_char(text, ' ');
}

void text_add_wrapped(struct text *text, struct slice words, const struct text_wrap *wrap)
{
    struct slice word;
    size_t at = wrap->at;
    bool is_begun = false; /* a word stands in this line */
    while (slice_next_part(&words, ' ', &word)) {
        if (word.len == 0)
            continue;
        if (is_begun && at + 1 + word.len <= wrap->columns) {
            text_add_char(text, ' ');
            at++;
        } else if (is_begun || (at > wrap->indent && at + word.len > wrap->columns)) {
            add_line_break(text, wrap->indent);
            at = wrap->indent;
        }
        while (at + word.len > wrap->columns) {
            text_add(text, slice_first(word, wrap->columns - at));
            word = slice_from(word, wrap->columns - at);
            add_line_break(text, wrap->indent);
            at = wrap->indent;
        }
        text_add(text, word);
        at += word.len;
        is_begun = true;
    }
}

const char *text_string(struct text *text)
{
    CHECK(text->cap > 0);
    if (text->len == text->cap) {
        text->len--;
        text->is_cut = true;
    }
    text->at[text->len] = '\0';
    return text->at;
}
