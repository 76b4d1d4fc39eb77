#ifndef FAIRLEAD_SERVER_OPENING_H
#define FAIRLEAD_SERVER_OPENING_H

#include "base/text.h"
#include "config/config.h"

#include <sys/types.h>

enum {
    OPENING_FDS_MAX = 64,
    OPENING_PATH_MAX = 108,
    OPENING_TEXT = 128,
    OPENING_INHERITED_TEXT = 256,
};

/* One configured address with its listening descriptors, which it owns. */
struct opening {
    enum config_listen_kind kind;
    bool is_tls;
    unsigned mode;               /* of a Unix socket's file */
    struct inet_endpoint asked;  /* as configured; port 0 stays 0 */
    struct inet_endpoint bound;  /* as the kernel has it; INET_NONE for Unix sockets */
    char path[OPENING_PATH_MAX]; /* LISTEN_UNIX */
    dev_t device;                /* its file, so that nobody else's is removed */
    ino_t inode;                 /* 0: we made no file, or it is not known */
    unsigned count;              /* 1: shared by all workers; otherwise one a worker */
    int fds[OPENING_FDS_MAX];
};

/* The sockets that a service manager handed over (sd_listen_fds(3)). They stay open for good, so that a
 * listener may go and come back. */
struct opening_inherited {
    int fds[OPENING_FDS_MAX];
    unsigned count;
    unsigned left_out; /* beyond OPENING_FDS_MAX */
};
/* Look at LISTEN_FDS and LISTEN_PID. Once, before anything is opened. */
void opening_inherit(struct opening_inherited *inherited);
/* Close what else the starter left open, beyond the standard descriptors, these and `kept` (-1: none): it may be
 * anything, and none of it is for whoever serves. Before we open anything ourselves. */
void opening_close_strangers(const struct opening_inherited *inherited, int kept);

/* What the `index`-th is, for people: its address, descriptor and name (LISTEN_FDNAMES). `into` holds
 * OPENING_INHERITED_TEXT bytes. */
void opening_format_inherited(const struct opening_inherited *inherited, unsigned index,
                              char *into);

/* Bind and listen with `want` descriptors where the kind allows (SO_REUSEPORT). With `overlaps` the address
 * is known to overlap one of our own, and no probe asks for others. Unix and TCP only.
 * Errors: ST_IO with a fault; nothing is left open. */
enum status opening_open(struct opening *opening, const struct config_listen *listen, unsigned want,
                         bool overlaps, struct text *fault) MUST_USE;
/* The `index`-th inherited socket. Errors: ST_IO with a fault. */
enum status opening_take_inherited(struct opening *opening, const struct config_listen *listen,
                                   const struct opening_inherited *inherited, unsigned index,
                                   struct text *fault) MUST_USE;
/* Another hold on the same sockets for a listener that asks for them. Errors: ST_IO with a fault. */
enum status opening_share(struct opening *opening, const struct opening *from,
                          const struct config_listen *listen, struct text *fault) MUST_USE;
/* What `listen` asks for without descriptors, for a receiver of them. */
void opening_describe(struct opening *opening, const struct config_listen *listen);

/* Does `listen` ask for the very address that this one was asked for? */
bool opening_is_asked(const struct opening *opening, const struct config_listen *listen);
/* Is it bound to what `listen` names (where one asked for port 0, say)? */
bool opening_is_at(const struct opening *opening, const struct config_listen *listen);
/* Would binding `listen` collide with it? */
bool opening_overlaps(const struct opening *opening, const struct config_listen *listen);

/* "http://127.0.0.1:3128", "unix:/run/x"; `into` holds OPENING_TEXT bytes. */
void opening_format(const struct opening *opening, char *into);
/* Remove the file of a Unix socket, where it is still ours. */
void opening_remove_file(const struct opening *opening);
/* Give it the mode that is configured. */
void opening_set_mode(const struct opening *opening);
void opening_close(struct opening *opening);

#endif
