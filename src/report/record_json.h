#ifndef FAIRLEAD_REPORT_RECORD_JSON_H
#define FAIRLEAD_REPORT_RECORD_JSON_H

#include "base/slice.h"
#include "base/status.h"
#include "base/text.h"
#include "record/record.h"

/* A line of the JSON access log back into the record that it was made of, for whoever makes another view of it: a line
 * for people, HAR. Written again as JSON it is the same line. (report/log_line.h takes texts of a line that may be
 * longer than a record holds.) Whoever wrote the line may be hostile. */

enum { RECORD_JSON_MAX = 65536, /* bytes of a line */ RECORD_JSON_WHY_MAX = 200 };

/* Read a line, with or without its line feed. Members that are not known are stepped over; those that are made of
 * others (phases_us) are not looked at. Marks come back in whole microseconds. Texts that have together more bytes in
 * UTF-8 than a record has room for are cut. *ret_record is sealed. `why` gets a sentence where it is no such line: the
 * column, the member and what is wrong.
 * Errors: ST_BAD; *ret_record is then undefined. Thread: any. */
enum status record_json_read(struct slice line, struct record *ret_record,
                             struct text *why) MUST_USE;

#endif
