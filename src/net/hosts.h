#ifndef FAIRLEAD_NET_HOSTS_H
#define FAIRLEAD_NET_HOSTS_H

#include "net/address_set.h"

#include <stdbool.h>

/* The hosts file in memory: canonical name to addresses, in the file's order. Read again when the file
 * changed (hosts_refresh), whole or not at all. Bounded: what exceeds the caps is left out. */
struct hosts;

enum {
    HOSTS_FILE_MAX = 8 * 1024 * 1024, /* a file of so many bytes counts as unreadable */
    HOSTS_ADDRESSES_MAX = 64,         /* of one name and family */
};

/* Reads `path`; a file that is missing or unreadable is an empty table. `path` is copied.
 * Errors: NULL out of memory. */
struct hosts *hosts_create(const char *path) MUST_USE;
/* Takes a pointer to NULL. */
void hosts_destroy(struct hosts **hosts);

/* Could `path` be read as a table now? Never waits for another process. Errors: ST_IO with errno; ST_BAD no regular
 * file, which is not opened; ST_LIMIT too long. */
enum status hosts_check(const char *path) MUST_USE;
/* Look whether the file changed, and read it again where it did. ST_OK: it was read, or is gone. All else leaves the
 * table as it was. Errors: ST_AGAIN nothing new; ST_LIMIT it has grown too long, which is told once until it was
 * shorter; ST_IO, ST_BAD no regular file, ST_NOMEM: the next look tries again. */
enum status hosts_refresh(struct hosts *hosts);
/* Replace the table by what `text` says, in the form of hosts(5). Errors: ST_NOMEM, nothing changed. */
enum status hosts_parse(struct hosts *hosts, struct slice text) MUST_USE;

/* True where `name` (canonical: lower case, no trailing dot) is in the table with any family; *ret_set
 * is borrowed, NULL where the name has no address of `family`. */
bool hosts_find(const struct hosts *hosts, struct slice name, enum inet_family family,
                struct address_set **ret_set);
/* Names in the table, for tests. */
size_t hosts_count(const struct hosts *hosts);

#endif
