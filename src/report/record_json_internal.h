#ifndef FAIRLEAD_REPORT_RECORD_JSON_INTERNAL_H
#define FAIRLEAD_REPORT_RECORD_JSON_INTERNAL_H

#include "base/json.h"
#include "report/record_json.h"

/* What the files of record_json share. A line that is being read: each reader puts a value in its place, or says what is
 * wrong with it and gives false. */

struct reader {
    struct slice line;
    struct record *record;
    struct json_value marks, attempts, now, since; /* to be read at the end */
    const char *fault;                             /* static */
    struct slice member;                           /* that is read, as it is written */
    const char *at;                                /* where its value stands */
};

/* Note what was expected; static. Always false. */
bool reader_fail(struct reader *reader, const char *fault);
/* `place` is a bool, which only true sets. */
bool reader_flag(struct reader *reader, const struct json_value *value, void *place);
/* `place` is the member of struct record of that type. */
bool reader_leg(struct reader *reader, const struct json_value *value, void *place);
bool reader_u8(struct reader *reader, const struct json_value *value, void *place);
bool reader_u32(struct reader *reader, const struct json_value *value, void *place);
/* Microseconds; `place` has nanoseconds. */
bool reader_us(struct reader *reader, const struct json_value *value, void *place);
/* `place` is a struct record_text, as of these two. */
bool reader_text(struct reader *reader, const struct json_value *value, void *place);
bool reader_list(struct reader *reader, const struct json_value *value, void *place);
/* "0x1301". Says nothing where it is none. */
bool reader_hex(const struct json_value *value, uint16_t *ret_number);
/* "1.3", or a number that has no such name. */
bool reader_tls_version(struct reader *reader, const struct json_value *value, uint16_t *into);

/* ---- record_json_inside.c ---- */

/* `place` is not used: its members have their own. */
bool reader_inside(struct reader *reader, const struct json_value *value, void *place);

#endif
