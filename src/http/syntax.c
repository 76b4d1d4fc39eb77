/* Byte classes.
 *
 * One table of 256 bytes serves every scanner of the folder, so that the parser, the writer and the list
 * readers cannot disagree about what a token or a value is. It is written out, since a table filled at
 * start would need an order of initialisation; the unit test derives each bit anew from the RFC's sets.
 *
 * Values and targets are most of a head's bytes and nearly always clean, so they are walked eight bytes a
 * step by plain word arithmetic, which only asks "is there any byte below a bound, or DEL?"; the table then
 * decides about the few bytes of a word that is not clean. */
#include "http/syntax.h"

#include <string.h>

/* clang-format off */
const uint8_t syntax_classes[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    2, 15, 14, 15, 15, 15, 15, 15, 14, 14, 15, 15, 14, 15, 15, 14,
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 14, 14, 14, 14, 14, 14,
    14, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 14, 14, 14, 15, 15,
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 14, 15, 14, 15, 0,
    10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10,
    10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10,
    10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10,
    10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10,
    10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10,
    10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10,
    10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10,
    10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10,
};
/* clang-format on */

size_t syntax_token_span(struct slice s)
{
    size_t len = 0;
    while (len < s.len && syntax_is(s.at[len], SYNTAX_TOKEN))
        len++;
    return len;
}

size_t syntax_word_span(struct slice s)
{
    if (s.len == 0 || s.at[0] != '"')
        return syntax_token_span(s);
    for (size_t i = 1; i < s.len; i++) {
        if (s.at[i] == '"')
            return i + 1;
        if (s.at[i] == '\\')
            i++;
    }
    return 0;
}

bool syntax_is_token(struct slice s)
{
    return s.len > 0 && syntax_token_span(s) == s.len;
}

/* True where one of eight bytes is below `bound` (at most 0x80) or DEL; bytes from 0x80 on are neither. */
static inline bool word_has_control(const char *at, unsigned char bound)
{
    const uint64_t ones = 0x0101010101010101u;
    const uint64_t tops = 0x8080808080808080u;
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    uint64_t below = (word - ones * bound) & ~word;
    uint64_t without_del = word ^ (ones * 0x7f);
    uint64_t del = (without_del - ones) & ~without_del;
    return ((below | del) & tops) != 0;
}

static inline size_t span(const char *from, const char *end, unsigned char bound, unsigned classes)
{
    const char *at = from;
    for (;;) {
        while (end - at >= 8 && !word_has_control(at, bound))
            at += 8;
        const char *stop = end - at < 8 ? end : at + 8;
        while (at < stop && syntax_is(*at, classes))
            at++;
        if (at < stop || at == end)
            return (size_t)(at - from);
    }
}

size_t syntax_value_span(const char *at, const char *end)
{
    return span(at, end, 0x20, SYNTAX_VALUE);
}

size_t syntax_target_span(const char *at, const char *end)
{
    return span(at, end, 0x21, SYNTAX_TARGET);
}

bool syntax_is_value(struct slice s)
{
    return s.len == 0 || syntax_value_span(s.at, s.at + s.len) == s.len;
}
