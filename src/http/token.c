/* Field names by number.
 *
 * A name is found by a perfect hash of its length, first and last letter into 256 places. The places are
 * filled by designated initialisers made from the rows of token.h, so a row that collides is an
 * initialiser given twice, which the compiler refuses. The found spelling is then compared eight bytes at
 * a time with bit 0x20 set, which folds the case of letters. That bit also maps CR to '-', and nothing
 * else onto a byte of a known name, so bytes below 0x20 are kept out by a second mask.
 *
 * Names that are not in the table stay text: TOKEN_OTHER. */
#include "http/token.h"

#include <assert.h>

#define HASH(length, first, last) \
    (((unsigned)(length) + (unsigned)(first)*16u + (unsigned)(last)*9u) & 255u)

enum { NAME_MAX_BYTES = 25 };

static_assert(TOKEN_COUNT <= 64, "a set of tokens is one word");

static const uint8_t places[256] = {
#define X(name, spelling, length, first, last) [HASH(length, first, last)] = TOKEN_##name,
    FIELD_TOKENS(X)
#undef X
};

/* Two to a cache line, since each head looks up a dozen of them: no pointer to a text elsewhere. */
static const struct {
    uint8_t len;
    char text[31];
} names[TOKEN_COUNT] = {
#define X(name, spelling, length, first, last) [TOKEN_##name] = {length, spelling},
    FIELD_TOKENS(X)
#undef X
};

#define X(name, spelling, length, first, last)                              \
    static_assert(sizeof(spelling) - 1 == (length), "length of " spelling); \
    static_assert((length) >= 2 && (length) <= NAME_MAX_BYTES, "size of " spelling);
FIELD_TOKENS(X)
#undef X

static inline uint64_t load8(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/* Equal but for case; a byte of `a` below 0x20 makes them differ. */
static inline bool words_equal(uint64_t a, uint64_t b)
{
    const uint64_t fold = 0x2020202020202020u;
    const uint64_t graphic = 0x4040404040404040u;
    bool has_control = (((a << 1) | a) & graphic) != graphic;
    return (a | fold) == (b | fold) && !has_control;
}

/* Two to seven bytes as a word of two overlapping halves, the gaps filled with '@' to be above 0x20. */
static inline uint64_t load_short(const char *at, size_t len)
{
    uint32_t first = 0x40404040u;
    uint32_t last = 0x40404040u;
    if (len >= 4) {
        memcpy(&first, at, 4);
        memcpy(&last, at + len - 4, 4);
    } else {
        uint16_t half;
        memcpy(&half, at, 2);
        first = first << 16 | half;
        memcpy(&half, at + len - 2, 2);
        last = last << 16 | half;
    }
    return (uint64_t)first << 32 | last;
}

static bool names_equal(const char *a, const char *b, size_t len)
{
    if (len < 8)
        return words_equal(load_short(a, len), load_short(b, len));
    for (size_t i = 0; i + 8 <= len; i += 8) {
        if (!words_equal(load8(a + i), load8(b + i)))
            return false;
    }
    return words_equal(load8(a + len - 8), load8(b + len - 8));
}

enum token token_of(struct slice name)
{
    if (name.len < 2 || name.len > NAME_MAX_BYTES)
        return TOKEN_OTHER;
    unsigned first = (unsigned char)name.at[0] | 0x20u;
    unsigned last = (unsigned char)name.at[name.len - 1] | 0x20u;
    enum token token = (enum token)places[HASH(name.len, first, last)];
    if (token == TOKEN_OTHER || names[token].len != name.len)
        return TOKEN_OTHER;
    return names_equal(name.at, names[token].text, name.len) ? token : TOKEN_OTHER;
}

struct slice token_name(enum token token)
{
    return slice_of(names[token].text, names[token].len);
}
