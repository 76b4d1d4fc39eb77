/* Who is behind a Unix socket. The numbers are the kernel's word about who connected; the control group is that of the
 * process with that number now. A process that ended and whose number was given to another within the moment between
 * connecting and accepting would be taken for it, and one that hands its socket to others answers for them. */

#include "identity/peer.h"

#include "base/text.h"
#include "io/socket.h"

#include <fcntl.h>
#include <unistd.h>

enum { CGROUP_TEXT = 4096, CGROUP_PATH = 32 };

static bool is_hex(char c)
{
    return char_is_digit(c) || (c >= 'a' && c <= 'f');
}

static struct slice find_in_line(struct slice line)
{
    struct slice found = SLICE_NONE;
    for (size_t i = 0; i < line.len;) {
        size_t begin = i;
        while (i < line.len && is_hex(line.at[i]))
            i++;
        if (i - begin == PEER_CONTAINER)
            found = slice_of(line.at + begin, PEER_CONTAINER);
        i += i == begin;
    }
    return found;
}

struct slice peer_find_container(struct slice cgroups)
{
    struct slice line;
    struct slice found = SLICE_NONE;
    while (found.len == 0 && slice_next_part(&cgroups, '\n', &line))
        found = find_in_line(line);
    return found;
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
    if (!wants_container || who.pid <= 0) /* 0: in a namespace that we do not see */
        return ST_OK;
    char cgroups[CGROUP_TEXT];
    struct slice container = peer_find_container(read_cgroups(who.pid, cgroups));
    if (container.len > 0)
        ret_peer->groups[ret_peer->group_count++] = add_word(&text, "container", container);
    return ST_OK;
}
