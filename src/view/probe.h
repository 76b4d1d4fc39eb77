#ifndef FAIRLEAD_VIEW_PROBE_H
#define FAIRLEAD_VIEW_PROBE_H

#include "base/slice.h"
#include "view/lab.h"

/* Clients of the lab that ask for one thing each, and read and drop what comes. */

enum { PROBE_REQUEST_MAX = 40000, PROBES_MAX = 256 };

/* What one word of the command line asks for; the request is made once. */
struct probe {
    char *request; /* heap; NULL: none */
    size_t request_len;
    bool is_connect;
    /* private: of the one that runs */
    int fd;
    size_t sent;
    unsigned matched; /* of the empty line that ends a head */
};

/* Make the request for a URL, or a CONNECT for HOST:PORT. `method` NULL: GET. `fault` gets a sentence.
 * Errors: ST_BAD, ST_NOMEM. */
enum status probe_init(struct probe *probe, const char *word, const char *method,
                       struct text *fault) MUST_USE;
void probe_done(struct probe *probe);
/* Run them, all at once, until each has its whole answer or its connection ended; a tunnel is closed as soon as it is open.
 * At most PROBES_MAX. Errors: ST_IO, ST_NOMEM: no connection. */
enum status probes_run(struct lab *lab, struct probe *probes, size_t count) MUST_USE;

#endif
