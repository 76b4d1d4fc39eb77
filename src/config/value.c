/* Values: text to memory. Every kind is strict: one spelling of an address, digits only in numbers, units
 * always, names in canonical form. What is printed of a value reads back to the same (value_print.c). */

#include "config/value.h"

#include "base/check.h"
#include "base/host.h"
#include "config/value_internal.h"

#include <assert.h>
#include <sys/un.h>

static_assert(sizeof(((struct sockaddr_un *)NULL)->sun_path) == CONFIG_SOCKET_PATH_MAX + 1,
              "what the kernel takes, and its terminator");

enum { LIST_MAX = 100000, PATH_BYTES_MAX = 4095 };

const struct value_unit duration_units[] = {
    {"ms", NS_PER_MS}, {"s", NS_PER_S}, {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S}, {NULL, 0}};
const struct value_unit size_units[] = {{"B", 1},           {"KB", 1000},     {"MB", 1000000},
                                        {"GB", 1000000000}, {"KiB", 1 << 10}, {"MiB", 1 << 20},
                                        {"GiB", 1 << 30},   {NULL, 0}};
const struct value_unit rate_units[] = {{"", 1}, {NULL, 0}};

static void *value_at(void *object, size_t offset)
{
    return (char *)object + offset;
}

/* ---- numbers ---- */

/* Digits and a unit. */
static enum status value_scaled(struct slice text, const struct value_unit *units, uint64_t max,
                                uint64_t *ret_value)
{
    size_t digits = 0;
    while (digits < text.len && char_is_digit(text.at[digits]))
        digits++;
    struct slice unit = slice_from(text, digits);
    for (; units->name != NULL; units++) {
        uint64_t number;
        if (!slice_equals(unit, slice_from_string(units->name)))
            continue;
        if (slice_to_u64(slice_first(text, digits), max / units->factor, &number) != ST_OK)
            return ST_BAD;
        *ret_value = number * units->factor;
        return ST_OK;
    }
    return ST_BAD;
}

/* The same in a second, or 0. */
static enum status value_rate(struct slice text, const struct value_unit *units, uint64_t max,
                              uint64_t *ret_value)
{
    const struct slice second = SLICE("/s");
    *ret_value = 0;
    if (slice_equals(text, SLICE("0")))
        return ST_OK;
    if (!slice_ends_with_nocase(text, second))
        return ST_BAD;
    return value_scaled(slice_first(text, text.len - second.len), units, max, ret_value);
}

static enum status value_octal(struct slice text, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (text.len == 0 || text.len > 4)
        return ST_BAD;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '7')
            return ST_BAD;
        value = value * 8 + (uint64_t)(text.at[i] - '0');
    }
    *ret_value = value;
    return ST_OK;
}

static enum status value_set_number(const struct schema_row *row, struct slice text, void *at)
{
    uint64_t value = 0;
    uint64_t max = row->max > 0 ? row->max : UINT32_MAX;
    enum status status;
    if (row->kind == KIND_DURATION)
        status = value_scaled(text, duration_units, max, &value);
    else if (row->kind == KIND_SIZE)
        status = value_scaled(text, size_units, max, &value);
    else if (row->kind == KIND_RATE || row->kind == KIND_BANDWIDTH)
        status = value_rate(text, row->kind == KIND_RATE ? rate_units : size_units, max, &value);
    else if (row->kind == KIND_MODE)
        status = value_octal(text, &value);
    else
        status = slice_to_u64(text, max, &value);
    if (status != ST_OK || value < row->min || value > max)
        return ST_BAD;
    if (row->kind == KIND_UNSIGNED || row->kind == KIND_MODE)
        *(unsigned *)at = (unsigned)value;
    else
        *(uint64_t *)at = value;
    return ST_OK;
}

/* ---- text ---- */

enum status utf8_take(struct slice *rest, uint32_t *ret_point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* by length: shorter forms win */
    unsigned char lead = (unsigned char)rest->at[0];
    size_t len = lead < 0x80 ? 1 : lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (len == 0 || len > rest->len || lead > 0xf4)
        return ST_BAD;
    uint32_t point = len == 1 ? lead : lead & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        unsigned char c = (unsigned char)rest->at[i];
        if ((c & 0xc0) != 0x80)
            return ST_BAD;
        point = point << 6 | (c & 0x3fu);
    }
    if (point < least[len] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return ST_BAD;
    *rest = slice_from(*rest, len);
    *ret_point = point;
    return ST_OK;
}

/* What a file could hold as well: UTF-8, and no control bytes. */
static bool text_is_path(struct slice text)
{
    bool is_short = text.len <= PATH_BYTES_MAX;
    uint32_t point = ' ';
    while (text.len > 0) {
        if (utf8_take(&text, &point) != ST_OK || point < 0x20 || point == 0x7f)
            return false;
    }
    return is_short;
}

static bool text_is_word(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = char_lower(text.at[i]);
        if (!(c >= 'a' && c <= 'z') && !char_is_digit(c) && c != '-' && c != '_' && c != '.')
            return false;
    }
    return true;
}

/* Index among the row's words, or -1. */
static int find_word(const struct schema_row *row, struct slice text)
{
    for (int i = 0; i < SCHEMA_WORDS && row->words[i] != NULL; i++) {
        if (slice_equals(text, slice_from_string(row->words[i])))
            return i;
    }
    return -1;
}

static enum status value_set_text(struct memory *memory, const struct schema_row *row,
                                  struct slice text, void *at)
{
    bool is_free = row->kind == KIND_PATH || row->kind == KIND_NAME;
    bool is_fine = is_free                 ? text_is_path(text)
                   : row->words[0] != NULL ? find_word(row, text) >= 0
                                           : text_is_word(text);
    if (!is_fine || text.len < row->min || (row->max > 0 && text.len > row->max))
        return ST_BAD;
    struct slice copy = memory_copy(memory, text);
    if (copy.at == NULL)
        return ST_NOMEM;
    if (row->kind == KIND_CSTRING)
        *(const char **)at = copy.at;
    else
        *(struct slice *)at = copy;
    return ST_OK;
}

static enum status value_choose(const struct schema_row *row, void *object, struct slice text)
{
    int index = find_word(row, text);
    if (index < 0)
        return ST_BAD;
    if (row->kind == KIND_BOOL) {
        *(bool *)value_at(object, row->place) = index == 1;
        return ST_OK;
    }
    bool is_auto = slice_equals(text, SLICE("auto"));
    if (row->second != 0)
        *(bool *)value_at(object, row->second) = !is_auto;
    index = is_auto ? 0 : index;
    memcpy(value_at(object, row->place), &index, sizeof(index));
    return ST_OK;
}

/* ---- addresses ---- */

static enum status value_set_addr(struct slice text, struct inet_addr *at)
{
    struct inet_addr addr = {.family = INET_NONE};
    if (!slice_equals(text, SLICE("any")) && inet_addr_parse(text, &addr) != ST_OK)
        return ST_BAD;
    *at = inet_addr_unmap(&addr);
    return ST_OK;
}

static enum status listen_set_path(struct memory *memory, struct config_listen *listen,
                                   struct slice path)
{
    if (path.len == 0 || !text_is_path(path))
        return ST_BAD;
    if (path.len > CONFIG_SOCKET_PATH_MAX)
        return ST_LIMIT;
    struct slice copy = memory_copy(memory, path);
    if (copy.at == NULL)
        return ST_NOMEM;
    listen->kind = LISTEN_UNIX;
    listen->path = copy;
    return ST_OK;
}

/* Sets only where to listen; the rest of `listen` has rows of its own. */
static enum status value_set_listen(struct memory *memory, struct slice text,
                                    struct config_listen *listen)
{
    struct inet_endpoint endpoint;
    if (slice_starts_with(text, SLICE("unix:")))
        return listen_set_path(memory, listen, slice_from(text, 5));
    if (slice_starts_with(text, SLICE("/")))
        return listen_set_path(memory, listen, text);
    if (slice_equals(text, SLICE("inherited"))) {
        listen->kind = LISTEN_INHERITED;
        return ST_OK;
    }
    if (inet_endpoint_parse(text, &endpoint) != ST_OK)
        return ST_BAD;
    listen->kind = LISTEN_TCP;
    listen->endpoint = endpoint;
    listen->endpoint.addr = inet_addr_unmap(&endpoint.addr);
    return ST_OK;
}

static enum status value_set_admin(struct memory *memory, const struct schema_row *row,
                                   void *object, struct slice text)
{
    struct config_listen *listen = value_at(object, row->place);
    bool *is_off = value_at(object, row->second);
    if (slice_equals(text, SLICE("off"))) {
        *is_off = true;
        return ST_OK;
    }
    if (slice_equals(text, SLICE("inherited")))
        return ST_BAD;
    listen->mode = 0600;
    enum status status = value_set_listen(memory, text, listen);
    *is_off = *is_off && status != ST_OK;
    return status;
}

/* ---- lists ---- */

static enum status list_add(struct memory *memory, void *list_at, const void *element, size_t bytes)
{
    struct value_list list;
    memcpy(&list, list_at, sizeof(list));
    if (list.count >= LIST_MAX)
        return ST_LIMIT;
    list.at = memory_grow(memory, list.at, list.count, bytes);
    if (list.at == NULL)
        return ST_NOMEM;
    memcpy((char *)list.at + list.count * bytes, element, bytes);
    list.count++;
    memcpy(list_at, &list, sizeof(list));
    return ST_OK;
}

static enum status value_add_prefix(struct memory *memory, void *list, struct slice text)
{
    struct inet_prefix prefix;
    if (inet_prefix_parse(text, &prefix) != ST_OK)
        return ST_BAD;
    return list_add(memory, list, &prefix, sizeof(prefix));
}

/* In the form that hosts are compared in; "*." in front stays. */
static enum status value_add_name(struct memory *memory, void *list, struct slice text)
{
    char canonical[HOST_MAX + 3];
    struct text into = text_on(canonical, sizeof(canonical));
    struct host host;
    bool is_below = slice_starts_with(text, SLICE("*."));
    if (host_parse(slice_from(text, is_below ? 2 : 0), &host) != HOST_FINE ||
        host.kind != HOST_NAME)
        return ST_BAD;
    text_add(&into, is_below ? SLICE("*.") : SLICE(""));
    text_add(&into, host_slice(&host));
    struct slice copy = memory_copy(memory, text_slice(&into));
    if (copy.at == NULL)
        return ST_NOMEM;
    return list_add(memory, list, &copy, sizeof(copy));
}

static enum status value_add_endpoint(struct memory *memory, void *list, struct slice text)
{
    struct inet_endpoint endpoint = {.port = 0};
    bool is_v6 = slice_find(text, ':') < slice_find_last(text, ':');
    bool is_bare = slice_find(text, ':') == text.len || (is_v6 && text.at[0] != '[');
    enum status status =
        is_bare ? inet_addr_parse(text, &endpoint.addr) : inet_endpoint_parse(text, &endpoint);
    if (status != ST_OK || (!is_bare && endpoint.port == 0))
        return ST_BAD;
    return list_add(memory, list, &endpoint, sizeof(endpoint));
}

static enum status value_add_port(struct memory *memory, struct config_ports *list,
                                  struct slice text)
{
    uint64_t number;
    if (slice_equals(text, SLICE("any"))) {
        list->is_any = true;
        return ST_OK;
    }
    if (slice_to_u64(text, 65535, &number) != ST_OK || number == 0)
        return ST_BAD;
    uint16_t port = (uint16_t)number;
    for (size_t i = 0; i < list->count; i++) {
        if (list->at[i] == port)
            return ST_OK;
    }
    return list_add(memory, list, &port, sizeof(port));
}

static enum status value_add_text(struct memory *memory, void *list, const struct schema_row *row,
                                  struct slice text)
{
    bool is_fine = row->words[0] != NULL ? find_word(row, text) >= 0 : text_is_path(text);
    if (!is_fine || text.len == 0)
        return ST_BAD;
    struct slice copy = memory_copy(memory, text);
    if (copy.at == NULL)
        return ST_NOMEM;
    return list_add(memory, list, &copy, sizeof(copy));
}

static enum status value_add_port_range(struct memory *memory, void *list, struct slice text)
{
    uint64_t first = 0;
    uint64_t last = 0;
    struct slice rest = text;
    struct slice begin;
    if (!slice_next_part(&rest, '-', &begin) || slice_to_u64(begin, 65535, &first) != ST_OK)
        return ST_BAD;
    last = first;
    bool is_range = begin.len < text.len;
    if (is_range && slice_to_u64(rest, 65535, &last) != ST_OK)
        return ST_BAD;
    if (first == 0 || last < first)
        return ST_BAD;
    struct rule_ports ports = {(uint16_t)first, (uint16_t)last};
    return list_add(memory, list, &ports, sizeof(ports));
}

/* ---- windows of time ---- */

const char *const window_days[7] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static bool window_take_day(struct slice text, unsigned *ret_day)
{
    for (unsigned day = 0; day < 7; day++) {
        if (!slice_equals(text, slice_from_string(window_days[day])))
            continue;
        *ret_day = day;
        return true;
    }
    return false;
}

/* "mon-fri,sun": also over the end of the week. */
static bool window_take_days(struct slice text, uint8_t *ret_days)
{
    struct slice item;
    unsigned days = 0;
    while (slice_next_part(&text, ',', &item)) {
        struct slice from;
        unsigned day = 0;
        unsigned last = 0;
        if (!slice_next_part(&item, '-', &from) || !window_take_day(from, &day))
            return false;
        last = day;
        if (item.len > 0 && !window_take_day(item, &last))
            return false;
        for (days |= 1u << day; day != last; days |= 1u << day)
            day = (day + 1) % 7;
    }
    *ret_days = (uint8_t)days;
    return days != 0;
}

/* "08:00"; 24:00 is the end of the day. */
static bool window_take_minute(struct slice text, uint16_t *ret_minute)
{
    uint64_t hour = 0;
    uint64_t minute = 0;
    if (text.len != 5 || text.at[2] != ':' ||
        slice_to_u64(slice_first(text, 2), 24, &hour) != ST_OK ||
        slice_to_u64(slice_from(text, 3), 59, &minute) != ST_OK || (hour == 24 && minute != 0))
        return false;
    *ret_minute = (uint16_t)(hour % 24 * 60 + minute);
    return true;
}

static enum status value_add_window(struct memory *memory, void *list, struct slice text)
{
    struct rule_window window = {.days = WINDOW_ALL_DAYS};
    struct slice hours = text;
    struct slice part;
    bool has_days = text.len > 0 && !char_is_digit(text.at[0]);
    if (has_days && (!slice_next_part(&hours, ' ', &part) || !window_take_days(part, &window.days)))
        return ST_BAD;
    bool has_hours = !has_days || hours.len > 0;
    if (has_hours &&
        (!slice_next_part(&hours, '-', &part) || !window_take_minute(part, &window.from) ||
         !window_take_minute(hours, &window.until)))
        return ST_BAD;
    if (has_hours && window.from == window.until && window.from != 0) /* all of a day, or none? */
        return ST_BAD;
    return list_add(memory, list, &window, sizeof(window));
}

static enum status value_add(struct memory *memory, void *object, const struct schema_row *row,
                             struct slice text)
{
    void *list = value_at(object, row->place);
    void *names = value_at(object, row->second);
    enum status status = ST_BAD;
    if (row->max > 0 && ((struct value_list *)list)->count >= row->max)
        return ST_LIMIT;
    if (row->kind == KIND_PORTS)
        return value_add_port(memory, list, text);
    if (row->kind == KIND_TEXTS)
        return value_add_text(memory, list, row, text);
    if (row->kind == KIND_PORT_RANGES)
        return value_add_port_range(memory, list, text);
    if (row->kind == KIND_WINDOWS)
        return value_add_window(memory, list, text);
    if (row->kind == KIND_PREFIXES || row->kind == KIND_TARGETS)
        status = value_add_prefix(memory, list, text);
    else if (row->kind == KIND_ENDPOINTS || row->kind == KIND_EXCEPTIONS)
        status = value_add_endpoint(memory, list, text);
    if (status == ST_BAD && (row->kind == KIND_TARGETS || row->kind == KIND_EXCEPTIONS))
        status = value_add_name(memory, names, text);
    return status;
}

void value_clear(void *object, const struct schema_row *row)
{
    struct value_list *list = value_at(object, row->place);
    CHECK(schema_is_list(row));
    list->at = NULL;
    list->count = 0;
    if (row->kind == KIND_PORTS)
        ((struct config_ports *)(void *)list)->is_any = false;
    if (row->kind == KIND_TARGETS || row->kind == KIND_EXCEPTIONS)
        *(struct config_strings *)value_at(object, row->second) = (struct config_strings){0};
}

enum status value_set(struct memory *memory, void *object, const struct schema_row *row,
                      struct slice text)
{
    void *at = value_at(object, row->place);
    switch (row->kind) {
    case KIND_COUNT:
    case KIND_UNSIGNED:
    case KIND_MODE:
    case KIND_DURATION:
    case KIND_RATE:
    case KIND_BANDWIDTH:
    case KIND_SIZE: return value_set_number(row, text, at);
    case KIND_PATH:
    case KIND_NAME:
    case KIND_WORD:
    case KIND_CSTRING: return value_set_text(memory, row, text, at);
    case KIND_BOOL:
    case KIND_CHOICE: return value_choose(row, object, text);
    case KIND_ADDRESS: return value_set_addr(text, at);
    case KIND_LISTEN: return value_set_listen(memory, text, at);
    case KIND_ADMIN: return value_set_admin(memory, row, object, text);
    case KIND_PREFIXES:
    case KIND_TARGETS:
    case KIND_EXCEPTIONS:
    case KIND_ENDPOINTS:
    case KIND_PORTS:
    case KIND_TEXTS:
    case KIND_PORT_RANGES:
    case KIND_WINDOWS: return value_add(memory, object, row, text);
    case KIND_LISTENERS:
    case KIND_RULES:
    case KIND_RANGES: break;
    }
    return ST_BAD;
}
