/* Reading a path in the one way that all origins share, or saying that there is none.
 *
 * Escapes are undone first, so that "%2e%2e" is a dot segment. What different servers read differently makes a path
 * ambiguous: an escaped slash or backslash, an escape in an escape, control bytes, overlong UTF-8, a ";" (parameters,
 * which some cut off), and ".." behind a run of slashes, which takes away one of them or what stands before. */

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
        if (c == '/' || c == '\\' || c == '%' || c == '?' || c == '#')
            return false;
    }
    if ((unsigned char)c < 0x20 || c == 0x7f || c == ';')
        return false;
    *ret_byte = c == '\\' ? '/' : c;
    *rest = slice_from(*rest, len);
    return true;
}

/* May this byte follow that one? Not where the two begin a longer form than needed of another character (RFC 3629
 * §3). */
static bool is_utf8_fine(char before, char c)
{
    unsigned char one = (unsigned char)before;
    unsigned char two = (unsigned char)c;
    bool is_overlong =
        (one == 0xe0 && two >= 0x80 && two < 0xa0) || (one == 0xf0 && two >= 0x80 && two < 0x90);
    return two != 0xc0 && two != 0xc1 && !is_overlong;
}

/* Take back a last segment that is "." or "..", at the end of a segment. False: above the root. */
static bool drop_dots(char *into, size_t *len, bool has_run)
{
    size_t begin = *len;
    while (into[begin - 1] != '/')
        begin--;
    struct slice segment = slice_of(into + begin, *len - begin);
    if (slice_equals(segment, SLICE("."))) {
        *len = begin;
    } else if (slice_equals(segment, SLICE(".."))) {
        if (begin == 1 || has_run)
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
    bool has_run = false;
    into[len++] = '/';
    if (rest.len > 0 && (rest.at[0] == '/' || rest.at[0] == '\\'))
        rest = slice_from(rest, 1);
    while (rest.len > 0) {
        char c;
        if (!take_byte(&rest, &c) || len == URL_PATH_MAX || !is_utf8_fine(into[len - 1], c))
            return false;
        has_run = has_run || (c == '/' && into[len - 1] == '/');
        if (c != '/')
            into[len++] = c;
        else if (!drop_dots(into, &len, has_run))
            return false;
        else if (into[len - 1] != '/')
            into[len++] = '/';
    }
    if (!drop_dots(into, &len, has_run))
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
