#ifndef FAIRLEAD_BASE_JSON_H
#define FAIRLEAD_BASE_JSON_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Reading JSON (RFC 8259) in place: a text is checked as a whole once, then its members are views of it that are
 * walked. Nothing is allocated, and nothing recurses. */

enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

enum { JSON_DEPTH_MAX = 64 };

/* A view of the text. */
struct json_value {
    enum json_kind kind;
    struct slice raw; /* what stands between the quotes, brackets or braces; else the word itself */
};

/* Check all of `text`: one value, and blanks around it. Names of members may repeat.
 * Errors: ST_BAD it is no JSON; ST_LIMIT nested deeper than JSON_DEPTH_MAX. */
enum status json_check(struct slice text, struct json_value *ret_value) MUST_USE;

/* The same, and *ret_at is how many bytes were good, whatever comes of it. */
enum status json_check_at(struct slice text, struct json_value *ret_value, size_t *ret_at) MUST_USE;

/* Walk the members of a checked object; *object becomes what is left. `ret_key` as it is written, with its escapes.
 * False: there is none left. */
bool json_next_member(struct json_value *object, struct slice *ret_key,
                      struct json_value *ret_value);
/* The same for the elements of an array. */
bool json_next_element(struct json_value *array, struct json_value *ret_value);

/* What a string says, as UTF-8 in `into`, not terminated; it may hold any code point, 0 too.
 * Errors: ST_BAD it is no string, or half of a surrogate pair; ST_LIMIT no room (as many bytes as `raw` has do). */
enum status json_text_into(const struct json_value *value, char *into, size_t cap,
                           struct slice *ret_text) MUST_USE;
/* A whole number. Errors: ST_BAD it is none; ST_LIMIT beyond `max`. */
enum status json_to_u64(const struct json_value *value, uint64_t max, uint64_t *ret_value) MUST_USE;

#endif
