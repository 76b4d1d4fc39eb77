#ifndef FAIRLEAD_HTTP_FIELDS_H
#define FAIRLEAD_HTTP_FIELDS_H

#include "base/arena.h"
#include "base/slice.h"
#include "http/token.h"

#include <stdbool.h>
#include <stdint.h>

struct field {
    struct slice name;  /* original spelling */
    struct slice value; /* without the white space around it */
    uint8_t token;      /* enum token of the name */
    bool is_line; /* in memory ": " stands behind the name, the value behind that, then CRLF */
};

/* The fields of a head or trailer section in their order, repeated ones included.
 * Ownership: the list lies in `arena`; names and values are borrowed from the input. */
struct fields {
    struct arena *arena;
    struct field *at;
    uint32_t count;
    uint32_t cap;
    uint64_t seen; /* token_bit of every token that is in the list */
};

/* Empty, holding no memory yet. */
void fields_init(struct fields *fields, struct arena *arena);
/* Empty again; the memory of the list is kept and used again. */
void fields_clear(struct fields *fields);

/* Append a field whose token is known. Errors: ST_NOMEM where the arena is at its cap. */
enum status fields_add_token(struct fields *fields, enum token token, struct slice name,
                             struct slice value) MUST_USE;
/* Append a field; looks up the token. */
enum status fields_add(struct fields *fields, struct slice name, struct slice value) MUST_USE;
/* Room for one more. Errors: as fields_add_token. */
enum status fields_grow(struct fields *fields) MUST_USE;

/* Append a field of another list, or one that a parser has found. Errors: as fields_add_token. */
static inline enum status MUST_USE fields_append(struct fields *fields, const struct field *field)
{
    if (fields->count == fields->cap) {
        enum status status = fields_grow(fields);
        if (status != ST_OK)
            return status;
    }
    /* Member by member: a copy of the whole waits until what was just written to `field` can be read. */
    struct field *to = &fields->at[fields->count++];
    to->name.at = field->name.at;
    to->name.len = field->name.len;
    to->value.at = field->value.at;
    to->value.len = field->value.len;
    to->token = field->token;
    to->is_line = field->is_line;
    fields->seen |= token_bit((enum token)field->token);
    return ST_OK;
}

/* True where a field of that token is there; one instruction. */
static inline bool fields_has(const struct fields *fields, enum token token)
{
    return (fields->seen & token_bit(token)) != 0;
}

/* The first field with `token`, or NULL. */
const struct field *fields_find(const struct fields *fields, enum token token);
/* The next one with the token of `after`, or NULL. */
const struct field *fields_find_next(const struct fields *fields, const struct field *after);
/* How often `token` is there. */
uint32_t fields_count_of(const struct fields *fields, enum token token);
/* The values of all lines with `token` as one list (RFC 9110 §5.3); empty where there is none. A view of the only line
 * that says something, else in the arena of `fields`. Errors: ST_NOMEM. */
enum status fields_join(const struct fields *fields, enum token token,
                        struct slice *ret_list) MUST_USE;
/* The first field of this name, whatever its case, or NULL; for names without a token. */
const struct field *fields_find_name(const struct fields *fields, struct slice name);

/* Walk the list: FIELDS_EACH (field, &head->fields) { ... field->name ... } */
#define FIELDS_EACH(var, list)                                                          \
    for (const struct field *var = (list)->at,                                          \
                            *var##_end = (list)->count > 0 ? var + (list)->count : var; \
         var != var##_end; var++)

#endif
