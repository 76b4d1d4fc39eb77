/* Shutting the serving process in.
 *
 *     load       time zone, TLS library and its modules, locked memory: what would be opened or run later
 *     shed       capabilities; no new privileges
 *     hide       no core dump, no debugger of the same user
 *     Landlock   files, but for what the configuration names
 *     seccomp    system calls, but for those of a list; last, since the steps before need others
 *
 * One that has a parent opens nothing that the configuration names. One that was started without privileges makes its
 * own bundles, and a reload must go on to work: so it keeps the right to read the folders of the files that the
 * configuration named at the start, to make the log and Unix sockets where it named them, to listen, and
 * CAP_NET_BIND_SERVICE where it was given that. What a reload names elsewhere is refused by the kernel, and the message
 * says that a start would take it up (sandbox_explain).
 *
 * A build with sanitizers, with faults on purpose or with coverage does what no proxy does: it traces itself, runs
 * programs, writes reports. Its filter only logs, and its files are not shut; it says so. */

#include "server/sandbox.h"

#include "base/secret.h"
#include "net/tls_library.h"
#include "report/diag.h"
#include "server/privileges.h"
#include "server/sandbox_places.h"
#include "server/seccomp_filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

/* What Landlock leaves open, for sandbox_explain; written once, by the only thread. */
static struct sandbox_places places;
static bool has_places;

const char *sandbox_instrument(void)
{
#ifdef FAIRLEAD_INSTRUMENT
    return FAIRLEAD_INSTRUMENT;
#else
    return NULL;
#endif
}

enum config_seccomp sandbox_seccomp(const struct config *config)
{
    enum config_seccomp asked = config->sandbox.seccomp;
    return sandbox_instrument() != NULL && asked != CONFIG_SECCOMP_OFF ? CONFIG_SECCOMP_LOG : asked;
}

enum config_landlock sandbox_landlock(const struct config *config)
{
    return sandbox_instrument() != NULL ? CONFIG_LANDLOCK_OFF : config->sandbox.landlock;
}

/* ---- hide ---- */

static void set_dumps(bool dumps_core)
{
    struct rlimit none = {0, 0};
    (void)prctl(PR_SET_DUMPABLE, dumps_core, 0, 0, 0); /* cannot fail with these */
    if (!dumps_core)
        (void)setrlimit(RLIMIT_CORE, &none); /* nor can less */
}

/* ---- files ---- */

/* An abstract name of the service manager's socket must stay within reach. */
static bool has_abstract_manager(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    return path != NULL && path[0] == '@';
}

static enum status shut_files(const struct sandbox_options *options)
{
    enum status status = sandbox_places_collect(options->config, options->config_path,
                                                !options->has_parent, &places);
    if (status == ST_OK)
        status = landlock_shut(places.at, places.count, !has_abstract_manager());
    has_places = status == ST_OK;
    if (!has_places)
        sandbox_places_free(&places);
    return status;
}

static enum status enter_landlock(const struct sandbox_options *options,
                                  struct sandbox_facts *facts, struct text *fault)
{
    enum config_landlock asked = sandbox_landlock(options->config);
    if (asked == CONFIG_LANDLOCK_OFF)
        return ST_OK;
    if (landlock_version() > 0) {
        enum status status = shut_files(options);
        if (status == ST_OK)
            facts->landlock = landlock_version();
        else
            text_add_format(fault, "files cannot be shut (Landlock): %s",
                            status == ST_NOMEM   ? "out of memory"
                            : status == ST_LIMIT ? "the configuration names too many folders"
                                                 : strerror(errno));
        return status == ST_OK || status == ST_NOMEM ? status : ST_IO;
    }
    if (asked == CONFIG_LANDLOCK_AUTO) {
        diag_say(NULL, DIAG_INFO, "this kernel has no Landlock: files are not shut");
        return ST_OK;
    }
    config_add_origin(options->config, &options->config->sandbox.landlock, fault);
    text_add_format(fault, "this kernel has no Landlock; auto does without");
    return ST_IO;
}

void sandbox_explain(const char *path, unsigned may, struct text *fault)
{
    if (has_places && !sandbox_places_hold(&places, path, may))
        text_add_format(fault, "; its folder was not named at the start, so the sandbox shuts it: "
                               "a restart takes it up");
}

/* ---- system calls ---- */

static enum status enter_seccomp(const struct sandbox_options *options, struct sandbox_facts *facts,
                                 struct text *fault)
{
    facts->seccomp = sandbox_seccomp(options->config);
    if (facts->seccomp == CONFIG_SECCOMP_OFF)
        return ST_OK;
    config_add_origin(options->config, &options->config->sandbox.seccomp, fault);
    enum status status = seccomp_filter_load(facts->seccomp, !options->has_parent, fault);
    if (status == ST_OK)
        fault->len = 0;
    else
        text_add_format(fault, "; off serves without");
    return status;
}

/* ---- all of it ---- */

static void say_instrument(const struct config *config)
{
    if (sandbox_instrument() != NULL && config->sandbox.seccomp != CONFIG_SECCOMP_OFF)
        diag_say(NULL, DIAG_NOTICE,
                 "a build with %s cannot be shut in: system calls are only logged, files are open",
                 sandbox_instrument());
}

enum status sandbox_enter(const struct sandbox_options *options, struct sandbox_facts *ret_facts,
                          struct text *fault)
{
    struct sandbox_facts facts = {.dumps_core = options->config->sandbox.dumps_core};
    tzset();
    tls_library_begin();
    facts.has_locked_keys = secret_is_locked();
    enum status status =
        privileges_shed(options->has_parent ? 0 : PRIVILEGES_TO_BIND, &facts.capabilities, fault);
    if (status != ST_OK)
        return status;
    set_dumps(facts.dumps_core);
    say_instrument(options->config);
    status = enter_landlock(options, &facts, fault);
    if (status == ST_OK)
        status = enter_seccomp(options, &facts, fault);
    if (status == ST_OK)
        *ret_facts = facts;
    return status;
}
