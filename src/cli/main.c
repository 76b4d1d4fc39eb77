/* The command line: which command. */

#include "cli/hash_password.h"
#include "cli/help.h"
#include "config/config.h"
#include "learn/learn.h"
#include "selftest/selftest.h"
#include "server/diff.h"
#include "server/explain.h"
#include "server/serve.h"
#include "view/view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FAULT_TEXT = 200 };

/* What was asked for may be on its way to a file: one that is cut is no success. */
static int finish(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    (void)fprintf(stderr, "fairlead: standard output: %s\n", strerror(errno));
    return code != 0 ? code : 1;
}

/* Its own options may stand anywhere; the rest is for the configuration. A word behind --diff that is no option is the
 * old file. */
static int check(int argc, char **argv)
{
    enum serve_check what = SERVE_CHECK_VERDICT;
    bool wants_print = false;
    bool wants_sandbox = false;
    struct diff_options options = {.old_path = NULL};
    bool wants_diff = false;
    int rest = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--print") == 0) {
            wants_print = true;
        } else if (strcmp(argv[i], "--sandbox") == 0) {
            wants_sandbox = true;
        } else if (strcmp(argv[i], "--kill-refused") == 0) {
            options.kills_refused = true;
        } else if (strcmp(argv[i], "--diff") == 0) {
            wants_diff = true;
            if (i + 1 < argc && argv[i + 1][0] != '-')
                options.old_path = argv[++i];
        } else {
            argv[rest++] = argv[i];
        }
    }
    if (options.kills_refused && !wants_diff) {
        (void)fputs("fairlead: check: --kill-refused goes with --diff\n", stderr);
        return 2;
    }
    if (wants_print + wants_sandbox + wants_diff > 1) {
        (void)fputs("fairlead: check: --print, --sandbox or --diff: only one of them\n", stderr);
        return 2;
    }
    if (wants_print || wants_sandbox)
        what = wants_print ? SERVE_CHECK_PRINT : SERVE_CHECK_SANDBOX;
    if (wants_diff)
        return finish(diff(rest, (const char *const *)argv, &options));
    return finish(serve_check(rest, (const char *const *)argv, what));
}

/* `--json` and `--list` are the command's own and may stand anywhere. */
static int self_test(int argc, char **argv)
{
    struct selftest_view view = {.is_json = false, .lists = false};
    int rest = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            view.is_json = true;
        else if (strcmp(argv[i], "--list") == 0)
            view.lists = true;
        else
            argv[rest++] = argv[i];
    }
    return finish(selftest(rest, (const char *const *)argv, &view));
}

/* Whoever started us may have closed the standard descriptors. A listener or a client must not get one of their
 * numbers, or it would be sent the log. */
static bool fill_standard_descriptors(void)
{
    int fd = 0;
    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDWR);
    return fd < 0 || close(fd) == 0;
}

static int complain_command(const char *word)
{
    (void)fprintf(stderr, "fairlead: unknown command \"%.40s\"; fairlead --help lists them\n",
                  word);
    return 2;
}

/* `fairlead help`, `fairlead help COMMAND`. */
static int help(int argc, const char *const *argv)
{
    if (argc > 0 && !help_is_command(argv[0]))
        return complain_command(argv[0]);
    help_print(argc > 0 ? argv[0] : NULL);
    return finish(0);
}

/* The name of a command behind options, where one of them may stand, or what follows one that the proxy does not have.
 * NULL: there is none. */
static const char *find_late_command(int argc, const char *const *argv)
{
    for (int i = 0; i < argc; i++) {
        char words[FAULT_TEXT];
        struct text fault = text_on(words, sizeof(words));
        bool takes_next = false;
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (help_is_command(argv[i]))
            return argv[i];
        if (config_flag_check(argv[i], next, &takes_next, &fault) == ST_OK && takes_next)
            i++;
    }
    return NULL;
}

static int run(int argc, const char *const *argv)
{
    const char *command = find_late_command(argc, argv);
    if (command == NULL)
        return serve(argc, argv);
    (void)fprintf(
        stderr, "fairlead: %s: a command goes first, and its options behind it: fairlead %s ...\n",
        command, command);
    return 2;
}

int main(int argc, char **argv)
{
    if (!fill_standard_descriptors())
        return 1;
    const char *const *flags = (const char *const *)argv + 1;
    int count = argc - 1;
    for (int i = 0; i < count; i++) {
        if (strcmp(flags[i], "--help") == 0 || strcmp(flags[i], "-h") == 0) {
            help_print(flags[0]);
            return finish(0);
        }
    }
    if (count > 0 && view_is_command(flags[0]))
        return finish(view_run(flags[0], count - 1, flags + 1));
    for (int i = 0; i < count; i++) {
        if (strcmp(flags[i], "--version") == 0) {
            (void)printf("fairlead %s\n", FAIRLEAD_VERSION);
            return finish(0);
        }
        if (strcmp(flags[i], "--reference") == 0) {
            config_print_reference(stdout);
            return finish(0);
        }
    }
    if (count > 0 && strcmp(flags[0], "hash-password") == 0)
        return finish(hash_password(count - 1, argv + 2));
    if (count > 0 && strcmp(flags[0], "check") == 0)
        return check(count - 1, argv + 2);
    if (count > 0 && strcmp(flags[0], "explain") == 0)
        return finish(explain(count - 1, flags + 1));
    if (count > 0 && strcmp(flags[0], "learn") == 0)
        return finish(learn(count - 1, flags + 1));
    if (count > 0 && strcmp(flags[0], "self-test") == 0)
        return self_test(count - 1, argv + 2);
    if (count > 0 && strcmp(flags[0], "run") == 0)
        return serve(count - 1, flags + 1);
    if (count > 0 && strcmp(flags[0], "help") == 0)
        return help(count - 1, flags + 1);
    if (count > 0 && flags[0][0] != '-')
        return complain_command(flags[0]);
    return run(count, flags);
}
