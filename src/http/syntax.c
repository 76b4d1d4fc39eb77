/* Byte classes.
 *
 * One table of 256 bytes serves every scanner of the folder, so that the parser, the writer and the list
 * readers cannot disagree about what a token or a value is. It is written out, since a table filled at
 * start would need an order of initialisation; the unit test derives each bit anew from the RFC's sets.
 *
 * Values and targets are most of a head's bytes and nearly always clean, so they are walked eight bytes a
 * step by plain word arithmetic, which finds the first byte that is below a bound, or DEL; the table then
 * decides about that one. */
#include "http/syntax.h"

#include <endian.h>
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

static const uint64_t ones = 0x0101010101010101u;

/* The top bit of each byte that is 0. A borrow may also set that of bytes above the first such one. */
static inline uint64_t zeros_of(uint64_t word)
{
    return (word - ones) & ~word & (ones * 0x80);
}

/* The index of the first byte whose top bit is set; one is. */
static inline size_t first_of(uint64_t tops)
{
    return (size_t)__builtin_ctzll(tops) / 8;
}

/* Eight bytes, the first one lowest. */
static inline uint64_t load8(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return le64toh(word);
}

/* The top bit of each byte that is below `bound` (at most 0x80) or DEL, at least of the first one; not of bytes from
 * 0x80 on. */
static inline uint64_t controls_of(uint64_t word, unsigned char bound)
{
    uint64_t below = (word - ones * bound) & ~word & (ones * 0x80);
    return below | zeros_of(word ^ (ones * 0x7f));
}

static inline size_t span(const char *from, const char *end, unsigned char bound, unsigned classes)
{
    const char *at = from;
    while (end - at >= 8) {
        uint64_t controls = controls_of(load8(at), bound);
        if (controls == 0) {
            at += 8;
            continue;
        }
        at += first_of(controls);
        if (!syntax_is(*at, classes))
            return (size_t)(at - from);
        at++; /* HTAB in a value */
    }
    while (at < end && syntax_is(*at, classes))
        at++;
    return (size_t)(at - from);
}

size_t syntax_find_colon(const char *at, const char *end)
{
    const char *from = at;
    for (; end - at >= 8; at += 8) {
        uint64_t colons = zeros_of(load8(at) ^ (ones * ':'));
        if (colons != 0)
            return (size_t)(at - from) + first_of(colons);
    }
    while (at < end && *at != ':')
        at++;
    return (size_t)(at - from);
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
