#ifndef FAIRLEAD_VIEW_PROBE_H
#define FAIRLEAD_VIEW_PROBE_H

#include "base/host.h"
#include "base/slice.h"
#include "view/lab.h"

/* Clients of the lab that ask for one thing each, and read and drop what comes. */

enum { PROBE_REQUEST_MAX = 40000, PROBE_OPENING_MAX = 800, PROBES_MAX = 256 };

/* What was seen of an answer that came through another proxy; monotonic, 0: that never was. */
struct probe_marks {
    uint64_t tx0_ns, tx1_ns; /* first byte of the request sent, and last */
    uint64_t rx0_ns;         /* first byte of the answer */
    uint64_t end_ns;         /* its last one, or the end of its head where a tunnel was asked for */
    uint64_t body_bytes;
    unsigned status;
};

/* What one word of the command line asks for; the request is made once. */
struct probe {
    char *request; /* heap; NULL: none */
    size_t request_len;
    bool is_connect;
    const char *shown; /* the URL, or HOST:PORT, as the record has it: the word, or `authority` */
    char authority[HOST_MAX + 10];
    struct host host;     /* that is asked for */
    struct slice through; /* HOST:PORT of another proxy; empty: none. Borrowed */
    /* private: of the one that runs */
    struct probe_marks *marks;       /* of the caller; NULL: there is no other proxy */
    char opening[PROBE_OPENING_MAX]; /* the tunnel to that proxy */
    size_t opening_len;
    bool is_opened;
    int fd;
    size_t sent;
    unsigned matched; /* of the empty line that ends a head */
    char line[16];    /* how the answer begins */
    size_t line_len;
};

/* Make the request for a URL, or a CONNECT for HOST:PORT. `method` NULL: GET. With `through`, https is a CONNECT, too, since
 * only its opening can be seen. `fault` gets a sentence. Errors: ST_BAD, ST_NOMEM. */
enum status probe_init(struct probe *probe, const char *word, const char *method,
                       struct slice through, struct text *fault) MUST_USE;
void probe_done(struct probe *probe);
/* Run them, all at once, until each has its whole answer or its connection ended; a tunnel is closed as soon as it is open.
 * At most PROBES_MAX. Through another proxy each writes what it sees into one of `marks`, whose place counted from `first`
 * is the User-Agent of the tunnel's record. Errors: ST_IO, ST_NOMEM: no connection. */
enum status probes_run(struct lab *lab, struct probe *probes, size_t count,
                       struct probe_marks *marks, size_t first) MUST_USE;

#endif
