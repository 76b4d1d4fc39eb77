/* Which system calls the serving process needs, by name.
 *
 * libseccomp turns the names into the numbers of the machine, and the list into a program for the kernel; x86-64 and
 * arm64 differ in numbers, in which old calls exist at all, and in the order of some arguments. A name that a machine
 * or the library does not have is left out.
 *
 * Calls of the request path stand without conditions: the kernel keeps those in a bitmap and runs no program for them.
 * What has conditions is rare, or costs much more than the program: a socket, a thread, memory of the heap.
 *
 * No memory that is written to is ever run: PROT_EXEC is not to be had. Libraries are loaded before.
 *
 * clone3(2) has its flags in memory, where no filter sees them. It does not exist here (ENOSYS), and the C library
 * falls back to clone(2), which must ask for a thread. That is a filter of its own, whose verdicts are not logged.
 *
 * Each row tells why it is there where that is not plain. To find what a new library needs: `--seccomp log`, and the
 * kernel's log has the number of each call that is not in the list (type=1326 ... syscall=N). */

#include "server/seccomp_filter.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

/* ---- the list ---- */

static const char *const serving_calls[] = {
    /* bytes to and from peers */
    "accept4",
    "connect",
    "shutdown",
    "getsockopt",
    "setsockopt",
    "getsockname",
    "getpeername",
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "read",
    "write",
    "readv",
    "writev",
    "splice",
    "pipe2",
    "bind", /* from the address of `source`; netlink */
    /* waiting */
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "poll",
    "ppoll",
    "eventfd2",
    "nanosleep",
    "clock_nanosleep",
    "restart_syscall",
    /* time and chance */
    "clock_gettime",
    "clock_getres",
    "gettimeofday",
    "time",
    "getrandom",
    /* descriptors */
    "close",
    "close_range",
    "dup",
    "dup2",
    "dup3",
    "lseek",
    /* files that are read: hosts, resolv.conf, the store of authorities, how many processors there are.
     * Landlock says which */
    "open",
    "openat",
    "pread64",
    "fstat",
    "newfstatat",
    "stat",
    "lstat",
    "statx",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getcwd",
    "getdents64",
    /* sockets' files, also where the parent is gone: Landlock says in which folders */
    "unlink",
    "unlinkat",
    /* memory */
    "brk",
    "munmap",
    "mremap",
    "madvise",
    /* threads */
    "futex",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "sched_yield",
    "sched_getaffinity",
    "getcpu",
    "membarrier",
    "exit",
    "exit_group",
    "gettid",
    "set_tid_address",
    /* signals */
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    /* who and where we are: libraries ask */
    "getpid",
    "getppid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "uname",
    "sysinfo",
    "getrlimit",
    "getrusage",
};

/* Of who makes bundles: listening, and the files of sockets. */
static const char *const making_calls[] = {"listen", "umask",    "fchmod",
                                           "chmod",  "fchmodat", "fchdir"};

/* A call whose arguments count. All of them are ints, of which the kernel looks at the lower half alone. */
struct call_rule {
    const char *call;
    struct scmp_arg_cmp args[3];
    unsigned count;
};

#define BITS(index, mask, value)               \
    {                                          \
        index, SCMP_CMP_MASKED_EQ, mask, value \
    }
#define INT(index, value) BITS(index, 0xffffffffU, value)
/* SOCK_NONBLOCK and SOCK_CLOEXEC may stand beside the type. */
#define SOCKET(family, type)                               \
    {                                                      \
        "socket", {INT(0, family), BITS(1, 0xfU, type)}, 2 \
    }

/* A command of fcntl. Left out are those that have the kernel signal somebody (F_SETOWN, F_SETSIG, F_NOTIFY,
 * F_SETLEASE), locks and seals. */
#define FCNTL(command)                \
    {                                 \
        "fcntl", {INT(1, command)}, 1 \
    }

enum {
    CLONE_SPACES = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                   CLONE_NEWPID | CLONE_NEWNET,
};

static const struct call_rule rules[] = {
    SOCKET(AF_INET, SOCK_STREAM),
    SOCKET(AF_INET, SOCK_DGRAM),
    SOCKET(AF_INET6, SOCK_STREAM),
    SOCKET(AF_INET6, SOCK_DGRAM),
    SOCKET(AF_UNIX, SOCK_DGRAM), /* the service manager; names of interfaces */
    {"socket", {INT(0, AF_NETLINK), INT(2, NETLINK_ROUTE)}, 2},
    FCNTL(F_GETFD),
    FCNTL(F_SETFD),
    FCNTL(F_GETFL),
    {"fcntl", {INT(1, F_SETFL), BITS(2, O_ASYNC, 0)}, 2}, /* the resolver's sockets, not to block */
    FCNTL(F_SETPIPE_SZ),
    FCNTL(F_GETPIPE_SZ),
    {"clone", {BITS(0, CLONE_THREAD | CLONE_SPACES, CLONE_THREAD)}, 1},
    {"mmap", {BITS(2, PROT_EXEC, 0)}, 1},
    {"mprotect", {BITS(2, PROT_EXEC, 0)}, 1},
    {"prlimit64", {INT(0, 0), {2, SCMP_CMP_EQ, 0, 0}}, 2}, /* our own, and only to read */
    {"prctl", {INT(0, PR_SET_NAME)}, 1},
    {"prctl", {INT(0, PR_GET_NAME)}, 1},
    {"prctl", {INT(0, PR_SET_VMA)}, 1}, /* names of memory, from the C library */
    {"ioctl", {INT(1, TIOCGWINSZ)}, 1},
    {"ioctl", {INT(1, TCGETS)}, 1}, /* is it a terminal? */
    {"ioctl", {INT(1, FIONREAD)}, 1},
    {"ioctl", {INT(1, FIONBIO)}, 1},
    {"ioctl", {INT(1, SIOCGIFNAME)}, 1}, /* scopes of link-local name servers */
    {"ioctl", {INT(1, SIOCGIFINDEX)}, 1},
};

/* Of who makes bundles. */
static const struct call_rule making_rules[] = {
    SOCKET(AF_UNIX, SOCK_STREAM), /* its own listeners; is anybody on a socket's file? */
    FCNTL(F_DUPFD_CLOEXEC),       /* an address that stays is shared with the bundle before */
};

/* ---- building ---- */

/* 0, or a negative errno of the library. */
static int allow(scmp_filter_ctx filter, const char *call, const struct scmp_arg_cmp *args,
                 unsigned count)
{
    int number = seccomp_syscall_resolve_name(call);
    return number < 0 ? 0 : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, count, args);
}

static int allow_all(scmp_filter_ctx filter, const char *const *calls, size_t count)
{
    int error = 0;
    for (size_t i = 0; i < count && error == 0; i++)
        error = allow(filter, calls[i], NULL, 0);
    return error;
}

/* abort(3) of our own. */
static int allow_own_signals(scmp_filter_ctx filter)
{
    struct scmp_arg_cmp own = INT(0, (scmp_datum_t)getpid());
    return allow(filter, "tgkill", &own, 1);
}

static int allow_some(scmp_filter_ctx filter, const struct call_rule *some, size_t count)
{
    int error = 0;
    for (size_t i = 0; i < count && error == 0; i++)
        error = allow(filter, some[i].call, some[i].args, some[i].count);
    return error;
}

static int allow_rules(scmp_filter_ctx filter, bool makes_bundles)
{
    int error = allow_all(filter, serving_calls, COUNT_OF(serving_calls));
    if (error == 0)
        error = allow_some(filter, rules, COUNT_OF(rules));
    if (error == 0 && makes_bundles)
        error = allow_all(filter, making_calls, COUNT_OF(making_calls));
    if (error == 0 && makes_bundles)
        error = allow_some(filter, making_rules, COUNT_OF(making_rules));
    return error == 0 ? allow_own_signals(filter) : error;
}

/* What only some kernels and libraries have, and nothing hangs on. */
static void tune(scmp_filter_ctx filter, bool is_logged)
{
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, is_logged);
    /* Nobody's code runs here but our own: the guard against speculation that older kernels add costs for nothing. */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
}

static uint32_t verdict(enum config_seccomp mode)
{
    switch (mode) {
    case CONFIG_SECCOMP_REFUSE: return SCMP_ACT_ERRNO(EPERM);
    case CONFIG_SECCOMP_KILL: return SCMP_ACT_KILL_PROCESS;
    case CONFIG_SECCOMP_LOG:
    case CONFIG_SECCOMP_OFF: break;
    }
    return SCMP_ACT_LOG;
}

static int load_list(enum config_seccomp mode, bool makes_bundles)
{
    scmp_filter_ctx filter = seccomp_init(verdict(mode));
    if (filter == NULL)
        return -ENOMEM;
    tune(filter, /* is_logged= */ true);
    int error = allow_rules(filter, makes_bundles);
    if (error == 0)
        error = allow(filter, "clone3", NULL, 0); /* the other filter's */
    if (error == 0)
        error = seccomp_load(filter);
    seccomp_release(filter);
    return error;
}

static int load_clone3(void)
{
    int number = seccomp_syscall_resolve_name("clone3");
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (filter == NULL)
        return -ENOMEM;
    tune(filter, /* is_logged= */ false);
    int error =
        number < 0 ? 0 : seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0, NULL);
    if (error == 0)
        error = seccomp_load(filter);
    seccomp_release(filter);
    return error;
}

enum status seccomp_filter_load(enum config_seccomp mode, bool makes_bundles, struct text *fault)
{
    CHECK(mode != CONFIG_SECCOMP_OFF);
    int error = load_clone3(); /* first: the list does not allow another */
    if (error == 0)
        error = load_list(mode, makes_bundles);
    if (error == 0)
        return ST_OK;
    text_add_format(fault, "the kernel takes no filter of system calls: %s", strerror(-error));
    return error == -ENOMEM ? ST_NOMEM : ST_IO;
}
