/* The fingerprint has three parts: a head that people can read, and the first 12 digits of two SHA-256 over lists of
 * four-digit numbers. Ciphers and extensions are sorted, signature algorithms are not; numbers of GREASE are left out
 * everywhere. The extensions server_name and ALPN are counted, but not listed: the head tells of them. */

#include "net/tls_ja4.h"

#include "base/check.h"
#include "base/text.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

enum {
    NUMBERS_MAX = 512, /* ciphers: there are some 350 */
    NUMBER_TEXT = 5,   /* four digits and a comma */
    DIGEST_DIGITS = 12,
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_ALPN = 16,
};

struct numbers {
    uint16_t at[NUMBERS_MAX];
    size_t count;
};

static bool numbers_add(struct numbers *numbers, uint16_t number)
{
    if (tls_is_grease(number))
        return true;
    if (numbers->count == NUMBERS_MAX)
        return false;
    numbers->at[numbers->count++] = number;
    return true;
}

static bool numbers_add_all(struct numbers *numbers, struct slice list)
{
    uint16_t number;
    while (tls_hello_next(&list, &number)) {
        if (!numbers_add(numbers, number))
            return false;
    }
    return true;
}

static int number_compare(const void *a, const void *b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static void numbers_sort(struct numbers *numbers)
{
    qsort(numbers->at, numbers->count, sizeof(numbers->at[0]), number_compare);
}

static const char digits[] = "0123456789abcdef";

/* "1301,1302" */
static void numbers_write(const struct numbers *numbers, struct text *into)
{
    for (size_t i = 0; i < numbers->count; i++) {
        char text[NUMBER_TEXT] = {','};
        for (unsigned digit = 0; digit < 4; digit++)
            text[1 + digit] = digits[numbers->at[i] >> (12 - 4 * digit) & 0xf];
        size_t skip = i == 0 ? 1 : 0;
        text_add(into, slice_of(text + skip, sizeof(text) - skip));
    }
}

/* The first 12 digits of the digest of a list; zeros for an empty one. */
static bool add_digest(struct slice list, struct text *into)
{
    unsigned char digest[SHA256_DIGEST_LENGTH] = {0};
    if (list.len > 0 && SHA256((const unsigned char *)list.at, list.len, digest) == NULL)
        return false;
    for (size_t i = 0; i < DIGEST_DIGITS / 2; i++) {
        text_add_char(into, digits[digest[i] >> 4]);
        text_add_char(into, digits[digest[i] & 0xf]);
    }
    return true;
}

static const char *version_text(uint16_t version)
{
    switch (version) {
    case 0x0304: return "13";
    case 0x0303: return "12";
    case 0x0302: return "11";
    case 0x0301: return "10";
    case 0x0300: return "s3";
    case 0x0002: return "s2";
    default: return "00";
    }
}

static bool is_alphanumeric(char c)
{
    char lower = char_lower(c);
    return char_is_digit(c) || (lower >= 'a' && lower <= 'z');
}

/* First and last character of the first name; of their hexadecimal digits where one of them is no letter or digit. */
static void add_protocol(struct slice alpn, struct text *into)
{
    struct slice name;
    if (!tls_hello_next_name(&alpn, &name)) {
        text_add(into, SLICE("00"));
        return;
    }
    unsigned char first = (unsigned char)name.at[0];
    unsigned char last = (unsigned char)name.at[name.len - 1];
    bool is_text = is_alphanumeric(name.at[0]) && is_alphanumeric(name.at[name.len - 1]);
    text_add_char(into, is_text ? (char)first : digits[first >> 4]);
    text_add_char(into, is_text ? (char)last : digits[last & 0xf]);
}

static unsigned two_digits(size_t count)
{
    return count < 99 ? (unsigned)count : 99;
}

/* Those that are listed; *ret_count is of all. */
static bool list_extensions(struct slice extensions, struct numbers *listed, size_t *ret_count)
{
    uint16_t type;
    size_t count = 0;
    while (tls_hello_next_extension(&extensions, &type)) {
        count += tls_is_grease(type) ? 0 : 1;
        if (type != EXTENSION_SERVER_NAME && type != EXTENSION_ALPN && !numbers_add(listed, type))
            return false;
    }
    numbers_sort(listed);
    *ret_count = count;
    return true;
}

bool tls_ja4(const struct tls_hello *hello, char into[TLS_JA4_TEXT])
{
    struct numbers ciphers = {.count = 0};
    struct numbers extensions = {.count = 0};
    struct numbers signatures = {.count = 0};
    size_t extension_count = 0;
    if (!numbers_add_all(&ciphers, hello->ciphers) ||
        !list_extensions(hello->extensions, &extensions, &extension_count) ||
        !numbers_add_all(&signatures, hello->signatures))
        return false;
    numbers_sort(&ciphers);

    char result[TLS_JA4_TEXT + 1];
    struct text text = text_on(result, sizeof(result));
    text_add_format(&text, "t%s%c%02u%02u", version_text(hello->version),
                    hello->has_name ? 'd' : 'i', two_digits(ciphers.count),
                    two_digits(extension_count));
    add_protocol(hello->alpn, &text);

    char space[2 * NUMBERS_MAX * NUMBER_TEXT + 1];
    struct text list = text_on(space, sizeof(space));
    numbers_write(&ciphers, &list);
    text_add_char(&text, '_');
    if (!add_digest(text_slice(&list), &text))
        return false;

    list.len = 0;
    numbers_write(&extensions, &list);
    if (signatures.count > 0)
        text_add_char(&list, '_');
    numbers_write(&signatures, &list);
    text_add_char(&text, '_');
    if (!add_digest(extensions.count > 0 ? text_slice(&list) : SLICE_NONE, &text))
        return false;
    CHECK(text.len == TLS_JA4_TEXT);
    memcpy(into, result, TLS_JA4_TEXT);
    return true;
}
