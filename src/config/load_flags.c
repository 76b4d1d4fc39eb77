/* Flags to the same settings as a file has.
 *
 * A flag wins over the file. Flags that take a list may be repeated: --allow, --deny, --connect-port and
 * --allow-clients add to what the file or the default says, since leaving out a range that the file denies
 * would open it; --resolver and --listen replace it. Listeners and --timeout have no row with a flag of their
 * own and stand in a table here. */

#include "config/load_flags.h"

#include "base/check.h"
#include "config/loader_internal.h"
#include "config/nearest.h"
#include "config/value.h"

enum special {
    SPECIAL_CONFIG,
    SPECIAL_LISTEN,
    SPECIAL_LISTEN_TLS,
    SPECIAL_CERTIFICATE,
    SPECIAL_KEY,
    SPECIAL_CLIENT_CA,
    SPECIAL_TIMEOUT,
};

const struct flag_special flag_specials[] = {
    [SPECIAL_CONFIG] = {"--config", "FILE", "(or -c) settings in YAML; - is standard input"},
    [SPECIAL_LISTEN] = {"--listen", "ADDR:PORT", "where clients connect; or unix:PATH, inherited"},
    [SPECIAL_LISTEN_TLS] = {"--listen-tls", "ADDR:PORT", "the same over TLS, with:"},
    [SPECIAL_CERTIFICATE] = {"--tls-cert", "FILE", "its certificate and chain, PEM"},
    [SPECIAL_KEY] = {"--tls-key", "FILE", "its private key, PEM"},
    [SPECIAL_CLIENT_CA] = {"--client-ca", "FILE", "who vouches for certificates of clients, PEM"},
    [SPECIAL_TIMEOUT] = {"--timeout", "PHASE=TIME",
                         "client_head, dns, connect, response_head, ..."},
};
const size_t flag_special_count = COUNT_OF(flag_specials);

enum { ROWS_MAX = 128 };

struct flags {
    struct loader *loader;
    bool is_seen[ROWS_MAX]; /* rows that a flag has set */
    bool has_listen;
    bool has_file;
    struct slice certificate, key, client_ca;
};

static const struct schema_row *flag_find(struct slice name)
{
    for (size_t i = 0; i < schema_main.count; i++) {
        const char *flag = schema_main.rows[i].flag;
        if (flag != NULL && slice_equals(name, slice_from_string(flag)))
            return &schema_main.rows[i];
    }
    return NULL;
}

static int special_find(struct slice name)
{
    if (slice_equals(name, SLICE("-c")))
        return SPECIAL_CONFIG;
    for (size_t i = 0; i < flag_special_count; i++) {
        if (slice_equals(name, slice_from_string(flag_specials[i].flag)))
            return (int)i;
    }
    return -1;
}

/* Flags first; then settings that only a file has. */
static void flag_add_unknown(struct slice name, struct text *text)
{
    struct nearest flag = NEAREST_NONE;
    struct nearest key = NEAREST_NONE;
    for (size_t i = 0; i < flag_special_count; i++)
        nearest_compare(name, slice_from_string(flag_specials[i].flag), NULL, &flag);
    for (size_t i = 0; i < schema_main.count; i++) {
        if (schema_main.rows[i].flag != NULL)
            nearest_compare(name, slice_from_string(schema_main.rows[i].flag), NULL, &flag);
    }
    while (slice_starts_with(name, SLICE("-")))
        name = slice_from(name, 1);
    nearest_key(&schema_main, name, &key);
    bool is_key = key.row != NULL && key.score < flag.score;
    text_add(text, SLICE("unknown option"));
    if (is_key && key.row->kind == KIND_LISTENERS)
        text_add(text, SLICE("; did you mean --listen?"));
    else if (is_key && key.row->flag != NULL)
        text_add_format(text, "; did you mean %s?", key.row->flag);
    else if (is_key)
        text_add_format(text, "; a configuration file has \"%s\"", key.row->key);
    else if (flag.word.len > 0)
        text_add_format(text, "; did you mean %.*s?", (int)flag.word.len, flag.word.at);
    else
        text_add(text, SLICE("; --help lists them"));
}

enum status config_flag_check(const char *word, const char *next, bool *ret_takes_next,
                              struct text *fault)
{
    struct slice name = slice_from_string(word);
    bool has_value = slice_find(name, '=') < name.len;
    name = slice_first(name, slice_find(name, '='));
    *ret_takes_next = false;
    if (!slice_starts_with(name, SLICE("-")) || name.len == 1) {
        text_add(fault, SLICE("expected an option; --help lists them"));
        return ST_BAD;
    }
    if (flag_find(name) == NULL && special_find(name) < 0) {
        flag_add_unknown(name, fault);
        /* Its value, most likely: no second error for it. */
        *ret_takes_next = !has_value && next != NULL && next[0] != '-';
        return ST_BAD;
    }
    if (!has_value && (next == NULL || strncmp(next, "--", 2) == 0)) {
        text_add(fault, SLICE("needs a value"));
        return ST_BAD;
    }
    *ret_takes_next = !has_value;
    return ST_OK;
}

/* ---- options of their own ---- */

static void flag_timeout(struct loader *loader, struct slice value)
{
    static const char section[] = "timeouts.";
    char key[SCHEMA_KEY_MAX];
    struct text text = text_on(key, sizeof(key));
    size_t equals = slice_find(value, '=');
    text_add(&text, SLICE(section));
    text_add(&text, slice_first(value, equals));
    const struct schema_row *row =
        text.is_cut ? NULL : schema_find(&schema_main, text_slice(&text));
    if (row != NULL && equals < value.len) {
        char shown[SCHEMA_KEY_MAX + 16];
        struct text name = text_on(shown, sizeof(shown));
        text_add(&name, SLICE("--timeout "));
        text_add(&name, slice_first(value, equals));
        loader_set(loader, NULL, text_slice(&name), loader->config, row,
                   slice_from(value, equals + 1));
        return;
    }
    char words[480];
    struct text line = text_on(words, sizeof(words));
    text_add(&line, SLICE("expected PHASE=DURATION with a PHASE of "));
    bool is_first = true;
    for (size_t i = 0; i < schema_main.count; i++) {
        struct slice whole = slice_from_string(schema_main.rows[i].key);
        if (!slice_starts_with(whole, SLICE(section)))
            continue;
        text_add(&line, is_first ? SLICE("") : SLICE(", "));
        text_add(&line, slice_from(whole, sizeof(section) - 1));
        is_first = false;
    }
    text_add(&line, SLICE("; got \""));
    text_add_log(&line, slice_first(value, 60), '"');
    text_add_char(&line, '"');
    loader_report(loader, NULL, SLICE("--timeout"), text_slice(&line));
}

static void flag_listen(struct flags *flags, struct slice value, bool is_tls)
{
    struct loader *loader = flags->loader;
    if (!flags->has_listen)
        loader->config->listen_count = 0;
    flags->has_listen = true;
    struct config_listen *listen = loader_add_listen(loader, NULL);
    if (listen == NULL)
        return;
    listen->is_tls = is_tls;
    loader_set(loader, NULL, is_tls ? SLICE("--listen-tls") : SLICE("--listen"), listen,
               schema_find(&schema_listen, SLICE("address")), value);
}

/* The files of the flags hold for every --listen-tls. */
static void flags_finish_tls(struct flags *flags)
{
    struct loader *loader = flags->loader;
    struct config *config = loader->config;
    bool has_tls = false;
    for (size_t i = 0; flags->has_listen && i < config->listen_count; i++) {
        struct config_listen *listen = &config->listen[i];
        if (!listen->is_tls)
            continue;
        has_tls = true;
        listen->certificate = flags->certificate;
        listen->key = flags->key;
        listen->client_ca = flags->client_ca;
        loader_note_origin(loader, NULL, SLICE("--tls-cert"), &listen->certificate);
        loader_note_origin(loader, NULL, SLICE("--tls-key"), &listen->key);
        loader_note_origin(loader, NULL, SLICE("--client-ca"), &listen->client_ca);
    }
    bool has_files = flags->certificate.len + flags->key.len + flags->client_ca.len > 0;
    if (has_tls && (flags->certificate.len == 0 || flags->key.len == 0))
        loader_report(loader, NULL, SLICE("--listen-tls"),
                      SLICE("needs --tls-cert FILE and --tls-key FILE"));
    else if (has_files && !has_tls)
        loader_report(loader, NULL, SLICE("--tls-cert, --tls-key and --client-ca"),
                      SLICE("belong to --listen-tls ADDR:PORT"));
}

static void flag_file(struct flags *flags, struct slice name, const char *key, struct slice value)
{
    struct config_listen scratch = {.mode = 0};
    const struct schema_row *row = schema_find(&schema_listen, slice_from_string(key));
    loader_set(flags->loader, NULL, name, &scratch, row, value);
    if (scratch.certificate.len > 0)
        flags->certificate = scratch.certificate;
    if (scratch.key.len > 0)
        flags->key = scratch.key;
    if (scratch.client_ca.len > 0)
        flags->client_ca = scratch.client_ca;
}

static void flag_special(struct flags *flags, enum special special, struct slice value)
{
    struct slice name = slice_from_string(flag_specials[special].flag);
    switch (special) {
    case SPECIAL_CONFIG: /* read before (config_file_flag) */
        if (flags->has_file)
            loader_report(flags->loader, NULL, name, SLICE("stands twice; it takes one file"));
        flags->has_file = true;
        break;
    case SPECIAL_LISTEN: flag_listen(flags, value, /* is_tls= */ false); break;
    case SPECIAL_LISTEN_TLS: flag_listen(flags, value, /* is_tls= */ true); break;
    case SPECIAL_CERTIFICATE: flag_file(flags, name, "tls.certificate", value); break;
    case SPECIAL_KEY: flag_file(flags, name, "tls.key", value); break;
    case SPECIAL_CLIENT_CA: flag_file(flags, name, "tls.client_ca", value); break;
    case SPECIAL_TIMEOUT: flag_timeout(flags->loader, value); break;
    }
}

/* ---- all of them ---- */

static void flag_row(struct flags *flags, const struct schema_row *row, struct slice value)
{
    size_t index = (size_t)(row - schema_main.rows);
    CHECK(index < ROWS_MAX);
    if (row->kind == KIND_ENDPOINTS && !flags->is_seen[index])
        value_clear(flags->loader->config, row);
    flags->is_seen[index] = true;
    loader_set(flags->loader, NULL, slice_from_string(row->flag), flags->loader->config, row,
               value);
}

/* One option with its value, which is the rest of the word or the next word. Returns the words used. */
static int flags_take(struct flags *flags, const char *word, const char *next)
{
    struct slice name = slice_from_string(word);
    size_t equals = slice_find(name, '=');
    bool has_value = equals < name.len;
    struct slice value = has_value ? slice_from(name, equals + 1) : slice_from_string(next);
    name = slice_first(name, equals);
    const struct schema_row *row = flag_find(name);
    char words[160];
    struct text fault = text_on(words, sizeof(words));
    bool takes_next = false;
    if (config_flag_check(word, next, &takes_next, &fault) != ST_OK)
        loader_report(flags->loader, NULL, name, text_slice(&fault));
    else if (row != NULL)
        flag_row(flags, row, value);
    else
        flag_special(flags, (enum special)special_find(name), value);
    return takes_next ? 2 : 1;
}

void loader_flags(struct loader *loader, int argc, const char *const *argv)
{
    struct flags flags = {.loader = loader};
    for (int i = 0; i < argc;)
        i += flags_take(&flags, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
    flags_finish_tls(&flags);
}

const char *config_file_flag(int argc, const char *const *argv)
{
    static const char with_value[] = "--config=";
    for (int i = 0; i < argc; i++) {
        bool is_flag = strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "--config") == 0;
        if (is_flag && i + 1 < argc)
            return argv[i + 1];
        if (strncmp(argv[i], with_value, sizeof(with_value) - 1) == 0)
            return argv[i] + sizeof(with_value) - 1;
        if (strncmp(argv[i], "-c=", 3) == 0)
            return argv[i] + 3;
    }
    return NULL;
}

const char *config_file_name(int argc, const char *const *argv)
{
    const char *name = config_file_flag(argc, argv);
    if (name == NULL)
        return "";
    return strcmp(name, "-") == 0 ? "stdin" : name;
}
