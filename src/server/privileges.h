#ifndef FAIRLEAD_SERVER_PRIVILEGES_H
#define FAIRLEAD_SERVER_PRIVILEGES_H

#include "base/status.h"
#include "base/text.h"

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PRIVILEGES_TO_BIND (1ULL << CAP_NET_BIND_SERVICE)
/* Of a parent: to read and write what the configuration names, to make and remove sockets, to become the user that
 * serves without any, and to end it. */
#define PRIVILEGES_OF_PARENT                                                           \
    (PRIVILEGES_TO_BIND | 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_DAC_READ_SEARCH |     \
     1ULL << CAP_FOWNER | 1ULL << CAP_KILL | 1ULL << CAP_SETUID | 1ULL << CAP_SETGID | \
     1ULL << CAP_SETPCAP)

/* Who serves, when root started us. */
struct privileges_user {
    char name[65];
    uid_t uid;
    gid_t gid;
};

/* RLIMIT_NOFILE to its hard limit; what there is has to do where that fails. */
void privileges_raise_descriptors(void);
/* How many descriptors the process may have open. */
uint64_t privileges_descriptors(void);
/* Were we started as root, so that a parent has to stay? */
bool privileges_are_held(void);
/* The user of --run-as; nobody where `name` is empty. Errors: ST_BAD with a fault. */
enum status privileges_find_user(const char *name, struct privileges_user *ret_user,
                                 struct text *fault) MUST_USE;
/* Become `user` for good: no other groups, no way back, nothing gained by execve, no core dump of what root
 * had in memory. Errors: ST_IO with a fault; then the process must end. */
enum status privileges_drop(const struct privileges_user *user, struct text *fault) MUST_USE;
/* Keep of our capabilities only `kept`, one bit each, and get none through execve(2), for good. *ret_left: those that
 * are left. Errors: ST_IO with a fault. Thread: the only one. */
enum status privileges_shed(uint64_t kept, uint64_t *ret_left, struct text *fault) MUST_USE;
/* What `question` answers, 0 to 253, in a process of its own that has become `user`; -1 where that cannot be. */
int privileges_ask_as(const struct privileges_user *user, int (*question)(const void *owner),
                      const void *owner);
/* What is in memory is not dumped: keys are. */
void privileges_forbid_dumps(void);

#endif
