/* Field names by number.
 *
 * A name is found by a perfect hash of its length, first and last letter into 256 places. The places are
 * filled by designated initialisers made from the rows of token.h, so a row that collides is an
 * initialiser given twice, which the compiler refuses. The found spelling is then compared eight bytes at
 * a time; where it has a letter, and nowhere else, bit 0x20 does not count, which is the case of letters.
 *
 * Each head looks up a dozen names, so what is read for that shall lie in few lines of the cache: the spellings stand
 * one behind the other in the order of the rows, of which the usual ones are the first.
 *
 * Names that are not in the table stay text: TOKEN_OTHER. */
#include "http/token.h"

#include <assert.h>
#include <stddef.h>

#define HASH(length, first, last) \
    (((unsigned)(length) + (unsigned)(first)*16u + (unsigned)(last)*9u) & 255u)

enum { NAME_MAX_BYTES = 25 };

static_assert(TOKEN_COUNT <= 64, "a set of tokens is one word");

static const uint8_t places[256] = {
#define X(name, spelling, length, first, last) [HASH(length, first, last)] = TOKEN_##name,
    FIELD_TOKENS(X)
#undef X
};

static const struct spellings {
#define X(name, spelling, length, first, last) char name[sizeof(spelling)];
    FIELD_TOKENS(X)
#undef X
} spellings = {
#define X(name, spelling, length, first, last) .name = spelling,
    FIELD_TOKENS(X)
#undef X
};

/* Where they are; of TOKEN_OTHER none is. */
static const struct {
    uint16_t offset;
    uint8_t len;
} names[TOKEN_COUNT] = {
#define X(name, spelling, length, first, last) \
    [TOKEN_##name] = {offsetof(struct spellings, name), length},
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

/* A letter of a known name has bit 0x40, '-' and '2' have not. */
static inline bool words_equal(uint64_t known, uint64_t word)
{
    uint64_t case_bits = known >> 1 & 0x2020202020202020u;
    return ((known ^ word) & ~case_bits) == 0;
}

/* Two to seven bytes as a word of two overlapping halves. */
static inline uint64_t load_short(const char *at, size_t len)
{
    if (len < 4) {
        uint16_t first;
        uint16_t last;
        memcpy(&first, at, 2);
        memcpy(&last, at + len - 2, 2);
        return (uint64_t)first << 16 | last;
    }
    uint32_t first;
    uint32_t last;
    memcpy(&first, at, 4);
    memcpy(&last, at + len - 4, 4);
    return (uint64_t)first << 32 | last;
}

static inline bool names_equal(const char *known, const char *name, size_t len)
{
    if (len < 8)
        return words_equal(load_short(known, len), load_short(name, len));
    for (size_t i = 0; i + 8 <= len; i += 8) {
        if (!words_equal(load8(known + i), load8(name + i)))
            return false;
    }
    return words_equal(load8(known + len - 8), load8(name + len - 8));
}

static inline const char *spelling_of(enum token token)
{
    return (const char *)&spellings + names[token].offset;
}

enum token token_of(struct slice name)
{
    if (name.len < 2 || name.len > NAME_MAX_BYTES)
        return TOKEN_OTHER;
    unsigned first = (unsigned char)name.at[0] | 0x20u;
    unsigned last = (unsigned char)name.at[name.len - 1] | 0x20u;
    enum token token = (enum token)places[HASH(name.len, first, last)];
    bool is_known =
        names[token].len == name.len && names_equal(spelling_of(token), name.at, name.len);
    return is_known ? token : TOKEN_OTHER;
}

struct slice token_name(enum token token)
{
    return slice_of(spelling_of(token), names[token].len);
}
