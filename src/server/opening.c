/* Listening sockets, as the configuration names them.
 *
 * A TCP address is one SO_REUSEPORT socket for each worker, so that the kernel spreads connections. A group
 * like that is joined without a question by a second instance of the same user: so a probe without the option
 * comes first, and hears "address in use". The probe would also hear our own sockets, when an address grows
 * or shrinks over a reload (0.0.0.0:3128 to 127.0.0.1:3128); the caller knows those and says so.
 *
 * Unix and inherited sockets have no such group: one descriptor is shared by all workers.
 *
 * Root makes and removes the file of a Unix socket from within its folder, which it has walked to (file.c): a path
 * could be led elsewhere by whoever owns a part of it, also between a look and a removal. */

#include "server/opening.h"

#include "io/socket.h"
#include "server/file.h"
#include "server/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096, INHERITED_FIRST = 3 };

void opening_close(struct opening *opening)
{
    for (unsigned i = 0; i < opening->count; i++)
        socket_close(&opening->fds[i]);
    opening->count = 0;
}

void opening_format(const struct opening *opening, char *into)
{
    char address[INET_ENDPOINT_TEXT];
    if (opening->kind == LISTEN_UNIX) {
        (void)snprintf(into, OPENING_TEXT, "unix:%s", opening->path);
        return;
    }
    inet_endpoint_format(
        opening->bound.addr.family != INET_NONE ? &opening->bound : &opening->asked, address);
    bool is_nowhere = opening->kind == LISTEN_INHERITED && opening->bound.addr.family == INET_NONE;
    (void)snprintf(into, OPENING_TEXT, "%s%s", opening->is_tls ? "https://" : "http://",
                   is_nowhere ? "inherited" : address);
}

/* A file that is no socket stays where it is: it is somebody's, and the path was a slip. */
static const char *opening_error_words(const struct opening *opening, int error)
{
    struct stat facts;
    if (error != EADDRINUSE)
        return file_error(error);
    if (opening->kind == LISTEN_UNIX && lstat(opening->path, &facts) == 0 &&
        !S_ISSOCK(facts.st_mode))
        return "what has this name is no socket";
    return "address in use";
}

static enum status opening_fail(struct opening *opening, int error, struct text *fault)
{
    char address[OPENING_TEXT];
    opening_format(opening, address);
    text_add_format(fault, "cannot listen on %s: %s", address, opening_error_words(opening, error));
    if (error == EACCES && opening->kind == LISTEN_TCP)
        text_add_format(fault, "; ports below 1024 need root, or CAP_NET_BIND_SERVICE");
    if (error == EACCES && opening->kind == LISTEN_UNIX)
        sandbox_explain(opening->path, LANDLOCK_MAY_SOCKET, fault);
    opening_close(opening);
    return ST_IO;
}

void opening_describe(struct opening *opening, const struct config_listen *listen)
{
    *opening = (struct opening){
        .kind = listen->kind,
        .is_tls = listen->is_tls,
        .mode = listen->mode,
        .asked = listen->endpoint,
    };
    if (listen->kind == LISTEN_UNIX && listen->path.at != NULL)
        (void)snprintf(opening->path, sizeof(opening->path), "%s", listen->path.at);
}

/* ---- binding ---- */

static enum status opening_tcp(struct opening *opening, unsigned want, bool overlaps,
                               struct text *fault)
{
    struct socket_listen_options options = {.backlog = BACKLOG, .only_v6 = true};
    struct inet_endpoint endpoint = opening->asked;
    int probe;
    if (!overlaps) {
        if (socket_listen(&endpoint, &options, &probe) != ST_OK)
            return opening_fail(opening, errno, fault);
        endpoint.port = socket_local(probe).port;
        socket_close(&probe);
    }
    options.reuse_port = true;
    for (unsigned i = 0; i < want; i++) {
        if (socket_listen(&endpoint, &options, &opening->fds[i]) != ST_OK)
            return opening_fail(opening, errno, fault);
        opening->count++;
    }
    opening->bound = socket_local(opening->fds[0]);
    return ST_OK;
}

/* A stay in the folder of a path. Of root alone, whose process has one thread. */
struct visit {
    const char *name; /* what to call the file here */
    char last[NAME_MAX + 1];
    int back; /* where we were; -1: we did not leave */
};

/* False with errno. */
static bool visit_begin(struct visit *visit, const char *path)
{
    visit->back = -1;
    visit->name = path;
    if (geteuid() != 0)
        return true;
    int folder = file_open_folder(path, visit->last);
    if (folder < 0)
        return false;
    visit->back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool is_there = visit->back >= 0 && fchdir(folder) == 0;
    socket_close(&folder);
    if (!is_there)
        socket_close(&visit->back);
    visit->name = visit->last;
    return is_there;
}

static void visit_end(struct visit *visit)
{
    int error = errno;
    if (visit->back >= 0 && fchdir(visit->back) == 0)
        socket_close(&visit->back);
    errno = error;
}

static enum status opening_unix(struct opening *opening, const struct config_listen *listen,
                                struct text *fault)
{
    struct visit visit;
    struct stat facts;
    if (!visit_begin(&visit, opening->path))
        return opening_fail(opening, errno, fault);
    enum status status =
        socket_listen_unix(slice_from_string(visit.name), listen->mode, BACKLOG, &opening->fds[0]);
    if (status == ST_OK && lstat(visit.name, &facts) == 0) {
        opening->device = facts.st_dev;
        opening->inode = facts.st_ino;
    }
    visit_end(&visit);
    if (status != ST_OK)
        return opening_fail(opening, status == ST_LIMIT ? ENAMETOOLONG : errno, fault);
    opening->count = 1;
    return ST_OK;
}

enum status opening_open(struct opening *opening, const struct config_listen *listen, unsigned want,
                         bool overlaps, struct text *fault)
{
    opening_describe(opening, listen);
    return listen->kind == LISTEN_UNIX ? opening_unix(opening, listen, fault)
                                       : opening_tcp(opening, want, overlaps, fault);
}

/* ---- sockets that are there already ---- */

static bool opening_is_listener(int fd)
{
    int listens = 0;
    int type = 0;
    int domain = 0;
    socklen_t len = sizeof(int);
    bool is_known = getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
                    (domain == AF_INET || domain == AF_INET6 || domain == AF_UNIX);
    return is_known && getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 &&
           listens != 0 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
           type == SOCK_STREAM;
}

void opening_inherit(struct opening_inherited *inherited)
{
    const char *pid = getenv("LISTEN_PID");
    const char *count = getenv("LISTEN_FDS");
    *inherited = (struct opening_inherited){.count = 0};
    if (pid == NULL || count == NULL || strtol(pid, NULL, 10) != (long)getpid())
        return;
    long have = strtol(count, NULL, 10);
    if (have > OPENING_FDS_MAX)
        inherited->left_out = (unsigned)(have - OPENING_FDS_MAX);
    for (int i = 0; i < have && i < OPENING_FDS_MAX; i++) {
        int fd = INHERITED_FIRST + i;
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        inherited->fds[inherited->count++] = fd;
    }
}

void opening_close_strangers(const struct opening_inherited *inherited, int kept)
{
    unsigned from = INHERITED_FIRST + inherited->count;
    /* A kernel before 5.9 knows no such call, and leaves them open. */
    if (kept >= (int)from) {
        if ((unsigned)kept > from)
            (void)close_range(from, (unsigned)kept - 1, 0);
        from = (unsigned)kept + 1;
    }
    (void)close_range(from, UINT_MAX, 0);
}

/* "127.0.0.1:3128", "unix:/run/x", or what else it is. */
static void add_bound(int fd, struct text *into)
{
    struct sockaddr_un path = {.sun_family = AF_UNSPEC};
    socklen_t len = sizeof(path);
    struct inet_endpoint bound = socket_local(fd);
    char address[INET_ENDPOINT_TEXT];
    if (!opening_is_listener(fd)) {
        text_add(into, SLICE("something that is no listening stream socket"));
    } else if (bound.addr.family != INET_NONE) {
        text_add(into, slice_of(address, inet_endpoint_format(&bound, address)));
    } else if (getsockname(fd, (struct sockaddr *)&path, &len) == 0 && path.sun_family == AF_UNIX &&
               len <= sizeof(path)) {
        size_t used = len - offsetof(struct sockaddr_un, sun_path);
        bool is_abstract = used > 0 && path.sun_path[0] == '\0';
        text_add(into, is_abstract ? SLICE("unix:@") : SLICE("unix:"));
        text_add(into, slice_of(path.sun_path + is_abstract,
                                strnlen(path.sun_path + is_abstract, used - is_abstract)));
    } else {
        text_add(into, SLICE("a socket"));
    }
}

void opening_format_inherited(const struct opening_inherited *inherited, unsigned index, char *into)
{
    struct text text = text_on(into, OPENING_INHERITED_TEXT);
    struct slice names = slice_from_string(getenv("LISTEN_FDNAMES"));
    struct slice name = SLICE_NONE;
    add_bound(inherited->fds[index], &text);
    text_add_format(&text, " (descriptor %d", inherited->fds[index]);
    for (unsigned i = 0; i <= index; i++) {
        if (!slice_next_part(&names, ':', &name))
            name = SLICE_NONE;
    }
    if (name.len > 0) {
        text_add(&text, SLICE(", \""));
        text_add(&text, slice_first(name, 64));
        text_add_char(&text, '"');
    }
    text_add_char(&text, ')');
    (void)text_string(&text);
}

static enum status opening_hold(struct opening *opening, int fd, struct text *fault)
{
    int mine = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (mine < 0)
        return opening_fail(opening, errno, fault);
    opening->fds[opening->count++] = mine;
    return ST_OK;
}

enum status opening_take_inherited(struct opening *opening, const struct config_listen *listen,
                                   const struct opening_inherited *inherited, unsigned index,
                                   struct text *fault)
{
    opening_describe(opening, listen);
    if (index >= inherited->count) {
        text_add_format(fault, "inherited, but no %ssocket was handed over (LISTEN_FDS)",
                        inherited->count > 0 ? "other " : "");
        return ST_IO;
    }
    if (!opening_is_listener(inherited->fds[index])) {
        text_add_format(fault, "inherited descriptor %d is no listening stream socket",
                        inherited->fds[index]);
        return ST_IO;
    }
    opening->bound = socket_local(inherited->fds[index]);
    return opening_hold(opening, inherited->fds[index], fault);
}

enum status opening_share(struct opening *opening, const struct opening *from,
                          const struct config_listen *listen, struct text *fault)
{
    opening_describe(opening, listen);
    opening->bound = from->bound;
    opening->device = from->device;
    opening->inode = from->inode;
    enum status status = ST_OK;
    for (unsigned i = 0; i < from->count && status == ST_OK; i++)
        status = opening_hold(opening, from->fds[i], fault);
    return status;
}

/* ---- comparing ---- */

bool opening_is_asked(const struct opening *opening, const struct config_listen *listen)
{
    if (opening->kind != listen->kind || listen->kind == LISTEN_INHERITED)
        return false; /* inherited ones are taken by their order */
    if (listen->kind == LISTEN_UNIX)
        return strcmp(opening->path, listen->path.at) == 0;
    return inet_endpoint_equals(&opening->asked, &listen->endpoint);
}

bool opening_is_at(const struct opening *opening, const struct config_listen *listen)
{
    if (opening->kind != LISTEN_TCP || listen->kind != LISTEN_TCP)
        return false;
    return inet_endpoint_equals(&opening->bound, &listen->endpoint) ||
           (listen->endpoint.port == 0 &&
            inet_addr_equals(&opening->bound.addr, &listen->endpoint.addr));
}

bool opening_overlaps(const struct opening *opening, const struct config_listen *listen)
{
    const struct inet_addr *a = &opening->bound.addr;
    const struct inet_addr *b = &listen->endpoint.addr;
    return opening->kind == LISTEN_TCP && listen->kind == LISTEN_TCP &&
           opening->bound.port == listen->endpoint.port && a->family == b->family &&
           (inet_addr_is_unspecified(a) || inet_addr_is_unspecified(b) || inet_addr_equals(a, b));
}

/* ---- files of Unix sockets ---- */

/* A hold (O_PATH) on the socket's file, or -1 where the name belongs to something else by now. */
static int opening_hold_file(const struct opening *opening, const char *name)
{
    struct stat facts;
    if (opening->inode == 0)
        return -1;
    int fd = open(name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, &facts) < 0 || !S_ISSOCK(facts.st_mode) ||
                    facts.st_dev != opening->device || facts.st_ino != opening->inode))
        socket_close(&fd);
    return fd;
}

void opening_remove_file(const struct opening *opening)
{
    struct visit visit;
    if (opening->kind != LISTEN_UNIX || !visit_begin(&visit, opening->path))
        return;
    int file = opening_hold_file(opening, visit.name);
    if (file >= 0)
        (void)unlink(visit.name); /* a file that stays is replaced by the next start */
    socket_close(&file);
    visit_end(&visit);
}

void opening_set_mode(const struct opening *opening)
{
    char name[40];
    int file = opening_hold_file(opening, opening->path);
    if (file < 0)
        return;
    /* By the descriptor: the name could be a link by now. */
    (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
    (void)chmod(name, opening->mode);
    socket_close(&file);
}
