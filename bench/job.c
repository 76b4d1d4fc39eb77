/* One client of the load generator: a small machine that goes on as far as its socket lets it.
 *
 *     connect ─> handshake ─> send ─> head ─> body ─────────> rest or again (GET, POST)
 *                              │        └──> echo ─> again ─> close          (OPEN) or rest (ECHO, IDLE)
 *                              │        └──> talk ─> close                    (TALK)
 *                              │        └──> down, up                        (without end)
 *                              └─ raw: no head is sent or awaited
 *
 * A response is checked as far as it says something: status 200 and the length that was asked for. A unit that
 * fails is counted with its reason, and its client stays away from then on; nothing is tried again. */
#include "job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

enum {
    REQUEST_HEAD = 1024,
    HEAD_BYTES = 16384,
    BULK_BYTES = 32 << 20,
    BULK_STEP = 1 << 20,
    TLS_STEP = 65536
};

enum stage {
    STAGE_CLOSED,
    STAGE_HANDSHAKE,
    STAGE_SEND,
    STAGE_HEAD,
    STAGE_BODY,
    STAGE_ECHO_SEND,
    STAGE_ECHO_RECV,
    STAGE_TALK,
    STAGE_DOWN,
    STAGE_UP,
    STAGE_REST, /* connected, no unit */
    STAGE_FAILED
};

struct client {
    struct watch watch; /* first: it is cast */
    struct crew *crew;
    struct channel channel;
    enum stage stage;
    uint64_t from_ns;
    const char *out; /* what is being sent, shared */
    size_t out_bytes, done;
    size_t body_left;
    size_t have;   /* bytes of `head` */
    unsigned line; /* of the talk; `done` bytes of it are through */
    off_t file_offset;
    bool has_moved;
    char head[HEAD_BYTES + 1];
};

static char **requests; /* one a target, in turn: a head, and the body of a POST */
static size_t *request_bytes;
static char *echo_bytes;
static int bulk_fd = -1;
static char *bulk;

enum kind kind_parse(const char *word)
{
    static const char *const words[KIND_COUNT] = {"get",  "post", "open", "echo",
                                                  "down", "up",   "talk", "idle"};
    for (int i = 0; i < KIND_COUNT; i++) {
        if (strcmp(word, words[i]) == 0)
            return (enum kind)i;
    }
    tool_die(word);
}

static bool kind_is_tunnel(enum kind kind)
{
    return kind != KIND_GET && kind != KIND_POST;
}

/* ---- what is sent ---- */

/* A request as a browser would make it: eleven fields, half a kilobyte. */
static int get_write(char *to, const char *at, const struct job *job)
{
    return snprintf(
        to, REQUEST_HEAD,
        "%s http://%s/%zu HTTP/1.1\r\nHost: %s\r\n"
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0\r\n"
        "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n"
        "Accept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n"
        "Referer: http://%s/index.html\r\n"
        "Cookie: session=6b1d5b0f4b0c4c7f9d0c; theme=light; consent=yes\r\n"
        "Cache-Control: no-cache\r\nPragma: no-cache\r\nDNT: 1\r\n"
        "%s%s%s%.0zu%s\r\n",
        job->kind == KIND_GET ? "GET" : "POST", at, job->kind == KIND_GET ? job->body : 0, at, at,
        job->field != NULL ? job->field : "", job->field != NULL ? "\r\n" : "",
        job->kind == KIND_GET ? "" : "Content-Length: ", job->kind == KIND_GET ? 0 : job->body,
        job->kind == KIND_GET ? "" : "\r\n");
}

static void requests_make(struct job *job)
{
    requests = tool_alloc(job->targets.count * sizeof(*requests));
    request_bytes = tool_alloc(job->targets.count * sizeof(*request_bytes));
    for (unsigned i = 0; i < job->targets.count; i++) {
        char at[32];
        uint32_t ip = job->targets.first + i;
        (void)snprintf(at, sizeof(at), "%u.%u.%u.%u:%u", ip >> 24, (ip >> 16) & 255,
                       (ip >> 8) & 255, ip & 255, job->targets.port);
        size_t body = job->kind == KIND_POST ? job->body : 0;
        requests[i] = tool_alloc(REQUEST_HEAD + body);
        int len =
            kind_is_tunnel(job->kind)
                ? snprintf(requests[i], REQUEST_HEAD,
                           "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n\r\n", at, at)
                : get_write(requests[i], at, job);
        if (len <= 0 || len >= REQUEST_HEAD)
            tool_die("a request is too long");
        memset(requests[i] + len, 'p', body);
        request_bytes[i] = (size_t)len + body;
    }
    echo_bytes = tool_alloc(job->body + 1);
    memset(echo_bytes, 'e', job->body);
}

static void bulk_make(void)
{
    bulk_fd = memfd_create("bulk", MFD_CLOEXEC);
    if (bulk_fd < 0 || ftruncate(bulk_fd, BULK_BYTES) != 0)
        tool_die("memfd");
    bulk = mmap(NULL, BULK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, bulk_fd, 0);
    if (bulk == MAP_FAILED)
        tool_die("mmap");
    memset(bulk, 'u', BULK_BYTES);
}

/* ---- beginning and ending ---- */

static void client_close(struct client *client)
{
    channel_done(&client->channel);
    loop_close(&client->watch);
    client->stage = STAGE_CLOSED;
}

static void client_fail(struct client *client, const char *why, unsigned status)
{
    struct tally *tally = &client->crew->tally;
    if (tally->failures++ == 0) {
        tally->first_failure = why;
        tally->first_status = status;
    }
    if (client->watch.fd >= 0)
        client_close(client);
    tally->running--;
    client->stage = STAGE_FAILED;
}

/* The unit has ended; true when another one has begun on the same connection. */
static bool client_finish(struct client *client)
{
    struct crew *crew = client->crew;
    crew->tally.units++;
    crew->tally.all_units++;
    crew->tally.running--;
    histogram_add(&crew->tally.latency, tool_now_ns() - client->from_ns);
    client->stage = STAGE_REST;
    if (crew->job.kind == KIND_OPEN || crew->job.kind == KIND_TALK ||
        (crew->job.is_fresh && !kind_is_tunnel(crew->job.kind)))
        client_close(client);
    crew->on_rest(client);
    return client->stage != STAGE_REST;
}

static void count_bytes(struct client *client, size_t bytes)
{
    client->has_moved = true;
    client->crew->tally.bytes += bytes;
}

/* ---- the stages; each returns whether the next one may go on at once ---- */

static bool stage_enter(struct client *client, enum stage stage)
{
    client->stage = stage;
    client->done = 0;
    return true;
}

static bool wait_or_fail(struct client *client, ssize_t result, const char *why)
{
    if (result != CHANNEL_AGAIN)
        client_fail(client, why, 0);
    return false;
}

/* Bulk is watched by level, so that one event is one call and no tunnel starves another. */
static bool enter_tunnel(struct client *client)
{
    switch (client->crew->job.kind) {
    case KIND_DOWN:
        loop_change(&client->crew->loop, &client->watch, EPOLLIN);
        return stage_enter(client, STAGE_DOWN);
    case KIND_UP:
        loop_change(&client->crew->loop, &client->watch, EPOLLOUT);
        return stage_enter(client, STAGE_UP);
    case KIND_TALK: client->line = 0; return stage_enter(client, STAGE_TALK);
    default: return stage_enter(client, STAGE_ECHO_SEND);
    }
}

/* The whole of a request, or of what shall come back. */
static bool run_send(struct client *client, const char *bytes, size_t len, enum stage next)
{
    while (client->done < len) {
        ssize_t sent = channel_send(&client->channel, bytes + client->done, len - client->done);
        if (sent <= 0)
            return wait_or_fail(client, sent, "the proxy closed while something was sent");
        client->done += (size_t)sent;
    }
    client->have = 0;
    return stage_enter(client, next);
}

/* The number behind a name in the head, or -1. */
static long head_number(const char *head, const char *name)
{
    for (const char *line = strchr(head, '\n'); line != NULL; line = strchr(line + 1, '\n')) {
        if (strncasecmp(line + 1, name, strlen(name)) == 0)
            return strtol(line + 1 + strlen(name), NULL, 10);
    }
    return -1;
}

/* Judge a head that is complete; what follows it is the beginning of the body. */
static bool head_take(struct client *client, char *end)
{
    const struct job *job = &client->crew->job;
    size_t extra = client->have - (size_t)(end + 4 - client->head);
    end[2] = '\0';
    unsigned status = client->have > 12 ? (unsigned)strtoul(client->head + 9, NULL, 10) : 0;
    if (status != 200) {
        client_fail(client, "the status is not 200", status);
        return false;
    }
    if (kind_is_tunnel(job->kind)) {
        count_bytes(client, extra); /* only a source speaks at once */
        return enter_tunnel(client);
    }
    long length = head_number(client->head, "content-length:");
    size_t wanted = job->kind == KIND_GET ? job->body : 0;
    if (length != (long)wanted || extra > wanted) {
        client_fail(client, "the response has not the length that was asked for", status);
        return false;
    }
    count_bytes(client, extra);
    client->body_left = wanted - extra;
    return stage_enter(client, STAGE_BODY);
}

static bool run_head(struct client *client)
{
    ssize_t got =
        channel_recv(&client->channel, client->head + client->have, HEAD_BYTES - client->have);
    if (got <= 0)
        return wait_or_fail(client, got, "the proxy closed before a response");
    client->have += (size_t)got;
    client->head[client->have] = '\0';
    char *end = strstr(client->head, "\r\n\r\n");
    if (end != NULL)
        return head_take(client, end);
    if (client->have == HEAD_BYTES)
        client_fail(client, "a head without end", 0);
    return client->stage == STAGE_HEAD;
}

static bool run_body(struct client *client)
{
    while (client->body_left > 0) {
        ssize_t got = channel_discard(&client->channel, client->body_left);
        if (got <= 0)
            return wait_or_fail(client, got, "the proxy closed within a body");
        client->body_left -= (size_t)got;
        count_bytes(client, (size_t)got);
    }
    return client_finish(client);
}

static bool run_echo(struct client *client)
{
    size_t wanted = client->crew->job.body;
    while (client->done < wanted) {
        ssize_t got = channel_recv(&client->channel, client->head, wanted - client->done);
        if (got <= 0)
            return wait_or_fail(client, got, "the tunnel closed before all came back");
        client->done += (size_t)got;
        count_bytes(client, (size_t)got);
    }
    return client_finish(client);
}

/* Say the client's lines, and take the origin's. */
static bool run_talk(struct client *client)
{
    const struct talk *talk = &client->crew->job.talk;
    while (client->line < talk->count) {
        const struct talk_line *line = &talk->lines[client->line];
        size_t left = line->len - client->done;
        ssize_t moved = line->is_client
                            ? channel_send(&client->channel, line->bytes + client->done, left)
                            : channel_recv(&client->channel, client->head,
                                           left < HEAD_BYTES ? left : HEAD_BYTES);
        if (moved <= 0)
            return wait_or_fail(client, moved, "the tunnel closed within a talk");
        count_bytes(client, (size_t)moved);
        client->done += (size_t)moved;
        if (client->done == line->len) {
            client->line++;
            client->done = 0;
        }
    }
    return client_finish(client);
}

/* One step of bulk; the loop comes back for more. */
static bool run_down(struct client *client)
{
    ssize_t got = channel_discard(&client->channel, BULK_BYTES);
    if (got <= 0)
        return wait_or_fail(client, got, "a tunnel that shall bring bytes was closed");
    count_bytes(client, (size_t)got);
    return false;
}

static bool run_up(struct client *client)
{
    if (client->file_offset >= BULK_BYTES)
        client->file_offset = 0;
    ssize_t sent;
    if (client->channel.ssl == NULL) {
        sent = sendfile(client->watch.fd, bulk_fd, &client->file_offset, BULK_STEP);
        if (sent < 0)
            sent = errno == EAGAIN ? CHANNEL_AGAIN : CHANNEL_FAILED;
    } else {
        sent = channel_send(&client->channel, bulk + client->file_offset, TLS_STEP);
        client->file_offset += sent > 0 ? sent : 0;
    }
    if (sent <= 0)
        return wait_or_fail(client, sent, "a tunnel that shall take bytes was closed");
    count_bytes(client, (size_t)sent);
    return false;
}

static bool run_handshake(struct client *client)
{
    int verdict = channel_handshake(&client->channel);
    if (verdict != 1)
        return wait_or_fail(client, verdict, "TLS with the proxy failed, or no connection");
    return client->crew->job.is_raw && kind_is_tunnel(client->crew->job.kind)
               ? enter_tunnel(client)
               : stage_enter(client, STAGE_SEND);
}

static bool client_step(struct client *client)
{
    const struct job *job = &client->crew->job;
    switch (client->stage) {
    case STAGE_HANDSHAKE: return run_handshake(client);
    case STAGE_SEND: return run_send(client, client->out, client->out_bytes, STAGE_HEAD);
    case STAGE_HEAD: return run_head(client);
    case STAGE_BODY: return run_body(client);
    case STAGE_ECHO_SEND: return run_send(client, echo_bytes, job->body, STAGE_ECHO_RECV);
    case STAGE_ECHO_RECV: return run_echo(client);
    case STAGE_TALK: return run_talk(client);
    case STAGE_DOWN: return run_down(client);
    case STAGE_UP: return run_up(client);
    case STAGE_CLOSED:
    case STAGE_REST:
    case STAGE_FAILED: return false;
    }
    return false;
}

void client_go(struct client *client)
{
    while (client_step(client))
        continue;
}

/* A connection at rest says something only to end, which the next unit would meet. */
static void client_on_event(struct watch *watch, uint32_t events)
{
    struct client *client = (struct client *)watch;
    if (client->stage == STAGE_HANDSHAKE && (events & EPOLLERR) != 0) {
        client_fail(client, "no connection to the proxy", 0);
        return;
    }
    client_go(client);
    if (client->channel.ssl != NULL && channel_flush(&client->channel) == CHANNEL_FAILED &&
        client->stage != STAGE_REST)
        client_fail(client, "TLS could not be sent", 0);
}

static void client_connect(struct client *client)
{
    struct crew *crew = client->crew;
    struct sockaddr_in to = addresses_next(&crew->job.proxy), from;
    if (crew->job.sources.count > 0)
        from = addresses_next(&crew->job.sources);
    int fd = socket_connect(crew->job.sources.count > 0 ? &from : NULL, &to);
    if (fd < 0) {
        client_fail(client, strerror(errno), 0);
        return;
    }
    client->watch = (struct watch){fd, client_on_event};
    channel_init(&client->channel, fd, crew->job.tls, false);
    (void)stage_enter(client, STAGE_HANDSHAKE);
    loop_add(&crew->loop, &client->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

void client_begin(struct client *client, uint64_t from_ns)
{
    struct crew *crew = client->crew;
    unsigned target = crew->job.targets.next;
    crew->job.targets.next = (target + 1) % crew->job.targets.count;
    client->out = requests[target];
    client->out_bytes = request_bytes[target];
    client->from_ns = from_ns;
    crew->tally.running++;
    if (client->stage == STAGE_CLOSED) {
        client_connect(client);
        return;
    }
    (void)stage_enter(client, kind_is_tunnel(crew->job.kind) ? STAGE_ECHO_SEND : STAGE_SEND);
}

void crew_init(struct crew *crew)
{
    loop_init(&crew->loop);
    requests_make(&crew->job);
    bulk_make();
    crew->clients = tool_alloc(crew->job.connections * sizeof(*crew->clients));
    crew->resting = tool_alloc(crew->job.connections * sizeof(struct client *));
    for (unsigned i = 0; i < crew->job.connections; i++) {
        struct client *client = &crew->clients[i];
        client->crew = crew;
        client->watch.fd = -1;
        client->file_offset = (off_t)i * BULK_STEP % BULK_BYTES;
        crew->resting[crew->resting_count++] = client;
    }
}

unsigned crew_count_silent(const struct crew *crew)
{
    unsigned count = 0;
    for (unsigned i = 0; i < crew->job.connections; i++)
        count += !crew->clients[i].has_moved;
    return count;
}
