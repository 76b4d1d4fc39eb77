/* From a file and flags to settings.
 *
 * The YAML document is walked once; every scalar that is not inside `listen` or `admin` is a row of the schema
 * table, found by its path. Flags name the same rows and are applied afterwards, so a flag wins; the first
 * value of a list from a new source replaces what an earlier source had. All errors are reported before
 * giving up, each with file, line, column, key, what was expected and the nearest key. */

#include "config/config.h"

#include "base/check.h"
#include "base/text.h"
#include "config/value.h"

#include <stdlib.h>
#include <yaml.h>

enum { ERRORS_MAX = 20, KEY_MAX = 128, FILE_MAX = 1 << 20, LISTEN_MAX = 64 };

struct loader {
    struct config *config;
    struct config_errors *errors;
    const char *name;
    yaml_document_t *document;
    bool *seen; /* for each row: set by the present source */
    bool has_listen;
};

static void loader_report(struct loader *loader, const yaml_node_t *node, const char *key,
                          const char *message)
{
    char line[512];
    struct text text = text_on(line, sizeof(line));
    if (node != NULL)
        text_add_format(&text, "%s:%zu:%zu: ", loader->name, node->start_mark.line + 1,
                        node->start_mark.column + 1);
    if (key != NULL && key[0] != '\0')
        text_add_format(&text, "%s: ", key);
    text_add_format(&text, "%s", message);
    if (loader->errors->count++ < ERRORS_MAX)
        loader->errors->report(loader->errors, text_string(&text));
}

/* ---- nearest key ---- */

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Edit distance of two short words. */
static size_t distance(const char *a, const char *b)
{
    size_t row[KEY_MAX + 1];
    size_t len = strlen(b) < KEY_MAX ? strlen(b) : KEY_MAX;
    for (size_t j = 0; j <= len; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= len; j++) {
            size_t above = row[j];
            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[len];
}

static void loader_unknown(struct loader *loader, const yaml_node_t *node, const char *key,
                           const char *const *others, size_t other_count)
{
    const char *best = NULL;
    size_t best_distance = 6;
    for (size_t i = 0; i < schema_count + other_count; i++) {
        const char *candidate = i < schema_count ? schema_rows[i].key : others[i - schema_count];
        size_t away = distance(key, candidate);
        if (away < best_distance) {
            best_distance = away;
            best = candidate;
        }
    }
    char message[256];
    struct text text = text_on(message, sizeof(message));
    text_add(&text, SLICE("unknown key"));
    if (best != NULL)
        text_add_format(&text, "; did you mean \"%s\"?", best);
    loader_report(loader, node, key, text_string(&text));
}

/* ---- values ---- */

static void loader_wrong(struct loader *loader, const yaml_node_t *node, const char *key,
                         const char *expected, struct slice got)
{
    char message[384];
    struct text text = text_on(message, sizeof(message));
    text_add_format(&text, "expected %s, got \"", expected);
    text_add_log(&text, slice_first(got, 100), '"');
    text_add_char(&text, '"');
    loader_report(loader, node, key, text_string(&text));
}

static void loader_set(struct loader *loader, const yaml_node_t *node,
                       const struct schema_row *row, const char *key, struct slice value)
{
    size_t index = (size_t)(row - schema_rows);
    if (!loader->seen[index])
        value_clear(loader->config, row);
    loader->seen[index] = true;
    if (memchr(value.at, '\0', value.len) != NULL || value_set(loader->config, row, value) != ST_OK)
        loader_wrong(loader, node, key, schema_expected(row), value);
    if (slice_equals(slice_from_string(row->key), SLICE("log.format")))
        loader->config->log.has_format = true;
}

static const struct schema_row *schema_find(const char *key)
{
    for (size_t i = 0; i < schema_count; i++) {
        if (strcmp(schema_rows[i].key, key) == 0)
            return &schema_rows[i];
    }
    return NULL;
}

static struct slice node_text(const yaml_node_t *node)
{
    return slice_of((const char *)node->data.scalar.value, node->data.scalar.length);
}

static yaml_node_t *loader_node(struct loader *loader, int index)
{
    return yaml_document_get_node(loader->document, index);
}

/* ---- listen and admin ---- */

static void listen_key(struct loader *loader, struct config_listen *listen, const char *key,
                       const yaml_node_t *node);

static void listen_map(struct loader *loader, struct config_listen *listen, const char *prefix,
                       const yaml_node_t *map)
{
    for (yaml_node_pair_t *pair = map->data.mapping.pairs.start;
         pair < map->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = loader_node(loader, pair->key);
        char key[KEY_MAX];
        struct text text = text_on(key, sizeof(key));
        text_add_format(&text, "%s%.60s", prefix,
                        name->type == YAML_SCALAR_NODE ? (char *)name->data.scalar.value : "?");
        listen_key(loader, listen, text_string(&text), loader_node(loader, pair->value));
    }
}

static void listen_proxy_from(struct loader *loader, struct config_listen *listen,
                              const yaml_node_t *node)
{
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         node->type == YAML_SEQUENCE_NODE && item < node->data.sequence.items.top; item++) {
        const yaml_node_t *value = loader_node(loader, *item);
        struct inet_prefix prefix;
        if (value->type != YAML_SCALAR_NODE ||
            inet_prefix_parse(node_text(value), &prefix) != ST_OK) {
            loader_report(loader, value, "listen.proxy_protocol.from", "expected a range");
            continue;
        }
        struct config_prefixes *list = &listen->proxy_from;
        void *grown = realloc(list->at, (list->count + 1) * sizeof(prefix));
        if (grown == NULL)
            return;
        list->at = grown;
        list->at[list->count++] = prefix;
    }
}

static void listen_address(struct loader *loader, struct config_listen *listen,
                           const yaml_node_t *node)
{
    struct config_listen parsed;
    if (node->type != YAML_SCALAR_NODE || value_listen(node_text(node), &parsed) != ST_OK) {
        loader_report(loader, node, "address",
                      "expected ADDRESS:PORT, unix:PATH or inherited");
        return;
    }
    listen->kind = parsed.kind;
    listen->endpoint = parsed.endpoint;
    listen->path = parsed.path;
}

static void listen_key(struct loader *loader, struct config_listen *listen, const char *key,
                       const yaml_node_t *node)
{
    static const char *const keys[] = {
        "listen.address",        "listen.tls",           "listen.tls.certificate",
        "listen.tls.key",        "listen.tls.client_ca", "listen.tls.client_certificate",
        "listen.proxy_protocol", "listen.mode",          "listen.proxy_protocol.from"};
    bool is_map = node->type == YAML_MAPPING_NODE;
    bool is_text = node->type == YAML_SCALAR_NODE;
    if (strcmp(key, keys[0]) == 0) {
        listen_address(loader, listen, node);
    } else if (strcmp(key, keys[1]) == 0 && is_map) {
        listen->is_tls = true;
        listen_map(loader, listen, "listen.tls.", node);
    } else if (strcmp(key, keys[2]) == 0 && is_text) {
        listen->certificate = value_copy(node_text(node));
    } else if (strcmp(key, keys[3]) == 0 && is_text) {
        listen->key = value_copy(node_text(node));
    } else if (strcmp(key, keys[4]) == 0 && is_text) {
        listen->client_ca = value_copy(node_text(node));
    } else if (strcmp(key, keys[5]) == 0 && is_text) {
        listen->needs_client_certificate = slice_equals(node_text(node), SLICE("required"));
        if (!listen->needs_client_certificate && !slice_equals(node_text(node), SLICE("optional")))
            loader_wrong(loader, node, key, "required or optional", node_text(node));
    } else if (strcmp(key, keys[6]) == 0 && is_map) {
        listen_map(loader, listen, "listen.proxy_protocol.", node);
    } else if (strcmp(key, keys[7]) == 0 && is_text) {
        listen->mode = (unsigned)strtoul((char *)node->data.scalar.value, NULL, 8) & 0777;
    } else if (strcmp(key, keys[8]) == 0) {
        listen_proxy_from(loader, listen, node);
    } else {
        loader_unknown(loader, node, key, keys, COUNT_OF(keys));
    }
}

static struct config_listen *config_add_listen(struct config *config)
{
    if (config->listen_count >= LISTEN_MAX)
        return NULL;
    void *grown = realloc(config->listen, (config->listen_count + 1) * sizeof(*config->listen));
    if (grown == NULL)
        return NULL;
    config->listen = grown;
    config->listen[config->listen_count] = (struct config_listen){.mode = 0600};
    return &config->listen[config->listen_count++];
}

static void listen_done(struct config_listen *listen)
{
    free((void *)(uintptr_t)listen->path.at);
    free((void *)(uintptr_t)listen->certificate.at);
    free((void *)(uintptr_t)listen->key.at);
    free((void *)(uintptr_t)listen->client_ca.at);
    free(listen->proxy_from.at);
}

static void config_clear_listen(struct config *config)
{
    for (size_t i = 0; i < config->listen_count; i++)
        listen_done(&config->listen[i]);
    config->listen_count = 0;
}

static void loader_listen(struct loader *loader, const yaml_node_t *node)
{
    if (node->type != YAML_SEQUENCE_NODE) {
        loader_report(loader, node, "listen", "expected a list of listeners");
        return;
    }
    config_clear_listen(loader->config);
    loader->has_listen = true;
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        const yaml_node_t *entry = loader_node(loader, *item);
        struct config_listen *listen = config_add_listen(loader->config);
        if (listen == NULL)
            loader_report(loader, entry, "listen", "too many listeners");
        else if (entry->type == YAML_MAPPING_NODE)
            listen_map(loader, listen, "listen.", entry);
        else
            listen_address(loader, listen, entry);
        if (listen != NULL && listen->is_tls &&
            (listen->certificate.len == 0 || listen->key.len == 0))
            loader_report(loader, entry, "listen.tls", "expected certificate and key");
    }
}

static bool config_set_admin(struct config *config, struct slice text)
{
    config->admin.is_off = slice_equals(text, SLICE("off"));
    if (config->admin.is_off)
        return true;
    struct config_listen listen;
    bool is_path = text.len > 0 && (text.at[0] == '/' || text.at[0] == '.');
    if (is_path) {
        listen = (struct config_listen){.kind = LISTEN_UNIX, .mode = 0600};
        listen.path = value_copy(text);
    } else if (value_listen(text, &listen) != ST_OK) {
        return false;
    }
    listen_done(&config->admin.listen);
    config->admin.listen = listen;
    return true;
}

static void loader_admin(struct loader *loader, const char *key, const yaml_node_t *node)
{
    bool is_text = node->type == YAML_SCALAR_NODE;
    if (strcmp(key, "admin.address") == 0 && is_text) {
        if (!config_set_admin(loader->config, node_text(node)))
            loader_wrong(loader, node, key, "ADDRESS:PORT, unix:PATH or off", node_text(node));
    } else if (strcmp(key, "admin.token_file") == 0 && is_text) {
        loader->config->admin.token_file = value_copy(node_text(node));
    } else {
        static const char *const keys[] = {"admin.address", "admin.token_file"};
        loader_unknown(loader, node, key, keys, COUNT_OF(keys));
    }
}

/* ---- the document ---- */

static void loader_value(struct loader *loader, const char *key, const yaml_node_t *node)
{
    static const char *const others[] = {"listen", "admin", "timeouts", "limits", "egress", "log"};
    const struct schema_row *row = schema_find(key);
    if (strncmp(key, "admin.", 6) == 0) {
        loader_admin(loader, key, node);
        return;
    }
    if (row == NULL) {
        loader_unknown(loader, node, key, others, COUNT_OF(others));
        return;
    }
    if (loader->seen[row - schema_rows])
        loader_report(loader, node, key, "the key stands here a second time");
    bool is_list = row->kind == KIND_PREFIXES || row->kind == KIND_TARGETS ||
                   row->kind == KIND_ENDPOINTS || row->kind == KIND_PORTS;
    if (node->type == YAML_SCALAR_NODE) {
        loader_set(loader, node, row, key, node_text(node));
        return;
    }
    if (node->type != YAML_SEQUENCE_NODE || !is_list) {
        loader_report(loader, node, key, schema_expected(row));
        return;
    }
    if (!loader->seen[row - schema_rows])
        value_clear(loader->config, row);
    loader->seen[row - schema_rows] = true;
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        const yaml_node_t *element = loader_node(loader, *item);
        if (element->type == YAML_SCALAR_NODE)
            loader_set(loader, element, row, key, node_text(element));
        else
            loader_report(loader, element, key, schema_expected(row));
    }
}

/* A map: its keys are sections or values. At most two levels deep. */
static void loader_map(struct loader *loader, const char *prefix, const yaml_node_t *map)
{
    for (yaml_node_pair_t *pair = map->data.mapping.pairs.start;
         pair < map->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = loader_node(loader, pair->key);
        const yaml_node_t *node = loader_node(loader, pair->value);
        char key[KEY_MAX];
        struct text text = text_on(key, sizeof(key));
        text_add_format(&text, "%s%.60s", prefix,
                        name->type == YAML_SCALAR_NODE ? (char *)name->data.scalar.value : "?");
        (void)text_string(&text);
        if (prefix[0] == '\0' && strcmp(key, "listen") == 0) {
            loader_listen(loader, node);
        } else if (prefix[0] == '\0' && node->type == YAML_MAPPING_NODE) {
            text_add_char(&text, '.');
            loader_map(loader, text_string(&text), node);
        } else {
            loader_value(loader, key, schema_find(key) != NULL || prefix[0] != '\0' ? node : name);
        }
    }
}

static void loader_file(struct loader *loader, struct slice text)
{
    yaml_parser_t parser;
    yaml_document_t document;
    if (text.len > FILE_MAX || !yaml_parser_initialize(&parser)) {
        loader_report(loader, NULL, loader->name, "the file is larger than 1 MiB");
        return;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.at, text.len);
    if (!yaml_parser_load(&parser, &document)) {
        char line[400];
        struct text message = text_on(line, sizeof(line));
        text_add_format(&message, "%s:%zu:%zu: %s", loader->name, parser.problem_mark.line + 1,
                        parser.problem_mark.column + 1,
                        parser.problem != NULL ? parser.problem : "not YAML");
        loader_report(loader, NULL, NULL, text_string(&message));
        yaml_parser_delete(&parser);
        return;
    }
    loader->document = &document;
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    if (root != NULL && root->type == YAML_MAPPING_NODE)
        loader_map(loader, "", root);
    else if (root != NULL)
        loader_report(loader, root, NULL, "expected a map of settings");
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
}

/* ---- flags ---- */

static const struct schema_row *flag_find(struct slice name)
{
    for (size_t i = 0; i < schema_count; i++) {
        if (schema_rows[i].flag != NULL &&
            slice_equals(name, slice_from_string(schema_rows[i].flag)))
            return &schema_rows[i];
    }
    return NULL;
}

/* --timeout PHASE=DURATION. */
static void flag_timeout(struct loader *loader, struct slice value)
{
    char key[KEY_MAX];
    struct text text = text_on(key, sizeof(key));
    size_t equals = slice_find(value, '=');
    text_add(&text, SLICE("timeouts."));
    text_add(&text, slice_first(value, equals < 40 ? equals : 40));
    const struct schema_row *row = schema_find(text_string(&text));
    if (equals == value.len || row == NULL)
        loader_wrong(loader, NULL, "--timeout", "PHASE=DURATION with a phase of timeouts in the manual",
                     value);
    else
        loader_set(loader, NULL, row, "--timeout", slice_from(value, equals + 1));
}

/* The last --listen-tls, for --tls-cert and its kin; they hold for every TLS listener of the flags. */
static void flags_finish_tls(struct loader *loader, struct slice certificate, struct slice key,
                             struct slice client_ca)
{
    struct config *config = loader->config;
    for (size_t i = 0; i < config->listen_count; i++) {
        struct config_listen *listen = &config->listen[i];
        if (!listen->is_tls || listen->certificate.len > 0)
            continue;
        if (certificate.len == 0 || key.len == 0) {
            loader_report(loader, NULL, "--listen-tls", "needs --tls-cert FILE and --tls-key FILE");
            return;
        }
        listen->certificate = value_copy(certificate);
        listen->key = value_copy(key);
        listen->client_ca = value_copy(client_ca);
    }
}

static void flag_listen(struct loader *loader, struct slice value, bool is_tls)
{
    struct config_listen parsed;
    if (!loader->has_listen)
        config_clear_listen(loader->config);
    loader->has_listen = true;
    if (value_listen(value, &parsed) != ST_OK) {
        loader_wrong(loader, NULL, is_tls ? "--listen-tls" : "--listen",
                     "ADDRESS:PORT, unix:PATH or inherited", value);
        return;
    }
    struct config_listen *listen = config_add_listen(loader->config);
    if (listen != NULL) {
        *listen = parsed;
        listen->is_tls = is_tls;
    }
}

struct flags_tls {
    struct slice certificate, key, client_ca;
};

static void flag_apply(struct loader *loader, struct slice name, struct slice value,
                       struct flags_tls *tls)
{
    const struct schema_row *row = flag_find(name);
    if (row != NULL)
        loader_set(loader, NULL, row, row->flag, value);
    else if (slice_equals(name, SLICE("--listen")))
        flag_listen(loader, value, false);
    else if (slice_equals(name, SLICE("--listen-tls")))
        flag_listen(loader, value, true);
    else if (slice_equals(name, SLICE("--tls-cert")))
        tls->certificate = value;
    else if (slice_equals(name, SLICE("--tls-key")))
        tls->key = value;
    else if (slice_equals(name, SLICE("--client-ca")))
        tls->client_ca = value;
    else if (slice_equals(name, SLICE("--timeout")))
        flag_timeout(loader, value);
    else if (slice_equals(name, SLICE("--admin"))) {
        if (!config_set_admin(loader->config, value))
            loader_wrong(loader, NULL, "--admin", "ADDRESS:PORT, a path or off", value);
    } else if (!slice_equals(name, SLICE("--config")) && !slice_equals(name, SLICE("-c"))) {
        char message[160];
        struct text text = text_on(message, sizeof(message));
        text_add(&text, SLICE("unknown option "));
        text_add_log(&text, slice_first(name, 60), '\0');
        text_add(&text, SLICE("; fairlead --help lists them"));
        loader_report(loader, NULL, NULL, text_string(&text));
    }
}

static void loader_flags(struct loader *loader, int argc, const char *const *argv)
{
    struct flags_tls tls = {0};
    memset(loader->seen, 0, schema_count * sizeof(bool));
    loader->has_listen = false;
    for (int i = 0; i < argc; i++) {
        struct slice name = slice_from_string(argv[i]);
        size_t equals = slice_find(name, '=');
        struct slice value = slice_from(name, equals + 1);
        bool has_value = equals < name.len;
        name = slice_first(name, equals);
        if (!slice_starts_with(name, SLICE("-"))) {
            loader_wrong(loader, NULL, NULL, "an option", name);
            return;
        }
        if (!has_value && i + 1 < argc)
            value = slice_from_string(argv[++i]);
        else if (!has_value) {
            loader_report(loader, NULL, argv[i], "needs a value");
            return;
        }
        flag_apply(loader, name, value, &tls);
    }
    flags_finish_tls(loader, tls.certificate, tls.key, tls.client_ca);
}

const char *config_file_flag(int argc, const char *const *argv)
{
    for (int i = 0; i < argc; i++) {
        bool is_short = strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "--config") == 0;
        if (is_short && i + 1 < argc)
            return argv[i + 1];
        if (strncmp(argv[i], "--config=", 9) == 0)
            return argv[i] + 9;
    }
    return NULL;
}

/* ---- all together ---- */

/* The open-proxy guard: beyond loopback only with a client range. */
static void loader_guard(struct loader *loader)
{
    const struct config *config = loader->config;
    for (size_t i = 0; i < config->listen_count; i++) {
        const struct config_listen *listen = &config->listen[i];
        bool is_open = listen->kind == LISTEN_TCP &&
                       !inet_addr_is_loopback(&listen->endpoint.addr) && config->clients.count == 0 &&
                       listen->client_ca.len == 0;
        char text[INET_ENDPOINT_TEXT];
        char message[300];
        if (!is_open)
            continue;
        inet_endpoint_format(&listen->endpoint, text);
        struct text line = text_on(message, sizeof(message));
        text_add_format(&line,
                        "listening on %s would be an open proxy; say which clients may connect, "
                        "for example --allow-clients 10.0.0.0/8",
                        text);
        loader_report(loader, NULL, NULL, text_string(&line));
    }
    const struct config_listen *admin = &config->admin.listen;
    if (!config->admin.is_off && admin->kind == LISTEN_TCP &&
        !inet_addr_is_loopback(&admin->endpoint.addr) && config->admin.token_file.len == 0)
        loader_report(loader, NULL, "admin", "beyond loopback it needs admin.token_file");
}

static enum status config_set_defaults(struct loader *loader)
{
    struct config *config = loader->config;
    for (size_t i = 0; i < schema_count; i++) {
        const char *initial = schema_rows[i].initial;
        if (initial != NULL &&
            value_set(config, &schema_rows[i], slice_from_string(initial)) != ST_OK)
            return ST_NOMEM;
    }
    struct config_listen *listen = config_add_listen(config);
    if (listen == NULL || value_listen(SLICE("127.0.0.1:3128"), listen) != ST_OK)
        return ST_NOMEM;
    return config_set_admin(config, SLICE("127.0.0.1:3129")) ? ST_OK : ST_NOMEM;
}

enum status config_load(const char *name, struct slice text, int argc, const char *const *argv,
                        struct config_errors *errors, struct config **ret_config)
{
    struct loader loader = {.errors = errors, .name = name};
    loader.config = calloc(1, sizeof(*loader.config));
    loader.seen = calloc(schema_count, sizeof(bool));
    enum status status = loader.config == NULL || loader.seen == NULL ? ST_NOMEM : ST_OK;
    if (status == ST_OK)
        status = config_set_defaults(&loader);
    if (status == ST_OK) {
        if (text.len > 0)
            loader_file(&loader, text);
        loader_flags(&loader, argc, argv);
        if (errors->count == 0)
            loader_guard(&loader);
        status = errors->count > 0 ? ST_BAD : ST_OK;
    }
    free(loader.seen);
    if (status == ST_OK)
        *ret_config = loader.config;
    else
        config_destroy(&loader.config);
    return status;
}

void config_destroy(struct config **destroy)
{
    struct config *config = *destroy;
    *destroy = NULL;
    if (config == NULL)
        return;
    for (size_t i = 0; i < schema_count; i++)
        value_free(config, &schema_rows[i]);
    config_clear_listen(config);
    free(config->listen);
    listen_done(&config->admin.listen);
    free((void *)(uintptr_t)config->admin.token_file.at);
    free(config);
}

bool config_prefixes_contain(const struct config_prefixes *prefixes, const struct inet_addr *addr)
{
    for (size_t i = 0; i < prefixes->count; i++) {
        if (inet_prefix_contains(&prefixes->at[i], addr))
            return true;
    }
    return false;
}
