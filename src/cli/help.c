/* Each command has its usage, what it is for, its flags, its exit statuses and an example. The flags are told by
 * whoever reads them; in the help of the program they say which command they go with, which its own help leaves out. */

#include "cli/help.h"

#include "base/check.h"
#include "base/text.h"
#include "cli/hash_password.h"
#include "config/config.h"
#include "learn/learn.h"
#include "server/explain.h"
#include "view/view.h"

#include <stdio.h>
#include <string.h>

enum { HELP_COLUMNS = 80, HELP_WORDS = 400 };

/* ---- flags that main.c reads ---- */

static void print_check(config_flag_printer *print)
{
    print("--print", "", "with check: the effective configuration, defaults included", NULL,
          stdout);
    print("--sandbox", "", "with check: what holds of the sandbox on this machine", NULL, stdout);
    print("--diff", "[OLD]",
          "with check: what changes, against OLD or the running process, and which open tunnels "
          "would be refused",
          NULL, stdout);
    print("--kill-refused", "", "with --diff: end these tunnels", NULL, stdout);
}

static void print_self_test(config_flag_printer *print)
{
    print("--json", "", "with self-test: what is told, as JSON", NULL, stdout);
    print("--list", "", "with self-test: every try", NULL, stdout);
}

/* Flags of more than one command, which the help of the program tells of once: with those of the first. */
static const struct {
    const char *flag, *help;
} shared[] = {
    {"--user", "with explain: who asks; with hash-password: whose line it becomes"},
    {"--method",
     "with explain and trace: of a URL [GET]; with hash-password: yescrypt, bcrypt, sha512 "
     "or sha256 [yescrypt]"},
    {"--json", "with explain and self-test: what is told, as JSON; with trace, tail, tunnels and "
               "requests: lines of the JSON access log"},
};

static void print_first(const char *flag, const char *argument, const char *help,
                        const char *initial, FILE *out)
{
    for (size_t i = 0; i < COUNT_OF(shared); i++) {
        if (strcmp(flag, shared[i].flag) == 0)
            help = shared[i].help;
    }
    config_print_flag(flag, argument, help, initial, out);
}

static void print_others(const char *flag, const char *argument, const char *help,
                         const char *initial, FILE *out)
{
    for (size_t i = 0; i < COUNT_OF(shared); i++) {
        if (strcmp(flag, shared[i].flag) == 0)
            return;
    }
    config_print_flag(flag, argument, help, initial, out);
}

/* ---- the table ---- */

struct command {
    const char *word;
    const char *usage[2]; /* behind the word; a line feed where it goes on below */
    const char *purpose;
    void (*print_flags)(config_flag_printer *print); /* NULL: those of view/options, or none */
    const char *exits;
    const char *example;
    bool takes_flags; /* of the configuration, too */
};

static void print_none(config_flag_printer *print)
{
    (void)print;
}

#define USAGE_ADMIN "[--admin ADDR|PATH] [-c FILE] [--token-file FILE]"

static const struct command commands[] = {
    {.word = "run",
     .usage = {"[-c FILE] [options]"},
     .purpose = "Serves, which is also what happens without a command.",
     .print_flags = print_none,
     .exits = "0 an orderly end; 1 a failure, such as an address in use; 2 wrong usage, or a wrong "
              "configuration.",
     .example = "fairlead run --listen 127.0.0.1:3128 --allow 10.20.0.0/16",
     .takes_flags = true},
    {.word = "check",
     .usage = {"[-c FILE] [options] [--print | --sandbox]",
               "[-c FILE] [options] --diff [OLD] [--kill-refused]"},
     .purpose = "Says whether a configuration is right, without serving.",
     .print_flags = print_check,
     .exits = "0 it is right; 1 the sandbox or this machine's addresses cannot be had, or the "
              "process could not be asked; 2 it "
              "is wrong, or a file that it names, or the usage.",
     .example = "fairlead check -c fairlead.yaml --diff",
     .takes_flags = true},
    {.word = "explain",
     .usage = {"[-c FILE] [options] URL|HOST:PORT"},
     .purpose = "Says what the rules make of a request, and which of them decides.",
     .print_flags = explain_print_options,
     .exits = "0 it would pass; 1 it would be refused; 2 wrong usage, or a wrong configuration.",
     .example = "fairlead explain --user ci https://example.com/",
     .takes_flags = true},
    {.word = "self-test",
     .usage = {"[-c FILE] [options] [--json] [--list]"},
     .purpose = "Tries the known ways around a configuration against it.",
     .print_flags = print_self_test,
     .exits = "0 nothing got through; 1 something did; 2 wrong usage, or a wrong configuration.",
     .example = "fairlead self-test -c fairlead.yaml",
     .takes_flags = true},
    {.word = "learn",
     .usage = {"[--by WHO] [--min-count N] [--suffixes N]\n[--public-suffixes FILE] [LOG ...]"},
     .purpose = "Makes rules that allow what JSON access logs have seen.",
     .print_flags = learn_print_options,
     .exits = "0 all is in it but what --min-count leaves out; 1 lines or destinations were left "
              "out that it does not; 2 wrong usage, or a file cannot be read.",
     .example = "fairlead learn --suffixes 3 access.log"},
    {.word = "trace",
     .usage = {"[options] [--proxy URL] [--proxy-password-file FILE]\n[--method METHOD] "
               "[--repeat N] [--serial]\n[--max-time SECONDS] [--json|--har] URL|HOST:PORT ..."},
     .purpose = "Makes requests as the proxy would, and shows where their time goes.",
     .exits = "0 all succeeded; 1 one did not; 2 wrong usage, or a wrong configuration; 130 and "
              "143 ended by SIGINT and SIGTERM.",
     .example = "fairlead trace --repeat 100 --serial https://example.com/",
     .takes_flags = true},
    {.word = "tail",
     .usage = {USAGE_ADMIN "\n[--filter EXPR] [--json]"},
     .purpose = "Shows the transactions of a running process, each when it ends.",
     .exits =
         "0 ended by a signal, or nobody reads it; 1 the process is not there, or wants another "
         "token; 2 wrong usage.",
     .example = "fairlead tail --filter 'status>=400'"},
    {.word = "tunnels",
     .usage = {USAGE_ADMIN "\n[--filter EXPR] [--json] [--kill ID]"},
     .purpose = "Lists the open tunnels of a running process, or ends some.",
     .exits = "0 all are told; 1 some are not, or the process is not there; 2 wrong usage.",
     .example = "fairlead tunnels"},
    {.word = "requests",
     .usage = {USAGE_ADMIN "\n[--filter EXPR] [--json]"},
     .purpose = "Lists the requests that a running process has in flight.",
     .exits = "0 all are told; 1 some are not, or the process is not there; 2 wrong usage.",
     .example = "fairlead requests"},
    {.word = "har",
     .usage = {USAGE_ADMIN "\n[--filter EXPR] [--since TIME] [--open] [LOG ...]"},
     .purpose = "Makes an HTTP Archive of JSON logs, or of what a running process remembers.",
     .exits = "0 all is in it; 1 a line could not be read, or the process is not there; 2 wrong "
              "usage.",
     .example = "fairlead har access.log.1 > yesterday.har"},
    {.word = "hash-password",
     .usage = {"[--user NAME] [--method METHOD]"},
     .purpose = "Asks for a password, and makes a line for the file of users.",
     .print_flags = hash_password_print_options,
     .exits = "0 it is printed; 1 a failure; 2 wrong usage.",
     .example = "fairlead hash-password --user alice >> users"},
};

/* ---- what is printed ---- */

static void print_words(const char *head, const char *words)
{
    char room[HELP_WORDS];
    struct text text = text_on(room, sizeof(room));
    struct text_wrap wrap = {.columns = HELP_COLUMNS, .indent = 2, .at = strlen(head)};
    text_add_wrapped(&text, slice_from_string(words), &wrap);
    (void)printf("%s%s\n", head, text_string(&text));
}

/* All forms of a command. What goes on below stands where its flags begin. */
static void print_usage(const struct command *command, const char *head, bool is_optional)
{
    for (size_t i = 0; i < COUNT_OF(command->usage) && command->usage[i] != NULL; i++) {
        int indent = printf("%s fairlead %s%s%s ", i == 0 ? head : "      ", is_optional ? "[" : "",
                            command->word, is_optional ? "]" : "");
        for (const char *at = command->usage[i]; *at != '\0'; at++) {
            (void)putchar(*at);
            if (*at == '\n')
                (void)printf("%*s", indent, "");
        }
        (void)putchar('\n');
    }
}

static void print_command(const struct command *command)
{
    print_usage(command, "usage:", /* is_optional= */ false);
    (void)printf("\n%s\n\n", command->purpose);
    if (command->print_flags != NULL)
        command->print_flags(config_print_own_flag);
    else
        view_print_flags(command->word);
    if (strcmp(command->word, "run") == 0)
        config_print_flags(stdout);
    else if (command->takes_flags)
        config_print_flag("--allow, --config, ...", "",
                          "and other flags of the proxy: see fairlead --help", NULL, stdout);
    config_print_flag("--help", "", "this", NULL, stdout);
    (void)putchar('\n');
    print_words("Exit status: ", command->exits);
    (void)printf("Example: %s\n", command->example);
}

static void print_program(void)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++) /* the word of the first may be left out */
        print_usage(&commands[i], i == 0 ? "usage:" : "      ", i == 0);
    (void)fputs("\nAn HTTP(S) forward proxy that shows the anatomy of every transaction.\n\n",
                stdout);
    config_print_flags(stdout);
    print_check(config_print_flag);
    explain_print_options(print_first);
    learn_print_options(config_print_flag);
    view_print_options();
    print_self_test(print_others);
    config_print_flag("--reference", "", "all keys of a configuration file, as Markdown", NULL,
                      stdout);
    config_print_flag("--help, --version", "",
                      "this (also: fairlead help), or that of a command; which one it is", NULL,
                      stdout);
}

/* NULL: it is none. */
static const struct command *find_command(const char *word)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (strcmp(word, commands[i].word) == 0)
            return &commands[i];
    }
    return NULL;
}

bool help_is_command(const char *word)
{
    return find_command(word) != NULL;
}

void help_print(const char *word)
{
    const struct command *command = word != NULL ? find_command(word) : NULL;
    if (command != NULL)
        print_command(command);
    else
        print_program();
}
