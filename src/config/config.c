/* Settings from defaults, then a file, then flags, then a look at the whole.
 *
 * Loading goes on after an error, so that one run shows them all; it gives a configuration only where there
 * was none. Nothing is opened or bound here: a privileged parent and a plain check use the same code.
 * A configuration and everything in it lie in one `struct memory` and are given back together. */

#include "config/config.h"

#include "base/check.h"
#include "config/loader_internal.h"
#include "config/value.h"

#include <stdlib.h>

/* ---- errors ---- */

void loader_report(struct loader *loader, const struct parse_place *place, struct slice key,
                   struct slice words)
{
    char line[1024];
    struct text text = text_on(line, sizeof(line));
    if (loader->errors->count++ >= LOADER_ERRORS_MAX)
        return;
    if (place != NULL && place->line > 0)
        text_add_format(&text, "%s:%zu:%zu: ", loader->name, place->line, place->column);
    if (key.len > 0) {
        text_add_log(&text, slice_first(key, LOADER_KEY_MAX), '\0');
        text_add(&text, SLICE(": "));
    }
    text_add(&text, words);
    loader->errors->report(loader->errors, text_string(&text));
}

static void loader_report_rest(struct loader *loader)
{
    char line[64];
    struct text text = text_on(line, sizeof(line));
    if (loader->errors->count <= LOADER_ERRORS_MAX)
        return;
    text_add_format(&text, "and %u more", loader->errors->count - LOADER_ERRORS_MAX);
    loader->errors->report(loader->errors, text_string(&text));
}

void loader_expected(struct loader *loader, const struct parse_place *place, struct slice key,
                     const struct schema_row *row, struct slice got)
{
    char words[SCHEMA_EXPECTED_MAX + 256];
    struct text text = text_on(words, sizeof(words));
    text_add(&text, SLICE("expected "));
    schema_expected(row, &text);
    text_add(&text, SLICE("; got \""));
    text_add_log(&text, slice_first(got, 60), '"');
    text_add(&text, got.len > 60 ? SLICE("...\"") : SLICE("\""));
    loader_report(loader, place, key, text_slice(&text));
}

/* ---- where settings come from ---- */

static struct config_origin *origin_find(const struct config_whole *whole, const void *setting)
{
    for (size_t i = 0; i < whole->origin_count; i++) {
        if (whole->origins[i].setting == setting)
            return &whole->origins[i];
    }
    return NULL;
}

static bool loader_owns(const struct loader *loader, const void *object)
{
    if (object == loader->config)
        return true;
    for (size_t i = 0; i < loader->config->listen_count; i++) {
        if (object == &loader->config->listen[i])
            return true;
    }
    return false;
}

void loader_note_origin(struct loader *loader, const struct parse_place *place, struct slice key,
                        const void *setting)
{
    struct config_whole *whole = loader->whole;
    static const struct parse_place nowhere;
    struct config_origin origin = {.setting = setting,
                                   .place = place == NULL ? nowhere : *place,
                                   .key = memory_copy(loader->memory, key)};
    struct config_origin *old = origin_find(whole, setting);
    if (old != NULL) {
        *old = origin;
        return;
    }
    struct config_origin *grown =
        memory_grow(loader->memory, whole->origins, whole->origin_count, sizeof(*whole->origins));
    if (grown == NULL || origin.key.at == NULL) {
        loader->is_out_of_memory = true;
        return;
    }
    whole->origins = grown;
    whole->origins[whole->origin_count++] = origin;
}

/* The key of a setting that nobody set. */
static struct slice origin_key(const struct config *config, const void *setting)
{
    for (size_t i = 0; i < schema_main.count; i++) {
        const struct schema_row *row = &schema_main.rows[i];
        if ((const char *)config + row->place == (const char *)setting)
            return slice_from_string(row->key);
    }
    return SLICE_NONE;
}

void config_add_origin(const struct config *config, const void *setting, struct text *into)
{
    const struct config_whole *whole = (const void *)config; /* its first member */
    const struct config_origin *origin = origin_find(whole, setting);
    struct slice key = origin != NULL ? origin->key : origin_key(config, setting);
    if (origin != NULL && origin->place.line > 0)
        text_add_format(into, "%s:%zu:%zu: ", whole->name.at, origin->place.line,
                        origin->place.column);
    text_add(into, key);
    text_add(into, key.len > 0 ? SLICE(": ") : SLICE(""));
}

bool config_is_set(const struct config *config, const void *setting)
{
    const struct config_whole *whole = (const void *)config; /* its first member */
    return origin_find(whole, setting) != NULL;
}

static void loader_note_value(struct loader *loader, const struct parse_place *place,
                              struct slice key, const void *object, const struct schema_row *row)
{
    const void *setting = (const char *)object + row->place;
    if (!schema_is_list(row) || origin_find(loader->whole, setting) == NULL)
        loader_note_origin(loader, place, key, setting);
}

static void loader_report_limit(struct loader *loader, const struct parse_place *place,
                                struct slice key, const struct schema_row *row)
{
    char words[80];
    struct text text = text_on(words, sizeof(words));
    if (row->kind == KIND_LISTEN || row->kind == KIND_ADMIN)
        text_add_format(&text, "the path of a Unix socket has at most %d bytes",
                        CONFIG_SOCKET_PATH_MAX);
    else
        text_add(&text, SLICE("too many of them"));
    loader_report(loader, place, key, text_slice(&text));
}

void loader_set(struct loader *loader, const struct parse_place *place, struct slice key,
                void *object, const struct schema_row *row, struct slice text)
{
    enum status status = value_set(loader->memory, object, row, text);
    if (status == ST_NOMEM)
        loader->is_out_of_memory = true;
    else if (status == ST_LIMIT)
        loader_report_limit(loader, place, key, row);
    else if (status != ST_OK)
        loader_expected(loader, place, key, row, text);
    else if (loader_owns(loader, object))
        loader_note_value(loader, place, key, object, row);
}

/* ---- defaults ---- */

void loader_set_defaults(struct loader *loader, const struct schema_table *table, void *object)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct schema_row *row = &table->rows[i];
        if (row->initial == NULL || schema_is_table(row))
            continue;
        enum status status =
            value_set(loader->memory, object, row, slice_from_string(row->initial));
        CHECK(status == ST_OK || status == ST_NOMEM);
        loader->is_out_of_memory = loader->is_out_of_memory || status == ST_NOMEM;
    }
}

/* What was set in this object is void. */
static void origins_forget(struct config_whole *whole, const void *object, size_t bytes)
{
    uintptr_t begin = (uintptr_t)object;
    size_t kept = 0;
    for (size_t i = 0; i < whole->origin_count; i++) {
        uintptr_t at = (uintptr_t)whole->origins[i].setting;
        if (at < begin || at >= begin + bytes)
            whole->origins[kept++] = whole->origins[i];
    }
    whole->origin_count = kept;
}

struct config_listen *loader_add_listen(struct loader *loader, const struct parse_place *place)
{
    struct config *config = loader->config;
    static const struct parse_place nowhere;
    if (config->listen_count == LISTEN_MAX) {
        loader_report(loader, place, SLICE("listen"), SLICE("more than 64 listeners"));
        return NULL;
    }
    loader->listen_places[config->listen_count] = place == NULL ? nowhere : *place;
    struct config_listen *listen = &config->listen[config->listen_count++];
    *listen = (struct config_listen){.kind = LISTEN_TCP};
    origins_forget(loader->whole, listen, sizeof(*listen));
    loader_set_defaults(loader, &schema_listen, listen);
    return listen;
}

static void loader_begin(struct loader *loader)
{
    struct config *config = loader->config;
    const struct schema_row *row = schema_find(&schema_main, SLICE("listen"));
    config->listen = memory_alloc(loader->memory, LISTEN_MAX * sizeof(*config->listen));
    if (config->listen == NULL) {
        loader->is_out_of_memory = true;
        return;
    }
    loader_set_defaults(loader, &schema_main, config);
    struct config_listen *listen = loader_add_listen(loader, NULL);
    loader_set(loader, NULL, SLICE("listen"), listen, schema_find(&schema_listen, SLICE("address")),
               slice_from_string(row->initial));
}

/* ---- the whole ---- */

void loader_report_setting(struct loader *loader, const void *setting, const char *key,
                           struct slice words)
{
    const struct config_origin *origin = origin_find(loader->whole, setting);
    if (origin == NULL)
        loader_report(loader, NULL, slice_from_string(key), words);
    else
        loader_report(loader, &origin->place, origin->key, words);
}

bool config_is_open(const struct config *config, const struct config_listen *listen,
                    const struct inet_addr *bound)
{
    bool asks_who = listen->is_tls && listen->needs_client_certificate;
    return bound->family != INET_NONE && !inet_addr_is_loopback(bound) &&
           config->clients.count == 0 && !asks_who && !config_identity_is_required(config);
}

static void listen_key(struct text *text, size_t index, const char *key)
{
    text_add_format(text, "listen[%zu]%s", index, key);
}

static void loader_check_open(struct loader *loader, size_t index)
{
    const struct config_listen *listen = &loader->config->listen[index];
    if (listen->kind != LISTEN_TCP ||
        !config_is_open(loader->config, listen, &listen->endpoint.addr))
        return;
    char words[256];
    char where[INET_ENDPOINT_TEXT];
    struct text text = text_on(words, sizeof(words));
    inet_endpoint_format(&listen->endpoint, where);
    text_add_format(&text,
                    "%s is not loopback, so this would be an open proxy; say who may connect "
                    "(clients.allow, or --allow-clients 10.0.0.0/8; or --users FILE), or listen on "
                    "127.0.0.1",
                    where);
    loader_report_setting(loader, listen, "listen", text_slice(&text));
}

static void loader_check_tls(struct loader *loader, size_t index)
{
    const struct config_listen *listen = &loader->config->listen[index];
    const struct parse_place *place = &loader->listen_places[index];
    char key[32];
    struct text shown = text_on(key, sizeof(key));
    listen_key(&shown, index, ".tls");
    if (!listen->is_tls || place->line == 0) /* flags have been asked already */
        return;
    if (listen->certificate.len == 0 || listen->key.len == 0)
        loader_report(loader, place, text_slice(&shown), SLICE("needs certificate and key"));
    if (listen->needs_client_certificate && listen->client_ca.len == 0)
        loader_report(loader, place, text_slice(&shown),
                      SLICE("client_certificate: required needs client_ca"));
}

static bool listen_is_same(const struct config_listen *a, const struct config_listen *b)
{
    if (a->kind != b->kind || a->kind == LISTEN_INHERITED)
        return false;
    if (a->kind == LISTEN_UNIX)
        return slice_equals(a->path, b->path);
    return a->endpoint.port != 0 && inet_endpoint_equals(&a->endpoint, &b->endpoint);
}

/* One names all addresses of a port, the other one of them: whichever is bound last finds it in use. */
static bool listen_overlaps(const struct config_listen *a, const struct config_listen *b)
{
    return a->kind == LISTEN_TCP && b->kind == LISTEN_TCP && a->endpoint.port != 0 &&
           a->endpoint.port == b->endpoint.port &&
           a->endpoint.addr.family == b->endpoint.addr.family &&
           inet_addr_is_unspecified(&a->endpoint.addr) !=
               inet_addr_is_unspecified(&b->endpoint.addr);
}

static void loader_check_double(struct loader *loader, size_t index)
{
    const struct config *config = loader->config;
    const struct config_listen *listen = &config->listen[index];
    const struct config_listen *admin = config->admin.is_off ? NULL : &config->admin.listen;
    for (size_t i = 0; i < index; i++) {
        if (listen_is_same(&config->listen[i], listen))
            loader_report_setting(loader, listen, "listen",
                                  SLICE("stands in another listener too"));
        else if (listen_overlaps(&config->listen[i], listen))
            loader_report_setting(loader, listen, "listen",
                                  SLICE("overlaps with another listener: one of the two is for "
                                        "all addresses of this port"));
    }
    if (admin != NULL && listen_is_same(admin, listen))
        loader_report_setting(loader, listen, "listen", SLICE("is the admin address too"));
    else if (admin != NULL && listen_overlaps(admin, listen))
        loader_report_setting(loader, listen, "listen",
                              SLICE("overlaps with the admin address: one of the two is for all "
                                    "addresses of this port"));
}

static void loader_check_mode(struct loader *loader, size_t index)
{
    const struct config_listen *listen = &loader->config->listen[index];
    if (listen->kind != LISTEN_UNIX && origin_find(loader->whole, &listen->mode) != NULL)
        loader_report_setting(loader, &listen->mode, "mode",
                              SLICE("only a Unix socket that is made here has permissions; leave "
                                    "this out, or listen on unix:PATH"));
}

/* Who connects to a Unix socket has no address: every sender of a PROXY header would be a stranger. */
static void loader_check_senders(struct loader *loader, size_t index)
{
    const struct config_listen *listen = &loader->config->listen[index];
    if (listen->kind == LISTEN_UNIX && listen->proxy_from.count > 0)
        loader_report_setting(loader, &listen->proxy_from, "proxy_protocol.from",
                              SLICE("a client of a Unix socket has no address that could be in "
                                    "these ranges; leave this out, or listen on an IP address"));
}

/* Does a listener verify certificates, or may one that is inherited be a Unix socket? */
static bool listens_for(const struct config *config, bool wants_certificates)
{
    for (size_t i = 0; i < config->listen_count; i++) {
        const struct config_listen *listen = &config->listen[i];
        if (wants_certificates ? listen->client_ca.len > 0 : listen->kind != LISTEN_TCP)
            return true;
    }
    return false;
}

static void loader_check_identity(struct loader *loader)
{
    const struct config *config = loader->config;
    if (config->identity.certificate != CERTIFICATE_OFF && !listens_for(config, true))
        loader_report_setting(loader, &config->identity.certificate, "identity.certificate",
                              SLICE("no listener asks for client certificates; name who vouches "
                                    "for them in tls.client_ca of one"));
    if (config->identity.takes_peer && !listens_for(config, false))
        loader_report_setting(loader, &config->identity.takes_peer, "identity.peer",
                              SLICE("no listener is a Unix socket"));
    if (config_identity_is_required(config) && !config_identity_is_on(config))
        loader_report_setting(loader, &config->identity.required, "identity.required",
                              SLICE("there is no way to tell who asks, so every request would be "
                                    "refused; name a users file in identity.basic.users"));
}

/* The target is part of the head. Whichever of the two limits was set is the one to change. */
static void loader_report_target(struct loader *loader)
{
    const struct config *config = loader->config;
    if (origin_find(loader->whole, &config->limits.target_bytes) != NULL)
        loader_report_setting(loader, &config->limits.target_bytes, "",
                              SLICE("is more than limits.head_bytes, which holds the target"));
    else
        loader_report_setting(loader, &config->limits.head_bytes, "",
                              SLICE("is less than limits.target_bytes, which it holds"));
}

/* What a listener is called that nobody gave a name. */
static void loader_name_listen(struct loader *loader, struct config_listen *listen)
{
    char space[INET_ENDPOINT_TEXT];
    listen->has_name = listen->name.len > 0;
    if (listen->has_name)
        return;
    if (listen->kind == LISTEN_TCP) {
        inet_endpoint_format(&listen->endpoint, space);
        listen->name = memory_copy(loader->memory, slice_from_string(space));
    } else {
        listen->name = listen->kind == LISTEN_UNIX ? listen->path : SLICE("inherited");
    }
    loader->is_out_of_memory = loader->is_out_of_memory || listen->name.at == NULL;
}

static void loader_check(struct loader *loader)
{
    const struct config *config = loader->config;
    const struct config_listen *admin = &config->admin.listen;
    if (config->listen_count == 0)
        loader_report(loader, NULL, SLICE("listen"), SLICE("no listener is left"));
    for (size_t i = 0; i < config->listen_count; i++) {
        loader_check_open(loader, i);
        loader_check_tls(loader, i);
        loader_check_double(loader, i);
        loader_check_mode(loader, i);
        loader_check_senders(loader, i);
        loader_name_listen(loader, &config->listen[i]);
    }
    loader_check_rules(loader);
    if (!config->admin.is_off && admin->kind == LISTEN_TCP &&
        !inet_addr_is_loopback(&admin->endpoint.addr) && config->admin.token_file.len == 0)
        loader_report_setting(
            loader, admin, "admin.address",
            SLICE("is beyond loopback, where requests must show a token: name the file "
                  "that holds it in admin.token_file"));
    loader_check_identity(loader);
    loader_check_limits(loader);
    if (config->limits.target_bytes > config->limits.head_bytes)
        loader_report_target(loader);
}

enum status config_load(const char *name, struct slice text, int argc, const char *const *argv,
                        struct config_errors *errors, struct config **ret_config)
{
    struct config_whole *whole = calloc(1, sizeof(*whole));
    if (whole == NULL)
        return ST_NOMEM;
    struct loader loader = {.config = &whole->config,
                            .whole = whole,
                            .memory = &whole->memory,
                            .errors = errors,
                            .name = name};
    table_init(&loader.rule_names);
    whole->name = memory_copy(&whole->memory, slice_from_string(name));
    loader.is_out_of_memory = whole->name.at == NULL;
    if (!loader.is_out_of_memory)
        loader_begin(&loader);
    if (!loader.is_out_of_memory)
        loader_file(&loader, text);
    if (!loader.is_out_of_memory)
        loader_flags(&loader, argc, argv);
    if (!loader.is_out_of_memory && errors->count == 0)
        loader_check(&loader);
    table_done(&loader.rule_names);
    loader_report_rest(&loader);
    struct config *config = &whole->config;
    if (loader.is_out_of_memory || errors->count > 0) {
        config_destroy(&config);
        return loader.is_out_of_memory ? ST_NOMEM : ST_BAD;
    }
    *ret_config = config;
    return ST_OK;
}

void config_destroy(struct config **config)
{
    if (*config == NULL)
        return;
    struct config_whole *whole = CONTAINER_OF(*config, struct config_whole, config);
    memory_done(&whole->memory);
    free(whole);
    *config = NULL;
}

bool config_prefixes_contain(const struct config_prefixes *prefixes, const struct inet_addr *addr)
{
    struct inet_addr plain = inet_addr_unmap(addr);
    for (size_t i = 0; i < prefixes->count; i++) {
        if (inet_prefix_contains(&prefixes->at[i], &plain))
            return true;
    }
    return false;
}
