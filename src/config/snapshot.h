#ifndef FAIRLEAD_CONFIG_SNAPSHOT_H
#define FAIRLEAD_CONFIG_SNAPSHOT_H

#include "config/config.h"
#include "identity/roster.h"
#include "net/tls_context.h"
#include "policy/gate.h"

#include <stdatomic.h>

/* A file that has a part in what is allowed to whom: names of a rule, users or tokens. */
struct snapshot_text {
    struct slice path; /* of the configuration's memory */
    size_t bytes;
    uint8_t sha256[DIGEST_SHA256]; /* of what stood in it */
};

/* What everything is decided under: the settings with what was compiled from them. Made by the main thread,
 * then only read; counted atomically, since workers and their exchanges pin it.
 *
 * Where the addresses of this machine change, a snapshot is made that differs in the gate alone: it shares
 * all else with the one that was compiled, its `base`, and pins it. */
struct snapshot {
    _Atomic uint32_t refs;
    struct snapshot *base; /* whose parts these are, all but the gate; NULL: they are its own */
    struct config *config;
    struct gate *gate;
    struct tls_client_context *tls_client;
    struct tls_server_context **tls_server; /* one for each config->listen, NULL in clear */
    struct slice via;                       /* our pseudonym in Via and Proxy-Status */
    char via_text[64];
    /* Of each config->listen, as the kernel says; INET_NONE for Unix sockets. Filled by the server, before others see
     * the snapshot. */
    struct inet_endpoint *bound;
    struct roster *roster; /* users and tokens; NULL: none are named */
    /* Of all texts that it was compiled from but those of users and tokens. Filled by the server. */
    uint8_t made_of[DIGEST_SHA256];
    /* Of snapshots that differ in users and tokens alone, where nobody asked for a reload: the same number. 0: none.
     * Filled by the server, before others see the snapshot. */
    uint64_t kin;
    struct snapshot_text
        *texts; /* in the order in which the configuration names them. Filled by the server */
    size_t text_count;
    struct slice admin_token; /* wiped at the end; empty: none is configured */
};

enum { ADMIN_TOKEN_MIN = 16, ADMIN_TOKEN_MAX = 512, SNAPSHOT_TEXT_WORDS = 128 };

/* Where the files come from that the configuration names. */
struct snapshot_files {
    /* Read a whole one. Errors: ST_IO with errno, ST_NOMEM. */
    enum status (*read)(struct snapshot_files *files, struct slice path, char **ret_text,
                        size_t *ret_len);
    /* Was a certificate of this text served before? NULL: none was. */
    bool (*was_served)(struct snapshot_files *files, struct slice certificate);
};

/* Compile `config`, which the snapshot owns from now on also where this fails. `gate` likewise.
 * `fault` gets a sentence. Errors: ST_BAD, ST_NOMEM. */
enum status snapshot_create(struct config *config, struct gate *gate, struct snapshot_files *files,
                            struct tls_tickets *tickets, struct slice via, struct text *fault,
                            struct snapshot **ret_snapshot) MUST_USE;
/* `snapshot` with other addresses of this machine in its gate. Errors: NULL out of memory. Thread: main. */
struct snapshot *snapshot_with_interfaces(struct snapshot *snapshot, const struct inet_addr *addr,
                                          size_t count) MUST_USE;
/* The one that was compiled: the same for two snapshots that differ in the gate alone. Borrowed. */
struct snapshot *snapshot_base(struct snapshot *snapshot);
/* May what was made under one of them be used under the other: connections to origins? */
bool snapshot_is_kin(struct snapshot *a, struct snapshot *b);
/* What tells whether two such files say the same: "1234 bytes, sha256 3fa9...", in less than
 * SNAPSHOT_TEXT_WORDS. */
void snapshot_add_text(const struct snapshot_text *file, struct text *into);
struct snapshot *snapshot_ref(struct snapshot *snapshot);
/* *snapshot is NULL afterwards. Takes a pointer to NULL. Thread: any. */
void snapshot_unref(struct snapshot **snapshot);

#endif
