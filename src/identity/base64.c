/* Base64. The value of a character is computed and not looked up, and the other way round: a table that is read at
 * places which a password chooses leaves traces in the cache, and the texts are short. */

#include "identity/base64.h"

#include <stdint.h>

/* 0 to 63, or -1. */
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static size_t padding_of(struct slice text)
{
    size_t count = 0;
    while (count < 2 && count < text.len && text.at[text.len - 1 - count] == '=')
        count++;
    return count;
}

enum status base64_decode(struct slice text, char *into, size_t cap, size_t *ret_len)
{
    size_t padding = padding_of(text);
    size_t len = text.len / 4 * 3 - padding;
    uint32_t bits = 0;
    size_t at = 0;
    if (text.len % 4 != 0 || text.len == 0)
        return ST_BAD;
    if (len > cap)
        return ST_LIMIT;
    for (size_t i = 0; i < text.len - padding; i++) {
        int value = value_of(text.at[i]);
        if (value < 0)
            return ST_BAD;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 == 0)
            continue;
        unsigned left =
            6 - 2 * (unsigned)(i % 4); /* bits of this character that belong to the next byte */
        into[at++] = (char)(bits >> left & 0xff);
    }
    uint32_t rest = padding == 1 ? bits & 0x3 : padding == 2 ? bits & 0xf : 0;
    if (rest != 0 || at != len)
        return ST_BAD;
    *ret_len = len;
    return ST_OK;
}

/* Of a value from 0 to 63. */
static char character_of(uint32_t value)
{
    if (value < 26)
        return (char)('A' + value);
    if (value < 52)
        return (char)('a' + (value - 26));
    if (value < 62)
        return (char)('0' + (value - 52));
    return value == 62 ? '+' : '/';
}

void base64_encode(struct slice bytes, struct text *into)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t count = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t bits = 0;
        for (size_t at = 0; at < 3; at++)
            bits = bits << 8 | (at < count ? (uint8_t)bytes.at[i + at] : 0);
        for (size_t at = 0; at < 4; at++)
            text_add_char(into, at <= count ? character_of(bits >> (18 - 6 * at) & 63) : '=');
    }
}
