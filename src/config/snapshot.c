/* Compiling a configuration into what the workers use: TLS contexts from the files it names, the gate, the
 * pseudonym. Nothing here opens a file by itself: a privileged parent may be the one who can. */

#include "config/snapshot.h"

#include "base/check.h"
#include "base/secret.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SNAPSHOT_FAULT_MAX = 300 };

struct snapshot_file {
    char *text;
    size_t len;
};

/* "fairlead.yaml:7:12: listen[0].tls.key: /etc/proxy.key: ", for a message. `path` is a setting of `config`. */
static void snapshot_blame(const struct config *config, const struct slice *path,
                           struct text *fault)
{
    config_add_origin(config, path, fault);
    text_add(fault, *path);
    text_add(fault, SLICE(": "));
}

/* `path` is a setting of `config`. */
static enum status snapshot_read(const struct config *config, struct snapshot_files *files,
                                 const struct slice *path, struct snapshot_file *file,
                                 struct text *fault)
{
    if (path->len == 0)
        return ST_OK;
    enum status status = files->read(files, *path, &file->text, &file->len);
    if (status != ST_OK) {
        snapshot_blame(config, path, fault);
        text_add_format(fault, "%s", strerror(errno));
    }
    return status;
}

static struct slice snapshot_slice(const struct snapshot_file *file)
{
    return slice_of(file->text, file->len);
}

/* Private keys pass through here. */
static void snapshot_forget(struct snapshot_file *file)
{
    if (file->text != NULL)
        explicit_bzero(file->text, file->len);
    free(file->text);
    *file = (struct snapshot_file){0};
}

/* Which of the listener's files the words are about. */
static const struct slice *listen_blamed(const struct config_listen *listen, struct slice words)
{
    if (slice_starts_with(words, SLICE(TLS_FAULT_KEY)))
        return &listen->key;
    if (slice_starts_with(words, SLICE(TLS_FAULT_CLIENT_CA)))
        return &listen->client_ca;
    return &listen->certificate;
}

static enum status snapshot_make_server(const struct config *config, size_t index,
                                        struct snapshot_files *files, struct tls_tickets *tickets,
                                        struct text *fault, struct tls_server_context **ret_context)
{
    const struct config_listen *listen = &config->listen[index];
    struct snapshot_file certificate = {0};
    struct snapshot_file key = {0};
    struct snapshot_file ca = {0};
    enum status status = snapshot_read(config, files, &listen->certificate, &certificate, fault);
    if (status == ST_OK)
        status = snapshot_read(config, files, &listen->key, &key, fault);
    if (status == ST_OK)
        status = snapshot_read(config, files, &listen->client_ca, &ca, fault);
    if (status == ST_OK) {
        struct tls_server_options options = {
            .certificate = snapshot_slice(&certificate),
            .key = snapshot_slice(&key),
            .client_ca = snapshot_slice(&ca),
            .client_cert_is_required = listen->needs_client_certificate,
            .was_served =
                files->was_served != NULL && files->was_served(files, snapshot_slice(&certificate)),
            .tickets = tickets,
        };
        char space[SNAPSHOT_FAULT_MAX];
        struct text words = text_on(space, sizeof(space));
        status = tls_server_context_create(&options, &words, ret_context);
        if (status == ST_BAD) {
            snapshot_blame(config, listen_blamed(listen, text_slice(&words)), fault);
            text_add(fault, text_slice(&words));
        }
    }
    snapshot_forget(&certificate);
    snapshot_forget(&key);
    snapshot_forget(&ca);
    return status;
}

static enum status snapshot_make_client(const struct config *config, struct snapshot_files *files,
                                        struct text *fault, struct tls_client_context **ret_context)
{
    struct snapshot_file ca = {0};
    const struct slice *path = &config->tls_upstream.ca_file;
    enum status status = snapshot_read(config, files, path, &ca, fault);
    if (status == ST_OK) {
        struct tls_client_options options = {.ca = snapshot_slice(&ca)};
        size_t before = fault->len;
        if (path->len > 0)
            snapshot_blame(config, path, fault);
        status = tls_client_context_create(&options, fault, ret_context);
        if (status != ST_BAD)
            fault->len = before;
    }
    snapshot_forget(&ca);
    return status;
}

/* The first line of the token's file. Errors: ST_BAD, ST_IO, ST_NOMEM. */
static enum status snapshot_read_token(const struct config *config, struct snapshot_files *files,
                                       struct text *fault, struct slice *ret_token)
{
    struct snapshot_file file = {0};
    const struct slice *path = &config->admin.token_file;
    enum status status = snapshot_read(config, files, path, &file, fault);
    if (status != ST_OK || path->len == 0)
        return status;
    struct slice line = snapshot_slice(&file);
    line = slice_trim(slice_first(line, slice_find(line, '\n')));
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    status = line.len < ADMIN_TOKEN_MIN || line.len > ADMIN_TOKEN_MAX ? ST_BAD : ST_OK;
    for (size_t i = 0; i < line.len; i++) {
        if (line.at[i] <= ' ' || line.at[i] > '~')
            status = ST_BAD;
    }
    if (status == ST_BAD) {
        snapshot_blame(config, path, fault);
        text_add_format(fault,
                        "the first line is no token: %d to %d visible ASCII characters without "
                        "blanks",
                        ADMIN_TOKEN_MIN, ADMIN_TOKEN_MAX);
    }
    char *copy = status == ST_OK ? secret_alloc_any(line.len) : NULL;
    if (status == ST_OK && copy == NULL)
        status = ST_NOMEM;
    if (status == ST_OK) {
        memcpy(copy, line.at, line.len);
        *ret_token = slice_of(copy, line.len);
    }
    snapshot_forget(&file);
    return status;
}

/* Both files, or one of them. Errors: ST_BAD, ST_IO, ST_NOMEM. */
static enum status snapshot_read_roster(const struct config *config, struct snapshot_files *files,
                                        struct text *fault, struct roster **ret_roster)
{
    const struct slice *paths[] = {&config->identity.users, &config->identity.tokens};
    struct snapshot_file texts[COUNT_OF(paths)] = {0};
    struct roster_file parts[COUNT_OF(paths)];
    enum status status = ST_OK;
    if (paths[0]->len + paths[1]->len == 0)
        return ST_OK;
    for (size_t i = 0; i < COUNT_OF(paths) && status == ST_OK; i++) {
        status = snapshot_read(config, files, paths[i], &texts[i], fault);
        parts[i] = (struct roster_file){snapshot_slice(&texts[i]), paths[i]->at};
    }
    if (status == ST_OK)
        status = roster_create(paths[0]->len > 0 ? &parts[0] : NULL,
                               paths[1]->len > 0 ? &parts[1] : NULL, fault, ret_roster);
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        snapshot_forget(&texts[i]);
    return status;
}

enum status snapshot_create(struct config *config, struct gate *gate, struct snapshot_files *files,
                            struct tls_tickets *tickets, struct slice via, struct text *fault,
                            struct snapshot **ret_snapshot)
{
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (snapshot == NULL || gate == NULL) {
        free(snapshot);
        gate_destroy(&gate);
        config_destroy(&config);
        return ST_NOMEM;
    }
    atomic_init(&snapshot->refs, 1);
    snapshot->config = config;
    snapshot->gate = gate;
    struct text name = text_on(snapshot->via_text, sizeof(snapshot->via_text) - 1);
    text_add(&name, config->via.pseudonym.len > 0 ? config->via.pseudonym : via);
    snapshot->via = text_slice(&name);
    snapshot->tls_server = calloc(config->listen_count + 1, sizeof(struct tls_server_context *));
    snapshot->bound = calloc(config->listen_count + 1, sizeof(*snapshot->bound));
    bool is_whole = snapshot->tls_server != NULL && snapshot->bound != NULL;
    enum status status = is_whole ? ST_OK : ST_NOMEM;
    for (size_t i = 0; status == ST_OK && i < config->listen_count; i++) {
        if (config->listen[i].is_tls)
            status =
                snapshot_make_server(config, i, files, tickets, fault, &snapshot->tls_server[i]);
    }
    if (status == ST_OK)
        status = snapshot_make_client(config, files, fault, &snapshot->tls_client);
    if (status == ST_OK)
        status = snapshot_read_token(config, files, fault, &snapshot->admin_token);
    if (status == ST_OK)
        status = snapshot_read_roster(config, files, fault, &snapshot->roster);
    if (status == ST_OK)
        *ret_snapshot = snapshot;
    else
        snapshot_unref(&snapshot);
    return status;
}

struct snapshot *snapshot_base(struct snapshot *snapshot)
{
    return snapshot->base != NULL ? snapshot->base : snapshot;
}

bool snapshot_is_kin(struct snapshot *a, struct snapshot *b)
{
    return snapshot_base(a) == snapshot_base(b) || (a->kin != 0 && a->kin == b->kin);
}

struct snapshot *snapshot_with_interfaces(struct snapshot *snapshot, const struct inet_addr *addr,
                                          size_t count)
{
    struct snapshot *base = snapshot_base(snapshot); /* so that no chain of them grows */
    struct snapshot *other = calloc(1, sizeof(*other));
    struct gate *gate = gate_with_interfaces(base->gate, addr, count);
    if (other == NULL || gate == NULL) {
        free(other);
        gate_destroy(&gate);
        return NULL;
    }
    atomic_init(&other->refs, 1);
    other->base = snapshot_ref(base);
    other->gate = gate;
    other->config = base->config;
    other->tls_client = base->tls_client;
    other->tls_server = base->tls_server;
    other->via = base->via; /* in the base's own text */
    other->bound = base->bound;
    other->admin_token = base->admin_token;
    other->roster = base->roster;
    other->texts = base->texts;
    other->text_count = base->text_count;
    memcpy(other->made_of, base->made_of, sizeof(other->made_of));
    other->kin = base->kin;
    return other;
}

void snapshot_add_text(const struct snapshot_text *file, struct text *into)
{
    text_add_format(into, "%zu bytes, sha256 ", file->bytes);
    for (size_t i = 0; i < sizeof(file->sha256); i++)
        text_add_format(into, "%02x", file->sha256[i]);
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
    atomic_fetch_add_explicit(&snapshot->refs, 1, memory_order_relaxed);
    return snapshot;
}

/* What a compiled snapshot owns beside its gate. */
static void snapshot_free_parts(struct snapshot *snapshot)
{
    for (size_t i = 0; snapshot->tls_server != NULL && i < snapshot->config->listen_count; i++)
        tls_server_context_unref(&snapshot->tls_server[i]);
    free(snapshot->tls_server);
    free(snapshot->bound);
    free(snapshot->texts);
    secret_free_any((char *)(uintptr_t)snapshot->admin_token.at, snapshot->admin_token.len);
    roster_unref(&snapshot->roster);
    tls_client_context_unref(&snapshot->tls_client);
    config_destroy(&snapshot->config);
}

void snapshot_unref(struct snapshot **unref)
{
    struct snapshot *snapshot = *unref;
    *unref = NULL;
    while (snapshot != NULL &&
           atomic_fetch_sub_explicit(&snapshot->refs, 1, memory_order_acq_rel) == 1) {
        struct snapshot *base = snapshot->base;
        if (base == NULL)
            snapshot_free_parts(snapshot);
        gate_destroy(&snapshot->gate);
        free(snapshot);
        snapshot = base; /* which it pinned */
    }
}
