/* Packing and unpacking of bundles.
 *
 * The memory holds, in this order, numbers as u64 and texts as their length and bytes:
 *
 *     worker count | kind of log | is it followed | text of the configuration
 *     listeners: count, then for each the number of its descriptors | descriptors of the admin listener
 *     files: count, then for each path and contents
 *
 * The descriptors come in the same order: listeners, admin, log. What a listener is, the receiver learns from
 * its own parse of the configuration, and where it is bound from the kernel; so little is told that could
 * be told wrongly.
 *
 *     W1  The receiver checks every number against its cap and against what is there, and that nothing is left.
 *     W2  It reads the memory into its own first: bytes that it has judged do not change any more.
 *     W3  Contents of files are wiped where they are not handed on. */

#include "server/bundle_wire.h"

#include "base/check.h"
#include "io/socket.h"
#include "server/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Texts are bounded as a whole; the rest is small. */
enum { PACKED_MAX = BUNDLE_BYTES_MAX + (1 << 20), PACKED_PATH_MAX = 4096 };

/* ---- packing ---- */

/* Counts while `at` is NULL, writes otherwise. */
struct packer {
    char *at;
    size_t len;
};

static void pack_bytes(struct packer *packer, const void *bytes, size_t len)
{
    if (packer->at != NULL && len > 0)
        memcpy(packer->at + packer->len, bytes, len);
    packer->len += len;
}

static void pack_number(struct packer *packer, uint64_t number)
{
    pack_bytes(packer, &number, sizeof(number));
}

static void pack_text(struct packer *packer, const char *text, size_t len)
{
    pack_number(packer, len);
    pack_bytes(packer, text, len);
}

static void pack_bundle(struct packer *packer, const struct bundle *bundle)
{
    pack_number(packer, bundle->worker_count);
    pack_number(packer, bundle->log);
    pack_number(packer, bundle->is_followed);
    pack_text(packer, bundle->text, bundle->len);
    pack_number(packer, bundle->listen_count);
    for (size_t i = 0; i < bundle->listen_count; i++)
        pack_number(packer, bundle->listens[i].count);
    pack_number(packer, bundle->admin.count);
    pack_number(packer, bundle->file_count);
    for (size_t i = 0; i < bundle->file_count; i++) {
        const struct bundle_file *file = &bundle->files[i];
        pack_text(packer, file->path, strlen(file->path));
        pack_text(packer, file->text, file->len);
    }
}

static enum status pack_memory(const struct bundle *bundle, int *ret_memory, size_t *ret_len)
{
    struct packer count = {NULL, 0};
    pack_bundle(&count, bundle);
    int memory = memfd_create("fairlead-bundle", MFD_CLOEXEC);
    if (memory < 0)
        return ST_IO;
    void *at = MAP_FAILED;
    if (ftruncate(memory, (off_t)count.len) == 0)
        at = mmap(NULL, count.len, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (at == MAP_FAILED) {
        socket_close(&memory);
        return ST_IO;
    }
    struct packer packer = {at, 0};
    pack_bundle(&packer, bundle);
    (void)munmap(at, count.len);
    *ret_memory = memory;
    *ret_len = count.len;
    return ST_OK;
}

static size_t pack_fds(const struct bundle *bundle, int *into)
{
    size_t count = 0;
    for (size_t i = 0; i < bundle->listen_count; i++) {
        for (unsigned j = 0; j < bundle->listens[i].count; j++)
            into[count++] = bundle->listens[i].fds[j];
    }
    for (unsigned j = 0; j < bundle->admin.count; j++)
        into[count++] = bundle->admin.fds[j];
    if (bundle->log == BUNDLE_LOG_FILE)
        into[count++] = bundle->log_fd;
    return count;
}

static enum status send_fds(int channel, uint32_t serial, const int *fds, size_t count)
{
    struct channel_frame frame = {.kind = CHANNEL_MORE, .serial = serial};
    enum status status = ST_OK;
    for (size_t at = 0; at < count && status == ST_OK; at += CHANNEL_FDS_MAX) {
        size_t rest = count - at;
        status = channel_send(channel, &frame, fds + at,
                              (unsigned)(rest < CHANNEL_FDS_MAX ? rest : CHANNEL_FDS_MAX));
    }
    return status;
}

enum status bundle_send(const struct bundle *bundle, int channel, uint32_t serial)
{
    int memory = -1;
    size_t len = 0;
    int *fds = malloc(BUNDLE_FDS_MAX * sizeof(*fds));
    if (fds == NULL)
        return ST_NOMEM;
    size_t count = pack_fds(bundle, fds);
    enum status status = pack_memory(bundle, &memory, &len);
    if (status == ST_OK) {
        struct channel_frame frame = {
            .kind = CHANNEL_BUNDLE, .serial = serial, .bytes = len, .fd_count = (uint32_t)count};
        status = channel_send(channel, &frame, &memory, 1);
        if (status == ST_OK)
            status = send_fds(channel, serial, fds, count);
        socket_close(&memory);
    }
    free(fds);
    return status;
}

/* ---- unpacking ---- */

/* What is left of the memory; `is_bad` once something did not fit. */
struct unpacker {
    const char *at;
    size_t left;
    bool is_bad;
};

static const char *unpack_bytes(struct unpacker *unpacker, size_t len)
{
    const char *at = unpacker->at;
    if (unpacker->is_bad || len > unpacker->left) {
        unpacker->is_bad = true;
        return NULL;
    }
    unpacker->at += len;
    unpacker->left -= len;
    return at;
}

/* At most `max`. */
static size_t unpack_number(struct unpacker *unpacker, size_t max)
{
    uint64_t number = 0;
    const char *at = unpack_bytes(unpacker, sizeof(number));
    if (at != NULL)
        memcpy(&number, at, sizeof(number));
    if (number > max)
        unpacker->is_bad = true;
    return unpacker->is_bad ? 0 : (size_t)number;
}

/* A terminated copy, or NULL and `is_bad`. */
static char *unpack_text(struct unpacker *unpacker, size_t max, size_t *ret_len)
{
    size_t len = unpack_number(unpacker, max);
    const char *at = unpack_bytes(unpacker, len);
    char *copy = at == NULL ? NULL : malloc(len + 1);
    if (copy == NULL) {
        unpacker->is_bad = true;
        return NULL;
    }
    memcpy(copy, at, len);
    copy[len] = '\0';
    *ret_len = len;
    return copy;
}

static void unpack_files(struct unpacker *unpacker, struct bundle *bundle)
{
    size_t count = unpack_number(unpacker, BUNDLE_FILES_MAX);
    for (size_t i = 0; i < count && !unpacker->is_bad; i++) {
        size_t path_len = 0;
        size_t len = 0;
        char *path = unpack_text(unpacker, PACKED_PATH_MAX, &path_len);
        char *text = unpack_text(unpacker, FILE_LIST_BYTES_MAX, &len);
        if (path == NULL || text == NULL || strlen(path) != path_len) {
            free(path);
            free(text);
            unpacker->is_bad = true;
        } else if (bundle_add_file(bundle, path, text, len) != ST_OK) {
            unpacker->is_bad = true;
        }
    }
}

/* The next `count` descriptors, taken out of the receipt. */
static void take_fds(struct bundle_receipt *receipt, uint32_t *at, struct opening *opening,
                     size_t count)
{
    for (size_t i = 0; i < count && *at < receipt->have; i++) {
        opening->fds[opening->count++] = receipt->fds[*at];
        receipt->fds[(*at)++] = -1;
    }
    if (opening->count > 0 && opening->kind != LISTEN_UNIX)
        opening->bound = socket_local(opening->fds[0]);
}

static void unpack_listens(struct unpacker *unpacker, struct bundle_receipt *receipt,
                           struct bundle *bundle)
{
    const struct config *config = bundle->config;
    uint32_t at = 0;
    size_t count = unpack_number(unpacker, BUNDLE_LISTENS_MAX);
    unpacker->is_bad = unpacker->is_bad || count != config->listen_count;
    for (size_t i = 0; i < count && !unpacker->is_bad; i++) {
        size_t fd_count = unpack_number(unpacker, BUNDLE_WORKERS_MAX);
        opening_describe(&bundle->listens[i], &config->listen[i]);
        bundle->listen_count = i + 1;
        take_fds(receipt, &at, &bundle->listens[i], fd_count);
        unpacker->is_bad = unpacker->is_bad || bundle->listens[i].count != fd_count ||
                           (fd_count != 1 && fd_count != bundle->worker_count);
    }
    size_t admin_count = unpack_number(unpacker, 1);
    opening_describe(&bundle->admin, &config->admin.listen);
    take_fds(receipt, &at, &bundle->admin, admin_count);
    if (bundle->log == BUNDLE_LOG_FILE && at < receipt->have) {
        bundle->log_fd = receipt->fds[at];
        receipt->fds[at++] = -1;
    }
    unpacker->is_bad = unpacker->is_bad || bundle->admin.count != admin_count ||
                       (bundle->log == BUNDLE_LOG_FILE) != (bundle->log_fd >= 0) ||
                       at != receipt->have;
}

static void report_nothing(struct config_errors *errors, const char *line)
{
    (void)errors;
    (void)line; /* the parent has judged the same text, and said what there was to say */
}

static enum status unpack_bundle(struct unpacker *unpacker, struct bundle_receipt *receipt,
                                 int argc, const char *const *argv, struct bundle **ret_bundle)
{
    struct config_errors errors = {report_nothing, 0};
    struct config *config = NULL;
    size_t len = 0;
    size_t worker_count = unpack_number(unpacker, BUNDLE_WORKERS_MAX);
    size_t log = unpack_number(unpacker, BUNDLE_LOG_FILE);
    bool is_followed = unpack_number(unpacker, 1) == 1;
    char *text = unpack_text(unpacker, FILE_BYTES_MAX, &len);
    if (text == NULL || config_load(config_file_name(argc, argv), slice_of(text, len), argc, argv,
                                    &errors, &config) != ST_OK) {
        free(text);
        return ST_BAD;
    }
    struct bundle *bundle = bundle_create(config, text, len, (unsigned)worker_count);
    if (bundle == NULL)
        return ST_NOMEM;
    bundle->log = (enum bundle_log)log;
    bundle->is_followed = is_followed;
    unpack_listens(unpacker, receipt, bundle);
    unpack_files(unpacker, bundle);
    if (unpacker->is_bad || unpacker->left > 0 || worker_count == 0) {
        bundle_destroy(&bundle);
        return ST_BAD;
    }
    *ret_bundle = bundle;
    return ST_OK;
}

/* ---- the receipt ---- */

void bundle_receipt_init(struct bundle_receipt *receipt)
{
    *receipt = (struct bundle_receipt){.memory = -1};
}

void bundle_receipt_drop(struct bundle_receipt *receipt)
{
    socket_close(&receipt->memory);
    for (uint32_t i = 0; i < receipt->have; i++)
        socket_close(&receipt->fds[i]);
    free(receipt->fds);
    bundle_receipt_init(receipt);
}

static enum status receipt_begin(struct bundle_receipt *receipt, struct channel_message *message)
{
    const struct channel_frame *frame = &message->frame;
    bundle_receipt_drop(receipt); /* of one that was given up */
    if (message->fd_count != 1 || frame->bytes == 0 || frame->bytes > PACKED_MAX ||
        frame->fd_count > BUNDLE_FDS_MAX)
        return ST_BAD;
    receipt->fds = calloc(frame->fd_count + 1U, sizeof(*receipt->fds));
    if (receipt->fds == NULL)
        return ST_NOMEM;
    receipt->serial = frame->serial;
    receipt->bytes = frame->bytes;
    receipt->fd_count = frame->fd_count;
    receipt->memory = message->fds[0];
    message->fd_count = 0;
    return ST_OK;
}

static enum status receipt_more(struct bundle_receipt *receipt, struct channel_message *message)
{
    if (receipt->memory < 0 || message->frame.serial != receipt->serial ||
        message->fd_count > receipt->fd_count - receipt->have)
        return ST_BAD;
    for (unsigned i = 0; i < message->fd_count; i++)
        receipt->fds[receipt->have++] = message->fds[i];
    message->fd_count = 0;
    return ST_OK;
}

enum status bundle_receipt_add(struct bundle_receipt *receipt, struct channel_message *message)
{
    enum status status = message->frame.kind == CHANNEL_BUNDLE ? receipt_begin(receipt, message)
                                                               : receipt_more(receipt, message);
    channel_message_close(message);
    if (status != ST_OK) {
        bundle_receipt_drop(receipt);
        return status;
    }
    return receipt->have == receipt->fd_count ? ST_OK : ST_AGAIN;
}

/* The memory as bytes of ours. */
static char *receipt_read(const struct bundle_receipt *receipt)
{
    struct stat facts;
    size_t len = (size_t)receipt->bytes;
    if (fstat(receipt->memory, &facts) < 0 || (uint64_t)facts.st_size != receipt->bytes)
        return NULL;
    char *bytes = malloc(len);
    size_t have = 0;
    while (bytes != NULL && have < len) {
        ssize_t got = pread(receipt->memory, bytes + have, len - have, (off_t)have);
        if (got > 0) {
            have += (size_t)got;
        } else if (got == 0 || errno != EINTR) {
            free(bytes);
            return NULL;
        }
    }
    return bytes;
}

enum status bundle_receipt_take(struct bundle_receipt *receipt, int argc, const char *const *argv,
                                struct bundle **ret_bundle, struct text *fault)
{
    char *bytes = receipt_read(receipt);
    enum status status = ST_BAD;
    if (bytes != NULL) {
        struct unpacker unpacker = {bytes, (size_t)receipt->bytes, false};
        status = unpack_bundle(&unpacker, receipt, argc, argv, ret_bundle);
        explicit_bzero(bytes, (size_t)receipt->bytes);
        free(bytes);
    }
    if (status != ST_OK)
        text_add_format(fault, "what the parent sent cannot be read");
    bundle_receipt_drop(receipt);
    return status;
}
