#ifndef FAIRLEAD_REPORT_JSON_PEN_H
#define FAIRLEAD_REPORT_JSON_PEN_H

#include "base/text.h"

#include <assert.h>
#include <string.h>

/* JSON members in few instructions, for the log that is meant to be on under load. A line has seventy of them, so what is
 * short is inlined: a key that is known at the call becomes three stores. All of it keeps to the bounds of the text: what
 * does not fit is cut.
 *
 * Every key brings the comma before it; json_close turns that of an object's first member into the brace. */

#define JSON_INLINE static inline __attribute__((always_inline))

enum { JSON_KEY_MAX = 24, JSON_DIGITS_MAX = 20 }; /* of a key with all around it; of a number */

/* A key with all that stands around it: ,"key": */
#define JSON_KEY(word) SLICE(",\"" word "\":")

/* The same, for tables: with spaces behind it, so that json_put_key may copy whole registers. Longer ones do not compile. */
#define JSON_KEY_INIT(word)                                                                \
    {                                                                                      \
        ",\"" word "\":                        ",                                          \
            sizeof(word) + 3 + 0 * sizeof(char[sizeof(word) + 3 <= JSON_KEY_MAX ? 1 : -1]) \
    }

/* An object that is open: where its key is, and where its first member. */
struct json_object {
    size_t key_at;
    size_t body_at;
};

/* Digits at `at`, which has room for JSON_DIGITS_MAX; returns where they end. Private to this header. */
char *json_digits_long(char *at, uint64_t value);

JSON_INLINE char *json_digits(char *at, uint64_t value)
{
    if (value >= 10)
        return json_digits_long(at, value);
    *at = (char)('0' + value);
    return at + 1;
}

JSON_INLINE bool json_has_room(const struct text *into, size_t bytes)
{
    return into->cap - into->len >= bytes;
}

/* ---- values ---- */

JSON_INLINE void json_put(struct text *into, struct slice s)
{
    if (!json_has_room(into, s.len)) {
        text_add(into, s);
        return;
    }
    memcpy(into->at + into->len, s.at, s.len);
    into->len += s.len;
}

JSON_INLINE void json_put_char(struct text *into, char c)
{
    json_put(into, slice_of(&c, 1));
}

JSON_INLINE void json_put_number(struct text *into, uint64_t value)
{
    if (!json_has_room(into, JSON_DIGITS_MAX)) {
        text_add_u64(into, value);
        return;
    }
    into->len = (size_t)(json_digits(into->at + into->len, value) - into->at);
}

JSON_INLINE void json_put_signed(struct text *into, int64_t value)
{
    if (value < 0)
        json_put_char(into, '-');
    json_put_number(into, value < 0 ? (uint64_t)0 - (uint64_t)value : (uint64_t)value);
}

/* A key of a table, of JSON_KEY_INIT. */
JSON_INLINE void json_put_key(struct text *into, struct slice key)
{
    if (!json_has_room(into, JSON_KEY_MAX)) {
        text_add(into, key);
        return;
    }
    memcpy(into->at + into->len, key.at, JSON_KEY_MAX);
    into->len += key.len;
}

/* The last two digits, zeros included. */
void json_put_two(struct text *into, unsigned value);
/* With quotes. Everything but printable ASCII becomes an escape; a byte that is no UTF-8 that of its value. */
void json_put_string(struct text *into, struct slice s);

/* ---- members ---- */

/* `key` is a JSON_KEY: where its length is known to the compiler, it is a few stores. */
JSON_INLINE void json_number(struct text *into, struct slice key, uint64_t value)
{
    json_put(into, key);
    json_put_number(into, value);
}

/* Absent where it is 0. */
JSON_INLINE void json_count(struct text *into, struct slice key, uint64_t value)
{
    if (value != 0)
        json_number(into, key, value);
}

/* A word of ours, which needs no escapes. */
JSON_INLINE void json_word(struct text *into, struct slice key, const char *word)
{
    json_put(into, key);
    json_put_char(into, '"');
    json_put(into, slice_from_string(word));
    json_put_char(into, '"');
}

/* Absent where it is not set. */
JSON_INLINE void json_flag(struct text *into, struct slice key, bool is_set)
{
    if (!is_set)
        return;
    json_put(into, key);
    json_put(into, SLICE("true"));
}

JSON_INLINE struct json_object json_open(struct text *into, struct slice key)
{
    size_t key_at = into->len;
    json_put(into, key);
    return (struct json_object){key_at, into->len};
}

/* Another one of a list, whose bracket stands before the first. */
JSON_INLINE struct json_object json_open_next(struct text *into)
{
    if (into->len > 0 && into->at[into->len - 1] == '}')
        json_put_char(into, ',');
    return (struct json_object){into->len, into->len};
}

/* An empty object is taken back with its key. */
JSON_INLINE void json_close(struct text *into, struct json_object object)
{
    if (into->len == object.body_at) {
        into->len = object.key_at;
        return;
    }
    into->at[object.body_at] = '{';
    json_put_char(into, '}');
}

#endif
