/* Values: text to memory and back. Lists grow by one; they are short and made once. */

#include "config/value.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/host.h"

#include <stdlib.h>

static void *value_at(const struct config *config, size_t offset)
{
    return (char *)(uintptr_t)config + offset;
}

struct slice value_copy(struct slice text)
{
    char *copy = malloc(text.len + 1);
    if (copy == NULL)
        return SLICE_NONE;
    if (text.len > 0)
        memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    return slice_of(copy, text.len);
}

struct value_unit {
    const char *name;
    uint64_t factor;
};
static const struct value_unit duration_units[] = {
    {"ms", NS_PER_MS}, {"s", NS_PER_S}, {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S}, {NULL, 0}};
static const struct value_unit size_units[] = {
    {"B", 1},         {"KB", 1000},       {"MB", 1000000}, {"GB", 1000000000},
    {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};

/* Digits and a unit. */
static enum status value_scaled(struct slice text, const struct value_unit *units,
                                uint64_t *ret_value)
{
    size_t digits = 0;
    while (digits < text.len && char_is_digit(text.at[digits]))
        digits++;
    uint64_t number;
    if (slice_to_u64(slice_first(text, digits), UINT32_MAX, &number) != ST_OK)
        return ST_BAD;
    struct slice unit = slice_from(text, digits);
    for (; units->name != NULL; units++) {
        if (slice_equals(unit, slice_from_string(units->name))) {
            *ret_value = number * units->factor;
            return ST_OK;
        }
    }
    return ST_BAD;
}

/* Room for one more element. */
static void *value_grow(void *list, size_t *count, size_t element_bytes)
{
    void *grown = realloc(list, (*count + 1) * element_bytes);
    if (grown != NULL)
        (*count)++;
    return grown;
}

static enum status value_add_prefix(struct config_prefixes *list, struct slice text)
{
    struct inet_prefix prefix;
    if (inet_prefix_parse(text, &prefix) != ST_OK)
        return ST_BAD;
    void *grown = value_grow(list->at, &list->count, sizeof(prefix));
    if (grown == NULL)
        return ST_NOMEM;
    list->at = grown;
    list->at[list->count - 1] = prefix;
    return ST_OK;
}

static enum status value_add_name(struct config_strings *list, struct slice text)
{
    struct host host;
    bool is_below = slice_starts_with(text, SLICE("*."));
    if (host_parse(slice_from(text, is_below ? 2 : 0), &host) != HOST_FINE ||
        host.kind != HOST_NAME)
        return ST_BAD;
    struct slice copy = value_copy(text);
    void *grown = value_grow(list->at, &list->count, sizeof(copy));
    if (grown == NULL || copy.at == NULL)
        return ST_NOMEM;
    list->at = grown;
    list->at[list->count - 1] = copy;
    return ST_OK;
}

static enum status value_add_endpoint(struct config_endpoints *list, struct slice text)
{
    struct inet_endpoint endpoint = {0};
    if (inet_endpoint_parse(text, &endpoint) != ST_OK &&
        inet_addr_parse(text, &endpoint.addr) != ST_OK)
        return ST_BAD;
    void *grown = value_grow(list->at, &list->count, sizeof(endpoint));
    if (grown == NULL)
        return ST_NOMEM;
    list->at = grown;
    list->at[list->count - 1] = endpoint;
    return ST_OK;
}

static enum status value_add_port(struct config_ports *list, struct slice text)
{
    uint64_t port;
    if (slice_equals(text, SLICE("any"))) {
        list->is_any = true;
        return ST_OK;
    }
    if (slice_to_u64(text, 65535, &port) != ST_OK || port == 0)
        return ST_BAD;
    void *grown = value_grow(list->at, &list->count, sizeof(uint16_t));
    if (grown == NULL)
        return ST_NOMEM;
    list->at = grown;
    list->at[list->count - 1] = (uint16_t)port;
    return ST_OK;
}

static enum status value_choose(const struct schema_row *row, struct slice text, void *at)
{
    for (int i = 0; i < 5 && row->choices[i] != NULL; i++) {
        if (slice_equals(text, slice_from_string(row->choices[i]))) {
            memcpy(at, &i, sizeof(i));
            return ST_OK;
        }
    }
    return ST_BAD;
}

static enum status value_set_text(struct slice *at, struct slice text)
{
    struct slice copy = value_copy(text);
    if (copy.at == NULL)
        return ST_NOMEM;
    free((void *)(uintptr_t)at->at);
    *at = copy;
    return ST_OK;
}

static enum status value_set_bool(struct slice text, bool *at)
{
    bool is_true = slice_equals(text, SLICE("true"));
    if (!is_true && !slice_equals(text, SLICE("false")))
        return ST_BAD;
    *at = is_true;
    return ST_OK;
}

static enum status value_set_number(const struct schema_row *row, struct slice text, void *at)
{
    uint64_t value;
    if (row->kind == KIND_DURATION)
        return value_scaled(text, duration_units, at);
    if (row->kind == KIND_SIZE)
        return value_scaled(text, size_units, at);
    if (slice_to_u64(text, UINT32_MAX, &value) != ST_OK)
        return ST_BAD;
    if (row->kind == KIND_UNSIGNED)
        *(unsigned *)at = (unsigned)value;
    else
        *(uint64_t *)at = value;
    return ST_OK;
}

enum status value_set(struct config *config, const struct schema_row *row, struct slice text)
{
    void *at = value_at(config, row->offset);
    struct slice copy;
    switch (row->kind) {
    case KIND_BOOL: return value_set_bool(text, at);
    case KIND_COUNT:
    case KIND_UNSIGNED:
    case KIND_DURATION:
    case KIND_SIZE: return value_set_number(row, text, at);
    case KIND_TEXT: return value_set_text(at, text);
    case KIND_CSTRING:
        copy = value_copy(text);
        free((void *)(uintptr_t)(*(const char **)at));
        *(const char **)at = copy.at;
        return copy.at == NULL ? ST_NOMEM : ST_OK;
    case KIND_ADDRESS: return inet_addr_parse(text, at);
    case KIND_PREFIXES: return value_add_prefix(at, text);
    case KIND_TARGETS:
        if (value_add_prefix(at, text) == ST_OK)
            return ST_OK;
        return value_add_name(value_at(config, row->offset2), text);
    case KIND_ENDPOINTS: return value_add_endpoint(at, text);
    case KIND_PORTS: return value_add_port(at, text);
    case KIND_CHOICE: return value_choose(row, text, at);
    }
    return ST_BAD;
}

static void value_free_strings(struct config_strings *list)
{
    for (size_t i = 0; i < list->count; i++)
        free((void *)(uintptr_t)list->at[i].at);
    free(list->at);
    *list = (struct config_strings){0};
}

/* All lists begin with a pointer and a count. */
static void value_free_list(void *at)
{
    struct config_prefixes *list = at;
    free(list->at);
    list->at = NULL;
    list->count = 0;
}

void value_clear(struct config *config, const struct schema_row *row)
{
    void *at = value_at(config, row->offset);
    switch (row->kind) {
    case KIND_TARGETS:
        value_free_strings(value_at(config, row->offset2));
        value_free_list(at);
        break;
    case KIND_PORTS:
        ((struct config_ports *)at)->is_any = false;
        value_free_list(at);
        break;
    case KIND_PREFIXES:
    case KIND_ENDPOINTS: value_free_list(at); break;
    case KIND_BOOL:
    case KIND_COUNT:
    case KIND_UNSIGNED:
    case KIND_DURATION:
    case KIND_SIZE:
    case KIND_TEXT:
    case KIND_CSTRING:
    case KIND_ADDRESS:
    case KIND_CHOICE: break;
    }
}

void value_free(struct config *config, const struct schema_row *row)
{
    void *at = value_at(config, row->offset);
    if (row->kind == KIND_TEXT)
        free((void *)(uintptr_t)((struct slice *)at)->at);
    else if (row->kind == KIND_CSTRING)
        free((void *)(uintptr_t)(*(const char **)at));
    else
        value_clear(config, row);
}

enum status value_listen(struct slice text, struct config_listen *ret_listen)
{
    struct config_listen listen = {.mode = 0600};
    if (slice_equals(text, SLICE("inherited"))) {
        listen.kind = LISTEN_INHERITED;
    } else if (slice_starts_with(text, SLICE("unix:")) && text.len > 5) {
        listen.kind = LISTEN_UNIX;
        listen.path = value_copy(slice_from(text, 5));
        if (listen.path.at == NULL)
            return ST_NOMEM;
    } else if (inet_endpoint_parse(text, &listen.endpoint) != ST_OK) {
        return ST_BAD;
    }
    *ret_listen = listen;
    return ST_OK;
}

/* ---- printing ---- */

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
        (void)fprintf(out, "\"%s\"", text);
    }
}

static void print_list(const struct config *config, const struct schema_row *row, FILE *out)
{
    const void *at = value_at(config, row->offset);
    bool is_first = true;
    (void)fputc('[', out);
    if (row->kind == KIND_PREFIXES || row->kind == KIND_TARGETS)
        print_prefixes(at, &is_first, out);
    if (row->kind == KIND_TARGETS) {
        const struct config_strings *names = value_at(config, row->offset2);
        for (size_t i = 0; i < names->count; i++) {
            print_comma(&is_first, out);
            (void)fprintf(out, "\"%s\"", names->at[i].at);
        }
    }
    if (row->kind == KIND_ENDPOINTS) {
        const struct config_endpoints *list = at;
        for (size_t i = 0; i < list->count; i++) {
            char text[INET_ENDPOINT_TEXT];
            if (list->at[i].port == 0)
                inet_addr_format(&list->at[i].addr, text);
            else
                inet_endpoint_format(&list->at[i], text);
            print_comma(&is_first, out);
            (void)fprintf(out, "\"%s\"", text);
        }
    }
    if (row->kind == KIND_PORTS) {
        const struct config_ports *list = at;
        for (size_t i = 0; i < list->count; i++) {
            print_comma(&is_first, out);
            (void)fprintf(out, "%u", list->at[i]);
        }
        if (list->is_any) {
            print_comma(&is_first, out);
            (void)fputs("any", out);
        }
    }
    (void)fputc(']', out);
}

void value_print(const struct config *config, const struct schema_row *row, FILE *out)
{
    const void *at = value_at(config, row->offset);
    char text[INET_ADDR_TEXT];
    int choice;
    switch (row->kind) {
    case KIND_BOOL: (void)fputs(*(const bool *)at ? "true" : "false", out); break;
    case KIND_COUNT:
        (void)fprintf(out, "%llu", (unsigned long long)*(const uint64_t *)at);
        break;
    case KIND_UNSIGNED: (void)fprintf(out, "%u", *(const unsigned *)at); break;
    case KIND_DURATION: print_scaled(*(const uint64_t *)at, duration_units, out); break;
    case KIND_SIZE: print_scaled(*(const uint64_t *)at, size_units, out); break;
    case KIND_TEXT: {
        const struct slice *value = at;
        (void)fprintf(out, "\"%.*s\"", (int)value->len, value->len > 0 ? value->at : "");
        break;
    }
    case KIND_CSTRING: {
        const char *value = *(const char *const *)at;
        (void)fprintf(out, "\"%s\"", value == NULL ? "" : value);
        break;
    }
    case KIND_ADDRESS:
        inet_addr_format(at, text);
        (void)fprintf(out, "\"%s\"", ((const struct inet_addr *)at)->family == INET_NONE ? "" : text);
        break;
    case KIND_CHOICE:
        memcpy(&choice, at, sizeof(choice));
        (void)fputs(row->choices[choice], out);
        break;
    case KIND_PREFIXES:
    case KIND_TARGETS:
    case KIND_ENDPOINTS:
    case KIND_PORTS: print_list(config, row, out); break;
    }
}
