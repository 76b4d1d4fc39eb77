#ifndef FAIRLEAD_REPORT_RECORD_JSON_INTERNAL_H
#define FAIRLEAD_REPORT_RECORD_JSON_INTERNAL_H

#include "base/json.h"
#include "report/record_json.h"

/* What the files of record_json share. A line that is being read: each reader puts a value in its place, or says what
 * is wrong with it and gives false. */

struct reader {
    struct slice line;
    struct record *record;
    struct json_value marks, attempts, now, since; /* to be read at the end */
    const char *fault;                             /* static */
    struct slice member;                           /* that is read, as it is written */
    const char *at;                                /* where its value stands */
};

/* ---- record_json_values.c ---- */

/* The most microseconds from a base: no sum of the two wraps around. */
#define RECORD_OFFSET_MAX_US (UINT64_C(1) << 51)

/* Note what was expected; static. Always false. */
bool reader_fail(struct reader *reader, const char *fault);
/* A whole number up to `max`. */
bool reader_number(struct reader *reader, const struct json_value *value, uint64_t max,
                   uint64_t *ret_number);
/* One of `count` words, of which some may be NULL; its number. */
bool reader_word(struct reader *reader, const struct json_value *value, const char *const *words,
                 size_t count, uint8_t *ret_number);
/* "0x1301". Says nothing where it is none. */
bool reader_hex(const struct json_value *value, uint16_t *ret_number);
/* "1.3", or a number that has no such name. */
bool reader_tls_version(struct reader *reader, const struct json_value *value, uint16_t *into);

/* `place` is a bool, which only true sets. */
bool reader_flag(struct reader *reader, const struct json_value *value, void *place);
/* `place` is the member of struct record of that type. */
bool reader_u8(struct reader *reader, const struct json_value *value, void *place);
bool reader_u16(struct reader *reader, const struct json_value *value, void *place);
bool reader_u32(struct reader *reader, const struct json_value *value, void *place);
bool reader_u64(struct reader *reader, const struct json_value *value, void *place);
bool reader_endpoint(struct reader *reader, const struct json_value *value, void *place);
bool reader_tls(struct reader *reader, const struct json_value *value, void *place);
/* Microseconds; `place` has nanoseconds. */
bool reader_us(struct reader *reader, const struct json_value *value, void *place);
/* `place` is a struct record_text, as of these three. */
bool reader_text(struct reader *reader, const struct json_value *value, void *place);
bool reader_list(struct reader *reader, const struct json_value *value, void *place);
bool reader_url(struct reader *reader, const struct json_value *value, void *place);
/* `place` is the member of that name. */
bool reader_id(struct reader *reader, const struct json_value *value, void *place);
bool reader_kind(struct reader *reader, const struct json_value *value, void *place);
bool reader_end(struct reader *reader, const struct json_value *value, void *place);
bool reader_leg(struct reader *reader, const struct json_value *value, void *place);
bool reader_dns_source(struct reader *reader, const struct json_value *value, void *place);
bool reader_retry_reason(struct reader *reader, const struct json_value *value, void *place);
/* `place` is the minor number of a version of HTTP/1. */
bool reader_client_http(struct reader *reader, const struct json_value *value, void *place);
bool reader_upstream_http(struct reader *reader, const struct json_value *value, void *place);
/* `place` is a member of the timeline. */
bool reader_time(struct reader *reader, const struct json_value *value, void *place);
bool reader_base(struct reader *reader, const struct json_value *value, void *place);
/* The version of the line; `place` is not used. */
bool reader_version(struct reader *reader, const struct json_value *value, void *place);

/* ---- record_json_times.c ---- */

/* Keep them for later; `place` is not used. */
bool reader_keep_marks(struct reader *reader, const struct json_value *value, void *place);
bool reader_keep_attempts(struct reader *reader, const struct json_value *value, void *place);
bool reader_keep_now(struct reader *reader, const struct json_value *value, void *place);
bool reader_keep_since(struct reader *reader, const struct json_value *value, void *place);
/* Read what was kept, when the base is known. */
bool reader_marks(struct reader *reader);
bool reader_attempts(struct reader *reader);
bool reader_now(struct reader *reader);
bool reader_since(struct reader *reader);

/* ---- record_json_inside.c ---- */

/* `place` is not used: its members have their own. */
bool reader_inside(struct reader *reader, const struct json_value *value, void *place);

#endif
