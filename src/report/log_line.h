#ifndef FAIRLEAD_REPORT_LOG_LINE_H
#define FAIRLEAD_REPORT_LOG_LINE_H

#include "base/inet.h"
#include "base/status.h"
#include "http/target.h"
#include "record/record.h"

/* One line of the JSON access log, read back: what access_log_json.c writes, and what /api/v1/tunnels lists. Whoever
 * wrote it may be hostile: every text is what it says, and nothing is known of it but its length. */

enum {
    LOG_LINE_MAX =
        65536, /* bytes; twice what the program writes, since other tools may add blanks and members */
    LOG_LINE_NAMES_MAX = 64,
};

/* Texts lie in `room`. Absent members are empty, INET_NONE or 0. */
struct log_line {
    enum record_kind kind;
    bool is_in_progress;
    bool url_is_cut;
    uint64_t id;
    uint64_t status;
    struct inet_endpoint client, listener, upstream;
    struct slice time, method, url, host, user, end, rule, would_deny, cause, listener_name;
    struct slice cert_subject;
    struct slice cert_names[LOG_LINE_NAMES_MAX];
    size_t cert_name_count;
    bool certificate_is_cut;
    struct slice groups[LOG_LINE_NAMES_MAX];
    size_t group_count;
    struct target target; /* of `url`, where has_target; views of `room` */
    bool has_target;
    char room[LOG_LINE_MAX];
};

/* Read a line, with or without its line feed. *ret_fault is a sentence where it is no such line; static storage.
 * Errors: ST_BAD with a fault. */
enum status log_line_read(struct slice text, struct log_line *into,
                          const char **ret_fault) MUST_USE;

#endif
