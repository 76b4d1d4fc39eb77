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
#include <sys/syscall.h>
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

/* ---- capabilities ---- */

/* Also what an execve(2) could get. Who may not, gets none there since no new privileges are to be had. */
static void shed_bounding(uint64_t kept)
{
    for (unsigned long i = 0; i < 64 && prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++) {
        if ((kept >> i & 1) == 0)
            (void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
    }
}

/* The halves of 64 bits, as the kernel has them. */
struct capabilities {
    struct __user_cap_header_struct header;
    struct __user_cap_data_struct half[2];
};

enum status privileges_shed(uint64_t kept, uint64_t *ret_left, struct text *fault)
{
    struct capabilities caps = {.header = {.version = _LINUX_CAPABILITY_VERSION_3}};
    shed_bounding(kept);
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0,
                0); /* before Linux 4.3 there are none */
    bool is_done = syscall(SYS_capget, &caps.header, caps.half) == 0;
    bool has_more = false; /* or the call is not needed, which a service manager may refuse */
    for (int i = 0; i < 2; i++) {
        has_more = has_more || caps.half[i].inheritable != 0 ||
                   (caps.half[i].permitted & ~(uint32_t)(kept >> 32 * i)) != 0;
        caps.half[i].permitted &= (uint32_t)(kept >> 32 * i);
        caps.half[i].effective &= caps.half[i].permitted;
        caps.half[i].inheritable = 0;
    }
    is_done = is_done && (!has_more || syscall(SYS_capset, &caps.header, caps.half) == 0) &&
              prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    if (!is_done) {
        text_add_format(fault, "privileges cannot be given up: %s", strerror(errno));
        return ST_IO;
    }
    *ret_left = (uint64_t)caps.half[1].permitted << 32 | caps.half[0].permitted;
    return ST_OK;
}

/* ---- becoming another user ---- */

void privileges_forbid_dumps(void)
{
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* cannot fail with these */
}

enum status privileges_drop(const struct privileges_user *user, struct text *fault)
{
    shed_bounding(0); /* first, for it needs a capability itself */
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
