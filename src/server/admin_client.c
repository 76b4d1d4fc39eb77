/* As little of HTTP as this needs: one request with Connection: close, an answer that says how long it is. Whoever
 * listens there may not be the process that was meant, so nothing of an answer is believed but within its bounds; and the
 * token is shown to it, as any client of the admin listener must. */

#include "server/admin_client.h"

#include "base/check.h"
#include "base/clock.h"
#include "io/socket.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ASK_MS = 10000, ASK_HEAD = ADMIN_PATH_MAX + 1024, ASK_FIRST = 65536 };

bool admin_client_can_ask(const struct config *config)
{
    const struct config_listen *listen = &config->admin.listen;
    return !config->admin.is_off && (listen->kind == LISTEN_UNIX ||
                                     (listen->kind == LISTEN_TCP && listen->endpoint.port != 0));
}

void admin_client_name(const struct admin_client *client, struct text *into)
{
    char words[INET_ENDPOINT_TEXT];
    if (client->listen->kind == LISTEN_UNIX) {
        text_add(into, client->listen->path);
    } else {
        (void)inet_endpoint_format(&client->listen->endpoint, words);
        text_add(into, slice_from_string(words));
    }
}

static enum status fail(const struct admin_client *client, enum status status, const char *why,
                        struct text *fault)
{
    text_add(fault, SLICE("the admin listener at "));
    admin_client_name(client, fault);
    text_add_format(fault, ": %s", why);
    return status;
}

/* ---- the connection ---- */

static socklen_t make_address(const struct config_listen *listen, struct sockaddr_storage *into)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    if (listen->kind != LISTEN_UNIX)
        return inet_to_sockaddr(&listen->endpoint, into);
    if (listen->path.len >= sizeof(local.sun_path))
        return 0;
    memcpy(local.sun_path, listen->path.at, listen->path.len);
    memcpy(into, &local, sizeof(local));
    return sizeof(local);
}

/* Wait for the descriptor until `until_ns`. False: with errno. */
static bool wait_for(int fd, short events, uint64_t until_ns)
{
    struct pollfd polled = {.fd = fd, .events = events};
    for (;;) {
        uint64_t now_ns = clock_monotonic_ns();
        int wait_ms = now_ns < until_ns ? (int)((until_ns - now_ns) / NS_PER_MS) + 1 : 0;
        int count = poll(&polled, 1, wait_ms);
        if (count > 0)
            return true;
        if (count == 0 && wait_ms == 0)
            errno = ETIMEDOUT;
        if ((count == 0 && wait_ms == 0) || (count < 0 && errno != EINTR))
            return false;
    }
}

/* A descriptor that is connected, or -1 with errno. */
static int connect_to(const struct config_listen *listen, uint64_t until_ns)
{
    struct sockaddr_storage address = {0};
    int error = 0;
    socklen_t error_len = sizeof(error);
    socklen_t len = make_address(listen, &address);
    if (len == 0) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    bool is_there = connect(fd, (const struct sockaddr *)&address, len) == 0;
    if (!is_there && errno == EINPROGRESS && wait_for(fd, POLLOUT, until_ns) &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len) == 0) {
        errno = error;
        is_there = error == 0;
    }
    if (is_there)
        return fd;
    int kept = errno;
    socket_close(&fd);
    errno = kept;
    return -1;
}

static bool send_all(int fd, struct slice bytes, uint64_t until_ns)
{
    while (bytes.len > 0) {
        ssize_t sent = send(fd, bytes.at, bytes.len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (sent < 0 && !wait_for(fd, POLLOUT, until_ns))
            return false;
        bytes = slice_from(bytes, sent > 0 ? (size_t)sent : 0);
    }
    return true;
}

/* Status and body of a whole answer. */
static bool read_answer(struct slice text, struct admin_reply *reply)
{
    uint64_t status = 0;
    uint64_t length = UINT64_MAX;
    struct slice line;
    if (!slice_starts_with(text, SLICE("HTTP/1.1 ")) ||
        slice_to_u64(slice_first(slice_from(text, 9), 3), 999, &status) != ST_OK)
        return false;
    while (slice_next_part(&text, '\n', &line)) {
        struct slice value = line;
        struct slice name;
        if (line.len <= 1) { /* the end of the head */
            reply->status = (unsigned)status;
            reply->body = text;
            return length == text.len;
        }
        if (slice_next_part(&value, ':', &name) &&
            slice_equals_nocase(name, SLICE("content-length")) &&
            slice_to_u64(slice_trim(slice_first(value, slice_find(value, '\r'))), ADMIN_REPLY_MAX,
                         &length) != ST_OK)
            return false;
    }
    return false;
}

/* An answer as long as it says, or to the end of the connection. Errors: ST_IO with errno, ST_LIMIT, ST_NOMEM. */
static enum status receive_all(int fd, uint64_t until_ns, char **ret_text, size_t *ret_len)
{
    struct admin_reply reply;
    char *text = NULL;
    size_t len = 0;
    size_t cap = 0;
    for (;;) {
        if (len == cap) {
            size_t wanted = cap == 0 ? ASK_FIRST : 2 * cap;
            char *grown = cap < ADMIN_REPLY_MAX ? realloc(text, wanted) : NULL;
            if (grown == NULL) {
                free(text);
                return cap < ADMIN_REPLY_MAX ? ST_NOMEM : ST_LIMIT;
            }
            text = grown;
            cap = wanted;
        }
        ssize_t got = recv(fd, text + len, cap - len, 0);
        len += got > 0 ? (size_t)got : 0;
        if (got == 0 || read_answer(slice_of(text, len), &reply))
            break;
        bool may_wait = got < 0 && (errno == EAGAIN || errno == EINTR);
        if (got < 0 && (!may_wait || !wait_for(fd, POLLIN, until_ns))) {
            free(text);
            return ST_IO;
        }
    }
    *ret_text = text;
    *ret_len = len;
    return ST_OK;
}

/* ---- the answer ---- */

static size_t add_request(const struct admin_client *client, const char *method, const char *path,
                          char *into, size_t cap)
{
    struct text text = text_on(into, cap);
    text_add_format(&text, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", method,
                    path);
    text_add(&text, SLICE("Accept: text/plain\r\nX-Fairlead: 1\r\n"));
    if (client->token.len > 0) {
        text_add(&text, SLICE("Authorization: Bearer "));
        text_add(&text, client->token);
        text_add(&text, SLICE("\r\n"));
    }
    text_add(&text, SLICE("\r\n"));
    CHECK(!text.is_cut);
    return text.len;
}

static enum status ask(const struct admin_client *client, int fd, uint64_t until_ns,
                       struct slice request, struct text *fault, struct admin_reply *ret_reply)
{
    size_t len = 0;
    struct admin_reply reply = {.text = NULL};
    if (!send_all(fd, request, until_ns))
        return fail(client, ST_IO, strerror(errno), fault);
    enum status status = receive_all(fd, until_ns, &reply.text, &len);
    if (status != ST_OK)
        return fail(client, status,
                    status == ST_IO      ? strerror(errno)
                    : status == ST_NOMEM ? "out of memory"
                                         : "the answer is too long",
                    fault);
    if (!read_answer(slice_of(reply.text, len), &reply)) {
        free(reply.text);
        return fail(client, ST_BAD, "what answers there is no admin listener, or broke off", fault);
    }
    *ret_reply = reply;
    return ST_OK;
}

enum status admin_ask(const struct admin_client *client, const char *method, const char *path,
                      struct text *fault, struct admin_reply *ret_reply)
{
    char request[ASK_HEAD];
    uint64_t until_ns = clock_monotonic_ns() + ASK_MS * NS_PER_MS;
    CHECK(strlen(path) <= ADMIN_PATH_MAX);
    size_t len = add_request(client, method, path, request, sizeof(request));
    int fd = connect_to(client->listen, until_ns);
    enum status status = fd < 0
                             ? fail(client, ST_IO, strerror(errno), fault)
                             : ask(client, fd, until_ns, slice_of(request, len), fault, ret_reply);
    explicit_bzero(request, sizeof(request));
    socket_close(&fd);
    return status;
}
