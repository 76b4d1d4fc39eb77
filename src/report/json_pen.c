#include "report/json_pen.h"

#include "base/check.h"

/* ---- numbers ---- */

/* "00" to "99". */
static const char two_digits[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

static char *digits_pair(char *at, unsigned value)
{
    memcpy(at, two_digits + (size_t)2 * value, 2);
    return at + 2;
}

/* Below 10000, without zeros in front. */
static char *digits_few(char *at, unsigned value)
{
    unsigned high = value / 100;
    if (high == 0) {
        if (value >= 10)
            return digits_pair(at, value);
        *at = (char)('0' + value);
        return at + 1;
    }
    if (high >= 10)
        at = digits_pair(at, high);
    else
        *at++ = (char)('0' + high);
    return digits_pair(at, value % 100);
}

static char *digits_four(char *at, unsigned value)
{
    return digits_pair(digits_pair(at, value / 100), value % 100);
}

char *json_digits_long(char *at, uint64_t value)
{
    unsigned four[JSON_DIGITS_MAX / 4];
    size_t count = 0;
    for (; value >= 10000; value /= 10000)
        four[count++] = (unsigned)(value % 10000);
    at = digits_few(at, (unsigned)value);
    while (count > 0)
        at = digits_four(at, four[--count]);
    return at;
}

void json_put_two(struct text *into, unsigned value)
{
    char pair[2];
    (void)digits_pair(pair, value % 100);
    json_put(into, slice_of(pair, sizeof(pair)));
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

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Is one of the eight bytes of `word` 0? Right for words whose bytes are all below 0x80. */
static uint64_t zero_bytes(uint64_t word)
{
    return (word - EACH_BYTE(1)) & EACH_BYTE(0x80);
}

/* How many bytes at the front need no escape: eight in a step. */
static size_t plain_run(struct slice s)
{
    size_t run = 0;
    for (; run + 8 <= s.len; run += 8) {
        uint64_t word;
        memcpy(&word, s.at + run, 8);
        bool is_ascii = (word & EACH_BYTE(0x80)) == 0;
        uint64_t odd = (word - EACH_BYTE(0x20)) & EACH_BYTE(0x80);
        odd |= zero_bytes(word ^ EACH_BYTE('"')) | zero_bytes(word ^ EACH_BYTE('\\')) |
               zero_bytes(word ^ EACH_BYTE(0x7f));
        if (!is_ascii || odd != 0)
            break;
    }
    while (run < s.len && is_plain(s.at[run]))
        run++;
    return run;
}

void json_put_string(struct text *into, struct slice s)
{
    json_put_char(into, '"');
    while (s.len > 0) {
        size_t run = plain_run(s);
        json_put(into, slice_first(s, run));
        s = slice_from(s, run);
        if (s.len > 0)
            s = slice_from(s, add_escaped(into, s));
    }
    json_put_char(into, '"');
}
