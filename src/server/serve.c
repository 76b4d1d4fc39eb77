/* The life of the process: configuration, listening sockets, threads, signals.
 *
 *   SIGHUP         read everything anew; only if all of it is good do the workers change over
 *   SIGUSR1        open the log file again
 *   SIGTERM, INT   drain; a second one ends at once
 *
 * Sockets are bound before any thread begins. One TCP address is one SO_REUSEPORT socket for each worker; Unix
 * and inherited sockets have no such group and are shared, each worker watching with EPOLLEXCLUSIVE. A probe
 * without SO_REUSEPORT comes first, so that a second instance hears "address in use".
 *
 * Started as root, privileges are dropped once the sockets are bound and the files are read. */

#include "server/serve.h"

#include "admin/routes.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "io/socket.h"
#include "record/ring.h"
#include "report/diag.h"
#include "server/notify.h"
#include "server/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <ifaddrs.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    WORKERS_MAX = 64,
    LISTENS_MAX = 64,
    RING_BYTES = 4 << 20,
    BACKLOG = 4096,
    FILE_MAX = 4 << 20
};

/* One configured address with its descriptors. */
struct opening {
    struct config_listen listen; /* kind, endpoint and path only; the path is ours */
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    int fds[WORKERS_MAX];
    unsigned count; /* 1 when shared */
    bool is_kept;   /* taken over by the next set */
};

struct openings {
    struct opening at[LISTENS_MAX];
    size_t count;
};

struct server {
    int argc;
    const char *const *argv;
    unsigned worker_count;
    struct worker *workers[WORKERS_MAX];
    struct worker *admin_worker;
    struct counters *counters; /* one for each worker, the admin worker's last */
    struct ring *rings[WORKERS_MAX];
    struct recorder *recorder;
    struct snapshot *snapshot;
    struct openings openings;
    struct opening admin_opening;
    struct tls_tickets *tickets;
    int log_fd; /* until the recorder has it */
    struct admin admin;
    char via[32];
    char log_path[512];
};

/* ---- configuration ---- */

static void serve_report(struct config_errors *errors, const char *line)
{
    (void)errors;
    (void)fprintf(stderr, "fairlead: %s\n", line);
}

/* A whole file, at most 4 MiB. Errors: ST_IO, ST_NOMEM. */
static enum status serve_read_file(struct snapshot_files *files, struct slice path, char **ret_text,
                                   size_t *ret_len)
{
    (void)files;
    int fd = open(path.at, O_RDONLY | O_CLOEXEC);
    struct stat facts;
    if (fd < 0)
        return ST_IO;
    char *text = fstat(fd, &facts) == 0 && facts.st_size <= FILE_MAX
                     ? malloc((size_t)facts.st_size + 1)
                     : NULL;
    size_t len = 0;
    ssize_t got = 1;
    while (text != NULL && got > 0 && len < (size_t)facts.st_size) {
        got = read(fd, text + len, (size_t)facts.st_size - len);
        len += got > 0 ? (size_t)got : 0;
    }
    socket_close(&fd);
    if (text == NULL || got < 0) {
        free(text);
        return ST_IO;
    }
    text[len] = '\0';
    *ret_text = text;
    *ret_len = len;
    return ST_OK;
}

struct config *serve_load_config(int argc, const char *const *argv)
{
    struct config_errors errors = {serve_report, 0};
    const char *name = config_file_flag(argc, argv);
    char *text = NULL;
    size_t len = 0;
    if (name != NULL && serve_read_file(NULL, slice_from_string(name), &text, &len) != ST_OK) {
        (void)fprintf(stderr, "fairlead: %s: %s\n", name, strerror(errno));
        return NULL;
    }
    struct config *config = NULL;
    enum status status =
        config_load(name == NULL ? "" : name, slice_of(text, len), argc, argv, &errors, &config);
    free(text);
    return status == ST_OK ? config : NULL;
}

/* ---- listening sockets ---- */

static void opening_close(struct opening *opening)
{
    for (unsigned i = 0; i < opening->count; i++)
        socket_close(&opening->fds[i]);
    opening->count = 0;
}

static bool opening_fail(const struct config_listen *listen, const char *why)
{
    char address[INET_ENDPOINT_TEXT];
    inet_endpoint_format(&listen->endpoint, address);
    diag(DIAG_ERROR, "cannot listen on %s: %s",
         listen->kind == LISTEN_UNIX ? listen->path.at : address, why);
    return false;
}

static bool opening_tcp(struct opening *opening, const struct config_listen *listen, unsigned want)
{
    struct inet_endpoint endpoint = listen->endpoint;
    struct socket_listen_options options = {.backlog = BACKLOG, .only_v6 = true};
    int probe;
    if (socket_listen(&endpoint, &options, &probe) != ST_OK)
        return opening_fail(listen, errno == EADDRINUSE ? "address in use" : strerror(errno));
    if (want == 1) {
        opening->fds[opening->count++] = probe;
        opening->listen.endpoint = socket_local(probe);
        return true;
    }
    if (endpoint.port == 0)
        endpoint.port = socket_local(probe).port;
    socket_close(&probe);
    options.reuse_port = true;
    opening->listen.endpoint = endpoint;
    for (unsigned i = 0; i < want; i++) {
        if (socket_listen(&endpoint, &options, &opening->fds[i]) != ST_OK)
            return opening_fail(listen, errno == EADDRINUSE ? "address in use" : strerror(errno));
        opening->count++;
    }
    return true;
}

/* The next descriptor of socket activation (sd_listen_fds(3)). */
static bool opening_inherited(struct opening *opening, const struct config_listen *listen)
{
    static int next = 3;
    const char *pid = getenv("LISTEN_PID");
    const char *count = getenv("LISTEN_FDS");
    if (pid == NULL || count == NULL || strtol(pid, NULL, 10) != (long)getpid() ||
        next >= 3 + strtol(count, NULL, 10))
        return opening_fail(listen, "no inherited socket is left");
    (void)fcntl(next, F_SETFD, FD_CLOEXEC);
    (void)fcntl(next, F_SETFL, fcntl(next, F_GETFL) | O_NONBLOCK);
    opening->fds[opening->count++] = next;
    opening->listen.endpoint = socket_local(next);
    next++;
    return true;
}

static bool opening_open(struct opening *opening, const struct config_listen *listen, unsigned want)
{
    *opening = (struct opening){.listen = {.kind = listen->kind, .endpoint = listen->endpoint}};
    switch (listen->kind) {
    case LISTEN_TCP: return opening_tcp(opening, listen, want);
    case LISTEN_UNIX:
        (void)snprintf(opening->path, sizeof(opening->path), "%s", listen->path.at);
        if (socket_listen_unix(listen->path, listen->mode, BACKLOG, &opening->fds[0]) != ST_OK)
            return opening_fail(listen, strerror(errno));
        opening->count = 1;
        return true;
    case LISTEN_INHERITED: return opening_inherited(opening, listen);
    }
    return false;
}

/* The address that was asked for before, so that a reload keeps the socket. Port 0 never matches. */
static bool opening_matches(const struct opening *opening, const struct config_listen *listen)
{
    if (opening->listen.kind != listen->kind || opening->is_kept)
        return false;
    if (listen->kind == LISTEN_UNIX)
        return strcmp(opening->path, listen->path.at) == 0;
    if (listen->kind == LISTEN_INHERITED)
        return true;
    return inet_endpoint_equals(&opening->listen.endpoint, &listen->endpoint) ||
           (listen->endpoint.port == 0 &&
            inet_addr_equals(&opening->listen.endpoint.addr, &listen->endpoint.addr));
}

/* All addresses of `config`, those of `old` taken over. False: nothing changed, and it was said. */
static bool openings_make(struct openings *openings, const struct config *config,
                          struct openings *old, unsigned worker_count)
{
    openings->count = 0;
    for (size_t i = 0; i < old->count; i++)
        old->at[i].is_kept = false;
    for (size_t i = 0; i < config->listen_count && i < LISTENS_MAX; i++) {
        struct opening *mine = &openings->at[i];
        bool is_found = false;
        for (size_t j = 0; j < old->count && !is_found; j++) {
            is_found = opening_matches(&old->at[j], &config->listen[i]);
            if (is_found) {
                old->at[j].is_kept = true;
                *mine = old->at[j];
            }
        }
        openings->count++;
        if (is_found || opening_open(mine, &config->listen[i], worker_count))
            continue;
        for (size_t j = 0; j <= i; j++) {
            if (!openings->at[j].is_kept)
                opening_close(&openings->at[j]);
        }
        return false;
    }
    return true;
}

/* ---- the gate ---- */

static size_t serve_interfaces(struct inet_addr *into, size_t max)
{
    struct ifaddrs *list;
    size_t count = 0;
    if (getifaddrs(&list) < 0)
        return 0;
    for (struct ifaddrs *entry = list; entry != NULL && count < max; entry = entry->ifa_next) {
        if (entry->ifa_addr == NULL)
            continue;
        struct inet_endpoint endpoint =
            inet_from_sockaddr(entry->ifa_addr, sizeof(struct sockaddr_storage));
        if (endpoint.addr.family != INET_NONE && !inet_addr_is_loopback(&endpoint.addr))
            into[count++] = endpoint.addr;
    }
    freeifaddrs(list);
    return count;
}

static struct gate *serve_make_gate(const struct config *config, const struct openings *openings,
                                    const struct opening *admin)
{
    struct inet_endpoint own[LISTENS_MAX + 1];
    struct inet_addr interfaces[256];
    size_t own_count = 0;
    for (size_t i = 0; i < openings->count; i++) {
        if (openings->at[i].listen.endpoint.addr.family != INET_NONE)
            own[own_count++] = openings->at[i].listen.endpoint;
    }
    if (admin->listen.endpoint.addr.family != INET_NONE)
        own[own_count++] = admin->listen.endpoint;
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
        .own_count = own_count,
        .interfaces = interfaces,
        .interface_count = serve_interfaces(interfaces, COUNT_OF(interfaces)),
        .floor_exceptions = config->egress.floor_exceptions.at,
        .floor_exception_count = config->egress.floor_exceptions.count,
        .floor_names = {config->egress.floor_names.at, config->egress.floor_names.count},
    };
    return gate_create(&options);
}

/* ---- the log ---- */

/* -1 and *ret_ok false: it cannot be opened, and that was said. */
static int serve_open_log(const struct config *config, bool *ret_ok)
{
    struct slice file = config->log.file;
    *ret_ok = true;
    if (slice_equals(file, SLICE("off")))
        return -1;
    if (slice_equals(file, SLICE("-")))
        return STDOUT_FILENO;
    int fd = open(file.at, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0) {
        diag(DIAG_ERROR, "log file %s: %s", file.at, strerror(errno));
        *ret_ok = false;
    }
    return fd;
}

static struct access_log_style serve_log_style(const struct config *config)
{
    bool is_terminal = slice_equals(config->log.file, SLICE("-")) && isatty(STDOUT_FILENO);
    enum config_log_format format = config->log.has_format ? config->log.format
                                    : is_terminal          ? LOG_LINE
                                                           : LOG_JSON;
    return (struct access_log_style){(enum access_log_format)format,
                                     is_terminal && getenv("NO_COLOR") == NULL};
}

/* ---- start ---- */

static void serve_raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* what there is has to do */
    }
}

/* Never serve as root. */
static bool serve_drop_root(const struct config *config)
{
    if (geteuid() != 0)
        return true;
    const char *name = config->run_as.len > 0 ? config->run_as.at : "nobody";
    const struct passwd *user = getpwnam(name);
    if (user == NULL || user->pw_uid == 0) {
        diag(DIAG_ERROR, "--run-as %s: %s", name,
             user == NULL ? "there is no such user" : "root does not serve");
        return false;
    }
    if (initgroups(name, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 ||
        setuid(user->pw_uid) < 0) {
        diag(DIAG_ERROR, "cannot become %s: %s", name, strerror(errno));
        return false;
    }
    return true;
}

static void serve_say_listeners(const struct server *server)
{
    const struct config *config = server->snapshot->config;
    for (size_t i = 0; i < server->openings.count; i++) {
        const struct opening *opening = &server->openings.at[i];
        char address[INET_ENDPOINT_TEXT];
        inet_endpoint_format(&opening->listen.endpoint, address);
        (void)fprintf(stderr, "fairlead: listening on %s%s\n",
                      opening->listen.kind == LISTEN_UNIX ? "unix:"
                      : config->listen[i].is_tls          ? "https://"
                                                          : "http://",
                      opening->listen.kind == LISTEN_UNIX ? opening->path : address);
    }
    if (config->admin.is_off)
        return;
    char address[INET_ENDPOINT_TEXT];
    inet_endpoint_format(&server->admin_opening.listen.endpoint, address);
    bool is_unix = server->admin_opening.listen.kind == LISTEN_UNIX;
    (void)fprintf(stderr, "fairlead: admin on %s%s\n", is_unix ? "unix:" : "http://",
                  is_unix ? server->admin_opening.path : address);
}

static void serve_say_hint(const struct server *server)
{
    char address[INET_ENDPOINT_TEXT];
    if (!isatty(STDERR_FILENO) || server->openings.count == 0)
        return;
    inet_endpoint_format(&server->openings.at[0].listen.endpoint, address);
    (void)fprintf(stderr, "fairlead: try   curl -x http://%s http://example.com/\n", address);
}

/* Give each worker its listeners. */
static void serve_hand_out(struct server *server)
{
    for (unsigned w = 0; w < server->worker_count; w++) {
        struct worker_listen listens[LISTENS_MAX];
        for (size_t i = 0; i < server->openings.count; i++) {
            const struct opening *opening = &server->openings.at[i];
            bool is_shared = opening->count == 1 && server->worker_count > 1;
            listens[i] = (struct worker_listen){opening->fds[opening->count == 1 ? 0 : w], (int)i,
                                                is_shared};
        }
        worker_adopt(server->workers[w], server->snapshot, listens, server->openings.count);
    }
    if (server->admin_worker != NULL) {
        struct worker_listen listen = {server->admin_opening.fds[0], -1, false};
        worker_adopt(server->admin_worker, server->snapshot, &listen, 1);
    }
}

static bool serve_start_worker(struct server *server, unsigned id, const struct handler *handler,
                               struct worker **ret_worker)
{
    struct worker_options options = {
        .id = (uint16_t)id,
        .snapshot = server->snapshot,
        .counters = &server->counters[id],
        .ring = handler == NULL ? server->rings[id] : NULL,
        .recorder = server->recorder,
        .handler = handler,
    };
    if (worker_create(&options, ret_worker) != ST_OK || worker_start(*ret_worker) != ST_OK) {
        diag(DIAG_ERROR, "a worker cannot start: %s", strerror(errno));
        return false;
    }
    return true;
}

static bool serve_start_threads(struct server *server)
{
    const struct config *config = server->snapshot->config;
    struct recorder_options options = {
        .rings = server->rings,
        .ring_count = server->worker_count,
        .fd = server->log_fd,
        .path = config->log.file.len > 1 && !slice_equals(config->log.file, SLICE("off"))
                    ? config->log.file.at
                    : NULL,
        .style = serve_log_style(config),
    };
    for (unsigned i = 0; i < server->worker_count; i++)
        server->rings[i] = ring_create(RING_BYTES);
    server->recorder = recorder_create(&options);
    if (server->recorder == NULL)
        return false;
    for (unsigned i = 0; i < server->worker_count; i++) {
        if (!serve_start_worker(server, i, NULL, &server->workers[i]))
            return false;
        server->admin.counters[server->admin.counter_count++] = &server->counters[i];
        server->admin.errands.stops[server->admin.errands.stop_count++] =
            (struct errand_stop){worker_loop(server->workers[i]), worker_proxy(server->workers[i])};
    }
    return config->admin.is_off ||
           serve_start_worker(server, server->worker_count, &server->admin.handler,
                              &server->admin_worker);
}

/* Is an inherited socket, whose address the configuration could not know, open to everybody? */
static bool serve_is_open(const struct config *config, const struct openings *openings)
{
    for (size_t i = 0; i < openings->count; i++) {
        if (config->listen[i].kind != LISTEN_INHERITED ||
            !config_is_open(config, &config->listen[i], &openings->at[i].listen.endpoint.addr))
            continue;
        diag(
            DIAG_ERROR,
            "listen[%zu]: the inherited socket is not on loopback, so this would be an open proxy; "
            "say who may connect (clients.allow, or --allow-clients 10.0.0.0/8)",
            i);
        return true;
    }
    return false;
}

/* A snapshot of `config`, which it owns, for these sockets. NULL, and it was said. */
static struct snapshot *serve_make_snapshot(struct server *server, struct config *config,
                                            const struct openings *openings)
{
    struct snapshot_files files = {serve_read_file};
    char words[300];
    struct text fault = text_on(words, sizeof(words));
    struct snapshot *snapshot = NULL;
    enum diag_level level = DIAG_INFO;
    if (serve_is_open(config, openings)) {
        config_destroy(&config);
        return NULL;
    }
    struct gate *gate = serve_make_gate(config, openings, &server->admin_opening);
    if (snapshot_create(config, gate, &files, server->tickets, slice_from_string(server->via),
                        &fault, &snapshot) != ST_OK) {
        diag(DIAG_ERROR, "%s", text_string(&fault));
        return NULL;
    }
    for (size_t i = 0; i < openings->count; i++)
        snapshot->bound[i] = openings->at[i].listen.endpoint;
    if (diag_level_find(snapshot->config->log.diagnostics, &level))
        diag_set_level(level);
    return snapshot;
}

static void serve_name(struct server *server)
{
    uint32_t tail;
    random_secure(&tail, sizeof(tail));
    (void)snprintf(server->via, sizeof(server->via), "fairlead-%08x", tail);
}

static bool serve_begin(struct server *server, struct config *config)
{
    static struct openings none;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    server->worker_count =
        config->workers > 0 ? config->workers : (unsigned)(cores > 0 ? cores : 1);
    if (server->worker_count > WORKERS_MAX)
        server->worker_count = WORKERS_MAX;
    server->counters = calloc(server->worker_count + 1, sizeof(*server->counters));
    server->tickets = tls_tickets_create();
    serve_name(server);
    admin_init(&server->admin);
    if (!openings_make(&server->openings, config, &none, server->worker_count) ||
        (!config->admin.is_off &&
         !opening_open(&server->admin_opening, &config->admin.listen, 1))) {
        config_destroy(&config);
        return false;
    }
    server->snapshot = serve_make_snapshot(server, config, &server->openings);
    if (server->snapshot == NULL)
        return false;
    bool is_open = false;
    server->log_fd = serve_open_log(server->snapshot->config, &is_open);
    if (!is_open || !serve_drop_root(server->snapshot->config) || !serve_start_threads(server))
        return false;
    serve_hand_out(server);
    return true;
}

/* ---- reload ---- */

static void serve_reload(struct server *server)
{
    static struct openings fresh;
    notify_reloading();
    struct config *config = serve_load_config(server->argc, server->argv);
    bool is_good =
        config != NULL && openings_make(&fresh, config, &server->openings, server->worker_count);
    if (!is_good) {
        config_destroy(&config);
        diag(DIAG_ERROR, "reload failed: the old configuration stays");
        notify_ready();
        return;
    }
    struct snapshot *snapshot = serve_make_snapshot(server, config, &fresh);
    if (snapshot == NULL) {
        for (size_t i = 0; i < fresh.count; i++) {
            if (!fresh.at[i].is_kept)
                opening_close(&fresh.at[i]);
        }
        diag(DIAG_ERROR, "reload failed: the old configuration stays");
        notify_ready();
        return;
    }
    struct openings old = server->openings;
    snapshot_unref(&server->snapshot);
    server->snapshot = snapshot;
    server->openings = fresh;
    serve_hand_out(server);
    for (size_t i = 0; i < old.count; i++) {
        if (!old.at[i].is_kept)
            opening_close(&old.at[i]);
    }
    struct access_log_style style = serve_log_style(snapshot->config);
    recorder_set_style(server->recorder, &style);
    diag(DIAG_NOTICE, "reloaded");
    serve_say_listeners(server);
    notify_ready();
}

/* ---- end ---- */

static bool serve_is_idle(const struct server *server)
{
    for (unsigned i = 0; i < server->worker_count; i++) {
        if (!worker_is_idle(server->workers[i]))
            return false;
    }
    return true;
}

/* Wait until all is done, the drain time is over, or a second signal comes. */
static void serve_drain(struct server *server, const sigset_t *signals)
{
    uint64_t deadline = clock_monotonic_ns() + server->snapshot->config->timeouts.drain_ns;
    notify_stopping();
    atomic_store(&server->admin.is_draining, true);
    for (unsigned i = 0; i < server->worker_count; i++)
        worker_drain(server->workers[i]);
    while (!serve_is_idle(server) && clock_monotonic_ns() < deadline) {
        struct timespec nap = {0, 20 * 1000000L};
        int got = sigtimedwait(signals, NULL, &nap);
        if (got == SIGTERM || got == SIGINT)
            return;
    }
}

static void serve_end(struct server *server)
{
    worker_stop(&server->admin_worker); /* first, since it asks the others */
    for (unsigned i = 0; i < server->worker_count; i++)
        worker_stop(&server->workers[i]);
    recorder_stop(&server->recorder);
    for (unsigned i = 0; i < server->worker_count; i++)
        ring_destroy(&server->rings[i]);
    for (size_t i = 0; i < server->openings.count; i++) {
        if (server->openings.at[i].listen.kind == LISTEN_UNIX)
            (void)unlink(server->openings.at[i].path);
        opening_close(&server->openings.at[i]);
    }
    if (server->admin_opening.listen.kind == LISTEN_UNIX)
        (void)unlink(server->admin_opening.path);
    opening_close(&server->admin_opening);
    snapshot_unref(&server->snapshot);
    tls_tickets_unref(&server->tickets);
    free(server->counters);
}

int serve(int argc, const char *const *argv)
{
    static struct server server;
    sigset_t signals;
    server.argc = argc;
    server.argv = argv;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    serve_raise_descriptors();
    diag_begin(DIAG_INFO);

    struct config *config = serve_load_config(argc, argv);
    if (config == NULL)
        return 2;
    if (!serve_begin(&server, config))
        return 1;
    serve_say_listeners(&server);
    serve_say_hint(&server);
    notify_ready();
    for (;;) {
        int got = sigwaitinfo(&signals, NULL);
        if (got == SIGHUP)
            serve_reload(&server);
        else if (got == SIGUSR1)
            recorder_reopen(server.recorder);
        else if (got == SIGTERM || got == SIGINT)
            break;
    }
    serve_drain(&server, &signals);
    serve_end(&server);
    return 0;
}
