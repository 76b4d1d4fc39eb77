/* fairlead hash-password: makes a line for the users file.
 *
 * The password is never an argument, where every user of the machine would see it. On a terminal it is asked for on
 * /dev/tty, so that the output can go to a file, and the echo comes back also when a signal ends us: it is blocked
 * until then. */

#include "cli/hash_password.h"

#include "base/slice.h"
#include "identity/credentials.h"
#include "identity/password.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

struct request {
    struct slice user; /* empty: only the hash is printed */
    enum password_method method;
};

static int say(const char *words)
{
    (void)fprintf(stderr, "fairlead: hash-password: %s\n", words);
    return 2;
}

void hash_password_print_options(config_flag_printer *print)
{
    print("--user", "NAME", "a line of this user for the file, not the hash alone", NULL, stdout);
    print("--method", "METHOD", "yescrypt, bcrypt, sha512 or sha256", "yescrypt", stdout);
}

/* One line without its end; what does not fit is an error. */
static bool read_line(int fd, char into[PASSWORD_MAX + 1])
{
    size_t len = 0;
    char c = '\0';
    ssize_t got = 0;
    while ((got = read(fd, &c, 1)) == 1 && c != '\n') {
        if (c == '\x03') /* Ctrl-C, which sends no signal now */
            return false;
        if (len == PASSWORD_MAX)
            return false;
        into[len++] = c;
    }
    if (len > 0 && into[len - 1] == '\r')
        len--;
    into[len] = '\0';
    return got >= 0 && len > 0;
}

static void print_prompt(int terminal, const char *words)
{
    ssize_t written = write(terminal, words, strlen(words));
    (void)written; /* the question is asked all the same */
}

/* With the echo off, and signals held back until it is on again. */
static bool ask(int terminal, const char *words, char into[PASSWORD_MAX + 1])
{
    struct termios before;
    sigset_t all;
    sigset_t mask;
    if (tcgetattr(terminal, &before) < 0)
        return false;
    struct termios quiet = before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &mask);
    (void)tcsetattr(terminal, TCSAFLUSH, &quiet);
    print_prompt(terminal, words);
    bool is_read = read_line(terminal, into);
    (void)tcsetattr(terminal, TCSAFLUSH, &before);
    (void)sigprocmask(SIG_SETMASK, &mask, NULL);
    print_prompt(terminal, "\n");
    return is_read;
}

static const char *read_twice(char into[PASSWORD_MAX + 1])
{
    char again[PASSWORD_MAX + 1];
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (terminal < 0)
        return "the terminal cannot be opened";
    const char *fault = NULL;
    if (!ask(terminal, "Password: ", into) || !ask(terminal, "The same again: ", again))
        fault = "no password, or one of more than 511 bytes";
    else if (strcmp(into, again) != 0)
        fault = "the two are not the same";
    explicit_bzero(again, sizeof(again));
    (void)close(terminal);
    return fault;
}

static const char *read_password(char into[PASSWORD_MAX + 1])
{
    if (isatty(STDIN_FILENO))
        return read_twice(into);
    return read_line(STDIN_FILENO, into) ? NULL : "no password, or one of more than 511 bytes";
}

/* Is it one that a client can show (RFC 7617 §2)? */
static bool has_control(const char *password)
{
    for (const char *at = password; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return true;
    }
    return false;
}

/* NULL, or what is wrong. */
static const char *read_flags(int argc, char **argv, struct request *request)
{
    for (int i = 0; i < argc; i += 2) {
        bool has_value = i + 1 < argc;
        struct slice value = slice_from_string(has_value ? argv[i + 1] : "");
        if (strcmp(argv[i], "--user") == 0 && has_value) {
            request->user = value;
            if (!credentials_is_user(value))
                return "--user: a name is 1 to 255 bytes without colons and control characters";
            if (value.at[0] == '#' || value.at[0] == ' ' || value.at[0] == '\t')
                return "--user: a name does not begin with a blank or #";
        } else if (strcmp(argv[i], "--method") == 0 && has_value) {
            if (password_method_parse(value, &request->method) != ST_OK)
                return "--method: expected yescrypt, bcrypt, sha512 or sha256";
        } else {
            return "usage: fairlead hash-password [--user NAME] [--method "
                   "yescrypt|bcrypt|sha512|sha256]";
        }
    }
    return NULL;
}

static int print_hash(const struct request *request, const char *password)
{
    char hash[PASSWORD_HASH_MAX];
    struct password_space *space = password_space_create();
    if (space == NULL)
        return say("out of memory"), 1;
    enum status status = password_hash(space, request->method, password, hash);
    password_space_destroy(&space);
    if (status == ST_LIMIT)
        return say("bcrypt looks at 72 bytes only, and this password has more: choose another "
                   "--method");
    if (status != ST_OK)
        return say("the library cannot hash it"), 1;
    if (request->user.len > 0)
        (void)printf("%s:%s\n", request->user.at, hash);
    else
        (void)printf("%s\n", hash);
    return 0;
}

int hash_password(int argc, char **argv)
{
    char password[PASSWORD_MAX + 1];
    struct request request = {.method = PASSWORD_YESCRYPT};
    const char *fault = read_flags(argc, argv, &request);
    if (fault == NULL)
        fault = read_password(password);
    if (fault == NULL && has_control(password))
        fault = "a password cannot hold control characters";
    int code = fault != NULL ? say(fault) : print_hash(&request, password);
    explicit_bzero(password, sizeof(password));
    return code;
}
