/* From a bundle to a snapshot: files come out of the bundle, the gate is told our own addresses. */

#include "server/compile.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The snapshot's view of the bundle's files. */
struct compile_files {
    struct snapshot_files files;
    const struct bundle *bundle;
    const struct snapshot *served;
};

static enum status compile_read(struct snapshot_files *files, struct slice path, char **ret_text,
                                size_t *ret_len)
{
    const struct compile_files *from = CONTAINER_OF(files, struct compile_files, files);
    const struct bundle_file *file = bundle_find_file(from->bundle, path);
    if (file == NULL) {
        errno = ENOENT;
        return ST_IO;
    }
    char *text = malloc(file->len + 1);
    if (text == NULL)
        return ST_NOMEM;
    memcpy(text, file->text, file->len + 1);
    *ret_text = text;
    *ret_len = file->len;
    return ST_OK;
}

/* By the process before this one (the bundle tells), or by this one until now. */
static bool compile_was_served(struct snapshot_files *files, struct slice certificate)
{
    const struct compile_files *from = CONTAINER_OF(files, struct compile_files, files);
    const struct snapshot *served = from->served;
    for (size_t i = 0; i < from->bundle->file_count; i++) {
        const struct bundle_file *file = &from->bundle->files[i];
        if (file->was_served && slice_equals(slice_of(file->text, file->len), certificate))
            return true;
    }
    for (size_t i = 0; served != NULL && i < served->config->listen_count; i++) {
        if (served->tls_server[i] != NULL &&
            tls_server_context_shows(served->tls_server[i], certificate))
            return true;
    }
    return false;
}

static size_t compile_own(const struct bundle *bundle, struct inet_endpoint *into)
{
    size_t count = 0;
    for (size_t i = 0; i < bundle->listen_count; i++) {
        if (bundle->listens[i].bound.addr.family != INET_NONE)
            into[count++] = bundle->listens[i].bound;
    }
    return count;
}

/* The files of the bundle, as rules name them. Malloc'd; NULL out of memory. */
static struct rules_list *compile_lists(const struct bundle *bundle)
{
    struct rules_list *lists = calloc(bundle->file_count + 1, sizeof(*lists));
    for (size_t i = 0; lists != NULL && i < bundle->file_count; i++) {
        const struct bundle_file *file = &bundle->files[i];
        lists[i] =
            (struct rules_list){slice_from_string(file->path), slice_of(file->text, file->len)};
    }
    return lists;
}

static enum status compile_gate(const struct bundle *bundle, const struct interfaces *interfaces,
                                struct text *fault, struct gate **ret_gate)
{
    const struct config *config = bundle->config;
    struct rules_list *lists = compile_lists(bundle);
    if (lists == NULL)
        return ST_NOMEM;
    struct inet_endpoint own[BUNDLE_LISTENS_MAX];
    struct gate_options options = {
        .allow = {config->egress.allow.at, config->egress.allow.count},
        .deny = {config->egress.deny.at, config->egress.deny.count},
        .allow_names = {config->egress.allow_names.at, config->egress.allow_names.count},
        .deny_names = {config->egress.deny_names.at, config->egress.deny_names.count},
        .clients = {config->clients.at, config->clients.count},
        .connect_ports = config->egress.connect_ports.at,
        .connect_port_count = config->egress.connect_ports.count,
        .connects_any_port = config->egress.connect_ports.is_any,
        .plain_ports = config->egress.plain_ports.at,
        .plain_port_count = config->egress.plain_ports.count,
        .plain_any_port = config->egress.plain_ports.is_any,
        .own = own,
        .own_count = compile_own(bundle, own),
        .admin = bundle->admin.bound,
        .interfaces = interfaces->at,
        .interface_count = interfaces->count,
        .floor_exceptions = config->egress.floor_exceptions.at,
        .floor_exception_count = config->egress.floor_exceptions.count,
        .floor_names = {config->egress.floor_names.at, config->egress.floor_names.count},
        .tables = bundle->tables,
        .rules = config->policy.rules,
        .rule_count = config->policy.rule_count,
        .lists = lists,
        .list_count = bundle->file_count,
        .has_default = config->policy.has_default,
        .denies_by_default = config->policy.by_default == RULE_DENY,
        .observes = config->policy.observes,
    };
    char space[512];
    struct text words = text_on(space, sizeof(space));
    size_t rule = 0;
    enum status status = gate_create(&options, &words, &rule, ret_gate);
    free(lists);
    if (status != ST_OK && words.len > 0) {
        if (rule < config->policy.rule_count)
            config_add_origin(config, &config->policy.rules[rule].to_lists, fault);
        text_add(fault, text_slice(&words));
    }
    return status;
}

static bool names_people(const struct config *config, const char *path)
{
    struct slice file = slice_from_string(path);
    return slice_equals(file, config->identity.users) ||
           slice_equals(file, config->identity.tokens);
}

/* Add a text to a digest. */
static void compile_mix(uint8_t digest[DIGEST_SHA256], struct slice text)
{
    uint8_t parts[2 * DIGEST_SHA256];
    memcpy(parts, digest, DIGEST_SHA256);
    digest_sha256(text, parts + DIGEST_SHA256);
    digest_sha256(slice_of((const char *)parts, sizeof(parts)), digest);
}

/* The path as the configuration has it, where the file is one of users, of tokens or of a rule's names; else empty. */
static struct slice decisive_path(const struct config *config, struct slice path)
{
    if (slice_equals(path, config->identity.users))
        return config->identity.users;
    if (slice_equals(path, config->identity.tokens))
        return config->identity.tokens;
    for (size_t i = 0; i < config->policy.rule_count; i++) {
        const struct gate_names *lists = &config->policy.rules[i].to_lists;
        for (size_t j = 0; j < lists->count; j++) {
            if (slice_equals(path, lists->at[j]))
                return lists->at[j];
        }
    }
    return SLICE_NONE;
}

/* Files come in the order in which the configuration names them. The flags are those of the process.
 * Errors: ST_NOMEM. */
static enum status compile_note_texts(const struct bundle *bundle, struct snapshot *snapshot)
{
    snapshot->texts = calloc(bundle->file_count + 1, sizeof(*snapshot->texts));
    if (snapshot->texts == NULL)
        return ST_NOMEM;
    compile_mix(snapshot->made_of, slice_of(bundle->text, bundle->len));
    for (size_t i = 0; i < bundle->file_count; i++) {
        const struct bundle_file *file = &bundle->files[i];
        struct snapshot_text text = {.bytes = file->len};
        text.path = decisive_path(snapshot->config, slice_from_string(file->path));
        digest_sha256(slice_of(file->text, file->len), text.sha256);
        if (text.path.len > 0)
            snapshot->texts[snapshot->text_count++] = text;
        if (names_people(snapshot->config, file->path))
            continue;
        compile_mix(snapshot->made_of, slice_from_string(file->path));
        compile_mix(snapshot->made_of, slice_of((const char *)text.sha256, sizeof(text.sha256)));
    }
    return ST_OK;
}

enum status compile_snapshot(struct bundle *bundle, const struct interfaces *interfaces,
                             const struct snapshot *served, struct tls_tickets *tickets,
                             struct slice via, struct text *fault, struct snapshot **ret_snapshot)
{
    struct compile_files from = {{compile_read, compile_was_served}, bundle, served};
    struct gate *gate = NULL;
    enum status status = compile_gate(bundle, interfaces, fault, &gate);
    if (status != ST_OK)
        return status;
    struct config *config = bundle->config;
    bundle->config = NULL;
    struct snapshot *snapshot = NULL;
    status = snapshot_create(config, gate, &from.files, tickets, via, fault, &snapshot);
    if (status != ST_OK)
        return status;
    for (size_t i = 0; i < bundle->listen_count; i++)
        snapshot->bound[i] = bundle->listens[i].bound;
    status = compile_note_texts(bundle, snapshot);
    if (status == ST_OK)
        *ret_snapshot = snapshot;
    else
        snapshot_unref(&snapshot);
    return status;
}
