/* Landlock by its three system calls, which the C library does not have.
 *
 * What a kernel knows grows with its version: all that this one knows about files is shut, and then opened for the
 * places that are named. A right that is not handled would stay open, so an unknown one of a later version does; it
 * is added here. Connecting and binding are left to the gate and to seccomp: where to a proxy connects is its business.
 *
 * A rule holds for a file or for all below a folder, and it hangs on the inode, not on the name: what replaces a
 * file by renaming is another one. So whoever names a file that is replaced names its folder. */

#include "server/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From <linux/landlock.h>, which grows as well: the header of the oldest system that we are built on lacks some. */
enum {
    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_FILE = 1 << 5,
    FS_MAKE_REG = 1 << 8,
    FS_MAKE_SOCK = 1 << 9,
    FS_TRUNCATE = 1 << 14,
    FS_IOCTL_DEV = 1 << 15,
    FS_ALL_1 = (1 << 13) - 1, /* version 1; each bit that follows came with a later one */
    FS_ALL_2 = (1 << 14) - 1, /* also to rename and link across folders */
    FS_ALL_3 = FS_ALL_2 | FS_TRUNCATE,
    FS_ALL_5 = FS_ALL_3 | FS_IOCTL_DEV,
    FS_OF_FILES = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV,

    SCOPE_ABSTRACT = 1 << 0, /* both: version 6 */
    SCOPE_SIGNAL = 1 << 1,

    RULE_PATH_BENEATH = 1,
    CREATE_VERSION = 1 << 0,
};

struct ruleset {
    uint64_t files;
    uint64_t net;   /* version 4 */
    uint64_t scope; /* version 6 */
};

struct path_rule {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

static long create_ruleset(const struct ruleset *ruleset, size_t size, unsigned flags)
{
    return syscall(SYS_landlock_create_ruleset, ruleset, size, flags);
}

static long add_rule(int ruleset, const struct path_rule *rule)
{
    return syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, rule, 0);
}

static long restrict_self(int ruleset)
{
    return syscall(SYS_landlock_restrict_self, ruleset, 0);
}

int landlock_version(void)
{
    long version = create_ruleset(NULL, 0, CREATE_VERSION);
    return version > 0 ? (int)version : 0;
}

static uint64_t known_files(int version)
{
    if (version >= 5)
        return FS_ALL_5;
    if (version >= 3)
        return FS_ALL_3;
    return version == 2 ? FS_ALL_2 : FS_ALL_1;
}

static uint64_t wanted_files(unsigned may)
{
    uint64_t wanted = 0;
    if ((may & LANDLOCK_MAY_READ) != 0)
        wanted |= FS_READ_FILE | FS_READ_DIR; /* a store of authorities is listed */
    if ((may & LANDLOCK_MAY_LOG) != 0)
        wanted |= FS_WRITE_FILE | FS_MAKE_REG;
    if ((may & LANDLOCK_MAY_SOCKET) != 0)
        wanted |= FS_MAKE_SOCK | FS_REMOVE_FILE;
    return wanted;
}

/* False with errno. A place that is not there, or not ours to see, stays shut. */
static bool open_place(int ruleset, const struct landlock_place *place, uint64_t known)
{
    struct stat facts;
    int fd = open(place->path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return true;
    struct path_rule rule = {wanted_files(place->may) & known, fd};
    if (fstat(fd, &facts) == 0 && !S_ISDIR(facts.st_mode))
        rule.allowed &= FS_OF_FILES;
    bool is_open = rule.allowed == 0 || add_rule(ruleset, &rule) == 0;
    int error = errno;
    (void)close(fd);
    errno = error;
    return is_open;
}

enum status landlock_shut(const struct landlock_place *places, size_t count, bool shuts_abstract)
{
    int version = landlock_version();
    if (version == 0)
        return ST_LIMIT;
    struct ruleset rules = {.files = known_files(version)};
    if (version >= 6)
        rules.scope = SCOPE_SIGNAL | (shuts_abstract ? SCOPE_ABSTRACT : 0);
    size_t size = version >= 6   ? sizeof(rules)
                  : version >= 4 ? offsetof(struct ruleset, scope)
                                 : offsetof(struct ruleset, net);
    int ruleset = (int)create_ruleset(&rules, size, 0);
    bool is_fine = ruleset >= 0;
    for (size_t i = 0; i < count && is_fine; i++)
        is_fine = open_place(ruleset, &places[i], rules.files);
    is_fine = is_fine && restrict_self(ruleset) == 0;
    int error = errno;
    if (ruleset >= 0)
        (void)close(ruleset);
    errno = error;
    return is_fine ? ST_OK : ST_IO;
}
