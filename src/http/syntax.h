#ifndef FAIRLEAD_HTTP_SYNTAX_H
#define FAIRLEAD_HTTP_SYNTAX_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Classes of bytes in HTTP, one bit each, looked up in one table. */
enum {
    SYNTAX_TOKEN = 1,  /* tchar (RFC 9110 §5.6.2) */
    SYNTAX_VALUE = 2,  /* what a field value may hold: VCHAR, obs-text, SP, HTAB (RFC 9110 §5.5) */
    SYNTAX_VCHAR = 4,  /* 0x21 to 0x7E */
    SYNTAX_TARGET = 8, /* goes on a request-target for the head parser: VCHAR and obs-text */
};

extern const uint8_t syntax_classes[256];

static inline bool syntax_is(char c, unsigned classes)
{
    return (syntax_classes[(unsigned char)c] & classes) != 0;
}

/* How many bytes from `at` on, before `end`, may stand in a field value. */
size_t syntax_value_span(const char *at, const char *end);
/* The same for SYNTAX_TARGET. */
size_t syntax_target_span(const char *at, const char *end);
/* How many bytes from `at` on stand before the first colon, or before `end` where none is. */
size_t syntax_find_colon(const char *at, const char *end);

/* Length of the token at the front of `s`; 0 where none is. */
size_t syntax_token_span(struct slice s);
/* Length of the word, a token or a quoted-string with its quotes, at the front of a field value's rest (RFC 9110
 * §5.6.4); 0 where none is, or its last quote is missing. */
size_t syntax_word_span(struct slice s);
/* True where `s` is not empty and all its bytes are tchar. */
bool syntax_is_token(struct slice s);
/* True where all bytes are VCHAR, and none begins a fragment. */
bool syntax_is_uri(struct slice s);
/* True where all bytes are allowed in a field value; true for an empty one. */
bool syntax_is_value(struct slice s);

#endif
