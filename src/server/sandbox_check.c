/* What holds is tried, not looked up: a process for each attempt is shut in by the very code that serves, does what an
 * intruder would do, and its end tells how that went. An attempt that goes through does no harm: it reads a file that
 * everybody may read, or runs true(1). */

#include "server/sandbox_check.h"

#include "base/check.h"
#include "base/secret.h"
#include "report/diag.h"
#include "server/privileges.h"
#include "server/sandbox_places.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRUE_PROGRAM "/bin/true"
#define FOREIGN_FILE "/proc/version"
#define ROW          "  %-24s %-10s %-8s %s\n"
#define ATTEMPT      "  %-36s %s\n"

enum { FAULT_TEXT = 400, EXIT_REFUSED = 1, EXIT_NOT_IN = 2 };

/* ---- attempts ---- */

/* 0 where it went through, -1 with errno. */
static int run_program(void)
{
    char *const words[] = {(char *)(uintptr_t)TRUE_PROGRAM, NULL};
    char *const none[] = {NULL};
    return execve(TRUE_PROGRAM, words, none);
}

static int trace(void)
{
    return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int start_process(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid < 0 ? -1 : waitpid(pid, NULL, 0) < 0 ? -1 : 0;
}

static int signal_parent(void)
{
    return kill(getppid(), 0);
}

static int open_raw_socket(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0) < 0 ? -1 : 0;
}

static int map_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
               ? -1
               : 0;
}

static int read_foreign_file(void)
{
    return open(FOREIGN_FILE, O_RDONLY | O_CLOEXEC) < 0 ? -1 : 0;
}

/* The kernel would send it SIGIO. */
static int sign_up_parent(void)
{
    int ends[2];
    return pipe2(ends, O_CLOEXEC) < 0 ? -1 : fcntl(ends[0], F_SETOWN, getppid());
}

static int get_asynchronous(void)
{
    int ends[2];
    return pipe2(ends, O_CLOEXEC) < 0 ? -1 : fcntl(ends[0], F_SETFL, O_ASYNC);
}

static int lock_file(void)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int ends[2];
    return pipe2(ends, O_CLOEXEC) < 0 ? -1 : fcntl(ends[1], F_SETLK, &all);
}

static int open_unix_stream(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0 ? -1 : 0;
}

struct attempt {
    const char *name;
    int (*go)(void);
    bool is_about_files; /* Landlock's to refuse; the others are seccomp's */
    bool needs_parent;   /* who makes bundles may do it */
};

static const struct attempt attempts[] = {
    {"run a program", run_program, false, false},
    {"start a process", start_process, false, false},
    {"trace a process", trace, false, false},
    {"signal another process", signal_parent, false, false},
    {"have the kernel signal another one", sign_up_parent, false, false},
    {"have the kernel signal itself", get_asynchronous, false, false},
    {"lock a file", lock_file, false, false},
    {"open a raw socket", open_raw_socket, false, false},
    {"open a socket to local services", open_unix_stream, false, true},
    {"make memory executable", map_code, false, false},
    {"read a file that nothing names", read_foreign_file, true, false},
};

/* ---- a process that is shut in ---- */

/* What such a process tells of itself. */
struct told {
    bool is_in;
    struct sandbox_facts facts;
    char fault[FAULT_TEXT];
};

static struct told shut_in(const struct sandbox_options *options)
{
    struct told told = {.is_in = false};
    struct text fault = text_on(told.fault, sizeof(told.fault));
    struct privileges_user user;
    const struct slice *name = &options->config->run_as;
    enum status status = ST_OK;
    diag_set_level(DIAG_ERROR); /* the table says it */
    if (options->has_parent)
        status = privileges_find_user(name->len > 0 ? name->at : "", &user, &fault);
    if (status == ST_OK && options->has_parent)
        status = privileges_drop(&user, &fault);
    if (status == ST_OK)
        status = sandbox_enter(options, &told.facts, &fault);
    told.is_in = status == ST_OK;
    (void)text_string(&fault);
    return told;
}

/* False where no process can be had, or it says nothing. */
static bool ask(const struct sandbox_options *options, struct told *ret_told)
{
    int ends[2];
    if (pipe(ends) < 0)
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        struct told told = shut_in(options);
        _exit(write(ends[1], &told, sizeof(told)) == (ssize_t)sizeof(told) ? 0 : 1);
    }
    (void)close(ends[1]);
    bool is_told =
        pid > 0 && read(ends[0], ret_told, sizeof(*ret_told)) == (ssize_t)sizeof(*ret_told);
    (void)close(ends[0]);
    return pid > 0 && waitpid(pid, NULL, 0) == pid && is_told;
}

enum outcome { WENT_THROUGH, REFUSED, KILLED, UNKNOWN };

static enum outcome try(const struct sandbox_options *options, const struct attempt *attempt)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        struct told told = shut_in(options);
        if (!told.is_in)
            _exit(EXIT_NOT_IN);
        _exit(attempt->go() == 0 ? 0 : EXIT_REFUSED);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return UNKNOWN;
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? KILLED : UNKNOWN;
    return WEXITSTATUS(status) == 0              ? WENT_THROUGH
           : WEXITSTATUS(status) == EXIT_REFUSED ? REFUSED
                                                 : UNKNOWN;
}

/* ---- the table ---- */

static const char *seccomp_word(enum config_seccomp mode)
{
    static const char *const words[] = {"refuse", "kill", "log", "off"};
    return words[mode];
}

static const char *landlock_word(enum config_landlock mode)
{
    static const char *const words[] = {"auto", "on", "off"};
    return words[mode];
}

static const char *yes_no(bool holds)
{
    return holds ? "yes" : "no";
}

static void print_seccomp(const struct config *config, const struct told *told, FILE *out)
{
    enum config_seccomp asked = config->sandbox.seccomp;
    bool holds = told->is_in && told->facts.seccomp == asked && asked != CONFIG_SECCOMP_OFF;
    const char *why = asked == CONFIG_SECCOMP_OFF      ? "switched off"
                      : !told->is_in                   ? ""
                      : sandbox_instrument() != NULL   ? "only logged: an instrumented build"
                      : asked == CONFIG_SECCOMP_REFUSE ? "others fail, and the kernel logs them"
                      : asked == CONFIG_SECCOMP_KILL   ? "others end the process"
                                                       : "others are logged, and go through";
    (void)fprintf(out, ROW, "a list of system calls", seccomp_word(asked), yes_no(holds), why);
}

static void print_landlock(const struct config *config, const struct told *told, FILE *out)
{
    enum config_landlock asked = config->sandbox.landlock;
    char words[60];
    struct text why = text_on(words, sizeof(words));
    if (told->facts.landlock > 0)
        text_add_format(&why, "Landlock, version %d", told->facts.landlock);
    else if (asked == CONFIG_LANDLOCK_OFF)
        text_add(&why, SLICE("switched off"));
    else if (sandbox_instrument() != NULL)
        text_add(&why, SLICE("not in an instrumented build"));
    else if (landlock_version() == 0)
        text_add(&why, SLICE("this kernel has no Landlock"));
    (void)fprintf(out, ROW, "files shut", landlock_word(asked),
                  yes_no(told->is_in && told->facts.landlock > 0), text_string(&why));
}

static void print_facts(const struct config *config, const struct told *told, FILE *out)
{
    const struct sandbox_facts *facts = &told->facts;
    bool is_in = told->is_in;
    (void)fprintf(out, ROW, "", "asked", "holds", "");
    (void)fprintf(out, ROW, "no new privileges", "always", yes_no(is_in), "");
    (void)fprintf(out, ROW, "no capabilities", "always", yes_no(is_in && facts->capabilities == 0),
                  facts->capabilities != 0 ? "CAP_NET_BIND_SERVICE stays, for reloads" : "");
    print_seccomp(config, told, out);
    print_landlock(config, told, out);
    (void)fprintf(out, ROW, "no core dumps", config->sandbox.dumps_core ? "off" : "on",
                  yes_no(is_in && !facts->dumps_core), "");
    (void)fprintf(out, ROW, "keys in locked memory", "always",
                  yes_no(is_in && facts->has_locked_keys),
                  is_in && !facts->has_locked_keys ? "ulimit -l is too low" : "");
    if (!is_in)
        (void)fprintf(out, "\n  it cannot be shut in: %s\n", told->fault);
}

/* False where one went through that must not. */
static bool print_attempts(const struct sandbox_options *options, const struct told *told,
                           FILE *out)
{
    static const char *const words[] = {"went through", "refused", "killed", "cannot be tried"};
    bool is_fine = true;
    (void)fprintf(out, "\n  tried in processes that are shut in so:\n");
    for (size_t i = 0; i < COUNT_OF(attempts); i++) {
        if (attempts[i].needs_parent && !options->has_parent)
            continue;
        enum outcome outcome = try(options, &attempts[i]);
        enum config_seccomp mode = told->facts.seccomp;
        bool is_guarded = attempts[i].is_about_files
                              ? told->facts.landlock > 0
                              : mode == CONFIG_SECCOMP_REFUSE || mode == CONFIG_SECCOMP_KILL;
        (void)fprintf(out, ATTEMPT, attempts[i].name, words[outcome]);
        is_fine = is_fine && (!is_guarded || outcome == REFUSED || outcome == KILLED);
    }
    return is_fine;
}

static void print_places(const struct sandbox_options *options, FILE *out)
{
    static struct sandbox_places places;
    if (sandbox_places_collect(options->config, options->config_path, !options->has_parent,
                               &places) == ST_OK) {
        (void)fprintf(out, "\n  files that stay open to it, with all below:\n");
        for (size_t i = 0; i < places.count; i++) {
            unsigned may = places.at[i].may;
            (void)fprintf(out, "  %s%s%s %s\n", (may & LANDLOCK_MAY_READ) != 0 ? "read" : "    ",
                          (may & LANDLOCK_MAY_LOG) != 0 ? " log" : "    ",
                          (may & LANDLOCK_MAY_SOCKET) != 0 ? " socket" : "       ",
                          places.at[i].path);
        }
    }
    sandbox_places_free(&places);
}

/* Does it come to what the configuration asks for? */
static bool is_met(const struct config *config, const struct told *told)
{
    return told->is_in && told->facts.seccomp == config->sandbox.seccomp &&
           (config->sandbox.landlock != CONFIG_LANDLOCK_ON || told->facts.landlock > 0);
}

int sandbox_check(const struct sandbox_options *options, FILE *out)
{
    struct told told = {.is_in = false};
    (void)fflush(out);
    if (!ask(options, &told))
        (void)snprintf(told.fault, sizeof(told.fault), "no process can be had: %s",
                       strerror(errno));
    print_facts(options->config, &told, out);
    bool is_fine = is_met(options->config, &told);
    if (told.is_in)
        is_fine = print_attempts(options, &told, out) && is_fine;
    if (told.facts.landlock > 0)
        print_places(options, out);
    (void)fprintf(out, "\n");
    return is_fine ? 0 : 1;
}
