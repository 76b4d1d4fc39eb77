/* Comparing, cutting and reading borrowed text; nothing here looks at the locale. */

#include "base/slice.h"

struct slice slice_from_string(const char *string)
{
    return string == NULL ? SLICE_NONE : (struct slice){string, strlen(string)};
}

bool slice_equals_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (char_lower(a.at[i]) != char_lower(b.at[i]))
            return false;
    }
    return true;
}

bool slice_starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_equals(slice_first(s, prefix.len), prefix);
}

bool slice_starts_with_nocase(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_equals_nocase(slice_first(s, prefix.len), prefix);
}

bool slice_ends_with_nocase(struct slice s, struct slice suffix)
{
    return s.len >= suffix.len && slice_equals_nocase(slice_from(s, s.len - suffix.len), suffix);
}

size_t slice_find(struct slice s, char c)
{
    const char *found = s.len == 0 ? NULL : memchr(s.at, c, s.len);
    return found == NULL ? s.len : (size_t)(found - s.at);
}

size_t slice_find_last(struct slice s, char c)
{
    for (size_t i = s.len; i > 0; i--) {
        if (s.at[i - 1] == c)
            return i - 1;
    }
    return s.len;
}

struct slice slice_trim(struct slice s)
{
    while (s.len > 0 && (s.at[0] == ' ' || s.at[0] == '\t'))
        s = slice_from(s, 1);
    while (s.len > 0 && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Length of the element at the front: up to a comma outside of a quoted string. */
static size_t slice_element_length(struct slice s, bool *ret_is_quoted)
{
    *ret_is_quoted = false;
    for (size_t i = 0; i < s.len; i++) {
        if (*ret_is_quoted && s.at[i] == '\\')
            i++;
        else if (s.at[i] == '"')
            *ret_is_quoted = !*ret_is_quoted;
        else if (s.at[i] == ',' && !*ret_is_quoted)
            return i;
    }
    return s.len;
}

bool slice_next_element(struct slice *rest, struct slice *ret_element)
{
    while (rest->len > 0) {
        bool is_quoted = false; /* whoever reads the element sees to that */
        size_t len = slice_element_length(*rest, &is_quoted);
        struct slice element = slice_trim(slice_first(*rest, len));
        *rest = slice_from(*rest, len + 1);
        if (element.len > 0) {
            *ret_element = element;
            return true;
        }
    }
    return false;
}

bool slice_has_open_quote(struct slice s)
{
    bool is_quoted = false;
    while (s.len > 0)
        s = slice_from(s, slice_element_length(s, &is_quoted) + 1);
    return is_quoted;
}

bool slice_next_part(struct slice *rest, char c, struct slice *ret_head)
{
    if (rest->len == 0)
        return false;
    size_t len = slice_find(*rest, c);
    *ret_head = slice_first(*rest, len);
    *rest = slice_from(*rest, len + 1);
    return true;
}

static int slice_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = char_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

static enum status slice_number(struct slice s, unsigned base, uint64_t max, uint64_t *ret_value)
{
    if (s.len == 0)
        return ST_BAD;
    uint64_t value = 0;
    bool is_over = false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)slice_digit(s.at[i]);
        if (digit >= base)
            return ST_BAD;
        is_over |= __builtin_mul_overflow(value, base, &value);
        is_over |= __builtin_add_overflow(value, digit, &value);
    }
    if (is_over || value > max)
        return ST_LIMIT;
    *ret_value = value;
    return ST_OK;
}

enum status slice_to_u64(struct slice s, uint64_t max, uint64_t *ret_value)
{
    return slice_number(s, 10, max, ret_value);
}

enum status slice_hex_to_u64(struct slice s, uint64_t max, uint64_t *ret_value)
{
    return slice_number(s, 16, max, ret_value);
}
