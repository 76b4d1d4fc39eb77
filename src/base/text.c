/* Text into bounded memory; every adder cuts at the end and remembers that it did. */

#include "base/text.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdio.h>

void text_add(struct text *text, struct slice s)
{
    size_t room = text->cap - text->len;
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

static void text_add_number(struct text *text, uint64_t value, unsigned base)
{
    char digits[24];
    size_t at = sizeof(digits);
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value > 0);
    text_add(text, slice_of(digits + at, sizeof(digits) - at));
}

void text_add_u64(struct text *text, uint64_t value)
{
    text_add_number(text, value, 10);
}

void text_add_hex(struct text *text, uint64_t value)
{
    text_add_number(text, value, 16);
}

void text_add_format(struct text *text, const char *format, ...)
{
    char small[1024];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(small, sizeof(small), format, args);
    va_end(args);
    if (len < 0)
        return;
    size_t have = (size_t)len < sizeof(small) ? (size_t)len : sizeof(small) - 1;
    text_add(text, slice_of(small, have));
    text->is_cut = text->is_cut || have < (size_t)len;
}

/* Length of the valid UTF-8 sequence at the front, 0 where there is none (RFC 3629 §4). */
static size_t utf8_length(struct slice s)
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

void text_add_json(struct text *text, struct slice s)
{
    while (s.len > 0) {
        unsigned char c = (unsigned char)s.at[0];
        size_t len = utf8_length(s);
        if (c == '"' || c == '\\')
            text_add_format(text, "\\%c", c);
        else if (c < 0x20 || c == 0x7f || len == 0)
            text_add_format(text, "\\u%04x", c);
        else
            text_add(text, slice_first(s, len));
        s = slice_from(s, len > 0 ? len : 1);
    }
}

void text_add_html(struct text *text, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        switch (c) {
        case '&': text_add(text, SLICE("&amp;")); break;
        case '<': text_add(text, SLICE("&lt;")); break;
        case '>': text_add(text, SLICE("&gt;")); break;
        case '"': text_add(text, SLICE("&quot;")); break;
        case '\'': text_add(text, SLICE("&#39;")); break;
        default:
            if (c >= 0x20 && c != 0x7f)
                text_add_char(text, (char)c);
        }
    }
}

void text_add_log(struct text *text, struct slice s, char quote)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if (c < 0x20 || c > 0x7e || c == '\\' || (quote != '\0' && c == (unsigned char)quote))
            text_add_format(text, "\\x%02x", c);
        else
            text_add_char(text, (char)c);
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
        text_add_format(text, "%lluus", (unsigned long long)(ns / NS_PER_US));
    else
        text_add_format(text, "%lluns", (unsigned long long)ns);
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
