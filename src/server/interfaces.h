#ifndef FAIRLEAD_SERVER_INTERFACES_H
#define FAIRLEAD_SERVER_INTERFACES_H

#include "base/inet.h"
#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* The addresses of this machine, which the gate keeps clients from: those of all interfaces but loopback
 * addresses, in order, each once. All zero is an empty one. */
struct interfaces {
    struct inet_addr *at; /* on the heap */
    size_t count;
};

enum { INTERFACES_MAX = 65536 };

/* Ask the kernel for all of them. *ret_all is the caller's to free with interfaces_done.
 * Errors: ST_IO, ST_LIMIT where there are more than INTERFACES_MAX, ST_NOMEM, each with a fault; never a
 * part of them. Thread: any; it blocks for as long as the kernel counts. */
enum status interfaces_read(struct interfaces *ret_all, struct text *fault) MUST_USE;
bool interfaces_are_equal(const struct interfaces *a, const struct interfaces *b);
/* Free, and leave an empty one. */
void interfaces_done(struct interfaces *all);

#endif
