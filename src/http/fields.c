/* The ordered field list.
 *
 * An array in the exchange's arena that doubles; the smaller arrays are left behind in the arena, which
 * costs at most as much as the last one. Nothing is removed from a list: who forwards a message skips what
 * must not go on. The set `seen` answers most look-ups for absent fields without a walk.
 *
 * Invariant: `seen` holds token_bit of a token exactly where an element has it (TOKEN_OTHER included). */
#include "http/fields.h"

#include "base/check.h"
#include "base/text.h"

enum { FIRST_CAP = 16 };

void fields_init(struct fields *fields, struct arena *arena)
{
    *fields = (struct fields){.arena = arena};
}

void fields_clear(struct fields *fields)
{
    fields->count = 0;
    fields->seen = 0;
}

enum status fields_grow(struct fields *fields)
{
    CHECK(fields->cap <= UINT32_MAX / 2); /* no arena holds so many */
    uint32_t cap = fields->cap == 0 ? FIRST_CAP : fields->cap * 2;
    struct field *at = arena_alloc(fields->arena, cap * sizeof(struct field));
    if (at == NULL)
        return ST_NOMEM;
    if (fields->count > 0)
        memcpy(at, fields->at, fields->count * sizeof(struct field));
    fields->at = at;
    fields->cap = cap;
    return ST_OK;
}

enum status fields_add_token(struct fields *fields, enum token token, struct slice name,
                             struct slice value)
{
    const struct field field = {.name = name, .value = value, .token = (uint8_t)token};
    return fields_append(fields, &field);
}

enum status fields_add(struct fields *fields, struct slice name, struct slice value)
{
    return fields_add_token(fields, token_of(name), name, value);
}

static const struct field *find_from(const struct fields *fields, uint32_t from, enum token token)
{
    for (uint32_t i = from; i < fields->count; i++) {
        if (fields->at[i].token == token)
            return &fields->at[i];
    }
    return NULL;
}

const struct field *fields_find(const struct fields *fields, enum token token)
{
    return fields_has(fields, token) ? find_from(fields, 0, token) : NULL;
}

const struct field *fields_find_next(const struct fields *fields, const struct field *after)
{
    uint32_t from = (uint32_t)(after - fields->at) + 1;
    return find_from(fields, from, (enum token)after->token);
}

uint32_t fields_count_of(const struct fields *fields, enum token token)
{
    uint32_t count = 0;
    for (const struct field *f = fields_find(fields, token); f != NULL;
         f = fields_find_next(fields, f))
        count++;
    return count;
}

enum status fields_join(const struct fields *fields, enum token token, struct slice *ret_list)
{
    struct slice only = SLICE_NONE;
    unsigned count = 0;
    size_t room = 0;
    const struct field *first = fields_find(fields, token);
    for (const struct field *f = first; f != NULL; f = fields_find_next(fields, f)) {
        if (f->value.len == 0)
            continue;
        only = f->value;
        count++;
        room += f->value.len + 2;
    }
    if (count <= 1) {
        *ret_list = only;
        return ST_OK;
    }
    char *memory = arena_alloc(fields->arena, room);
    if (memory == NULL)
        return ST_NOMEM;
    struct text text = text_on(memory, room);
    for (const struct field *f = first; f != NULL; f = fields_find_next(fields, f)) {
        if (f->value.len > 0 && text.len > 0)
            text_add(&text, SLICE(", "));
        text_add(&text, f->value);
    }
    *ret_list = text_slice(&text);
    return ST_OK;
}

const struct field *fields_find_name(const struct fields *fields, struct slice name)
{
    for (uint32_t i = 0; i < fields->count; i++) {
        if (slice_equals_nocase(fields->at[i].name, name))
            return &fields->at[i];
    }
    return NULL;
}
