/* One spelling for each host.
 *
 * A name whose last label could be read as a number (digits, or 0x and hex) is an IPv4 address to some
 * resolver or library, so it is accepted only as a canonical dotted quad and never reaches a resolver. */

#include "base/host.h"

#include "base/check.h"

/* No more than there is: most of `text` stays as it was. */
static void host_store(struct host *host, enum host_kind kind, const struct inet_addr *addr,
                       struct slice text)
{
    host->kind = kind;
    host->addr = *addr;
    memcpy(host->text, text.at, text.len);
    host->text[text.len] = '\0';
    host->len = (uint8_t)text.len;
}

static enum host_fault host_parse_v6(struct slice spelling, struct host *ret_host)
{
    if (spelling.len < 2 || spelling.at[spelling.len - 1] != ']')
        return HOST_BAD_IPV6;
    struct inet_addr addr;
    struct slice inner = slice_first(slice_from(spelling, 1), spelling.len - 2);
    if (slice_find(inner, '%') < inner.len)
        return HOST_ZONE_ID;
    if (slice_find(inner, ':') == inner.len || inet_addr_parse(inner, &addr) != ST_OK)
        return HOST_BAD_IPV6;
    char text[INET_ADDR_TEXT];
    size_t len = inet_addr_format(&addr, text);
    host_store(ret_host, HOST_IPV6, &addr, slice_of(text, len));
    return HOST_FINE;
}

static bool host_byte_is_fine(char c)
{
    char lower = char_lower(c);
    return (lower >= 'a' && lower <= 'z') || char_is_digit(c) || c == '-' || c == '_' || c == '.';
}

/* Could a lenient reader take this label for a number? */
static bool host_label_is_numeric(struct slice label)
{
    bool is_hex = label.len >= 2 && label.at[0] == '0' && label.at[1] == 'x';
    for (size_t i = is_hex ? 2 : 0; i < label.len; i++) {
        char c = label.at[i];
        if (!char_is_digit(c) && !(is_hex && c >= 'a' && c <= 'f'))
            return false;
    }
    return true;
}

static enum host_fault host_check_labels(struct slice name)
{
    struct slice rest = name;
    struct slice label = SLICE_NONE;
    if (name.at[name.len - 1] == '.')
        return HOST_EMPTY_LABEL;
    while (slice_next_part(&rest, '.', &label)) {
        if (label.len == 0)
            return HOST_EMPTY_LABEL;
        if (label.len > 63)
            return HOST_TOO_LONG;
    }
    return host_label_is_numeric(label) ? HOST_IPV4_SPELLING : HOST_FINE;
}

/* The fault of a spelling that holds a byte no name has: IPv6 without brackets, or a plain wrong byte. */
static enum host_fault host_wrong_byte(struct slice spelling)
{
    for (size_t i = 0; i < spelling.len; i++) {
        if (spelling.at[i] != ':' && !host_byte_is_fine(spelling.at[i]))
            return HOST_BAD_BYTE;
    }
    return HOST_BAD_IPV6;
}

enum host_fault host_parse(struct slice spelling, struct host *ret_host)
{
    if (spelling.len == 0)
        return HOST_EMPTY;
    if (spelling.at[0] == '[')
        return host_parse_v6(spelling, ret_host);
    char text[HOST_MAX + 1];
    if (spelling.at[spelling.len - 1] == '.' && spelling.len > 1)
        spelling.len--;
    if (spelling.len > HOST_MAX)
        return HOST_TOO_LONG;
    for (size_t i = 0; i < spelling.len; i++) {
        if (!host_byte_is_fine(spelling.at[i]))
            return host_wrong_byte(spelling);
        text[i] = char_lower(spelling.at[i]);
    }
    struct slice name = slice_of(text, spelling.len);
    struct inet_addr addr = {.family = INET_NONE};
    bool is_v4 = inet_addr_parse(name, &addr) == ST_OK;
    enum host_fault fault = is_v4 ? HOST_FINE : host_check_labels(name);
    if (fault == HOST_FINE)
        host_store(ret_host, is_v4 ? HOST_IPV4 : HOST_NAME, &addr, name);
    return fault;
}

const char *host_fault_text(enum host_fault fault)
{
    switch (fault) {
    case HOST_FINE: return "the host is well-formed";
    case HOST_EMPTY: return "the host is empty";
    case HOST_TOO_LONG: return "the host or one of its labels is too long";
    case HOST_BAD_BYTE: return "the host holds a byte that is not allowed";
    case HOST_EMPTY_LABEL: return "the host has an empty label";
    case HOST_BAD_IPV6: return "the host is not an IPv6 address in brackets";
    case HOST_ZONE_ID: return "the host holds an IPv6 zone";
    case HOST_IPV4_SPELLING: return "the host looks like an IPv4 address but is not a dotted quad";
    }
    return "";
}
