/* Who is behind a Unix socket. The numbers are the kernel's word about who connected; the control group is that of the
 * process with that number now. A process that ended and whose number was given to another within the moment between
 * connecting and accepting would be taken for it, and one that hands its socket to others answers for them.
 *
 * Whoever may make control groups chooses their names. Systemd gives users and services parts of the tree for that
 * (Delegate=), which always lie below a .service or a .scope; and so does what a container makes inside of itself. So a
 * group counts for a container only where nothing but slices stands above it, or just what a runtime without systemd
 * puts there, which takes root to make. The path must be one from the root of the host: in a control group namespace of
 * our own we would see what others made look like it. */

#include "identity/peer.h"

#include "base/check.h"
#include "base/text.h"
#include "io/socket.h"

#include <fcntl.h>
#include <unistd.h>

enum { CGROUP_TEXT = 4096, CGROUP_PATH = 32, CGROUP_DEPTH = 32 };

static bool is_hex(char c)
{
    return char_is_digit(c) || (c >= 'a' && c <= 'f');
}

static bool is_container_id(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_hex(s.at[i]))
            return false;
    }
    return s.len == PEER_CONTAINER;
}

static bool is_between(struct slice s, const char *begin, const char *end, struct slice *ret_rest)
{
    struct slice head = slice_from_string(begin);
    struct slice tail = slice_from_string(end);
    if (s.len < head.len + tail.len || !slice_starts_with(s, head) ||
        !slice_equals(slice_from(s, s.len - tail.len), tail))
        return false;
    *ret_rest = slice_of(s.at + head.len, s.len - head.len - tail.len);
    return true;
}

/* The id in the name of a group that a runtime makes through systemd; empty where it is none. */
static struct slice id_of_scope(struct slice name)
{
    static const char *const runtimes[] = {"docker-", "libpod-", "crio-", "cri-containerd-",
                                           "nerdctl-"};
    struct slice id;
    for (size_t i = 0; i < COUNT_OF(runtimes); i++) {
        if (is_between(name, runtimes[i], ".scope", &id) && is_container_id(id))
            return id;
    }
    return SLICE_NONE;
}

static bool is_slice_unit(struct slice name)
{
    struct slice rest;
    return is_between(name, "", ".slice", &rest) && rest.len > 0;
}

/* Runtimes that make groups themselves, below groups of these names at the root:
 *     /docker/ID   /libpod_parent/libpod-ID   /kubepods/[burstable|besteffort/]podUID/ID   (also crio-ID there) */
static struct slice id_of_group(const struct slice *parents, size_t count, struct slice name)
{
    struct slice id = name;
    struct slice rest;
    if (count == 0)
        return SLICE_NONE;
    bool is_docker = count == 1 && slice_equals(parents[0], SLICE("docker"));
    bool is_podman = count == 1 && slice_equals(parents[0], SLICE("libpod_parent")) &&
                     is_between(name, "libpod-", "", &id);
    bool is_pod = slice_equals(parents[0], SLICE("kubepods")) && (count == 2 || count == 3) &&
                  is_between(parents[count - 1], "pod", "", &rest);
    if (is_pod && count == 3)
        is_pod = slice_equals(parents[1], SLICE("burstable")) ||
                 slice_equals(parents[1], SLICE("besteffort"));
    if (is_pod)
        (void)is_between(name, "crio-", "", &id);
    return (is_docker || is_podman || is_pod) && is_container_id(id) ? id : SLICE_NONE;
}

/* The container of a path from the root of the host: the first group that is one, and no other. */
static struct slice find_in_path(struct slice path)
{
    struct slice parents[CGROUP_DEPTH];
    struct slice name;
    bool is_in_slices = true;
    size_t count = 0;
    if (path.len == 0 || path.at[0] != '/')
        return SLICE_NONE;
    path = slice_from(path, 1);
    while (count < CGROUP_DEPTH && slice_next_part(&path, '/', &name)) {
        struct slice id = is_in_slices && count > 0 ? id_of_scope(name) : SLICE_NONE;
        if (id.len == 0)
            id = id_of_group(parents, count, name);
        if (id.len > 0)
            return id;
        if (slice_equals(name, SLICE("..")))
            return SLICE_NONE;
        is_in_slices = is_in_slices && is_slice_unit(name);
        parents[count++] = name;
    }
    return SLICE_NONE;
}

/* What stands behind the second colon. */
static struct slice path_of(struct slice line)
{
    struct slice rest = slice_from(line, slice_find(line, ':'));
    if (rest.len == 0)
        return SLICE_NONE;
    rest = slice_from(rest, 1);
    rest = slice_from(rest, slice_find(rest, ':'));
    return rest.len == 0 ? SLICE_NONE : slice_from(rest, 1);
}

struct slice peer_find_container(struct slice cgroups)
{
    struct slice line;
    struct slice found = SLICE_NONE;
    while (slice_next_part(&cgroups, '\n', &line)) {
        struct slice id = find_in_path(path_of(line));
        if (id.len > 0 && found.len > 0 && !slice_equals(id, found))
            return SLICE_NONE; /* hierarchies of version 1 that contradict each other */
        if (id.len > 0)
            found = id;
    }
    return found;
}

/* Do we see paths from the root of the host? The kernel gives the first namespace of this kind a number that is always
 * the same (PROC_CGROUP_INIT_INO). */
static bool sees_host_paths(void)
{
    char link[64];
    ssize_t len = readlink("/proc/self/ns/cgroup", link, sizeof(link));
    return len > 0 && slice_equals(slice_of(link, (size_t)len), SLICE("cgroup:[4026531835]"));
}

/* Empty where it cannot be read. */
static struct slice read_cgroups(int32_t pid, char into[CGROUP_TEXT])
{
    char path[CGROUP_PATH];
    struct text text = text_on(path, sizeof(path));
    text_add_format(&text, "/proc/%d/cgroup", pid);
    int fd = open(text_string(&text), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return SLICE_NONE;
    ssize_t got = read(fd, into, CGROUP_TEXT);
    (void)close(fd);
    return slice_of(into, got > 0 ? (size_t)got : 0);
}

static struct slice add_word(struct text *text, const char *kind, struct slice value)
{
    size_t begin = text->len;
    text_add_format(text, "%s:", kind);
    text_add(text, value);
    return slice_of(text->at + begin, text->len - begin);
}

static struct slice add_number(struct text *text, const char *kind, uint32_t number)
{
    char digits[16];
    struct text word = text_on(digits, sizeof(digits));
    text_add_u64(&word, number);
    return add_word(text, kind, text_slice(&word));
}

enum status peer_process_read(int fd, bool wants_container, struct peer_process *ret_peer)
{
    struct socket_peer who;
    enum status status = socket_peer_of(fd, &who);
    if (status != ST_OK)
        return status;
    struct text text = text_on(ret_peer->text, sizeof(ret_peer->text));
    ret_peer->uid = who.uid;
    ret_peer->gid = who.gid;
    ret_peer->user = add_number(&text, "uid", who.uid);
    ret_peer->groups[0] = add_number(&text, "gid", who.gid);
    ret_peer->group_count = 1;
    if (!wants_container || who.pid <= 0 ||
        !sees_host_paths()) /* 0: in a namespace that we do not see */
        return ST_OK;
    char cgroups[CGROUP_TEXT];
    struct slice container = peer_find_container(read_cgroups(who.pid, cgroups));
    if (container.len > 0)
        ret_peer->groups[ret_peer->group_count++] = add_word(&text, "container", container);
    return ST_OK;
}
