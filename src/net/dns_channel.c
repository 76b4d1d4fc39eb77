/* c-ares under our loop.
 *
 * The library says which of its sockets it wants to hear about (dns_on_socket_state); each gets a
 * level-triggered watch. A watch only records: the sockets that reported stand in a list, and a task
 * hands them to ares_process_fd one after the other, since any of these calls may close any socket.
 * One loop timer stands for all of the library's own time-outs. Where a socket cannot be watched, for lack of
 * memory, the timer looks at all of them often, as long as this channel lasts.
 *
 * Answers are taken raw (ares_query) and read by net/dns_answer: the library's own address functions
 * read the hosts file each time, wait for both families and drop negative TTLs. Its own answer cache,
 * which newer versions have, is off.
 *
 * When resolv.conf changes a new channel is made; queries under way on the old one, which its end
 * cancels, are asked again on the new one.
 *
 * Newer versions mark ares_query and its kin as deprecated; CARES_NO_DEPRECATED says that we know. They
 * are what works from 1.18 to 1.34. */

#define CARES_NO_DEPRECATED 1

#include "net/dns_channel.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/text.h"
#include "net/file_mark.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <stdlib.h>

#define DNS_CHANNEL_TAG TAG('d', 'n', 's', 'c')

enum { DNS_TRIES = 3, DNS_SERVERS_TEXT = 1024 };

/* The library's time-outs adapt below what was asked for; look at least this soon. */
static const uint64_t dns_first_look_ns = 250 * NS_PER_MS;
/* And so soon where one of its sockets is not watched. */
static const uint64_t dns_blind_look_ns = 20 * NS_PER_MS;

struct dns_channel {
    uint32_t tag;
    struct loop *loop;
    ares_channel ares;
    bool is_ending;    /* the library's channel is being destroyed */
    bool is_timer_due; /* the timer fired and the task did not run yet */
    bool is_blind;     /* one of the library's sockets could not be watched */
    unsigned timeout_ms;
    struct link queries; /* under way, of struct dns_query */
    struct link sockets; /* all, of struct dns_socket */
    struct link ready;   /* those with news */
    struct task task;
    struct timer timer;
    struct file_mark mark; /* of resolv.conf as it was read */
    char *resolv_path;
    size_t server_count;            /* named ones */
    char servers[DNS_SERVERS_TEXT]; /* "addr:port,..."; empty: resolv.conf */
};

struct dns_socket {
    struct link link;
    struct link ready_link;
    struct watch watch;
    struct dns_channel *channel;
    unsigned ready;
};

/* ---- sockets and time ---- */

static void dns_on_ready(struct watch *watch, unsigned ready)
{
    struct dns_socket *socket = CONTAINER_OF(watch, struct dns_socket, watch);
    struct dns_channel *channel = socket->channel;
    CHECK_TAG(channel, DNS_CHANNEL_TAG);
    socket->ready |= ready;
    if (!link_is_linked(&socket->ready_link))
        list_append(&channel->ready, &socket->ready_link);
    loop_queue(channel->loop, &channel->task);
}

static void dns_socket_forget(struct dns_socket *socket)
{
    loop_unwatch(socket->channel->loop, &socket->watch, /* is_closing= */ false);
    link_remove(&socket->link);
    link_remove(&socket->ready_link);
    free(socket);
}

static void dns_socket_add(struct dns_channel *channel, int fd, unsigned ask)
{
    struct dns_socket *socket = calloc(1, sizeof(*socket));
    if (socket == NULL) {
        channel->is_blind = true;
        return;
    }
    socket->channel = channel;
    socket->watch = (struct watch){-1, dns_on_ready};
    link_init(&socket->ready_link);
    link_init(&socket->link);
    list_append(&channel->sockets, &socket->link);
    if (loop_watch(channel->loop, &socket->watch, fd, ask) != ST_OK) {
        channel->is_blind = true;
        dns_socket_forget(socket);
    }
}

/* The library's wish for one of its sockets; neither readable nor writable: it is about to close it. */
static void dns_on_socket_state(void *owner, ares_socket_t fd, int readable, int writable)
{
    struct dns_channel *channel = owner;
    CHECK_TAG(channel, DNS_CHANNEL_TAG);
    struct dns_socket *found = NULL;
    LIST_EACH(link, &channel->sockets) {
        struct dns_socket *socket = CONTAINER_OF(link, struct dns_socket, link);
        if (socket->watch.fd == fd)
            found = socket;
    }

    unsigned ask = WATCH_LEVEL;
    if (readable)
        ask |= WATCH_READ;
    if (writable)
        ask |= WATCH_WRITE;
    if (ask == WATCH_LEVEL) {
        if (found != NULL)
            dns_socket_forget(found);
    } else if (found == NULL) {
        dns_socket_add(channel, fd, ask);
    } else if (loop_rewatch(channel->loop, &found->watch, ask) != ST_OK) {
        channel->is_blind = true;
        dns_socket_forget(found);
    }
}

static void dns_on_timer(struct timer *timer)
{
    struct dns_channel *channel = CONTAINER_OF(timer, struct dns_channel, timer);
    CHECK_TAG(channel, DNS_CHANNEL_TAG);
    channel->is_timer_due = true;
    loop_queue(channel->loop, &channel->task);
}

static void dns_set_timer(struct dns_channel *channel)
{
    struct timeval wait;
    if (list_is_empty(&channel->queries) || ares_timeout(channel->ares, NULL, &wait) == NULL) {
        timer_cancel(&channel->timer);
        return;
    }
    uint64_t wait_ns = (uint64_t)wait.tv_sec * NS_PER_S + (uint64_t)wait.tv_usec * NS_PER_US;
    if (channel->is_blind && wait_ns > dns_blind_look_ns)
        wait_ns = dns_blind_look_ns;
    timer_set_in(channel->loop, &channel->timer, wait_ns + NS_PER_MS);
}

/* Try all of the library's sockets. One that is closed meanwhile is none that it knows. */
static void dns_look_at_all(struct dns_channel *channel)
{
    ares_socket_t fds[ARES_GETSOCK_MAXNUM];
    /* The bits of ARES_GETSOCK_READABLE and _WRITABLE, whose own shift is one too far for an int. */
    unsigned wanted = (unsigned)ares_getsock(channel->ares, fds, ARES_GETSOCK_MAXNUM);
    for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        bool is_read = (wanted >> i & 1U) != 0;
        bool is_write = (wanted >> (i + ARES_GETSOCK_MAXNUM) & 1U) != 0;
        if (is_read || is_write)
            ares_process_fd(channel->ares, is_read ? fds[i] : ARES_SOCKET_BAD,
                            is_write ? fds[i] : ARES_SOCKET_BAD);
    }
}

/* Let the library work on what was recorded. */
static void dns_run(struct task *task)
{
    struct dns_channel *channel = CONTAINER_OF(task, struct dns_channel, task);
    CHECK_TAG(channel, DNS_CHANNEL_TAG);
    struct link *link;
    while ((link = list_first(&channel->ready)) != NULL) {
        struct dns_socket *socket = CONTAINER_OF(link, struct dns_socket, ready_link);
        int fd = socket->watch.fd;
        unsigned ready = socket->ready;
        socket->ready = 0;
        link_remove(link);
        bool is_failed = (ready & WATCH_ERROR) != 0;
        ares_process_fd(channel->ares, is_failed || (ready & WATCH_READ) ? fd : ARES_SOCKET_BAD,
                        is_failed || (ready & WATCH_WRITE) ? fd : ARES_SOCKET_BAD);
    }
    if (channel->is_timer_due && channel->is_blind)
        dns_look_at_all(channel);
    if (channel->is_timer_due)
        ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    channel->is_timer_due = false;
    dns_set_timer(channel);
}

/* ---- the library's channel ---- */

static enum status dns_open(struct dns_channel *channel, ares_channel *ret_ares)
{
    struct ares_options options = {0};
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
    options.flags = ARES_FLAG_EDNS;
    if (channel->server_count == 1) /* nobody else to ask: take what it says, also "refused" */
        options.flags |= ARES_FLAG_NOCHECKRESP;
    options.timeout = (int)channel->timeout_ms;
    options.tries = DNS_TRIES;
    options.sock_state_cb = dns_on_socket_state;
    options.sock_state_cb_data = channel;
#ifdef ARES_OPT_RESOLVCONF
    options.resolvconf_path = channel->resolv_path;
    mask |= ARES_OPT_RESOLVCONF;
#endif
#ifdef ARES_OPT_QUERY_CACHE
    options.qcache_max_ttl = 0;
    mask |= ARES_OPT_QUERY_CACHE;
#endif
#ifdef ARES_OPT_UDP_MAX_QUERIES
    options.udp_max_queries = 64; /* then another port, which is harder to guess */
    mask |= ARES_OPT_UDP_MAX_QUERIES;
#endif
    ares_channel ares;
    if (file_mark_look(channel->resolv_path, &channel->mark) != ST_OK)
        channel->mark = (struct file_mark){.is_present = false}; /* the next look tells more */
    int result = ares_init_options(&ares, &options, mask);
    if (result != ARES_SUCCESS)
        return result == ARES_ENOMEM ? ST_NOMEM : ST_BAD;
    if (channel->servers[0] != '\0' &&
        ares_set_servers_ports_csv(ares, channel->servers) != ARES_SUCCESS) {
        ares_destroy(ares);
        return ST_BAD;
    }
    *ret_ares = ares;
    return ST_OK;
}

static enum status dns_keep_servers(struct dns_channel *channel,
                                    const struct dns_channel_options *options)
{
    struct text text = text_on(channel->servers, sizeof(channel->servers));
    channel->server_count = options->server_count;
    for (size_t i = 0; i < options->server_count; i++) {
        char endpoint[INET_ENDPOINT_TEXT];
        struct inet_endpoint server = options->servers[i];
        if (server.port == 0)
            server.port = 53;
        size_t len = inet_endpoint_format(&server, endpoint);
        if (i > 0)
            text_add_char(&text, ',');
        text_add(&text, slice_of(endpoint, len));
    }
    (void)text_string(&text); /* terminates in place */
    return text.is_cut ? ST_BAD : ST_OK;
}

enum status dns_channel_create(struct loop *loop, const struct dns_channel_options *options,
                               struct dns_channel **ret_channel)
{
    struct dns_channel *channel = calloc(1, sizeof(*channel));
    if (channel == NULL)
        return ST_NOMEM;
    channel->tag = DNS_CHANNEL_TAG;
    channel->loop = loop;
    channel->timeout_ms = (unsigned)(options->timeout_ns / 5 / NS_PER_MS) + 1;
    link_init(&channel->queries);
    link_init(&channel->sockets);
    link_init(&channel->ready);
    task_init(&channel->task, dns_run);
    timer_init(&channel->timer, dns_on_timer);
    channel->resolv_path = strdup(options->resolv_path);

    enum status status =
        channel->resolv_path != NULL ? dns_keep_servers(channel, options) : ST_NOMEM;
    if (status == ST_OK)
        status = dns_open(channel, &channel->ares);
    if (status != ST_OK) {
        free(channel->resolv_path);
        free(channel);
        return status;
    }
    *ret_channel = channel;
    return ST_OK;
}

/* End a channel of the library; what was under way on it stays in channel->queries. */
static void dns_close(struct dns_channel *channel, ares_channel ares)
{
    channel->is_ending = true;
    ares_destroy(ares);
    channel->is_ending = false;
    LIST_EACH(link, &channel->sockets)
        dns_socket_forget(CONTAINER_OF(link, struct dns_socket, link));
}

void dns_channel_destroy(struct dns_channel **destroy)
{
    struct dns_channel *channel = *destroy;
    *destroy = NULL;
    if (channel == NULL)
        return;
    CHECK_TAG(channel, DNS_CHANNEL_TAG);
    dns_close(channel, channel->ares);
    LIST_EACH(link, &channel->queries)
        link_remove(link);
    task_cancel(&channel->task);
    timer_cancel(&channel->timer);
    channel->tag = 0;
    free(channel->resolv_path);
    free(channel);
}

/* ---- queries ---- */

static enum answer_result dns_result_of_status(int status)
{
    switch (status) {
    case ARES_ENODATA: return ANSWER_NODATA;
    case ARES_ENOTFOUND: return ANSWER_NXDOMAIN;
    case ARES_ESERVFAIL: return ANSWER_SERVFAIL;
    case ARES_EREFUSED: return ANSWER_REFUSED;
    case ARES_ECONNREFUSED: return ANSWER_SERVFAIL; /* no server could be reached, or all failed */
    case ARES_ETIMEOUT: return ANSWER_TIMEOUT;
    default: return ANSWER_ERROR;
    }
}

static void dns_on_answer(void *owner, int status, int timeouts, unsigned char *bytes, int len)
{
    (void)timeouts;
    struct dns_query *query = owner;
    struct dns_channel *channel = query->channel;
    CHECK_TAG(channel, DNS_CHANNEL_TAG);
    if (channel->is_ending)
        return; /* asked again on the next channel, or forgotten */

    struct dns_answer answer = {.result = dns_result_of_status(status)};
    if (bytes != NULL && len > 0 && status != ARES_ETIMEOUT && status != ARES_ECONNREFUSED) {
        struct slice packet = slice_of((const char *)bytes, (size_t)len);
        struct slice name = query->is_search ? SLICE_NONE : slice_from_string(query->name);
        if (dns_answer_parse(packet, name, query->family, &answer) != ST_OK)
            answer = (struct dns_answer){.result = ANSWER_ERROR};
    } else if (status == ARES_SUCCESS) {
        answer.result = ANSWER_ERROR;
    }
    link_remove(&query->link);
    query->on_end(query, &answer);
}

static void dns_send(struct dns_channel *channel, struct dns_query *query)
{
    int type = query->family == INET_V4 ? ns_t_a : ns_t_aaaa;
    if (query->is_search)
        ares_search(channel->ares, query->name, ns_c_in, type, dns_on_answer, query);
    else
        ares_query(channel->ares, query->name, ns_c_in, type, dns_on_answer, query);
}

void dns_channel_ask(struct dns_channel *channel, struct dns_query *query)
{
    CHECK_TAG(channel, DNS_CHANNEL_TAG);
    query->channel = channel;
    link_init(&query->link);
    list_append(&channel->queries, &query->link);
    dns_send(channel, query);
    uint64_t look_ns = channel->is_blind ? dns_blind_look_ns : dns_first_look_ns;
    if (!timer_is_set(&channel->timer) ||
        channel->timer.deadline_ns > loop_now_ns(channel->loop) + look_ns)
        timer_set_in(channel->loop, &channel->timer, look_ns);
}

bool dns_channel_renew(struct dns_channel *channel, bool (*is_wanted)(struct dns_query *))
{
    CHECK_TAG(channel, DNS_CHANNEL_TAG);
    ares_channel fresh;
    if (dns_open(channel, &fresh) != ST_OK)
        return false;
    ares_channel old = channel->ares;
    channel->ares = fresh;
    channel->is_blind = false;
    dns_close(channel, old);

    /* Each is sent once; those that end at once leave the list meanwhile. */
    struct link again;
    link_init(&again);
    list_take_all(&again, &channel->queries);
    struct link *link;
    while ((link = list_first(&again)) != NULL) {
        struct dns_query *query = CONTAINER_OF(link, struct dns_query, link);
        link_remove(link);
        if (is_wanted != NULL && !is_wanted(query))
            continue;
        list_append(&channel->queries, link);
        dns_send(channel, query);
    }
    dns_set_timer(channel);
    return true;
}

bool dns_channel_refresh(struct dns_channel *channel)
{
    CHECK_TAG(channel, DNS_CHANNEL_TAG);
    struct file_mark mark;
    if (channel->servers[0] != '\0' || file_mark_look(channel->resolv_path, &mark) != ST_OK ||
        file_mark_equals(&mark, &channel->mark))
        return false;
    return dns_channel_renew(channel, NULL);
}
