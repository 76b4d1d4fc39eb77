/* Opening files by name where the name cannot be trusted as a whole.
 *
 * Root reads keys and appends to logs in directories that others may own: the log directory usually belongs
 * to the user that serves. Whoever owns a directory may put a symbolic link in the place of a file or of a
 * directory below it, and a plain open(2) by root would follow it to any file. So root walks the path itself,
 * one component at a time, with descriptors (O_PATH, O_NOFOLLOW) that nobody can exchange under it:
 *
 *     F1  A link of root's is followed: only root can have made it point there.
 *     F2  A link of somebody else may lead to a file of that very owner, and only for reading.
 *     F3  A log that has several names (hard links) is refused: one of them may be anybody's choice.
 *
 * Without privileges the kernel judges, and a plain open is all there is.
 *
 * openat2(2) with RESOLVE_NO_SYMLINKS would be shorter, but it refuses /var/log as a link of root's too. */

#include "server/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { FILE_LINKS_MAX = 20, FILE_LOG_MODE = 0640, FILE_SILENCE_S = 30 };

#define FILE_TOO_LARGE "is larger than 4 MiB"

/* A path on its way. `dir` and `name` are where the last step ended; `rest` is still to go. */
struct walk {
    int dir;
    char name[NAME_MAX + 1];
    char rest[PATH_MAX];
    unsigned link_count;
    bool keeps_last;    /* do not look at the last name */
    bool ends_in_magic; /* `name` is a link of procfs: it leads to an open file, and to no path */
    bool has_foreign_link;
    uid_t foreign_owner; /* of such a link */
};

static enum status file_fail(const char *path, const char *why, struct text *fault)
{
    text_add_format(fault, "%s: %s", path, why);
    return ST_IO;
}

/* It could not be opened. Where it is not there, a relative path says from where it was looked for. */
static enum status file_fail_open(const char *path, struct text *fault)
{
    char folder[PATH_MAX];
    int error = errno;
    (void)file_fail(path, file_error(error), fault);
    if (error == ENOENT && path[0] != '/' && getcwd(folder, sizeof(folder)) != NULL)
        text_add_format(fault, " in %s", folder);
    errno = error;
    return ST_IO;
}

static bool walk_begin(struct walk *walk, const char *path)
{
    size_t len = strlen(path);
    *walk = (struct walk){.dir = -1};
    if (len == 0 || len >= sizeof(walk->rest)) {
        errno = len == 0 ? ENOENT : ENAMETOOLONG;
        return false;
    }
    memcpy(walk->rest, path, len + 1);
    walk->dir = open(path[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return walk->dir >= 0;
}

/* Move the first component of `rest` to `name`; "." at its end. */
static bool walk_take_name(struct walk *walk)
{
    size_t skip = strspn(walk->rest, "/");
    size_t len = strcspn(walk->rest + skip, "/");
    if (len > NAME_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(walk->name, len == 0 ? "." : walk->rest + skip, len == 0 ? 1 : len);
    walk->name[len == 0 ? 1 : len] = '\0';
    memmove(walk->rest, walk->rest + skip + len, strlen(walk->rest + skip + len) + 1);
    return true;
}

/* Put what the link says in front of the rest. */
static bool walk_follow(struct walk *walk, int link, const struct stat *facts)
{
    char target[PATH_MAX];
    ssize_t len = readlinkat(link, "", target, sizeof(target));
    size_t rest = strlen(walk->rest);
    if (len < 0)
        return false;
    if (++walk->link_count > FILE_LINKS_MAX || (size_t)len + rest >= sizeof(walk->rest)) {
        errno = ELOOP;
        return false;
    }
    if (facts->st_uid != 0 && walk->has_foreign_link && walk->foreign_owner != facts->st_uid) {
        errno = ELOOP;
        return false;
    }
    if (facts->st_uid != 0) {
        walk->has_foreign_link = true;
        walk->foreign_owner = facts->st_uid;
    }
    memmove(walk->rest + len, walk->rest, rest + 1);
    memcpy(walk->rest, target, (size_t)len);
    if (walk->rest[0] != '/')
        return true;
    (void)close(walk->dir);
    walk->dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return walk->dir >= 0;
}

/* /dev/stdout ends in one of these. Only root's: those of its own process. */
static bool link_is_magic(int link, const struct stat *facts)
{
    struct statfs system;
    return facts->st_uid == 0 && fstatfs(link, &system) == 0 && system.f_type == PROC_SUPER_MAGIC;
}

/* One component. *ret_is_there once `dir` and `name` are the file itself, which need not exist. */
static bool walk_step(struct walk *walk, bool *ret_is_there)
{
    struct stat facts;
    if (!walk_take_name(walk))
        return false;
    bool is_last = walk->rest[strspn(walk->rest, "/")] == '\0';
    if (is_last && walk->keeps_last) {
        *ret_is_there = true;
        return true;
    }
    int fd = openat(walk->dir, walk->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        *ret_is_there = is_last && errno == ENOENT;
        return *ret_is_there;
    }
    bool is_fine = fstat(fd, &facts) == 0;
    if (is_fine && is_last && S_ISLNK(facts.st_mode) && link_is_magic(fd, &facts)) {
        *ret_is_there = walk->ends_in_magic = true;
    } else if (is_fine && S_ISLNK(facts.st_mode)) {
        is_fine = walk_follow(walk, fd, &facts);
    } else if (is_fine && is_last) {
        *ret_is_there = true;
    } else if (is_fine) {
        (void)close(walk->dir);
        walk->dir = fd;
        return true;
    }
    (void)close(fd);
    return is_fine;
}

/* Keeps errno. */
static void walk_end(struct walk *walk)
{
    int error = errno;
    if (walk->dir >= 0)
        (void)close(walk->dir);
    errno = error;
}

/* The whole way to `path`, or to its last name. False with errno, and nothing is open; else until walk_end. */
static bool walk_go(struct walk *walk, const char *path, bool keeps_last)
{
    bool is_there = false;
    bool is_fine = walk_begin(walk, path);
    walk->keeps_last = keeps_last;
    while (is_fine && !is_there)
        is_fine = walk_step(walk, &is_there);
    if (!is_fine)
        walk_end(walk);
    return is_fine;
}

/* open(2) under F1 and F2. -1 and errno, as there; EMLINK: only a stranger's link leads there. */
static int file_walk(const char *path, int flags, mode_t mode)
{
    struct walk walk;
    struct stat facts;
    int fd = -1;
    if (!walk_go(&walk, path, /* keeps_last= */ false))
        return -1;
    if (walk.has_foreign_link && (flags & O_ACCMODE) != O_RDONLY)
        errno = EMLINK;
    else
        fd = openat(walk.dir, walk.name, flags | (walk.ends_in_magic ? 0 : O_NOFOLLOW), mode);
    if (fd >= 0 && walk.has_foreign_link &&
        (fstat(fd, &facts) < 0 || facts.st_uid != walk.foreign_owner)) {
        (void)close(fd);
        fd = -1;
        errno = EMLINK;
    }
    walk_end(&walk);
    return fd;
}

int file_open_folder(const char *path, char *into)
{
    struct walk walk;
    if (!walk_go(&walk, path, /* keeps_last= */ true))
        return -1;
    if (walk.has_foreign_link) {
        errno = EMLINK;
        walk_end(&walk);
        return -1;
    }
    memcpy(into, walk.name, strlen(walk.name) + 1);
    return walk.dir;
}

static int file_open(const char *path, int flags, mode_t mode)
{
    flags |= O_CLOEXEC | O_NOCTTY | O_NONBLOCK; /* a FIFO must not hold us */
    return geteuid() == 0 ? file_walk(path, flags, mode) : open(path, flags, mode);
}

const char *file_error(int error)
{
    return error == EMLINK
               ? "root does not follow another user's symbolic link to what is not that user's"
               : strerror(error);
}

static bool file_fill(int fd, char *text, size_t len)
{
    size_t at = 0;
    while (at < len) {
        ssize_t got = read(fd, text + at, len - at);
        if (got > 0)
            at += (size_t)got;
        else if (got == 0 || errno != EINTR)
            return false; /* it shrank, or failed */
    }
    return true;
}

static enum status file_load(const char *path, int fd, size_t max, char **ret_text, size_t *ret_len,
                             struct text *fault)
{
    struct stat facts;
    enum status status = ST_IO;
    char *text = NULL;
    if (fstat(fd, &facts) < 0 || !S_ISREG(facts.st_mode)) {
        (void)file_fail(path, "is no regular file", fault);
    } else if ((uint64_t)facts.st_size > max) {
        status = ST_LIMIT;
        (void)file_fail(path, FILE_TOO_LARGE, fault);
    } else if ((text = malloc((size_t)facts.st_size + 1)) == NULL) {
        status = ST_NOMEM;
        (void)file_fail(path, "out of memory", fault);
    } else if (!file_fill(fd, text, (size_t)facts.st_size)) {
        (void)file_fail(path, "cannot be read as a whole", fault);
        explicit_bzero(text, (size_t)facts.st_size);
        free(text);
    } else {
        status = ST_OK;
        *ret_len = (size_t)facts.st_size;
        text[*ret_len] = '\0';
        *ret_text = text;
    }
    return status;
}

enum status file_read(const char *path, size_t max, char **ret_text, size_t *ret_len,
                      struct text *fault)
{
    int fd = file_open(path, O_RDONLY, 0);
    if (fd < 0)
        return file_fail_open(path, fault);
    enum status status = file_load(path, fd, max, ret_text, ret_len, fault);
    (void)close(fd);
    return status;
}

/* ---- what a program writes ---- */

/* Wait for a byte. Signals are blocked by now, for whoever serves later; meanwhile those that end us still do, or a
 * silent writer would hold us. Nothing is open yet that would be left behind. */
static int stream_wait(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    struct timespec silence = {.tv_sec = FILE_SILENCE_S};
    sigset_t mask;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    (void)sigdelset(&mask, SIGINT);
    (void)sigdelset(&mask, SIGTERM);
    return ppoll(&polled, 1, &silence, &mask);
}

/* Up to `cap` bytes, until the writer ends. Asks before each read: a FIFO that nobody writes to yet would be at its
 * end otherwise. NULL, or why it failed. */
static const char *stream_fill(int fd, char *text, size_t cap, size_t *ret_len)
{
    for (size_t at = 0; at < cap;) {
        int ready = stream_wait(fd);
        ssize_t got = ready > 0 ? read(fd, text + at, cap - at) : -1;
        if (ready == 0)
            return "nothing came for too long";
        if (got == 0) {
            *ret_len = at;
            return NULL;
        }
        if (got < 0 && errno != EINTR && errno != EAGAIN)
            return strerror(errno);
        at += got > 0 ? (size_t)got : 0;
    }
    return FILE_TOO_LARGE;
}

static enum status file_load_stream(const char *path, int fd, char **ret_text, size_t *ret_len,
                                    struct text *fault)
{
    size_t cap = FILE_BYTES_MAX + 1; /* one more than is taken, so that more is seen */
    size_t len = 0;
    char *text = malloc(cap + 1);
    if (text == NULL) {
        (void)file_fail(path, "out of memory", fault);
        return ST_NOMEM;
    }
    const char *why = stream_fill(fd, text, cap, &len);
    if (why != NULL) {
        free(text);
        return file_fail(path, why, fault);
    }
    text[len] = '\0';
    *ret_text = text;
    *ret_len = len;
    return ST_OK;
}

/* What is open already is used as it is: opening it again by name would ask for rights, and it may be another user's
 * pipe. */
int file_stream_descriptor(const char *path)
{
    uint64_t number;
    struct slice rest = slice_from_string(path);
    if (strcmp(path, "-") == 0 || strcmp(path, "/dev/stdin") == 0)
        return STDIN_FILENO;
    if (!slice_starts_with(rest, SLICE("/dev/fd/")) ||
        slice_to_u64(slice_from(rest, sizeof("/dev/fd/") - 1), INT_MAX, &number) != ST_OK)
        return -1;
    return (int)number;
}

enum status file_read_config(const char *path, char **ret_text, size_t *ret_len,
                             bool *ret_is_stream, struct text *fault)
{
    struct stat facts;
    int ours = file_stream_descriptor(path);
    int fd = ours >= 0 ? fcntl(ours, F_DUPFD_CLOEXEC, 0) : file_open(path, O_RDONLY, 0);
    if (strcmp(path, "-") == 0)
        path = "stdin";
    if (fd < 0)
        return file_fail(path, file_error(errno), fault);
    bool is_known = fstat(fd, &facts) == 0;
    *ret_is_stream = is_known && (ours >= 0 || S_ISFIFO(facts.st_mode) || S_ISCHR(facts.st_mode));
    enum status status = *ret_is_stream
                             ? file_load_stream(path, fd, ret_text, ret_len, fault)
                             : file_load(path, fd, FILE_BYTES_MAX, ret_text, ret_len, fault);
    (void)close(fd);
    if (ours > STDERR_FILENO)
        (void)close(ours);
    return status;
}

enum status file_open_log(const char *path, int *ret_fd, struct text *fault)
{
    struct stat facts;
    int fd = file_open(path, O_WRONLY | O_APPEND | O_CREAT, FILE_LOG_MODE);
    if (fd < 0)
        return file_fail(path, file_error(errno), fault);
    if (geteuid() == 0 && fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_nlink > 1) {
        (void)close(fd);
        return file_fail(path, "root does not write to a file of several names (hard links)",
                         fault);
    }
    *ret_fd = fd;
    return ST_OK;
}
