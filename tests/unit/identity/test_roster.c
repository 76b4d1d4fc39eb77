#include "identity_test.h"

#include "identity/password.h"
#include "identity/roster.h"

#include <string.h>

static struct roster *make(const char *users, const char *tokens)
{
    char words[300];
    struct text fault = text_on(words, sizeof(words));
    struct roster_file first = {slice_from_string(users), "users"};
    struct roster_file second = {slice_from_string(tokens), "tokens"};
    struct roster *roster = NULL;
    if (roster_create(users == NULL ? NULL : &first, tokens == NULL ? NULL : &second, &fault,
                      &roster) != ST_OK)
        fail_msg("%s", text_string(&fault));
    return roster;
}

static void is_refused(const char *users, const char *tokens, const char *expected)
{
    char words[300];
    struct text fault = text_on(words, sizeof(words));
    struct roster_file first = {slice_from_string(users), "users"};
    struct roster_file second = {slice_from_string(tokens), "tokens"};
    struct roster *roster = NULL;
    assert_int_equal(roster_create(users == NULL ? NULL : &first, tokens == NULL ? NULL : &second,
                                   &fault, &roster),
                     ST_BAD);
    if (strncmp(text_string(&fault), expected, strlen(expected)) != 0)
        fail_msg("%s", text_string(&fault));
    assert_null(roster);
}

/* Comments, empty lines, CRLF, a byte order mark and blanks around a line are nothing; groups are in order. */
static void users_are_found_by_name(void **state)
{
    (void)state;
    struct roster *roster =
        make("\xef\xbb\xbf# a comment\r\n\r\nalice:" HASH_SHA256 ":staff, ci\r\n  bob:" HASH_BCRYPT
             "\n\t\n#carol:x\ndora:!" HASH_BCRYPT ":night\nemil:*",
             NULL);
    const struct roster_member *alice = roster_user(roster, SLICE("alice"));
    assert_string_equal(alice->hash, HASH_SHA256);
    assert_int_equal(alice->group_count, 2);
    assert_slice(alice->groups[0], "staff");
    assert_slice(alice->groups[1], "ci");
    assert_string_equal(roster_user(roster, SLICE("bob"))->hash, HASH_BCRYPT);
    assert_int_equal(roster_user(roster, SLICE("bob"))->group_count, 0);
    assert_null(roster_user(roster, SLICE("dora"))->hash);
    assert_slice(roster_user(roster, SLICE("dora"))->groups[0], "night");
    assert_null(roster_user(roster, SLICE("emil"))->hash);
    assert_null(roster_user(roster, SLICE("carol")));
    assert_null(roster_user(roster, SLICE("Alice")));
    assert_null(roster_user(roster, SLICE("")));
    assert_null(roster_user(NULL, SLICE("alice")));
    assert_int_equal(roster_count(roster), 4);
    assert_ptr_equal(roster_at(roster, roster_index(roster, alice)), alice);
    roster_unref(&roster);
}

/* "abc" by its SHA-256, in either case; a user may have several tokens, and be in the users file, too. */
static void tokens_are_found_by_digest(void **state)
{
    (void)state;
    struct roster *roster =
        make("robot:" HASH_SHA256 ":people",
             "robot:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad:ci\n"
             "robot:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855\n");
    const struct roster_member *robot = roster_token(roster, SLICE("abc"));
    assert_slice(robot->name, "robot");
    assert_slice(robot->groups[0], "ci");
    assert_non_null(roster_token(roster, SLICE("")));
    assert_null(roster_token(roster, SLICE("abd")));
    assert_slice(roster_user(roster, SLICE("robot"))->groups[0], "people");
    roster_unref(&roster);
}

static void mistakes_are_told_by_line(void **state)
{
    (void)state;
    is_refused("# x\nalice\n", NULL, "users:2: expected user:hash");
    is_refused(":" HASH_SHA256, NULL, "users:1: the user's name is empty");
    is_refused("alice:$1$x$y", NULL, "users:1: \"alice\": MD5 ($1$)");
    is_refused("alice:secret", NULL, "users:1: \"alice\": this is DES or no hash");
    is_refused("alice:" HASH_SHA256 "\nalice:" HASH_SHA512, NULL,
               "users:2: \"alice\": stands in line 1 already");
    is_refused("alice:" HASH_SHA256 ":a,,b", NULL, "users:1: \"alice\": a group is empty");
    is_refused("alice:" HASH_SHA256 ":a b", NULL, "users:1: \"alice\": a group is empty");
    is_refused("alice:" HASH_SHA256 ":a:b", NULL, "users:1: \"alice\": a group is empty");
    is_refused("a\x1b[31mlice:" HASH_SHA256, NULL, "users:1: the line holds control characters");
    is_refused("\xffx:secret", NULL, "users:1: \"\\xffx\": ");
    is_refused(NULL, "robot:xyz", "tokens:1: \"robot\": expected the SHA-256");
    is_refused(NULL,
               "a:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
               "b:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n",
               "tokens:2: \"b\": its token is that of line 1");
}

/* A line and the groups of a user are bounded. */
static void the_worst_is_bounded(void **state)
{
    (void)state;
    static char line[2 * ROSTER_LINE_MAX];
    (void)snprintf(line, sizeof(line), "alice:" HASH_SHA256 ":%0*d", ROSTER_LINE_MAX, 0);
    is_refused(line, NULL, "users:1: the line is longer than 4096 bytes");
    (void)snprintf(line, sizeof(line), "alice:" HASH_SHA256 ":%0*d", ROSTER_GROUP_MAX + 1, 0);
    is_refused(line, NULL, "users:1: \"alice\": a group is empty, too long");
    size_t len = (size_t)snprintf(line, sizeof(line), "alice:" HASH_SHA256 ":");
    for (int i = 0; i <= ROSTER_GROUPS_MAX; i++)
        len += (size_t)snprintf(line + len, sizeof(line) - len, "g,");
    is_refused(line, NULL, "users:1: \"alice\": more than 64 groups");
    struct roster_file file = {slice_of("a\0b:x", 5), "users"};
    char words[300];
    struct text fault = text_on(words, sizeof(words));
    struct roster *roster = NULL;
    assert_int_equal(roster_create(&file, NULL, &fault, &roster), ST_BAD);
}

/* A hundred thousand users load and are found; one more is refused. */
static void many_users_are_found(void **state)
{
    (void)state;
    size_t room = (ROSTER_MEMBERS_MAX + 1) * (sizeof(HASH_BCRYPT) + 16);
    char *text = malloc(room);
    assert_non_null(text);
    size_t len = 0;
    for (int i = 0; i < ROSTER_MEMBERS_MAX; i++)
        len += (size_t)snprintf(text + len, room - len, "user%d:" HASH_BCRYPT ":g\n", i);
    struct roster *roster = make(text, NULL);
    for (int i = 0; i < ROSTER_MEMBERS_MAX; i += 977) {
        char name[32];
        (void)snprintf(name, sizeof(name), "user%d", i);
        assert_slice(roster_user(roster, slice_from_string(name))->name, name);
    }
    roster_unref(&roster);
    (void)snprintf(text + len, room - len, "more:" HASH_BCRYPT "\n");
    is_refused(text, NULL, "users:100001: more than 100000 users");
    free(text);
}

/* An unknown name borrows the hash of some user, always the same; of a file without hashes one that can be computed. */
static void unknown_names_borrow(void **state)
{
    (void)state;
    struct roster *roster = make("a:" HASH_SHA256 "\nb:" HASH_BCRYPT "\nc:*\nd:" HASH_SHA512, NULL);
    bool is_seen[3] = {false};
    for (int i = 0; i < 200; i++) {
        char name[20];
        (void)snprintf(name, sizeof(name), "nobody%d", i);
        const char *hash = roster_decoy(roster, slice_from_string(name));
        assert_ptr_equal(hash, roster_decoy(roster, slice_from_string(name)));
        is_seen[0] = is_seen[0] || strcmp(hash, HASH_SHA256) == 0;
        is_seen[1] = is_seen[1] || strcmp(hash, HASH_BCRYPT) == 0;
        is_seen[2] = is_seen[2] || strcmp(hash, HASH_SHA512) == 0;
    }
    assert_true(is_seen[0] && is_seen[1] && is_seen[2]);
    roster_unref(&roster);
    roster = make("", NULL);
    const char *decoy = roster_decoy(roster, SLICE("nobody"));
    assert_null(password_judge(slice_from_string(decoy)));
    roster_unref(&roster);
}

static struct digest proof_of(const char *users, const char *tokens, bool is_token)
{
    struct roster *roster = make(users, tokens);
    const struct roster_member *member =
        is_token ? roster_token(roster, SLICE("t")) : roster_user(roster, SLICE("a"));
    assert_non_null(member);
    struct digest proof = member->proof;
    roster_unref(&roster);
    return proof;
}

/* Other lines and groups change nothing in who has proven himself; name, hash and token do. */
static void a_proof_is_of_name_and_secret(void **state)
{
    (void)state;
    const char *token = "e3b98a4da31a127d4bde6e43033f66ba274cab0eb7eb1c70ec41402bf6273dd8"; /* t */
    char robot[128];
    char other[128];
    (void)snprintf(robot, sizeof(robot), "robot:%s", token);
    (void)snprintf(other, sizeof(other), "other:%s", token);
    struct digest one = proof_of("a:" HASH_SHA256, NULL, false);
    struct digest moved = proof_of("z:*\n# x\na:" HASH_SHA256 ":staff\nb:*", NULL, false);
    struct digest changed = proof_of("a:" HASH_SHA512, NULL, false);
    struct digest locked = proof_of("a:*", NULL, false);
    struct digest by_token = proof_of(NULL, robot, true);
    struct digest by_other = proof_of(NULL, other, true);
    assert_true(digest_equals(&one, &moved));
    assert_false(digest_equals(&one, &changed));
    assert_false(digest_equals(&one, &locked));
    assert_false(digest_equals(&by_token, &by_other));
}

/* What is in the files decides, and nothing else. */
static void a_digest_tells_rosters_apart(void **state)
{
    (void)state;
    struct roster *one = make("a:" HASH_SHA256, NULL);
    struct roster *same = make("a:" HASH_SHA256, NULL);
    struct roster *other = make("a:" HASH_SHA512, NULL);
    struct roster *empty = make("", NULL);
    struct roster *tokens = make(NULL, "");
    assert_memory_equal(roster_digest(one), roster_digest(same), DIGEST_SHA256);
    assert_memory_not_equal(roster_digest(one), roster_digest(other), DIGEST_SHA256);
    assert_memory_not_equal(roster_digest(empty), roster_digest(tokens), DIGEST_SHA256);
    struct roster *again = roster_ref(one);
    roster_unref(&one);
    assert_non_null(roster_user(again, SLICE("a")));
    roster_unref(&again);
    roster_unref(&same);
    roster_unref(&other);
    roster_unref(&empty);
    roster_unref(&tokens);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_are_found_by_name),
        cmocka_unit_test(tokens_are_found_by_digest),
        cmocka_unit_test(mistakes_are_told_by_line),
        cmocka_unit_test(the_worst_is_bounded),
        cmocka_unit_test(many_users_are_found),
        cmocka_unit_test(unknown_names_borrow),
        cmocka_unit_test(a_proof_is_of_name_and_secret),
        cmocka_unit_test(a_digest_tells_rosters_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
