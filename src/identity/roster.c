/* Compiling users and tokens.
 *
 * Each text is copied once and cut in place: a NUL is put behind each hash, since libcrypt takes terminated strings.
 * Members and groups lie in two arrays that grow while lines are read; only when they are whole are slices of groups
 * pointed at and names entered into the tables, so that nothing moves under a pointer.
 *
 * A file is taken whole or not at all. A line that is wrong would else be a user who is locked out, or, where the
 * mistake is in the groups, one who may do what he should not. */

#include "identity/roster.h"

#include "base/check.h"
#include "base/table.h"
#include "identity/credentials.h"
#include "identity/password.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* For a file without a single password: of a random one that nobody kept, at the cost of crypt(5). */
#define DECOY "$y$j9T$0b0FtM9dJv0WnM3tQbcOz/$hVqMQkGCGKJ0cQ7ZEEEkkMc5x9CYzDCBEIn1PyPLfZ6"

struct roster {
    atomic_uint refs; /* any thread; acq_rel on the last step down */
    char *texts[2];   /* of the users and of the tokens; hold hashes, and are wiped */
    size_t lens[2];
    struct roster_member *members; /* users first, then those with tokens */
    size_t member_count;
    size_t user_count;
    struct slice *groups;
    size_t group_count;
    const char **hashes; /* of the users that have one */
    size_t hash_count;
    struct table by_name;
    struct table by_token;
    uint8_t digest[DIGEST_SHA256];
};

/* One file on its way into a roster. */
struct reading {
    struct roster *roster;
    const char *path;
    bool is_tokens;
    uint32_t line;
    size_t member_cap;
    size_t group_cap;
    struct text *fault;
};

static enum status fail(const struct reading *reading, const char *why)
{
    text_add_format(reading->fault, "%s:%u: %s", reading->path, reading->line, why);
    return ST_BAD;
}

static enum status fail_named(const struct reading *reading, struct slice name, const char *why)
{
    text_add_format(reading->fault, "%s:%u: \"", reading->path, reading->line);
    text_add_log(reading->fault, slice_first(name, 64), '"');
    text_add_format(reading->fault, "\": %s", why);
    return ST_BAD;
}

/* Room for one more of `count` things in `*at`. */
static enum status grow(void **at, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return ST_OK;
    size_t wanted = *cap == 0 ? 16 : *cap * 2;
    void *grown = realloc(*at, wanted * size);
    if (grown == NULL)
        return ST_NOMEM;
    *at = grown;
    *cap = wanted;
    return ST_OK;
}

/* ---- one line ---- */

static bool has_control(struct slice line)
{
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.at[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

static enum status read_groups(struct reading *reading, struct slice words,
                               struct roster_member *member)
{
    struct roster *roster = reading->roster;
    struct slice word;
    member->first_group = roster->group_count;
    while (slice_next_part(&words, ',', &word)) {
        word = slice_trim(word);
        if (word.len == 0 || word.len > ROSTER_GROUP_MAX || slice_find(word, ':') < word.len ||
            slice_find(word, ' ') < word.len)
            return fail_named(reading, member->name,
                              "a group is empty, too long, or holds a blank or a colon");
        if (member->group_count == ROSTER_GROUPS_MAX)
            return fail_named(reading, member->name, "more than 64 groups");
        void *groups = roster->groups;
        enum status status =
            grow(&groups, roster->group_count, &reading->group_cap, sizeof(*roster->groups));
        roster->groups = groups;
        if (status != ST_OK)
            return status;
        roster->groups[roster->group_count++] = word;
        member->group_count++;
    }
    return ST_OK;
}

static int nibble(char c)
{
    if (char_is_digit(c))
        return c - '0';
    c = char_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_token(struct slice word, uint8_t into[DIGEST_SHA256])
{
    if (word.len != 2 * (size_t)DIGEST_SHA256)
        return false;
    for (size_t i = 0; i < word.len; i += 2) {
        int high = nibble(word.at[i]);
        int low = nibble(word.at[i + 1]);
        if (high < 0 || low < 0)
            return false;
        into[i / 2] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* The second part of the line. */
static enum status read_secret(struct reading *reading, struct slice word,
                               struct roster_member *member)
{
    if (reading->is_tokens) {
        if (!read_token(word, member->token))
            return fail_named(reading, member->name,
                              "expected the SHA-256 of the token, 64 hexadecimal digits, as "
                              "sha256sum(1) prints it");
        return ST_OK;
    }
    if (word.len > 0 && (word.at[0] == '!' || slice_equals(word, SLICE("*"))))
        return ST_OK; /* no password */
    const char *why = password_judge(word);
    if (why != NULL)
        return fail_named(reading, member->name, why);
    char *end = (char *)(uintptr_t)word.at + word.len; /* a colon, or the end of the line */
    *end = '\0';
    member->hash = word.at;
    return ST_OK;
}

static void take_proof(struct roster_member *member, bool is_token, struct slice secret)
{
    char bytes[ROSTER_LINE_MAX + 2];
    uint8_t digest[DIGEST_SHA256];
    struct text text = text_on(bytes, sizeof(bytes));
    text_add_char(&text, is_token ? 't' : 'u');
    text_add(&text, member->name);
    text_add_char(&text, ':');
    if (is_token)
        text_add(&text, slice_of((const char *)member->token, sizeof(member->token)));
    else
        text_add(&text, secret);
    digest_sha256(text_slice(&text), digest);
    memcpy(&member->proof, digest, sizeof(member->proof));
    explicit_bzero(bytes, text.len);
}

static enum status read_line(struct reading *reading, struct slice line)
{
    struct roster *roster = reading->roster;
    struct roster_member member = {.line = reading->line};
    struct slice rest = line;
    if (line.len > ROSTER_LINE_MAX)
        return fail(reading, "the line is longer than 4096 bytes");
    if (has_control(line))
        return fail(reading, "the line holds control characters");
    size_t colon = slice_find(rest, ':');
    member.name = slice_first(rest, colon);
    if (colon == rest.len)
        return fail(reading, reading->is_tokens ? "expected user:sha256 or user:sha256:group,group"
                                                : "expected user:hash or user:hash:group,group");
    if (!credentials_is_user(member.name))
        return fail(reading, "the user's name is empty or longer than 255 bytes");
    rest = slice_from(rest, colon + 1);
    colon = slice_find(rest, ':');
    bool has_groups = colon < rest.len;
    struct slice secret = slice_first(rest, colon);
    rest = slice_from(rest, colon + 1);
    size_t count =
        reading->is_tokens ? roster->member_count - roster->user_count : roster->member_count;
    if (count == ROSTER_MEMBERS_MAX)
        return fail(reading, "more than 100000 users");
    enum status status = read_secret(reading, secret, &member);
    take_proof(&member, reading->is_tokens, secret);
    if (status == ST_OK && has_groups)
        status = read_groups(reading, rest, &member);
    if (status != ST_OK)
        return status;
    void *members = roster->members;
    status = grow(&members, roster->member_count, &reading->member_cap, sizeof(*roster->members));
    roster->members = members;
    if (status == ST_OK)
        roster->members[roster->member_count++] = member;
    return status;
}

/* ---- one file ---- */

static enum status read_file(struct reading *reading, const struct roster_file *file)
{
    struct roster *roster = reading->roster;
    char *copy = malloc(file->text.len + 1);
    if (copy == NULL)
        return ST_NOMEM;
    if (file->text.len > 0)
        memcpy(copy, file->text.at, file->text.len);
    copy[file->text.len] = '\0';
    roster->texts[reading->is_tokens] = copy;
    roster->lens[reading->is_tokens] = file->text.len;
    struct slice rest = slice_of(copy, file->text.len);
    struct slice line;
    if (slice_starts_with(rest, SLICE("\xef\xbb\xbf"))) /* some editors begin with it */
        rest = slice_from(rest, 3);
    while (slice_next_part(&rest, '\n', &line)) {
        reading->line++;
        if (line.len > 0 && line.at[line.len - 1] == '\r')
            line.len--;
        line = slice_trim(line);
        if (line.len == 0 || line.at[0] == '#')
            continue;
        enum status status = read_line(reading, line);
        if (status != ST_OK)
            return status;
    }
    return ST_OK;
}

/* ---- the tables ---- */

static bool is_named(const void *entry, const void *key)
{
    const struct roster_member *member = entry;
    return slice_equals(member->name, *(const struct slice *)key);
}

static bool has_token(const void *entry, const void *key)
{
    const struct roster_member *member = entry;
    return digest_bytes_equal(member->token, key, DIGEST_SHA256);
}

static enum status enter_user(struct reading *reading, struct roster_member *member)
{
    struct table *table = &reading->roster->by_name;
    uint64_t hash = table_hash(member->name);
    const struct roster_member *twin = table_find(table, hash, is_named, &member->name);
    if (twin == NULL)
        return table_add(table, hash, member);
    reading->line = member->line;
    char words[64];
    struct text text = text_on(words, sizeof(words));
    text_add_format(&text, "stands in line %u already", twin->line);
    return fail_named(reading, member->name, text_string(&text));
}

static enum status enter_token(struct reading *reading, struct roster_member *member)
{
    struct table *table = &reading->roster->by_token;
    uint64_t hash = table_hash(slice_of((const char *)member->token, DIGEST_SHA256));
    const struct roster_member *twin = table_find(table, hash, has_token, member->token);
    if (twin == NULL)
        return table_add(table, hash, member);
    reading->line = member->line;
    char words[64];
    struct text text = text_on(words, sizeof(words));
    text_add_format(&text, "its token is that of line %u", twin->line);
    return fail_named(reading, member->name, text_string(&text));
}

/* Point at the groups and fill the tables: both arrays stay where they are from now on. */
static enum status roster_enter(struct reading *users, struct reading *tokens)
{
    struct roster *roster = users->roster;
    roster->hashes = malloc((roster->user_count + 1) * sizeof(*roster->hashes));
    if (roster->hashes == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < roster->member_count; i++) {
        struct roster_member *member = &roster->members[i];
        if (member->hash != NULL)
            roster->hashes[roster->hash_count++] = member->hash;
        if (member->group_count > 0)
            member->groups = &roster->groups[member->first_group];
        enum status status =
            i < roster->user_count ? enter_user(users, member) : enter_token(tokens, member);
        if (status != ST_OK)
            return status;
    }
    return ST_OK;
}

static void roster_take_digest(struct roster *roster, const struct roster_file *users,
                               const struct roster_file *tokens)
{
    uint8_t parts[2 * DIGEST_SHA256 + 2] = {0};
    if (users != NULL)
        digest_sha256(users->text, parts);
    if (tokens != NULL)
        digest_sha256(tokens->text, parts + DIGEST_SHA256);
    parts[2 * DIGEST_SHA256] = users != NULL;
    parts[2 * DIGEST_SHA256 + 1] = tokens != NULL;
    digest_sha256(slice_of((const char *)parts, sizeof(parts)), roster->digest);
}

/* ---- the whole ---- */

enum status roster_create(const struct roster_file *users, const struct roster_file *tokens,
                          struct text *fault, struct roster **ret_roster)
{
    struct roster *roster = calloc(1, sizeof(*roster));
    if (roster == NULL)
        return ST_NOMEM;
    atomic_init(&roster->refs, 1);
    table_init(&roster->by_name);
    table_init(&roster->by_token);
    struct reading first = {.roster = roster, .fault = fault};
    struct reading second = {.roster = roster, .fault = fault, .is_tokens = true};
    enum status status = ST_OK;
    if (users != NULL) {
        first.path = users->path;
        status = read_file(&first, users);
    }
    roster->user_count = roster->member_count;
    second.member_cap = first.member_cap;
    second.group_cap = first.group_cap;
    if (status == ST_OK && tokens != NULL) {
        second.path = tokens->path;
        status = read_file(&second, tokens);
    }
    if (status == ST_OK)
        status = roster_enter(&first, &second);
    roster_take_digest(roster, users, tokens);
    if (status == ST_OK)
        *ret_roster = roster;
    else
        roster_unref(&roster);
    return status;
}

struct roster *roster_ref(struct roster *roster)
{
    if (roster != NULL)
        (void)atomic_fetch_add_explicit(&roster->refs, 1, memory_order_relaxed);
    return roster;
}

void roster_unref(struct roster **unref)
{
    struct roster *roster = *unref;
    *unref = NULL;
    if (roster == NULL || atomic_fetch_sub_explicit(&roster->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (int i = 0; i < 2; i++) {
        if (roster->texts[i] != NULL)
            explicit_bzero(roster->texts[i], roster->lens[i]);
        free(roster->texts[i]);
    }
    table_done(&roster->by_name);
    table_done(&roster->by_token);
    free(roster->hashes);
    free(roster->members);
    free(roster->groups);
    free(roster);
}

const struct roster_member *roster_user(const struct roster *roster, struct slice name)
{
    if (roster == NULL)
        return NULL;
    return table_find(&roster->by_name, table_hash(name), is_named, &name);
}

const struct roster_member *roster_find(const struct roster *roster, struct slice name)
{
    const struct roster_member *member = roster_user(roster, name);
    for (uint32_t i = 0; member == NULL && roster != NULL && i < roster_count(roster); i++) {
        const struct roster_member *other = roster_at(roster, i);
        member = slice_equals(other->name, name) ? other : NULL;
    }
    return member;
}

const struct roster_member *roster_token(const struct roster *roster, struct slice token)
{
    uint8_t digest[DIGEST_SHA256];
    digest_sha256(token, digest);
    uint64_t hash = table_hash(slice_of((const char *)digest, sizeof(digest)));
    return table_find(&roster->by_token, hash, has_token, digest);
}

const char *roster_decoy(const struct roster *roster, struct slice name)
{
    return roster->hash_count > 0 ? roster->hashes[table_hash(name) % roster->hash_count] : DECOY;
}

uint32_t roster_index(const struct roster *roster, const struct roster_member *member)
{
    CHECK(member >= roster->members && member < roster->members + roster->member_count);
    return (uint32_t)(member - roster->members);
}

const struct roster_member *roster_at(const struct roster *roster, uint32_t index)
{
    return index < roster->member_count ? &roster->members[index] : NULL;
}

const uint8_t *roster_digest(const struct roster *roster)
{
    return roster->digest;
}

uint64_t roster_hash_bytes(const struct roster *roster)
{
    uint64_t most = 0;
    if (roster == NULL || roster->texts[0] == NULL)
        return 0;
    if (roster->hash_count == 0)
        return password_memory(slice_from_string(DECOY));
    for (size_t i = 0; i < roster->hash_count; i++) {
        uint64_t bytes = password_memory(slice_from_string(roster->hashes[i]));
        most = bytes > most ? bytes : most;
    }
    return most;
}

size_t roster_count(const struct roster *roster)
{
    return roster->member_count;
}
