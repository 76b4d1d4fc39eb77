/* Reading a path in the one way that all origins share, or saying that there is none.
 *
 * Escapes are undone first, so that "%2e%2e" is a dot segment. An escaped slash or backslash, "%25" before two
 * digits, and control bytes are read differently by different servers: such a path is ambiguous. */

#include "policy/url_path.h"

static int hex_digit(char c)
{
    c = char_lower(c);
    return char_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at the front of *rest. False: ambiguous. */
static bool take_byte(struct slice *rest, char *ret_byte)
{
    char c = rest->at[0];
    size_t len = 1;
    if (c == '%') {
        int high = rest->len > 2 ? hex_digit(rest->at[1]) : -1;
        int low = rest->len > 2 ? hex_digit(rest->at[2]) : -1;
        if (high < 0 || low < 0)
            return false;
        c = (char)(high * 16 + low);
        len = 3;
        if (c == '/' || c == '\\' || c == '%' || c == '?' || c == '#' || c == ';')
            return false;
    }
    if ((unsigned char)c < 0x20 || c == 0x7f)
        return false;
    *ret_byte = c == '\\' ? '/' : c;
    *rest = slice_from(*rest, len);
    return true;
}

/* Take back a last segment that is "." or "..", at the end of a segment. False: above the root. */
static bool drop_dots(char *into, size_t *len)
{
    size_t begin = *len;
    while (into[begin - 1] != '/')
        begin--;
    struct slice segment = slice_of(into + begin, *len - begin);
    size_t mark = slice_find(segment, ';'); /* parameters, which some servers cut off first */
    segment = slice_first(segment, mark);
    if (slice_equals(segment, SLICE("."))) {
        *len = begin;
    } else if (slice_equals(segment, SLICE(".."))) {
        if (begin == 1)
            return false;
        for (begin--; into[begin - 1] != '/'; begin--)
            continue;
        *len = begin;
    }
    return true;
}

bool url_path_read(struct slice path_and_query, char *into, struct slice *ret_path)
{
    struct slice rest = slice_first(path_and_query, slice_find(path_and_query, '?'));
    size_t len = 0;
    into[len++] = '/';
    if (rest.len > 0 && rest.at[0] == '/')
        rest = slice_from(rest, 1);
    while (rest.len > 0) {
        char c;
        if (!take_byte(&rest, &c) || len == URL_PATH_MAX)
            return false;
        if (c != '/')
            into[len++] = c;
        else if (!drop_dots(into, &len))
            return false;
        else if (into[len - 1] != '/')
            into[len++] = '/';
    }
    if (!drop_dots(into, &len))
        return false;
    *ret_path = slice_of(into, len);
    return true;
}

bool url_path_is_below(struct slice path, struct slice prefix)
{
    if (!slice_starts_with(path, prefix))
        return false;
    return path.len == prefix.len || prefix.at[prefix.len - 1] == '/' || path.at[prefix.len] == '/';
}
