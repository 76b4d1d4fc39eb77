#ifndef FAIRLEAD_REPORT_RECORDER_H
#define FAIRLEAD_REPORT_RECORDER_H

#include "base/status.h"
#include "record/ring.h"
#include "report/access_log.h"

#include <stddef.h>
#include <stdint.h>

/* The one thread that reads the workers' rings, and writes the access log.
 *
 * A worker puts a sealed record into its own ring and calls recorder_wake. The recorder drains all rings,
 * formats into one buffer, writes it with few system calls, and looks again after RECORDER_NAP_MS; when
 * nothing has come for a while it sleeps on an eventfd, and only then does a wake cost a system call.
 * Nobody ever waits for it: an output that is too slow fills the rings, and what they refuse is counted
 * and said on stderr. */
struct recorder;

enum { RECORDER_NAP_MS = 20 };

struct recorder_options {
    /* One a worker; the array is copied, the rings outlive the recorder. */
    struct ring *const *rings;
    size_t ring_count;
    int fd; /* output, or -1 for none; see recorder_set_output */
    struct access_log_style style;
    /* Each record in its order, or NULL. Runs in the recorder's thread; borrows the record. */
    void (*on_record)(void *owner, const struct record *record);
    void *owner;
};

struct recorder_stats {
    uint64_t records; /* taken out of the rings */
    uint64_t dropped; /* refused by a full ring */
    uint64_t lost;    /* formatted, but not written since the output failed or hung at the end */
    uint64_t write_errors; /* failed system calls of the output */
    uint64_t sleeps;       /* times it went to its deep sleep */
};

/* Start the thread. Errors: NULL, errno tells. */
struct recorder *recorder_create(const struct recorder_options *options);
/* Drain what is in the rings, write it (an output that takes nothing for two seconds is given up), end
 * the thread and free everything. No worker may put or wake any more. Takes a pointer to NULL. */
void recorder_stop(struct recorder **recorder);

/* To be called after ring_put; nearly free unless the recorder is asleep. Thread: any. */
void recorder_wake(struct recorder *recorder);
/* Write to `fd` from the next line on, -1 for nowhere, and in this style from the same line on (NULL: as
 * before); what is buffered still goes to the old one.
 * Ownership: a descriptor above 2 belongs to the recorder, which closes it at its end. Thread: any. */
void recorder_set_output(struct recorder *recorder, int fd, const struct access_log_style *style);
/* Thread: any. */
struct recorder_stats recorder_stats(const struct recorder *recorder);

#endif
