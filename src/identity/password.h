#ifndef FAIRLEAD_IDENTITY_PASSWORD_H
#define FAIRLEAD_IDENTITY_PASSWORD_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Password hashes as crypt(5) writes them: yescrypt ($y$), bcrypt ($2b$, $2y$), SHA-512 ($6$), SHA-256 ($5$). */

enum password_method { PASSWORD_YESCRYPT, PASSWORD_BCRYPT, PASSWORD_SHA512, PASSWORD_SHA256 };

enum {
    PASSWORD_MAX = 511,             /* bytes of a password */
    PASSWORD_BCRYPT_MAX = 72,       /* what bcrypt looks at */
    PASSWORD_HASH_MAX = 160,        /* bytes of a hash, its end included */
    PASSWORD_MEMORY_MAX = 64 << 20, /* what one may ask for, in bytes */
};

/* Is `hash` one that we take: a known method, whole, with a cost that is bearable? NULL, or why not: a sentence
 * without a full stop, static. Nothing is computed. */
const char *password_judge(struct slice hash);

/* The bytes that the method takes while it computes a hash that password_judge took. */
uint64_t password_memory(struct slice hash);

/* The memory that a computation needs besides that of the method. */
struct password_space;
/* Errors: NULL out of memory. */
struct password_space *password_space_create(void) MUST_USE;
/* Wipes it; *space is NULL afterwards. Takes a pointer to NULL. */
void password_space_destroy(struct password_space **space);

/* Does the password belong to the hash, which password_judge took? Computes for milliseconds up to about a second,
 * with PASSWORD_MEMORY_MAX at most. Thread: any but a worker's. */
bool password_matches(struct password_space *space, const char *password, const char *hash);

/* "yescrypt", "bcrypt", "sha512", "sha256". Errors: ST_BAD it is none of them. */
enum status password_method_parse(struct slice word, enum password_method *ret_method) MUST_USE;
/* Hash with a new salt and the cost that is usual today. Errors: ST_LIMIT the password is too long for the method,
 * ST_IO the library failed. */
enum status password_hash(struct password_space *space, enum password_method method,
                          const char *password, char into[PASSWORD_HASH_MAX]) MUST_USE;

#endif
