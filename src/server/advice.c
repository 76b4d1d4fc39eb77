/* What a configuration asks of the machine that it is on: an address to connect from, a hosts table, a congestion
 * control, folders for the log and for sockets.
 *
 * They fail late and far from their cause: connections that cannot be made, names that are not found, another control
 * without a word; and a check, which makes nothing, would find a file good that a start fails for. So they are looked
 * at before, and said as warnings. An address is tried by binding a datagram socket that is closed at
 * once, which asks the very question that a connection will ask (a loopback address counts, and so does one that
 * net.ipv4.ip_nonlocal_bind lets through). Controls are looked up in /proc; trying one could load a module. */

#include "server/advice.h"

#include "io/socket.h"
#include "net/hosts.h"
#include "server/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTROLS_FILE "/proc/sys/net/ipv4/tcp_available_congestion_control"

enum { ADVICE_TEXT = 600, CONTROLS_MAX = 400, ADVICE_PATH = 4096 };

/* ---- the source address ---- */

/* True also where it cannot be found out. */
static bool address_is_here(const struct inet_addr *addr)
{
    struct inet_endpoint endpoint = {.addr = *addr};
    struct sockaddr_storage at;
    socklen_t len = inet_to_sockaddr(&endpoint, &at);
    int fd = socket(at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    bool is_here = bind(fd, (struct sockaddr *)&at, len) == 0 || errno != EADDRNOTAVAIL;
    socket_close(&fd);
    return is_here;
}

static void advise_source(const struct config *config, void (*say)(const char *line))
{
    char words[ADVICE_TEXT];
    char address[INET_ADDR_TEXT];
    struct text text = text_on(words, sizeof(words));
    if (config->source.family == INET_NONE || address_is_here(&config->source))
        return;
    inet_addr_format(&config->source, address);
    config_add_origin(config, &config->source, &text);
    text_add_format(&text,
                    "this machine does not have the address %s now; while that is so, no "
                    "connection can be made",
                    address);
    say(text_string(&text));
}

/* ---- congestion control ---- */

/* What the kernel has, words apart by blanks; empty where it does not say. */
static struct slice read_controls(char *into, size_t cap)
{
    int fd = open(CONTROLS_FILE, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, into, cap);
    if (fd >= 0)
        (void)close(fd);
    struct slice all = slice_of(into, got > 0 ? (size_t)got : 0);
    return slice_trim(slice_first(all, slice_find(all, '\n')));
}

static void advise_congestion(const struct config *config, const char *const *setting,
                              struct slice controls, void (*say)(const char *line))
{
    char words[ADVICE_TEXT];
    struct text text = text_on(words, sizeof(words));
    struct slice wanted = slice_from_string(*setting);
    struct slice rest = controls;
    struct slice control;
    if (wanted.len == 0 || controls.len == 0)
        return;
    while (slice_next_part(&rest, ' ', &control)) {
        if (slice_equals(control, wanted))
            return;
    }
    config_add_origin(config, setting, &text);
    text_add_format(&text, "this machine does not have %s now, so the system's is used; it has ",
                    *setting);
    text_add(&text, controls);
    say(text_string(&text));
}

/* ---- the hosts table ---- */

enum { HOSTS_TOO_LONG = 200, HOSTS_NO_FILE }; /* no numbers of errors */

static int ask_hosts(const void *path)
{
    switch (hosts_check(path)) {
    case ST_OK: return 0;
    case ST_LIMIT: return HOSTS_TOO_LONG;
    case ST_BAD: return HOSTS_NO_FILE;
    default: return errno;
    }
}

/* As the user that serves, who reads it: root may read what that one may not. 0: nothing is known against it. */
static int hosts_error(const struct config *config)
{
    char words[ADVICE_TEXT];
    struct text fault = text_on(words, sizeof(words));
    struct privileges_user user;
    const char *name = config->run_as.len > 0 ? config->run_as.at : "";
    if (!privileges_are_held())
        return ask_hosts(config->resolver.hosts_file.at);
    if (privileges_find_user(name, &user, &fault) != ST_OK)
        return 0; /* the start will say so */
    int error = privileges_ask_as(&user, ask_hosts, config->resolver.hosts_file.at);
    return error > 0 ? error : 0;
}

/* The default is no wish: without /etc/hosts there are no names in it. */
static void advise_hosts(const struct config *config, void (*say)(const char *line))
{
    char words[ADVICE_TEXT];
    struct text text = text_on(words, sizeof(words));
    struct slice path = config->resolver.hosts_file;
    if (path.len == 0)
        return;
    int error = hosts_error(config);
    bool is_there = error == HOSTS_TOO_LONG || error == HOSTS_NO_FILE;
    if (error == 0 || (!is_there && slice_equals(path, SLICE("/etc/hosts"))))
        return;
    config_add_origin(config, &config->resolver.hosts_file, &text);
    text_add_format(&text, "%s cannot be read now (", path.at);
    if (error == HOSTS_TOO_LONG)
        text_add_format(&text, "it has %d MiB or more", HOSTS_FILE_MAX >> 20);
    else
        text_add_format(&text, "%s",
                        error == HOSTS_NO_FILE ? "it is no regular file" : strerror(error));
    text_add_format(&text, "); while that is so, a start takes no name from it");
    say(text_string(&text));
}

/* ---- what a start makes ---- */

static int folder_error(struct slice path)
{
    char folder[ADVICE_PATH];
    size_t slash = slice_find_last(path, '/');
    struct slice name = slash == path.len ? SLICE(".") : slice_first(path, slash > 0 ? slash : 1);
    if (name.len >= sizeof(folder))
        return ENAMETOOLONG;
    memcpy(folder, name.at, name.len);
    folder[name.len] = '\0';
    return access(folder, W_OK | X_OK) == 0 ? 0 : errno;
}

static void say_not_made(const struct config *config, const void *setting, struct slice path,
                         const char *why, void (*say)(const char *line))
{
    char words[ADVICE_TEXT];
    struct text text = text_on(words, sizeof(words));
    config_add_origin(config, setting, &text);
    text_add(&text, path);
    text_add_format(&text, " cannot be made now (%s); while that is so, a start fails", why);
    say(text_string(&text));
}

/* It is not tried by opening it: whoever reads a FIFO would take the end of that for the end of the log. */
static int log_error(const char *path)
{
    struct stat facts;
    if (access(path, W_OK) < 0)
        return errno;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode) ? EISDIR : 0;
}

static void advise_log(const struct config *config, void (*say)(const char *line))
{
    struct slice path = config->log.file;
    if (slice_equals(path, SLICE("-")) || slice_equals(path, SLICE("off")))
        return;
    int error = log_error(path.at);
    if (error == ENOENT)
        error = folder_error(path);
    if (error != 0)
        say_not_made(config, &config->log.file, path, strerror(error), say);
}

static void advise_socket(const struct config *config, const struct config_listen *listen,
                          void (*say)(const char *line))
{
    struct stat facts;
    if (listen->kind != LISTEN_UNIX)
        return;
    int error = folder_error(listen->path);
    if (error != 0)
        say_not_made(config, listen, listen->path, strerror(error), say);
    else if (lstat(listen->path.at, &facts) == 0 && !S_ISSOCK(facts.st_mode))
        say_not_made(config, listen, listen->path, "what has this name is no socket", say);
}

static void advise_made(const struct config *config, void (*say)(const char *line))
{
    advise_log(config, say);
    if (!config->admin.is_off)
        advise_socket(config, &config->admin.listen, say);
    for (size_t i = 0; i < config->listen_count; i++)
        advise_socket(config, &config->listen[i], say);
}

/* ---- passwords that can be read on the way ---- */

static void advise_clear_passwords(const struct config *config, void (*say)(const char *line))
{
    char words[ADVICE_TEXT];
    char address[INET_ENDPOINT_TEXT];
    bool asks = config->identity.users.len > 0 || config->identity.tokens.len > 0;
    for (size_t i = 0; asks && i < config->listen_count; i++) {
        const struct config_listen *listen = &config->listen[i];
        if (listen->kind != LISTEN_TCP || listen->is_tls ||
            inet_addr_is_loopback(&listen->endpoint.addr))
            continue;
        struct text text = text_on(words, sizeof(words));
        inet_endpoint_format(&listen->endpoint, address);
        config_add_origin(config, listen, &text);
        text_add_format(&text,
                        "passwords and tokens come to %s in clear, and who sees them on the way "
                        "can use them; a listener over TLS hides them (--listen-tls)",
                        address);
        say(text_string(&text));
    }
}

void advice_give(const struct config *config, void (*say)(const char *line))
{
    char space[CONTROLS_MAX];
    struct slice controls = read_controls(space, sizeof(space));
    advise_source(config, say);
    advise_hosts(config, say);
    advise_made(config, say);
    advise_clear_passwords(config, say);
    advise_congestion(config, &config->tcp.congestion_client, controls, say);
    advise_congestion(config, &config->tcp.congestion_upstream, controls, say);
}
