/* A bundle as a thing: what it owns, how it is given back, and how one replaces another.
 *
 *     B1  Each bundle owns its descriptors; an address that stays is shared by dup(2), so that either bundle
 *         may go first. The kernel keeps the socket, and whoever waits in it, as long as one of them lives.
 *     B2  Contents of files are wiped before they are freed: keys are among them.
 *     B3  The file of a Unix socket belongs to whoever bound it, and goes when no bundle of his has it.
 *
 * maker.c makes them, bundle_wire.c sends them, compile.c and serving.c use them. */

#include "server/bundle.h"

#include "report/diag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- files ---- */

const struct bundle_file *bundle_find_file(const struct bundle *bundle, struct slice path)
{
    for (size_t i = 0; i < bundle->file_count; i++) {
        if (slice_equals(slice_from_string(bundle->files[i].path), path))
            return &bundle->files[i];
    }
    return NULL;
}

static bool bundle_has_text(const struct bundle *bundle, const struct bundle_file *file)
{
    for (size_t i = 0; i < bundle->file_count; i++) {
        if (bundle->files[i].len == file->len &&
            memcmp(bundle->files[i].text, file->text, file->len) == 0)
            return true;
    }
    return false;
}

void bundle_note_served(struct bundle *bundle, const struct bundle *served)
{
    for (size_t i = 0; served != NULL && i < bundle->file_count; i++)
        bundle->files[i].was_served = bundle_has_text(served, &bundle->files[i]);
}

static void file_wipe(char *text, size_t len)
{
    if (text != NULL)
        explicit_bzero(text, len);
    free(text);
}

void bundle_forget_files(struct bundle *bundle)
{
    for (size_t i = 0; i < bundle->file_count; i++) {
        file_wipe(bundle->files[i].text, bundle->files[i].len);
        free(bundle->files[i].path);
    }
    bundle->file_count = 0;
}

enum status bundle_add_file(struct bundle *bundle, char *path, char *text, size_t len)
{
    size_t bytes = bundle->len + len;
    for (size_t i = 0; i < bundle->file_count; i++)
        bytes += bundle->files[i].len;
    if (bundle->file_count == BUNDLE_FILES_MAX || bytes > BUNDLE_BYTES_MAX) {
        file_wipe(text, len);
        free(path);
        return ST_LIMIT;
    }
    bundle->files[bundle->file_count++] =
        (struct bundle_file){path, text, len, .was_served = false};
    return ST_OK;
}

/* ---- the whole ---- */

struct bundle *bundle_create(struct config *config, char *text, size_t len, unsigned worker_count)
{
    struct bundle *bundle = calloc(1, sizeof(*bundle));
    if (bundle == NULL) {
        config_destroy(&config);
        free(text);
        return NULL;
    }
    bundle->config = config;
    bundle->text = text;
    bundle->len = len;
    bundle->worker_count = worker_count;
    bundle->log_fd = -1;
    return bundle;
}

void bundle_destroy(struct bundle **destroy)
{
    struct bundle *bundle = *destroy;
    *destroy = NULL;
    if (bundle == NULL)
        return;
    bundle_close_listens(bundle);
    opening_close(&bundle->admin);
    if (bundle->log_fd >= 0)
        (void)close(bundle->log_fd);
    bundle_forget_files(bundle);
    config_destroy(&bundle->config);
    free(bundle->text);
    free(bundle);
}

/* ---- replacing ---- */

static bool bundle_has_file(const struct bundle *bundle, const struct opening *opening)
{
    if (bundle == NULL)
        return false;
    for (size_t i = 0; i < bundle->listen_count; i++) {
        const struct opening *other = &bundle->listens[i];
        if (other->kind == LISTEN_UNIX && other->inode == opening->inode &&
            other->device == opening->device)
            return true;
    }
    return bundle->admin.kind == LISTEN_UNIX && bundle->admin.inode == opening->inode &&
           bundle->admin.device == opening->device;
}

void bundle_remove_files(const struct bundle *bundle, const struct bundle *other)
{
    for (size_t i = 0; i < bundle->listen_count; i++) {
        if (!bundle_has_file(other, &bundle->listens[i]))
            opening_remove_file(&bundle->listens[i]);
    }
    if (!bundle_has_file(other, &bundle->admin))
        opening_remove_file(&bundle->admin);
}

void bundle_commit(const struct bundle *bundle, const struct bundle *old)
{
    bundle_remove_files(old, bundle);
    for (size_t i = 0; i < bundle->listen_count; i++)
        opening_set_mode(&bundle->listens[i]);
}

void bundle_close_listens(struct bundle *bundle)
{
    for (size_t i = 0; i < bundle->listen_count; i++)
        opening_close(&bundle->listens[i]);
}

void bundle_say_listens(const struct bundle *bundle)
{
    char address[OPENING_TEXT];
    for (size_t i = 0; i < bundle->listen_count; i++) {
        opening_format(&bundle->listens[i], address);
        diag_put("fairlead: listening on %s\n", address);
    }
    if (bundle->admin.count == 0)
        return;
    opening_format(&bundle->admin, address);
    diag_put("fairlead: admin on %s\n", address);
}

void bundle_say_hint(const struct bundle *bundle)
{
    char address[OPENING_TEXT];
    if (!isatty(STDERR_FILENO) || bundle->listens[0].kind != LISTEN_TCP)
        return;
    opening_format(&bundle->listens[0], address);
    diag_put("fairlead: try   curl -x %s http://example.com/\n", address);
}
