/* Byte classes.
 *
 * One table of 256 bytes serves every scanner of the folder, so that the parser, the writer and the list
 * readers cannot disagree about what a token or a value is. It is written out, since a table filled at
 * start would need an order of initialisation; the unit test derives each bit anew from the RFC's sets.
 *
 * Names, values and targets are most of a head's bytes and nearly always clean, so they are walked sixteen bytes a
 * step by the compiler's vectors, which every processor has; the table decides about the byte that stops them. */
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

enum { STEP = 16 };

/* Of a comparison each byte is 0 or all ones. */
typedef unsigned char bytes __attribute__((vector_size(STEP)));
typedef uint64_t words __attribute__((vector_size(STEP)));

static inline bytes load(const char *at)
{
    bytes loaded;
    memcpy(&loaded, at, sizeof(loaded));
    return loaded;
}

/* The index of the first byte that is not 0; STEP where all are. */
static inline size_t first_of(bytes found)
{
    words halves = (words)found;
    if (halves[0] != 0)
        return (size_t)__builtin_ctzll(le64toh(halves[0])) / 8;
    return halves[1] == 0 ? STEP : 8 + (size_t)__builtin_ctzll(le64toh(halves[1])) / 8;
}

/* The longest run of `classes`, none of which is below `bound` but HTAB. */
static inline size_t span(const char *from, const char *end, unsigned char bound, unsigned classes)
{
    const char *at = from;
    while (end - at >= STEP) {
        bytes next = load(at);
        size_t clean = first_of((bytes)((next < bound) | (next == 0x7f)));
        at += clean;
        if (clean == STEP)
            continue;
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
    for (; end - at >= STEP; at += STEP) {
        size_t before = first_of((bytes)(load(at) == ':'));
        if (before < STEP)
            return (size_t)(at - from) + before;
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

static inline bytes not_of_uri(bytes next)
{
    return (bytes)((next <= 0x20) | (next >= 0x7f) | (next == '#'));
}

bool syntax_is_uri(struct slice s)
{
    size_t i = 0;
    bytes found = {0};
    for (; i + STEP <= s.len; i += STEP)
        found |= not_of_uri(load(s.at + i));
    if (s.len >= STEP) {
        found |= not_of_uri(load(s.at + s.len - STEP));
        return first_of(found) == STEP;
    }
    while (i < s.len && syntax_is(s.at[i], SYNTAX_VCHAR) && s.at[i] != '#')
        i++;
    return i == s.len;
}
