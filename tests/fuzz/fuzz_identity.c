/* Fuzz target: who is asking. The first byte chooses: a users file, a file of tokens, a Proxy-Authorization field, or
 * the text of /proc/PID/cgroup. Whatever the bytes are, the readers stay in them; what is taken is sound, and found
 * again. */
#include "base/check.h"
#include "identity/credentials.h"
#include "identity/password.h"
#include "identity/peer.h"
#include "identity/roster.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_member(const struct roster *roster, uint32_t index, bool is_user)
{
    const struct roster_member *member = roster_at(roster, index);
    CHECK(credentials_is_user(member->name));
    CHECK(roster_index(roster, member) == index);
    CHECK(member->group_count <= ROSTER_GROUPS_MAX);
    for (size_t i = 0; i < member->group_count; i++)
        CHECK(member->groups[i].len > 0 && member->groups[i].len <= ROSTER_GROUP_MAX);
    if (is_user) {
        CHECK(roster_user(roster, member->name) == member);
        CHECK(member->hash == NULL || password_judge(slice_from_string(member->hash)) == NULL);
    }
    CHECK(password_judge(slice_from_string(roster_decoy(roster, member->name))) == NULL);
}

static void check_roster(struct slice bytes, bool is_users)
{
    char words[400];
    struct text fault = text_on(words, sizeof(words));
    struct roster_file file = {bytes, "file"};
    struct roster *roster = NULL;
    enum status status =
        roster_create(is_users ? &file : NULL, is_users ? NULL : &file, &fault, &roster);
    CHECK(status == ST_OK || status == ST_BAD);
    CHECK((status == ST_BAD) == (roster == NULL));
    CHECK(status == ST_OK || slice_starts_with(text_slice(&fault), SLICE("file:")));
    for (size_t i = 0; i < fault.len; i++) /* it is said on a terminal */
        CHECK(fault.at[i] >= ' ' && fault.at[i] <= '~');
    for (uint32_t i = 0; roster != NULL && i < roster_count(roster); i++)
        check_member(roster, i, is_users);
    roster_unref(&roster);
}

static bool is_clean(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.at[i] < 0x20 || s.at[i] == 0x7f)
            return false;
    }
    return true;
}

static void check_credentials(struct slice value)
{
    struct credentials credentials;
    credentials_parse(value, &credentials);
    if (credentials.kind == CREDENTIALS_BASIC) {
        CHECK(credentials.user.len <= CREDENTIALS_USER_MAX);
        CHECK(credentials.password.len <= CREDENTIALS_PASSWORD_MAX);
        CHECK(is_clean(credentials.user) && is_clean(credentials.password));
        CHECK(slice_find(credentials.user, ':') == credentials.user.len);
    } else {
        CHECK(credentials.user.len == 0 && credentials.password.len == 0);
    }
    CHECK((credentials.kind == CREDENTIALS_BEARER) == (credentials.token.len > 0));
    CHECK((credentials.kind == CREDENTIALS_BAD) == (credentials.fault[0] != '\0'));
    credentials_wipe(&credentials);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice bytes = slice_of((const char *)data + 1, size - 1);
    switch (data[0] % 4) {
    case 0: check_roster(bytes, true); break;
    case 1: check_roster(bytes, false); break;
    case 2: check_credentials(bytes); break;
    case 3: {
        struct slice found = peer_find_container(bytes);
        CHECK(found.len == 0 || (found.len == PEER_CONTAINER && found.at >= bytes.at &&
                                 found.at + found.len <= bytes.at + bytes.len));
        break;
    }
    }
    return 0;
}
