#ifndef FAIRLEAD_IDENTITY_PEER_H
#define FAIRLEAD_IDENTITY_PEER_H

#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

/* The process at the other end of a Unix socket, as the kernel tells (SO_PEERCRED) of the time it connected.
 *
 * User "uid:1000", groups "gid:1000" and, where its control group names one, "container:" with the 64 hexadecimal
 * digits that container managers give. Numbers and no names: a name would need NSS, which may block and ask the
 * network, and the same name need not mean the same user in another container. */
struct peer_process {
    uint32_t uid, gid;
    struct slice user; /* views of `text` */
    struct slice groups[2];
    size_t group_count;
    /* private */
    char text[128];
};

enum { PEER_CONTAINER = 64 };

/* Ask about a connected Unix socket; with `wants_container` the control group is read from /proc, too, which is
 * memory of the kernel's and does not wait. Errors: ST_IO with errno. */
enum status peer_process_read(int fd, bool wants_container, struct peer_process *ret_peer) MUST_USE;

/* The container that the text of /proc/PID/cgroup names, read where paths begin at the root of the host: by a group of
 * docker, podman, containerd or CRI-O that only root can have put where it is. Empty where there is none, or where
 * lines name several. */
struct slice peer_find_container(struct slice cgroups);

#endif
