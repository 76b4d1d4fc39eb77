/* As little of HTTP as this needs: one request with Connection: close, an answer that says how long it is. Whoever
 * listens there may not be the process that was meant, so nothing of an answer is believed but within its bounds; and
 * the token is shown to it, as any client of the admin listener must. */

#include "server/admin_client.h"

#include "base/check.h"
#include "base/clock.h"
#include "http/h1_chunk.h"
#include "io/socket.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    ASK_MS = 10000,
    STREAM_BYTES = 65536,
    ASK_HEAD = ADMIN_PATH_MAX + 1024,
    ASK_FIRST = 65536,
    REFUSAL_BYTES = 300,
};

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

void admin_path_add(struct text *path, const char *name, struct slice value)
{
    if (value.len == 0)
        return;
    text_add_format(path, "%c%s=", slice_find(text_slice(path), '?') == path->len ? '?' : '&',
                    name);
    for (size_t i = 0; i < value.len; i++) {
        char c = char_lower(value.at[i]);
        bool is_plain = (c >= 'a' && c <= 'z') || char_is_digit(c) || c == '-' || c == '.' ||
                        c == '_' || c == '~'; /* RFC 3986 §2.3 */
        if (is_plain)
            text_add_char(path, value.at[i]);
        else
            text_add_format(path, "%%%02X", (unsigned char)value.at[i]);
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

/* Wait for the descriptor until `until_ns`. False: with errno. What is ready later is late: a peer that always has
 * another byte gets no more time than one that is silent. */
static bool wait_for(int fd, short events, uint64_t until_ns)
{
    struct pollfd polled = {.fd = fd, .events = events};
    for (;;) {
        uint64_t now_ns = clock_monotonic_ns();
        if (now_ns >= until_ns) {
            errno = ETIMEDOUT;
            return false;
        }
        int count = poll(&polled, 1, (int)((until_ns - now_ns) / NS_PER_MS) + 1);
        if (count > 0)
            return true;
        if (count < 0 && errno != EINTR)
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
        bool may_wait = got > 0 || errno == EAGAIN || errno == EINTR;
        if (!may_wait || !wait_for(fd, POLLIN, until_ns)) {
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

void admin_reply_add_why(const struct admin_client *client, const struct admin_reply *reply,
                         const char *how, struct text *into)
{
    struct slice line = slice_trim(slice_first(reply->body, slice_find(reply->body, '\n')));
    if (reply->status != ADMIN_UNAUTHORIZED)
        text_add_log(into, line, '\0');
    else if (client->token.len > 0)
        text_add(into, SLICE("the admin token is wrong: it is not what the file holds that the "
                             "admin.token_file of the process names"));
    else
        text_add_format(into, "it needs the admin token: %s", how);
}

/* ---- answers that do not end ---- */

struct admin_stream {
    int fd;
    bool is_chunked;
    struct h1_chunk chunk;
    size_t at, len; /* what of the buffer is not read yet */
    char buffer[STREAM_BYTES];
};

/* The head of an answer: its length with the empty line, 0 where it is not whole yet. */
static size_t read_head(struct slice text, unsigned *ret_status, bool *ret_is_chunked)
{
    uint64_t status = 0;
    struct slice rest = text;
    struct slice line;
    *ret_status = 0;
    *ret_is_chunked = false;
    if (slice_starts_with(text, SLICE("HTTP/1.1 ")) &&
        slice_to_u64(slice_first(slice_from(text, 9), 3), 999, &status) == ST_OK)
        *ret_status = (unsigned)status;
    while (slice_next_part(&rest, '\n', &line)) {
        bool is_whole = line.at + line.len < text.at + text.len;
        if (is_whole && line.len <= 1)
            return text.len - rest.len;
        if (slice_equals_nocase(slice_trim(slice_first(line, slice_find(line, '\r'))),
                                SLICE("transfer-encoding: chunked")))
            *ret_is_chunked = true;
    }
    return 0;
}

/* Some more bytes; waits. False: the end, or with errno. */
static bool stream_fill(struct admin_stream *stream, uint64_t until_ns)
{
    size_t room = sizeof(stream->buffer) - stream->len;
    while (room > 0) {
        ssize_t got = recv(stream->fd, stream->buffer + stream->len, room, 0);
        stream->len += got > 0 ? (size_t)got : 0;
        bool may_wait = got < 0 && (errno == EAGAIN || errno == EINTR);
        if (got > 0)
            return true;
        if (!may_wait || !wait_for(stream->fd, POLLIN, until_ns)) {
            errno = got == 0 ? 0 : errno;
            return false;
        }
    }
    errno = 0;
    return false;
}

/* What a refusal says. */
static enum status stream_refuse(const struct admin_client *client, struct admin_stream *stream,
                                 struct admin_reply *reply, const char *how, struct text *fault)
{
    reply->body = slice_from(slice_of(stream->buffer, stream->len), stream->at);
    reply->body = slice_first(slice_trim(reply->body), REFUSAL_BYTES);
    text_add(fault, SLICE("the admin listener at "));
    admin_client_name(client, fault);
    text_add_format(fault, " answers %u", reply->status);
    if (reply->body.len == 0 && reply->status != ADMIN_UNAUTHORIZED)
        return ST_BAD;
    text_add(fault, SLICE(": "));
    admin_reply_add_why(client, reply, how, fault);
    return ST_BAD;
}

static enum status stream_begin(const struct admin_client *client, struct admin_stream *stream,
                                const char *path, uint64_t until_ns, struct text *fault,
                                unsigned *ret_answer)
{
    char request[ASK_HEAD];
    unsigned status = 0;
    size_t len = add_request(client, "GET", path, request, sizeof(request));
    bool is_sent = send_all(stream->fd, slice_of(request, len), until_ns);
    explicit_bzero(request, sizeof(request));
    while (is_sent && stream->at == 0 && stream_fill(stream, until_ns))
        stream->at = read_head(slice_of(stream->buffer, stream->len), &status, &stream->is_chunked);
    if (stream->at == 0 && errno != 0)
        return fail(client, ST_IO, strerror(errno), fault);
    if (stream->at == 0 || status == 0)
        return fail(client, ST_BAD, "what answers there is no admin listener, or broke off", fault);
    *ret_answer = status;
    while (status != 200 && stream_fill(stream, until_ns)) /* the sentence of a refusal is short */
        continue;
    return ST_OK;
}

enum status admin_stream_open(const struct admin_client *client, const char *path, const char *how,
                              struct text *fault, unsigned *ret_answer,
                              struct admin_stream **ret_stream)
{
    uint64_t until_ns = clock_monotonic_ns() + ASK_MS * NS_PER_MS;
    struct admin_reply reply = {.status = 0};
    struct admin_stream *stream = calloc(1, sizeof(*stream));
    CHECK(strlen(path) <= ADMIN_PATH_MAX);
    *ret_answer = 0;
    if (stream == NULL)
        return fail(client, ST_NOMEM, "out of memory", fault);
    h1_chunk_init(&stream->chunk);
    stream->fd = connect_to(client->listen, until_ns);
    enum status status = stream->fd < 0
                             ? fail(client, ST_IO, strerror(errno), fault)
                             : stream_begin(client, stream, path, until_ns, fault, &reply.status);
    *ret_answer = reply.status;
    if (status == ST_OK && reply.status != 200)
        status = stream_refuse(client, stream, &reply, how, fault);
    if (status != ST_OK)
        admin_stream_close(&stream);
    else
        *ret_stream = stream;
    return status;
}

int admin_stream_descriptor(const struct admin_stream *stream)
{
    return stream->fd;
}

/* Of what is in the buffer. */
static enum status stream_take(struct admin_stream *stream, struct slice *ret_bytes)
{
    struct slice input = slice_of(stream->buffer + stream->at, stream->len - stream->at);
    size_t consumed = input.len;
    enum status status = input.len > 0 ? ST_OK : ST_AGAIN;
    *ret_bytes = input;
    if (stream->is_chunked && input.len > 0)
        status = h1_chunk_next(&stream->chunk, input, &consumed, ret_bytes);
    if (status == ST_BAD || status == ST_LIMIT)
        return ST_BAD;
    stream->at += consumed;
    return status;
}

enum status admin_stream_read(struct admin_stream *stream, struct slice *ret_bytes)
{
    enum status status = stream_take(stream, ret_bytes);
    if (status != ST_AGAIN)
        return status;
    stream->at = stream->len = 0;
    ssize_t got = recv(stream->fd, stream->buffer, sizeof(stream->buffer), 0);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? ST_AGAIN : ST_IO;
    if (got == 0) { /* in the middle of chunks that is no end in order */
        errno = ECONNRESET;
        return stream->is_chunked ? ST_IO : ST_EOF;
    }
    stream->len = (size_t)got;
    return stream_take(stream, ret_bytes);
}

void admin_stream_close(struct admin_stream **stream)
{
    if (*stream == NULL)
        return;
    socket_close(&(*stream)->fd);
    free(*stream);
    *stream = NULL;
}
