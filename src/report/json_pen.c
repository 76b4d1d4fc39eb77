/* Short numbers and plain strings are what a line is made of: digits go four to a step, bytes eight, with no branch on
 * a length that differs from line to line. What is near the end of its room, or needs an escape, goes a slower way. */

#include "report/json_pen.h"

#include "base/check.h"

#include <endian.h>

/* ---- numbers ---- */

enum { FOUR_DIGITS = 10000, EIGHT_DIGITS = 100000000 };
#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* "00" to "99". */
static const char two_digits[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

/* Digits in a word are in the order of memory on a little-endian machine: the first is the lowest byte. */

static uint32_t text_two(uint32_t value)
{
    uint16_t pair;
    memcpy(&pair, two_digits + (size_t)2 * value, sizeof(pair));
    return le16toh(pair);
}

static uint32_t text_four(uint32_t value)
{
    return text_two(value / 100) | text_two(value % 100) << 16;
}

static uint64_t text_eight(uint32_t value)
{
    return text_four(value / FOUR_DIGITS) | (uint64_t)text_four(value % FOUR_DIGITS) << 32;
}

static inline void put_eight(char *at, uint64_t text)
{
    text = htole64(text);
    memcpy(at, &text, sizeof(text));
}

void json_digits_eight(char *at, uint32_t value)
{
    put_eight(at, text_eight(value));
}

void json_digits_hex(char *at, uint64_t value)
{
    for (int half = 0; half < 2; half++, value <<= 32) {
        /* Each digit into a byte of its own, the first into the highest. */
        uint64_t digits = value >> 32;
        digits = (digits | digits << 16) & 0x0000ffff0000ffff;
        digits = (digits | digits << 8) & 0x00ff00ff00ff00ff;
        digits = (digits | digits << 4) & 0x0f0f0f0f0f0f0f0f;
        uint64_t is_letter = (digits + EACH_BYTE(6)) >> 4 & EACH_BYTE(1);
        uint64_t text = htobe64(digits + EACH_BYTE('0') + is_letter * ('a' - '0' - 10));
        memcpy(at + (size_t)8 * (unsigned)half, &text, sizeof(text));
    }
}

/* Without the zeros in front of `count` digits, of which one is no 0; writes eight bytes. */
static inline char *put_without_zeros(char *at, uint64_t text, unsigned count)
{
    unsigned zeros = (unsigned)__builtin_ctzll(text ^ EACH_BYTE('0')) / 8;
    put_eight(at, text >> 8 * zeros);
    return at + count - zeros;
}

/* Below 10^8, and not 0. */
static inline char *digits_few(char *at, uint32_t value)
{
    return value < FOUR_DIGITS ? put_without_zeros(at, text_four(value), 4)
                               : put_without_zeros(at, text_eight(value), 8);
}

static char *digits_many(char *at, uint64_t value)
{
    uint64_t high = value / EIGHT_DIGITS;
    if (high < EIGHT_DIGITS) {
        at = digits_few(at, (uint32_t)high);
    } else {
        at = digits_few(at, (uint32_t)(high / EIGHT_DIGITS));
        json_digits_eight(at, (uint32_t)(high % EIGHT_DIGITS));
        at += 8;
    }
    json_digits_eight(at, (uint32_t)(value % EIGHT_DIGITS));
    return at + 8;
}

char *json_digits_long(char *at, uint64_t value)
{
    if (value < FOUR_DIGITS) /* most are */
        return put_without_zeros(at, text_four((uint32_t)value), 4);
    return value < EIGHT_DIGITS ? digits_few(at, (uint32_t)value) : digits_many(at, value);
}

void json_number_near_end(struct text *into, struct slice key, uint64_t value)
{
    text_add(into, key);
    text_add_u64(into, value);
}

void json_signed(struct text *into, struct slice key, int64_t value)
{
    json_put(into, key);
    if (value < 0)
        json_put_char(into, '-');
    json_number(into, SLICE(""), value < 0 ? (uint64_t)0 - (uint64_t)value : (uint64_t)value);
}

/* `at` has room for key, sign and digits. */
static inline char *put_member(char *at, const struct json_key *key, int64_t value)
{
    uint64_t size = (uint64_t)value;
    memcpy(at, key, sizeof(*key)); /* what is behind it is overwritten */
    at += key->len;
    if (value < 0) {
        *at++ = '-';
        size = (uint64_t)0 - size;
    }
    return json_digits(at, size);
}

static unsigned next_bit(uint64_t *bits)
{
    unsigned bit = (unsigned)__builtin_ctzll(*bits);
    *bits &= *bits - 1;
    return bit;
}

void json_numbers(struct text *into, struct slice key, const struct json_key *keys,
                  const int64_t *values, uint64_t bits)
{
    enum { ALL_MAX = 64 * (JSON_KEY_MAX + 1 + JSON_DIGITS_MAX) };
    struct json_object object = json_open(into, key);
    if (json_has_room(into, ALL_MAX)) {
        char *at = into->at + into->len;
        while (bits != 0) {
            unsigned bit = next_bit(&bits);
            at = put_member(at, &keys[bit], values[bit]);
        }
        into->len = (size_t)(at - into->at);
    }
    while (bits != 0) { /* some may be cut */
        unsigned bit = next_bit(&bits);
        json_signed(into, json_key_slice(&keys[bit]), values[bit]);
    }
    json_close(into, object);
}

/* ---- strings ---- */

/* The code point at the front of `s` and its length in bytes; length 0 where it is not valid UTF-8
 * (RFC 3629 §4). */
static size_t utf8_decode(struct slice s, uint32_t *ret_code)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)s.at[0];
    size_t len = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (len == 0 || len > s.len)
        return 0;
    uint32_t code = first & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if ((c & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (c & 0x3fu);
    }
    bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
    if (code < least[len] || code > 0x10ffff || is_surrogate)
        return 0;
    *ret_code = code;
    return len;
}

/* Escape what stands at the front; returns how many bytes that was. */
static size_t add_escaped(struct text *into, struct slice s)
{
    unsigned char c = (unsigned char)s.at[0];
    if (c == '"' || c == '\\') {
        char pair[2] = {'\\', (char)c};
        json_put(into, slice_of(pair, sizeof(pair)));
        return 1;
    }
    uint32_t code = 0;
    size_t len = c < 0x80 ? 0 : utf8_decode(s, &code);
    if (len == 0) {
        (void)text_add_unicode(into, c);
        return 1;
    }
    if (code < 0x10000) {
        (void)text_add_unicode(into, code);
        return len;
    }
    (void)text_add_unicode(into, 0xd800 + ((code - 0x10000) >> 10));
    (void)text_add_unicode(into, 0xdc00 + ((code - 0x10000) & 0x3ff));
    return len;
}

static bool is_plain(char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Does one of eight bytes need an escape? The lowest one that does is seen; its borrow or carry may spoil what is above
 * it. */
static bool has_odd(uint64_t bytes)
{
    uint64_t odd = bytes | (bytes - EACH_BYTE(0x20)) | (bytes + EACH_BYTE(1)) |
                   ((bytes ^ EACH_BYTE('"')) - EACH_BYTE(1)) |
                   ((bytes ^ EACH_BYTE('\\')) - EACH_BYTE(1));
    return (odd & EACH_BYTE(0x80)) != 0;
}

/* Copy eight bytes, unless one of them needs an escape. */
static bool copy_eight(char *to, const char *from)
{
    uint64_t bytes;
    memcpy(&bytes, from, sizeof(bytes));
    if (has_odd(bytes))
        return false;
    memcpy(to, &bytes, sizeof(bytes));
    return true;
}

/* Copy it, unless a byte needs an escape; `to` has room for all. */
static bool copy_plain(char *to, struct slice s)
{
    size_t at = 0;
    if (s.len < 8) {
        while (at < s.len && is_plain(s.at[at])) {
            to[at] = s.at[at];
            at++;
        }
        return at == s.len;
    }
    for (; at + 8 < s.len; at += 8) {
        if (!copy_eight(to + at, s.at + at))
            return false;
    }
    return copy_eight(to + s.len - 8, s.at + s.len - 8); /* some of it once more */
}

/* One that has to be escaped, or may be cut. */
static __attribute__((noinline)) void add_string(struct text *into, struct slice s)
{
    json_put_char(into, '"');
    while (s.len > 0) {
        size_t run = 0;
        while (run < s.len && is_plain(s.at[run]))
            run++;
        text_add(into, slice_first(s, run));
        s = slice_from(s, run);
        if (s.len > 0)
            s = slice_from(s, add_escaped(into, s));
    }
    json_put_char(into, '"');
}

/* Most are copied as they are: the others begin again, from where this would have to save more registers. */
void json_put_string(struct text *into, struct slice s)
{
    char *at = into->at + into->len;
    if (!json_has_room(into, s.len + 2) || !copy_plain(at + 1, s)) {
        add_string(into, s);
        return;
    }
    at[0] = at[s.len + 1] = '"';
    into->len += s.len + 2;
}
