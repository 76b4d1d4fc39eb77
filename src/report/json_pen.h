#ifndef FAIRLEAD_REPORT_JSON_PEN_H
#define FAIRLEAD_REPORT_JSON_PEN_H

#include "base/text.h"

#include <assert.h>
#include <string.h>

/* JSON members in few instructions, for the log that is meant to be on under load. A line has seventy of them, so what
 * is short is inlined: a key that is known at the call becomes three stores. All of it keeps to the bounds of the text:
 * what does not fit is cut.
 *
 * Every key brings the comma before it; json_close turns that of an object's first member into the brace. */

#define JSON_INLINE static inline __attribute__((always_inline))

enum { JSON_KEY_MAX = 24, JSON_DIGITS_MAX = 20 }; /* of a key with all around it; of a number */

/* A key with all that stands around it: ,"key": */
#define JSON_KEY(word) SLICE(",\"" word "\":")

/* The same, for tables, with room behind it: whole registers are copied. A longer one does not compile. */
struct json_key {
    char text[JSON_KEY_MAX - 1];
    uint8_t len;
};
#define JSON_KEY_INIT(word)                    \
    {                                          \
        ",\"" word "\":", sizeof(word) - 1 + 4 \
    }

JSON_INLINE struct slice json_key_slice(const struct json_key *key)
{
    return slice_of(key->text, key->len);
}

/* An object that is open: where its key is, and where its first member. */
struct json_object {
    size_t key_at;
    size_t body_at;
};

/* Digits of 10 or more at `at`, which has room for JSON_DIGITS_MAX; returns where they end. What is left of that room
 * may be written on. Private to this header, as the next one. */
char *json_digits_long(char *at, uint64_t value);
/* What is near the end of its room, and may be cut. */
void json_number_near_end(struct text *into, struct slice key, uint64_t value);

/* As json_digits_long, for any number. */
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

/* ---- values that are written where they stand ---- */

/* Where up to `bytes` may be written: in the text, or in `spare` near its end. */
JSON_INLINE char *json_begin(const struct text *into, char *spare, size_t bytes)
{
    return json_has_room(into, bytes) ? into->at + into->len : spare;
}

/* What was written from there up to `end`. */
JSON_INLINE void json_end(struct text *into, const char *begin, const char *end)
{
    if (begin == into->at + into->len)
        into->len += (size_t)(end - begin);
    else
        text_add(into, slice_of(begin, (size_t)(end - begin)));
}

/* Eight digits of a number below 10^8, zeros included. */
void json_digits_eight(char *at, uint32_t value);
/* 16 hexadecimal digits, zeros included. */
void json_digits_hex(char *at, uint64_t value);

/* ---- strings ---- */

/* With quotes. Everything but printable ASCII becomes an escape; a byte that is no UTF-8 that of its value. */
void json_put_string(struct text *into, struct slice s);

/* ---- members ---- */

/* `key` is a JSON_KEY: where its length is known to the compiler, it is a few stores. */
JSON_INLINE void json_number(struct text *into, struct slice key, uint64_t value)
{
    if (!json_has_room(into, key.len + JSON_DIGITS_MAX)) {
        json_number_near_end(into, key, value);
        return;
    }
    char *at = into->at + into->len;
    memcpy(at, key.at, key.len);
    into->len = (size_t)(json_digits(at + key.len, value) - into->at);
}

/* One that may be below 0. */
void json_signed(struct text *into, struct slice key, int64_t value);

/* Absent where it is 0. */
JSON_INLINE void json_count(struct text *into, struct slice key, uint64_t value)
{
    if (value != 0)
        json_number(into, key, value);
}

/* A word of ours, which needs no escapes. */
JSON_INLINE void json_word(struct text *into, struct slice key, const char *word)
{
    struct slice value = slice_from_string(word);
    json_put(into, key);
    json_put_char(into, '"');
    json_put(into, value);
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

/* An object of numbers: of `keys` and `values`, those whose bits are set. None: no object. */
void json_numbers(struct text *into, struct slice key, const struct json_key *keys,
                  const int64_t *values, uint64_t bits);

#endif
