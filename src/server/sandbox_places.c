/* Places by their real names: the kernel judges a file by the folders that it really stands in, so links are resolved
 * here, at the start. /etc/letsencrypt/live/x/privkey.pem is a link into ../../archive/x, and both folders are needed:
 * the link may be replaced, and it then leads to another file of the same folder.
 *
 * A folder is opened with all below it; the kernel has no other kind. So a configuration that lies in a home opens that
 * home for reading. That is why its own folder is worth having, and why `check --sandbox` lists these. */

#include "server/sandbox_places.h"

#include "base/check.h"
#include "net/tls_library.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What libraries read by themselves. Those of authorities are where the links of the system's store lead to, on one
 * system or another. */
static const char *const system_places[] = {
    "/etc", /* resolv.conf, hosts, nsswitch.conf, ssl: each is replaced as a whole now and then */
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/share/pki",
    "/usr/lib/ssl",
    "/var/lib/ca-certificates",
    "/usr/share/zoneinfo",
    "/dev/urandom",
    "/sys/devices/system/cpu",
};

/* ---- one place ---- */

static bool lies_in(const char *path, const char *place)
{
    size_t len = strlen(place);
    return strncmp(path, place, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

/* Takes `path`, which is real. */
static enum status places_take(struct sandbox_places *places, char *path, unsigned may)
{
    for (size_t i = 0; i < places->count; i++) {
        struct landlock_place *place = &places->at[i];
        bool is_same = strcmp(place->path, path) == 0;
        if (is_same || (lies_in(path, place->path) && (place->may & may) == may)) {
            place->may |= may;
            free(path);
            return ST_OK;
        }
    }
    if (places->count == SANDBOX_PLACES_MAX) {
        free(path);
        return ST_LIMIT;
    }
    places->at[places->count++] = (struct landlock_place){path, may};
    return ST_OK;
}

/* A place that is there; one that is not is no error. */
static enum status places_add(struct sandbox_places *places, const char *path, unsigned may)
{
    char *real = realpath(path, NULL);
    return real != NULL ? places_take(places, real, may) : ST_OK;
}

/* The folder of `path`, as written: "." where it has none. False where it is too long. */
static bool folder_of(const char *path, char *into, size_t cap)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    if (len + 2 > cap)
        return false;
    memcpy(into, slash == NULL ? "." : path, slash == NULL ? 1 : len);
    into[slash == NULL ? 1 : len] = '\0';
    return true;
}

static bool is_special(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && !S_ISREG(facts.st_mode) && !S_ISDIR(facts.st_mode) &&
           !S_ISSOCK(facts.st_mode);
}

static enum status places_add_folder(struct sandbox_places *places, const char *path, unsigned may)
{
    char folder[PATH_MAX];
    char *real = folder_of(path, folder, sizeof(folder)) ? realpath(folder, NULL) : NULL;
    if (real == NULL)
        return ST_OK;
    if (strcmp(real, "/") != 0)
        return places_take(places, real, may);
    free(real);
    return places_add(places, path, may);
}

static enum status places_add_file(struct sandbox_places *places, const char *path, unsigned may)
{
    if (path == NULL || path[0] == '\0')
        return ST_OK;
    if (is_special(path))
        return places_add(places, path, may);
    enum status status = places_add_folder(places, path, may);
    char *real = realpath(path, NULL); /* where a link leads */
    if (real == NULL)
        return status;
    if (status == ST_OK)
        status = places_add_folder(places, real, may);
    free(real);
    return status;
}

/* ---- all of them ---- */

static enum status places_add_system(struct sandbox_places *places)
{
    const char *trust[TLS_TRUST_PATHS];
    size_t count = tls_trust_paths(trust);
    enum status status = places_add_file(places, "/etc/resolv.conf", LANDLOCK_MAY_READ);
    for (size_t i = 0; i < COUNT_OF(system_places) && status == ST_OK; i++)
        status = places_add(places, system_places[i], LANDLOCK_MAY_READ);
    for (size_t i = 0; i < count && status == ST_OK; i++) {
        status = places_add(places, trust[i], LANDLOCK_MAY_READ);
        if (status == ST_OK)
            status = places_add_file(places, trust[i], LANDLOCK_MAY_READ);
    }
    return status;
}

static enum status places_add_listen(struct sandbox_places *places,
                                     const struct config_listen *listen)
{
    enum status status = places_add_file(places, listen->certificate.at, LANDLOCK_MAY_READ);
    if (status == ST_OK)
        status = places_add_file(places, listen->key.at, LANDLOCK_MAY_READ);
    if (status == ST_OK)
        status = places_add_file(places, listen->client_ca.at, LANDLOCK_MAY_READ);
    return status;
}

static enum status places_add_lists(struct sandbox_places *places, const struct config *config)
{
    enum status status = ST_OK;
    for (size_t i = 0; i < config->policy.rule_count; i++) {
        const struct gate_names *lists = &config->policy.rules[i].to_lists;
        for (size_t j = 0; j < lists->count && status == ST_OK; j++)
            status = places_add_file(places, lists->at[j].at, LANDLOCK_MAY_READ);
    }
    return status;
}

/* What a bundle holds the contents of. */
static enum status places_add_files(struct sandbox_places *places, const struct config *config)
{
    enum status status =
        places_add_file(places, config->tls_upstream.ca_file.at, LANDLOCK_MAY_READ);
    if (status == ST_OK)
        status = places_add_file(places, config->admin.token_file.at, LANDLOCK_MAY_READ);
    if (status == ST_OK)
        status = places_add_file(places, config->identity.users.at, LANDLOCK_MAY_READ);
    if (status == ST_OK)
        status = places_add_file(places, config->identity.tokens.at, LANDLOCK_MAY_READ);
    for (size_t i = 0; i < config->listen_count && status == ST_OK; i++)
        status = places_add_listen(places, &config->listen[i]);
    return status == ST_OK ? places_add_lists(places, config) : status;
}

static enum status places_add_socket(struct sandbox_places *places,
                                     const struct config_listen *listen)
{
    return listen->kind == LISTEN_UNIX
               ? places_add_folder(places, listen->path.at, LANDLOCK_MAY_SOCKET)
               : ST_OK;
}

static enum status places_add_sockets(struct sandbox_places *places, const struct config *config)
{
    enum status status =
        config->admin.is_off ? ST_OK : places_add_socket(places, &config->admin.listen);
    for (size_t i = 0; i < config->listen_count && status == ST_OK; i++)
        status = places_add_socket(places, &config->listen[i]);
    return status;
}

/* Folders that the service manager made for us (systemd.exec(5)): what a reload newly names lies there, if anywhere. */
static const struct {
    const char *variable;
    unsigned may;
} manager_folders[] = {
    {"CONFIGURATION_DIRECTORY", LANDLOCK_MAY_READ},
    {"CREDENTIALS_DIRECTORY", LANDLOCK_MAY_READ},
    {"RUNTIME_DIRECTORY", LANDLOCK_MAY_READ | LANDLOCK_MAY_SOCKET},
    {"LOGS_DIRECTORY", LANDLOCK_MAY_LOG},
};

/* Several stand in a variable with colons between. */
static enum status places_add_list(struct sandbox_places *places, struct slice list, unsigned may)
{
    char path[PATH_MAX];
    struct slice part;
    enum status status = ST_OK;
    while (status == ST_OK && slice_next_part(&list, ':', &part)) {
        struct text text = text_on(path, sizeof(path));
        text_add(&text, part);
        if (part.len > 0 && part.at[0] == '/')
            status = places_add(places, text_string(&text), may);
    }
    return status;
}

static enum status places_add_manager(struct sandbox_places *places)
{
    enum status status = ST_OK;
    for (size_t i = 0; i < COUNT_OF(manager_folders) && status == ST_OK; i++) {
        const char *list = getenv(manager_folders[i].variable);
        if (list != NULL)
            status = places_add_list(places, slice_from_string(list), manager_folders[i].may);
    }
    return status;
}

/* What a reload opens. */
static enum status places_add_bundle(struct sandbox_places *places, const struct config *config,
                                     const char *config_path)
{
    enum status status = places_add_file(places, config_path, LANDLOCK_MAY_READ);
    if (status == ST_OK)
        status = places_add_files(places, config);
    if (status == ST_OK) /* the names of congestion controls */
        status = places_add(places, "/proc/sys/net/ipv4", LANDLOCK_MAY_READ);
    if (status == ST_OK)
        status = places_add_manager(places);
    const char *log = config->log.file.at;
    if (status == ST_OK && strcmp(log, "-") != 0 && strcmp(log, "off") != 0)
        status = places_add_file(places, log, LANDLOCK_MAY_LOG);
    return status;
}

enum status sandbox_places_collect(const struct config *config, const char *config_path,
                                   bool makes_bundles, struct sandbox_places *ret_places)
{
    ret_places->count = 0;
    enum status status = places_add_system(ret_places);
    if (status == ST_OK)
        status = places_add_file(ret_places, config->resolver.hosts_file.at, LANDLOCK_MAY_READ);
    if (status == ST_OK)
        status = places_add_sockets(ret_places, config);
    if (status == ST_OK &&
        config->identity.takes_peer) /* the container of a process: /proc/PID/cgroup */
        status = places_add(ret_places, "/proc", LANDLOCK_MAY_READ);
    if (status == ST_OK && config->limits.memory_bytes > 0)
        status = places_add(ret_places, "/proc/self/statm", LANDLOCK_MAY_READ);
    if (status == ST_OK && makes_bundles)
        status = places_add_bundle(ret_places, config, config_path);
    return status;
}

/* ---- asking ---- */

bool sandbox_places_hold(const struct sandbox_places *places, const char *path, unsigned may)
{
    char folder[PATH_MAX];
    char *real = realpath(path, NULL);
    if (real == NULL && folder_of(path, folder, sizeof(folder)))
        real = realpath(folder, NULL);
    bool holds = real == NULL;
    for (size_t i = 0; i < places->count && !holds; i++)
        holds = (places->at[i].may & may) == may && lies_in(real, places->at[i].path);
    free(real);
    return holds;
}

void sandbox_places_free(struct sandbox_places *places)
{
    for (size_t i = 0; i < places->count; i++)
        free((char *)(uintptr_t)places->at[i].path);
    places->count = 0;
}
