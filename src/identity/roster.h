#ifndef FAIRLEAD_IDENTITY_ROSTER_H
#define FAIRLEAD_IDENTITY_ROSTER_H

#include "base/text.h"
#include "identity/digest.h"

#include <stdbool.h>

/* Who is known: a users file and a file of tokens, compiled. Immutable, counted, found by name or token in one look.
 *
 *   users    user:hash[:group,group...]      a hash as of crypt(5); "*" or "!..." is no password's
 *   tokens   user:sha256[:group,group...]    64 hexadecimal digits, of the token itself
 *
 * Lines that are empty or begin with # are left out. */
struct roster;

enum {
    ROSTER_MEMBERS_MAX = 100000, /* of each file */
    ROSTER_GROUPS_MAX = 64,      /* of a member */
    ROSTER_GROUP_MAX = 64,       /* bytes of a group's name */
    ROSTER_LINE_MAX = 4096,      /* bytes */
};

struct roster_member {
    struct slice name;
    const struct slice *groups;
    size_t group_count;
    const char *hash; /* terminated; NULL: it has a token, or no password is right */
    /* Of name and hash or token, and of nothing else of the line: the same in every roster in which the same
     * credentials are right. */
    struct digest proof;
    /* private */
    size_t first_group; /* while it is made */
    uint32_t line;
    uint8_t token[DIGEST_SHA256];
};

struct roster_file {
    struct slice text; /* copied */
    const char *path;  /* for messages */
};

/* Either file may be NULL. `fault`: "PATH:LINE: what is wrong", never with a hash or a token. Errors: ST_BAD with a
 * fault, ST_NOMEM. */
enum status roster_create(const struct roster_file *users, const struct roster_file *tokens,
                          struct text *fault, struct roster **ret_roster) MUST_USE;
struct roster *roster_ref(struct roster *roster);
/* Wiped with the last reference; *roster is NULL afterwards. Takes a pointer to NULL. Thread: any. */
void roster_unref(struct roster **roster);

/* The user of this name in the users file, or NULL. Takes NULL for the roster. */
const struct roster_member *roster_user(const struct roster *roster, struct slice name);
/* The member of this name in either file, the users file first; or NULL. Takes NULL for the roster. For commands: it
 * may look at all of them. */
const struct roster_member *roster_find(const struct roster *roster, struct slice name);
/* Whose token this is, or NULL. */
const struct roster_member *roster_token(const struct roster *roster, struct slice token);
/* The hash to compute for a name that nobody has, or that has no password: that of some user, always the same one for
 * the name, so that unknown names cost what known ones do also where the file has hashes of several kinds. Never
 * NULL. */
const char *roster_decoy(const struct roster *roster, struct slice name);

/* Members by number, which stays the same in rosters of one digest; NULL beyond the last one. */
uint32_t roster_index(const struct roster *roster, const struct roster_member *member);
const struct roster_member *roster_at(const struct roster *roster, uint32_t index);
/* SHA-256 of what both files hold. */
const uint8_t *roster_digest(const struct roster *roster);
/* The most that computing one of its hashes takes, in bytes; 0 where it has none. Takes NULL. */
uint64_t roster_hash_bytes(const struct roster *roster);
size_t roster_count(const struct roster *roster);

#endif
