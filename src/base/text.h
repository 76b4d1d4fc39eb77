#ifndef FAIRLEAD_BASE_TEXT_H
#define FAIRLEAD_BASE_TEXT_H

#include "base/slice.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

/* Bounded text in the caller's memory. What does not fit is dropped and `is_cut` is set; nothing
 * overflows and nothing is terminated unless text_string asks. */
struct text {
    char *at;
    size_t len;
    size_t cap;
    bool is_cut;
};

static inline struct text text_on(char *at, size_t cap)
{
    return (struct text){at, 0, cap, false};
}

static inline struct slice text_slice(const struct text *text)
{
    return (struct slice){text->at, text->len};
}

void text_add(struct text *text, struct slice s);
void text_add_char(struct text *text, char c);
void text_add_u64(struct text *text, uint64_t value);
void text_add_format(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Length of the valid UTF-8 sequence at the front of `s`, which is not empty; 0 where there is none (RFC 3629 §4). */
size_t utf8_length(struct slice s);
/* The JSON escape of a UTF-16 code unit, "\u202e". False: it had no room, and the text is marked as cut. */
bool text_add_unicode(struct text *text, uint32_t unit);
/* The inside of a JSON string: quotes, backslash and control characters escaped, those beyond ASCII and what turns the
 * direction of text too; bytes that are not valid UTF-8 become U+00XX escapes of their value. So the output is always
 * valid JSON, and a terminal may show it. */
void text_add_json(struct text *text, struct slice s);
/* HTML text and attribute content: & < > " ' as references, control bytes dropped. */
void text_add_html(struct text *text, struct slice s);
/* Safe for a terminal or a log line: control bytes and non-ASCII as \xHH, `quote` and backslash escaped. */
void text_add_log(struct text *text, struct slice s, char quote);
/* 1.23ms, 45s, 0us ...: three significant digits with a unit, for people. */
void text_add_duration(struct text *text, uint64_t ns);
/* 420us, 1.2ms, 45ms, 12m ...: two or three digits with a unit, for columns. */
void text_add_short_duration(struct text *text, uint64_t ns);
/* 812B, 1.2KB, 34MB ...: decimal units, for people. */
void text_add_size(struct text *text, uint64_t bytes);
/* Lines that `words`, which are ASCII, fill. */
struct text_wrap {
    size_t columns; /* that a line has at most */
    size_t indent;  /* of all lines but the first; below `columns` */
    size_t at;      /* where the first one begins */
};
/* Break them at blanks, each of which stands for any number of them; within a word only where it is longer than a
 * line. */
void text_add_wrapped(struct text *text, struct slice words, const struct text_wrap *wrap);
/* Terminate (cutting the last byte where it is full) and return the string. `cap` must not be 0. */
const char *text_string(struct text *text);

#endif
