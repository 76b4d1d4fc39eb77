/* Both are blocked in all threads and wait in a signalfd. */

#include "view/signals.h"

#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void fill(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
}

int signals_take(void)
{
    sigset_t set;
    fill(&set);
    (void)sigprocmask(SIG_BLOCK, &set, NULL); /* fails for no such set */
    (void)signal(SIGPIPE, SIG_IGN);           /* the same */
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int signals_read(int fd)
{
    struct signalfd_siginfo info;
    return fd >= 0 && read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info) ? (int)info.ssi_signo
                                                                             : 0;
}

int signals_give(int fd)
{
    sigset_t set;
    int number = signals_read(fd);
    fill(&set);
    if (fd >= 0)
        (void)close(fd);                            /* it was only read */
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL); /* fails for no such set */
    return number;
}
