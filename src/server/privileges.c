/* Privileges: asking for them, and giving them up.
 *
 * The order matters: groups first, for only root may change them; then the group, then the user; then a try
 * to become root again, which has to fail. The serving process needs no group of its user either: whatever
 * needs to be read is handed to it. */

#include "server/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

void privileges_raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

uint64_t privileges_descriptors(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : UINT64_MAX;
}

bool privileges_are_held(void)
{
    return geteuid() == 0;
}

enum status privileges_find_user(const char *name, struct privileges_user *ret_user,
                                 struct text *fault)
{
    if (name[0] == '\0')
        name = "nobody";
    if (getuid() != geteuid()) {
        text_add_format(fault, "fairlead must not be installed setuid");
        return ST_BAD;
    }
    const struct passwd *user = getpwnam(name);
    if (user == NULL || user->pw_uid == 0 || user->pw_gid == 0) {
        text_add_format(fault, "%s: %s", name,
                        user == NULL ? "there is no such user" : "root does not serve");
        return ST_BAD;
    }
    (void)snprintf(ret_user->name, sizeof(ret_user->name), "%s", name);
    ret_user->uid = user->pw_uid;
    ret_user->gid = user->pw_gid;
    return ST_OK;
}

void privileges_forbid_dumps(void)
{
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* cannot fail with these */
}

enum status privileges_drop(const struct privileges_user *user, struct text *fault)
{
    if (setgroups(0, NULL) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
        setresuid(user->uid, user->uid, user->uid) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        text_add_format(fault, "cannot become %s: %s", user->name, strerror(errno));
        return ST_IO;
    }
    if (setuid(0) == 0 || geteuid() == 0) {
        text_add_format(fault, "cannot become %s: root could be had again", user->name);
        return ST_IO;
    }
    privileges_forbid_dumps();
    return ST_OK;
}

enum { NO_ANSWER = 254 };

int privileges_ask_as(const struct privileges_user *user, int (*question)(const void *owner),
                      const void *owner)
{
    char words[200];
    struct text fault = text_on(words, sizeof(words));
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(privileges_drop(user, &fault) == ST_OK ? question(owner) : NO_ANSWER);
    while (pid > 0 && waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -1; /* a starter ignores SIGCHLD, and the kernel has taken the answer */
    }
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) < NO_ANSWER ? WEXITSTATUS(status)
                                                                           : -1;
}
