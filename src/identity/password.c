/* Password hashes, by libcrypt. What a users file may hold is judged here before the library sees it, so that a typing
 * mistake is found at the start and not by the user who is refused, and no line of a file can make one request cost
 * seconds or gigabytes.
 *
 *   method      form                              bound
 *   yescrypt    $y$jNr$salt$43                    128 * r * 2^N bytes of memory: PASSWORD_MEMORY_MAX
 *   bcrypt      $2b$NN$ and 53                    cost 14
 *   SHA-512     $6$[rounds=N$]salt$86             a million rounds
 *   SHA-256     $5$[rounds=N$]salt$43             a million rounds
 *
 * Each is at most about a second of one core. */

#include "identity/password.h"

#include "base/check.h"

#include "identity/digest.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

enum {
    BCRYPT_COST_MIN = 4,
    BCRYPT_COST_MAX = 14,
    BCRYPT_LEN = 60,
    SHA_ROUNDS_MIN = 1000,
    SHA_ROUNDS_MAX = 1000000,
    SHA_SALT_MAX = 16,
    SHA512_LEN = 86,
    SHA256_LEN = 43,
    YESCRYPT_LEN = 43,
    YESCRYPT_SALT_MAX = 86,
    METHODS = 4,
};

#define REMEDY "make a new one with fairlead hash-password"
#define BROKEN "the hash is not whole; copy it again, or " REMEDY

struct password_space {
    struct crypt_data data;
};

/* ---- what is refused ---- */

struct legacy {
    const char *prefix;
    const char *why;
};

static const struct legacy legacies[] = {
    {"$1$", "MD5 ($1$) is no protection any more; " REMEDY},
    {"$apr1$", "Apache's MD5 ($apr1$) is no protection any more; " REMEDY},
    {"$2a$", "this form of bcrypt ($2a$) was made by faulty programs, too; " REMEDY},
    {"$2x$", "this form of bcrypt ($2x$) was made by a faulty program; " REMEDY},
    {"{SHA}", "SHA-1 without salt ({SHA}) is no protection any more; " REMEDY},
    {"{", "hashes of LDAP ({...}) are not taken; " REMEDY},
    {"_", "DES (_) is no protection any more; " REMEDY},
    {"$", "this method is not taken, only yescrypt ($y$), bcrypt ($2b$, $2y$), SHA-512 ($6$) and "
          "SHA-256 ($5$); " REMEDY},
    {"", "this is DES or no hash at all; passwords in clear are not taken; " REMEDY},
};

static const char *judge_legacy(struct slice hash)
{
    size_t i = 0;
    while (!slice_starts_with(hash, slice_from_string(legacies[i].prefix)))
        i++;
    return legacies[i].why;
}

/* ---- the parts of a hash ---- */

/* Of the alphabet of crypt(5), ./0-9A-Za-z: 0 to 63, or -1. */
static int value_of(char c)
{
    if (c == '.' || c == '/')
        return c - '.';
    if (char_is_digit(c))
        return c - '0' + 2;
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 12;
    return c >= 'a' && c <= 'z' ? c - 'a' + 38 : -1;
}

static bool is_coded(struct slice s, size_t min, size_t max)
{
    for (size_t i = 0; i < s.len; i++) {
        if (value_of(s.at[i]) < 0)
            return false;
    }
    return s.len >= min && s.len <= max;
}

/* $y$: parameters as crypt_gensalt(3) makes them: one character each for flavour (j), N and r, no more. */
static const char *judge_yescrypt(struct slice rest)
{
    struct slice parameters;
    struct slice salt;
    bool has_all = slice_next_part(&rest, '$', &parameters) && slice_next_part(&rest, '$', &salt);
    if (!has_all || !is_coded(salt, 1, YESCRYPT_SALT_MAX) ||
        !is_coded(rest, YESCRYPT_LEN, YESCRYPT_LEN))
        return BROKEN;
    int log2_n = parameters.len == 3 ? value_of(parameters.at[1]) + 1 : 0;
    int r = parameters.len == 3 ? value_of(parameters.at[2]) + 1 : 0;
    if (log2_n < 1 || r < 1 || parameters.at[0] != 'j' || log2_n > 47 || r > 47)
        return "the parameters of this yescrypt hash are not those that crypt(5) writes; " REMEDY;
    if (log2_n < 10)
        return "the cost of this yescrypt hash is too small to protect; " REMEDY;
    if ((uint64_t)128 * (uint64_t)r << log2_n > PASSWORD_MEMORY_MAX)
        return "this yescrypt hash would cost more than 64 MiB at each look; " REMEDY;
    return NULL;
}

static const char *judge_bcrypt(struct slice hash)
{
    uint64_t cost = 0;
    if (hash.len != BCRYPT_LEN || hash.at[6] != '$' ||
        slice_to_u64(slice_first(slice_from(hash, 4), 2), 99, &cost) != ST_OK ||
        !is_coded(slice_from(hash, 7), 53, 53))
        return BROKEN;
    if (cost < BCRYPT_COST_MIN)
        return BROKEN;
    if (cost > BCRYPT_COST_MAX)
        return "this bcrypt hash would cost seconds at each look (more than 14); " REMEDY;
    return NULL;
}

static const char *judge_sha(struct slice rest, size_t len)
{
    struct slice salt;
    uint64_t rounds = SHA_ROUNDS_MIN;
    if (!slice_next_part(&rest, '$', &salt))
        return BROKEN;
    if (slice_starts_with(salt, SLICE("rounds="))) {
        enum status status = slice_to_u64(slice_from(salt, 7), 999999999, &rounds);
        if (status == ST_BAD || !slice_next_part(&rest, '$', &salt))
            return BROKEN;
        if (status == ST_LIMIT || rounds > SHA_ROUNDS_MAX)
            return "this hash would cost seconds at each look (more than a million "
                   "rounds); " REMEDY;
    }
    bool is_whole = is_coded(salt, 1, SHA_SALT_MAX) && is_coded(rest, len, len);
    return is_whole && rounds >= SHA_ROUNDS_MIN ? NULL : BROKEN;
}

uint64_t password_memory(struct slice hash)
{
    bool is_yescrypt = slice_starts_with(hash, SLICE("$y$j")) && hash.len > 6;
    int log2_n = is_yescrypt ? value_of(hash.at[4]) + 1 : 0;
    int r = is_yescrypt ? value_of(hash.at[5]) + 1 : 0;
    /* The other methods take some KiB, of which password_space has the most. */
    return log2_n > 0 && r > 0 && log2_n < 32 ? (uint64_t)128 * (uint64_t)r << log2_n : 8192;
}

const char *password_judge(struct slice hash)
{
    if (hash.len == 0)
        return "there is no password hash; " REMEDY;
    if (hash.len >= PASSWORD_HASH_MAX)
        return "the hash is too long; " REMEDY;
    if (slice_starts_with(hash, SLICE("$y$")))
        return judge_yescrypt(slice_from(hash, 3));
    if (slice_starts_with(hash, SLICE("$2b$")) || slice_starts_with(hash, SLICE("$2y$")))
        return judge_bcrypt(hash);
    if (slice_starts_with(hash, SLICE("$6$")))
        return judge_sha(slice_from(hash, 3), SHA512_LEN);
    if (slice_starts_with(hash, SLICE("$5$")))
        return judge_sha(slice_from(hash, 3), SHA256_LEN);
    return judge_legacy(hash);
}

/* ---- computing ---- */

struct password_space *password_space_create(void)
{
    return calloc(1, sizeof(struct password_space));
}

void password_space_destroy(struct password_space **space)
{
    if (*space != NULL)
        explicit_bzero(*space, sizeof(**space));
    free(*space);
    *space = NULL;
}

bool password_matches(struct password_space *space, const char *password, const char *hash)
{
    char *made = crypt_rn(password, hash, &space->data, (int)sizeof(space->data));
    size_t len = strlen(hash);
    /* The length is that of the method, and no secret. */
    bool is_match = made != NULL && strlen(made) == len && digest_bytes_equal(made, hash, len);
    explicit_bzero(&space->data, sizeof(space->data));
    return is_match;
}

static const struct {
    const char *word;
    const char *prefix;
    unsigned long cost; /* 0: what the library takes for usual */
} methods[METHODS] = {
    [PASSWORD_YESCRYPT] = {"yescrypt", "$y$", 0},
    [PASSWORD_BCRYPT] = {"bcrypt", "$2b$", 11},
    [PASSWORD_SHA512] = {"sha512", "$6$", 100000},
    [PASSWORD_SHA256] = {"sha256", "$5$", 100000},
};

enum status password_method_parse(struct slice word, enum password_method *ret_method)
{
    for (size_t i = 0; i < METHODS; i++) {
        if (!slice_equals(word, slice_from_string(methods[i].word)))
            continue;
        *ret_method = (enum password_method)i;
        return ST_OK;
    }
    return ST_BAD;
}

enum status password_hash(struct password_space *space, enum password_method method,
                          const char *password, char into[PASSWORD_HASH_MAX])
{
    char salt[CRYPT_GENSALT_OUTPUT_SIZE];
    CHECK(space != NULL);
    size_t max = method == PASSWORD_BCRYPT ? PASSWORD_BCRYPT_MAX : PASSWORD_MAX;
    if (strlen(password) > max)
        return ST_LIMIT;
    if (crypt_gensalt_rn(methods[method].prefix, methods[method].cost, NULL, 0, salt,
                         (int)sizeof(salt)) == NULL)
        return ST_IO;
    const char *made = crypt_rn(password, salt, &space->data, (int)sizeof(space->data));
    size_t len = made == NULL ? PASSWORD_HASH_MAX : strlen(made);
    if (len < PASSWORD_HASH_MAX)
        memcpy(into, made, len + 1);
    explicit_bzero(&space->data, sizeof(space->data));
    return len < PASSWORD_HASH_MAX ? ST_OK : ST_IO;
}
