/* Values: memory to text, such that value_set reads the same back. */

#include "config/value.h"

#include "base/check.h"
#include "config/value_internal.h"

#include <sys/un.h>

static const void *value_seen(const void *object, size_t offset)
{
    return (const char *)object + offset;
}

/* Code points that YAML takes for line breaks, or does not read as they are. */
static bool point_needs_escape(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x2028 || point == 0x2029 ||
           point == 0xfeff || point == 0xfffe || point == 0xffff;
}

void value_print_quoted(struct slice text, FILE *out)
{
    (void)fputc('"', out);
    while (text.len > 0) {
        struct slice rest = text;
        uint32_t point = 0;
        if (utf8_take(&rest, &point) != ST_OK) { /* no value holds this */
            rest = slice_from(text, 1);
            (void)fputc('?', out);
            text = rest;
            continue;
        }
        if (point == '"' || point == '\\')
            (void)fprintf(out, "\\%c", (char)point);
        else if (point_needs_escape(point))
            (void)fprintf(out, "\\u%04x", (unsigned)point);
        else
            (void)fwrite(text.at, 1, text.len - rest.len, out);
        text = rest;
    }
    (void)fputc('"', out);
}

/* In the largest unit that leaves no rest. */
static void print_scaled(uint64_t value, const struct value_unit *units, FILE *out)
{
    const struct value_unit *best = &units[0];
    for (const struct value_unit *unit = units; unit->name != NULL; unit++) {
        if (value > 0 && value % unit->factor == 0 && unit->factor > best->factor)
            best = unit;
    }
    if (value == 0 && units == duration_units)
        best = &units[1];
    (void)fprintf(out, "%llu%s", (unsigned long long)(value / best->factor), best->name);
}

static void print_listen(const struct config_listen *listen, FILE *out)
{
    char text[INET_ENDPOINT_TEXT];
    switch (listen->kind) {
    case LISTEN_TCP:
        inet_endpoint_format(&listen->endpoint, text);
        value_print_quoted(slice_from_string(text), out);
        break;
    case LISTEN_UNIX: {
        char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 5];
        struct text whole = text_on(path, sizeof(path));
        text_add(&whole, SLICE("unix:"));
        text_add(&whole, listen->path);
        value_print_quoted(text_slice(&whole), out);
        break;
    }
    case LISTEN_INHERITED: (void)fputs("inherited", out); break;
    }
}

/* ---- lists ---- */

static void print_comma(bool *is_first, FILE *out)
{
    (void)fputs(*is_first ? "" : ", ", out);
    *is_first = false;
}

static void print_prefixes(const struct config_prefixes *list, bool *is_first, FILE *out)
{
    for (size_t i = 0; i < list->count; i++) {
        char text[INET_PREFIX_TEXT];
        inet_prefix_format(&list->at[i], text);
        print_comma(is_first, out);
        value_print_quoted(slice_from_string(text), out);
    }
}

static void print_endpoints(const struct config_endpoints *list, bool *is_first, FILE *out)
{
    for (size_t i = 0; i < list->count; i++) {
        char text[INET_ENDPOINT_TEXT];
        if (list->at[i].port == 0)
            inet_addr_format(&list->at[i].addr, text);
        else
            inet_endpoint_format(&list->at[i], text);
        print_comma(is_first, out);
        value_print_quoted(slice_from_string(text), out);
    }
}

static void print_names(const struct config_strings *list, bool *is_first, FILE *out)
{
    for (size_t i = 0; i < list->count; i++) {
        print_comma(is_first, out);
        value_print_quoted(list->at[i], out);
    }
}

static void print_ports(const struct config_ports *list, bool *is_first, FILE *out)
{
    for (size_t i = 0; i < list->count; i++) {
        print_comma(is_first, out);
        (void)fprintf(out, "%u", list->at[i]);
    }
    if (list->is_any) {
        print_comma(is_first, out);
        (void)fputs("any", out);
    }
}

static void print_port_ranges(const struct value_list *list, bool *is_first, FILE *out)
{
    const struct rule_ports *ports = list->at;
    for (size_t i = 0; i < list->count; i++) {
        print_comma(is_first, out);
        (void)fprintf(out, ports[i].first == ports[i].last ? "%u" : "%u-%u", ports[i].first,
                      ports[i].last);
    }
}

/* "mon,tue,fri 08:00-18:00"; all days are left out. */
static void print_windows(const struct value_list *list, bool *is_first, FILE *out)
{
    const struct rule_window *windows = list->at;
    for (size_t i = 0; i < list->count; i++) {
        const struct rule_window *window = &windows[i];
        bool has_days = window->days != WINDOW_ALL_DAYS;
        bool has_hours = window->from != 0 || window->until != 0;
        const char *comma = "";
        print_comma(is_first, out);
        (void)fputc('"', out);
        for (unsigned day = 0; (has_days || !has_hours) && day < 7; day++) {
            if ((window->days >> day & 1) == 0)
                continue;
            (void)fprintf(out, "%s%s", comma, window_days[day]);
            comma = ",";
        }
        if (has_hours)
            (void)fprintf(out, "%s%02u:%02u-%02u:%02u", comma[0] != '\0' ? " " : "",
                          window->from / 60u, window->from % 60u, window->until / 60u,
                          window->until % 60u);
        (void)fputc('"', out);
    }
}

static void print_list(const void *object, const struct schema_row *row, FILE *out)
{
    const void *list = value_seen(object, row->place);
    bool is_first = true;
    (void)fputc('[', out);
    if (row->kind == KIND_PREFIXES || row->kind == KIND_TARGETS)
        print_prefixes(list, &is_first, out);
    if (row->kind == KIND_ENDPOINTS || row->kind == KIND_EXCEPTIONS)
        print_endpoints(list, &is_first, out);
    if (row->kind == KIND_TARGETS || row->kind == KIND_EXCEPTIONS)
        print_names(value_seen(object, row->second), &is_first, out);
    if (row->kind == KIND_PORTS)
        print_ports(list, &is_first, out);
    if (row->kind == KIND_TEXTS)
        print_names(list, &is_first, out);
    if (row->kind == KIND_PORT_RANGES)
        print_port_ranges(list, &is_first, out);
    if (row->kind == KIND_WINDOWS)
        print_windows(list, &is_first, out);
    (void)fputc(']', out);
}

static void print_rate(uint64_t value, const struct schema_row *row, FILE *out)
{
    if (value == 0) {
        (void)fputc('0', out);
        return;
    }
    print_scaled(value, row->kind == KIND_RATE ? rate_units : size_units, out);
    (void)fputs("/s", out);
}

/* ---- all kinds ---- */

static void print_word(const void *object, const struct schema_row *row, FILE *out)
{
    int index = 0;
    if (row->kind == KIND_BOOL) {
        index = *(const bool *)value_seen(object, row->place) ? 1 : 0;
    } else {
        memcpy(&index, value_seen(object, row->place), sizeof(index));
        if (row->second != 0 && !*(const bool *)value_seen(object, row->second)) {
            (void)fputs("auto", out);
            return;
        }
    }
    CHECK(index >= 0 && index < SCHEMA_WORDS && row->words[index] != NULL);
    (void)fputs(row->words[index], out);
}

static void print_addr(const struct inet_addr *addr, FILE *out)
{
    char text[INET_ADDR_TEXT];
    if (addr->family == INET_NONE) {
        (void)fputs("any", out);
        return;
    }
    inet_addr_format(addr, text);
    value_print_quoted(slice_from_string(text), out);
}

void value_print(const void *object, const struct schema_row *row, FILE *out)
{
    const void *at = value_seen(object, row->place);
    switch (row->kind) {
    case KIND_COUNT: (void)fprintf(out, "%llu", (unsigned long long)*(const uint64_t *)at); break;
    case KIND_UNSIGNED: (void)fprintf(out, "%u", *(const unsigned *)at); break;
    case KIND_MODE: (void)fprintf(out, "\"%04o\"", *(const unsigned *)at); break;
    case KIND_DURATION: print_scaled(*(const uint64_t *)at, duration_units, out); break;
    case KIND_SIZE: print_scaled(*(const uint64_t *)at, size_units, out); break;
    case KIND_RATE:
    case KIND_BANDWIDTH: print_rate(*(const uint64_t *)at, row, out); break;
    case KIND_PATH:
    case KIND_NAME:
    case KIND_WORD: value_print_quoted(*(const struct slice *)at, out); break;
    case KIND_CSTRING: value_print_quoted(slice_from_string(*(const char *const *)at), out); break;
    case KIND_BOOL:
    case KIND_CHOICE: print_word(object, row, out); break;
    case KIND_ADDRESS: print_addr(at, out); break;
    case KIND_LISTEN: print_listen(at, out); break;
    case KIND_ADMIN:
        if (*(const bool *)value_seen(object, row->second))
            (void)fputs("off", out);
        else
            print_listen(at, out);
        break;
    case KIND_PREFIXES:
    case KIND_TARGETS:
    case KIND_EXCEPTIONS:
    case KIND_ENDPOINTS:
    case KIND_PORTS:
    case KIND_TEXTS:
    case KIND_PORT_RANGES:
    case KIND_WINDOWS: print_list(object, row, out); break;
    case KIND_LISTENERS:
    case KIND_RULES:
    case KIND_RANGES: break; /* config_print has them */
    }
}

bool value_is_said(const void *object, const struct schema_row *row)
{
    const struct value_list *list = value_seen(object, row->place);
    const struct value_list *second = value_seen(object, row->second);
    int index = 0;
    switch (row->kind) {
    case KIND_BOOL: return *(const bool *)(const void *)list;
    case KIND_COUNT:
    case KIND_RATE:
    case KIND_BANDWIDTH: return *(const uint64_t *)(const void *)list > 0;
    case KIND_PATH:
    case KIND_NAME:
    case KIND_WORD: return ((const struct slice *)(const void *)list)->len > 0;
    case KIND_CHOICE: memcpy(&index, list, sizeof(index)); return index != 0 || row->key[0] == 'a';
    default: return list->count > 0 || (row->kind == KIND_TARGETS && second->count > 0);
    }
}
