/* The settings as YAML, as a reference and as --help; all from the schema table. */

#include "config/config.h"
#include "config/value.h"

static void print_address(const struct config_listen *listen, FILE *out)
{
    char text[INET_ENDPOINT_TEXT];
    inet_endpoint_format(&listen->endpoint, text);
    if (listen->kind == LISTEN_UNIX)
        (void)fprintf(out, "\"unix:%s\"", listen->path.at);
    else
        (void)fprintf(out, "\"%s\"", listen->kind == LISTEN_TCP ? text : "inherited");
}

static void print_listen(const struct config_listen *listen, FILE *out)
{
    (void)fputs("  - address: ", out);
    print_address(listen, out);
    (void)fputc('\n', out);
    if (listen->kind == LISTEN_UNIX)
        (void)fprintf(out, "    mode: \"%04o\"\n", listen->mode);
    if (listen->is_tls) {
        (void)fprintf(out, "    tls:\n      certificate: \"%s\"\n      key: \"%s\"\n",
                      listen->certificate.at, listen->key.at);
        if (listen->client_ca.len > 0)
            (void)fprintf(out, "      client_ca: \"%s\"\n      client_certificate: %s\n",
                          listen->client_ca.at,
                          listen->needs_client_certificate ? "required" : "optional");
    }
    if (listen->proxy_from.count > 0) {
        (void)fputs("    proxy_protocol:\n      from: [", out);
        for (size_t i = 0; i < listen->proxy_from.count; i++) {
            char range[INET_PREFIX_TEXT];
            inet_prefix_format(&listen->proxy_from.at[i], range);
            (void)fprintf(out, "%s\"%s\"", i > 0 ? ", " : "", range);
        }
        (void)fputs("]\n", out);
    }
}

void config_print(const struct config *config, FILE *out)
{
    (void)fputs("listen:\n", out);
    for (size_t i = 0; i < config->listen_count; i++)
        print_listen(&config->listen[i], out);
    (void)fputs("admin:\n  address: ", out);
    if (config->admin.is_off)
        (void)fputs("off", out);
    else
        print_address(&config->admin.listen, out);
    (void)fputc('\n', out);
    if (config->admin.token_file.len > 0)
        (void)fprintf(out, "  token_file: \"%s\"\n", config->admin.token_file.at);
    struct slice section = SLICE_NONE;
    for (size_t i = 0; i < schema_count; i++) {
        struct slice key = slice_from_string(schema_rows[i].key);
        size_t dot = slice_find(key, '.');
        struct slice mine = dot < key.len ? slice_first(key, dot) : SLICE_NONE;
        if (mine.len > 0 && !slice_equals(mine, section))
            (void)fprintf(out, "%.*s:\n", (int)mine.len, mine.at);
        section = mine;
        struct slice last = mine.len > 0 ? slice_from(key, dot + 1) : key;
        (void)fprintf(out, "%s%.*s: ", mine.len > 0 ? "  " : "", (int)last.len, last.at);
        value_print(config, &schema_rows[i], out);
        (void)fputc('\n', out);
    }
}

void config_print_reference(FILE *out)
{
    (void)fputs("| key | default | flag | meaning |\n|---|---|---|---|\n", out);
    for (size_t i = 0; i < schema_count; i++) {
        const struct schema_row *row = &schema_rows[i];
        (void)fprintf(out, "| `%s` | %s | %s | %s (%s) |\n", row->key,
                      row->initial != NULL ? row->initial : "", row->flag != NULL ? row->flag : "",
                      row->help, schema_expected(row));
    }
}

void config_print_flags(FILE *out)
{
    static const char fixed[] =
        "  -c, --config FILE      settings from a YAML file; a flag wins\n"
        "  --listen ADDR:PORT     listen; also unix:PATH or inherited [127.0.0.1:3128]\n"
        "  --listen-tls ADDR:PORT listen with TLS; needs --tls-cert FILE --tls-key FILE\n"
        "  --client-ca FILE       authorities of client certificates\n"
        "  --admin ADDR:PORT|PATH|off   health, metrics, tunnels [127.0.0.1:3129]\n"
        "  --timeout PHASE=TIME   client_head, dns, connect, response_head, body_stall, keepalive,\n"
        "                         tunnel_idle, tunnel_half_closed, tunnel_lifetime, drain, ...\n";
    (void)fputs(fixed, out);
    for (size_t i = 0; i < schema_count; i++) {
        const struct schema_row *row = &schema_rows[i];
        if (row->flag != NULL)
            (void)fprintf(out, "  %-22s %s\n", row->flag, row->help);
    }
}
