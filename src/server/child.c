/* Starting the serving process, and counting its deaths.
 *
 *     K1  It is waited for before its number is used again: kill(2) never hits a stranger.
 *     K2  Each has a channel of its own, so that words of one are never taken for another's.
 *     K3  The first death is forgiven: another is started at once. From the second on the pause doubles, up to
 *         REST_MAX_MS, until one lives for OLD_AGE_S. */

#include "server/child.h"

#include "base/clock.h"
#include "base/text.h"
#include "io/socket.h"
#include "report/diag.h"
#include "server/channel.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REST_MIN_MS = 100, REST_MAX_MS = 10000, REST_DOUBLINGS_MAX = 8, OLD_AGE_S = 10 };

/* What waitpid(2) tells of an exit with code 1. */
enum { NO_STATUS = 1 << 8 };

void child_init(struct child *child)
{
    *child = (struct child){.channel = -1};
}

enum status child_start(struct child *child, void (*run)(void *owner, int channel), void *owner)
{
    int ends[2];
    if (channel_pair(ends) != ST_OK)
        return ST_IO;
    pid_t pid = fork();
    if (pid == 0) {
        socket_close(&ends[0]);
        run(owner, ends[1]);
        abort();
    }
    int error = errno;
    socket_close(&ends[1]);
    if (pid < 0) {
        socket_close(&ends[0]);
        errno = error;
        return ST_IO;
    }
    child->pid = pid;
    child->channel = ends[0];
    child->started_ns = clock_monotonic_ns();
    return ST_OK;
}

bool child_collect(struct child *child, int *ret_status)
{
    if (child->pid == 0)
        return false;
    pid_t got = waitpid(child->pid, ret_status, WNOHANG);
    if (got < 0 && errno == ECHILD)
        *ret_status = NO_STATUS;
    else if (got != child->pid)
        return false;
    child->pid = 0;
    return true;
}

void child_kill(const struct child *child)
{
    if (child->pid > 0)
        (void)kill(child->pid, SIGKILL); /* it may be dead, but is not collected (K1) */
}

int child_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static uint64_t child_rest_ms(const struct child *child)
{
    if (child->young_deaths == 0)
        return 0;
    unsigned doublings = child->young_deaths - 1;
    uint64_t rest_ms = (uint64_t)REST_MIN_MS
                       << (doublings < REST_DOUBLINGS_MAX ? doublings : REST_DOUBLINGS_MAX);
    return rest_ms < REST_MAX_MS ? rest_ms : REST_MAX_MS;
}

uint64_t child_mourn(struct child *child, int status, bool has_served)
{
    char words[40];
    struct text when = text_on(words, sizeof(words));
    bool is_old = has_served && clock_monotonic_ns() - child->started_ns >= OLD_AGE_S * NS_PER_S;
    if (is_old)
        child->young_deaths = 0;
    uint64_t rest_ms = child_rest_ms(child);
    child->young_deaths++;
    if (rest_ms > 0) {
        text_add(&when, SLICE("in "));
        text_add_duration(&when, rest_ms * NS_PER_MS);
    } else {
        text_add(&when, SLICE("now"));
    }
    if (WIFSIGNALED(status))
        diag_say(NULL, DIAG_ERROR,
                 "the serving process was killed by signal %d (%s); it is started again %s",
                 WTERMSIG(status), strsignal(WTERMSIG(status)), text_string(&when));
    else
        diag_say(NULL, DIAG_ERROR, "the serving process ended with code %d; it is started again %s",
                 WEXITSTATUS(status), text_string(&when));
    return rest_ms;
}
