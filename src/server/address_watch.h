#ifndef FAIRLEAD_SERVER_ADDRESS_WATCH_H
#define FAIRLEAD_SERVER_ADDRESS_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* Tells when the addresses of this machine are to be read again; reading is the caller's.
 *
 *     address_watch_begin(&watch, now);              before the first reading, so that no change is missed
 *     poll(watch.fd, address_watch_wait_ms(&watch, now))
 *     address_watch_hear(&watch, now);
 *     if (address_watch_is_due(&watch, now)) {
 *         ...
 *         address_watch_note(&watch, later, fault);
 *     }
 *
 * Thread: main. Units: `now_ns` monotonic. */
struct address_watch {
    int fd; /* a socket that is told of changes, for poll; -1: there is none, and a timer instead */
    uint64_t due_ns;  /* when to read; UINT64_MAX: nothing is known to have changed */
    uint64_t read_ns; /* the last reading; 0: none */
    bool is_failing;  /* the last reading failed, which was said */
};

enum {
    ADDRESS_WATCH_GAP_MS = 100,   /* between two readings, where change follows change */
    ADDRESS_WATCH_LOOK_MS = 2000, /* without a socket, and after a reading that failed */
};

/* Ask the kernel to tell; where it does not, that is said, and a timer runs instead. */
void address_watch_begin(struct address_watch *watch, uint64_t now_ns);
/* Take what the socket has, a bounded number of messages a call; more make poll return at once. */
void address_watch_hear(struct address_watch *watch, uint64_t now_ns);
bool address_watch_is_due(const struct address_watch *watch, uint64_t now_ns);
/* For poll: -1 where there is nothing to wait for but the socket. */
int address_watch_wait_ms(const struct address_watch *watch, uint64_t now_ns);
/* They have been read, or could not be for the reason `fault` (NULL: they could). Then they are due again
 * after a while; that is said once, and so is the end of it. */
void address_watch_note(struct address_watch *watch, uint64_t now_ns, const char *fault);
void address_watch_end(struct address_watch *watch);

#endif
