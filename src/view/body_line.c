/* Pages of errors are made for people and have no form that a program knows. Their first line, or their title, is what
 * most proxies put the reason in. Nothing is decoded, and nothing of it is believed. */

#include "view/body_line.h"

#include "http/fields.h"

static bool is_media(struct slice value, struct slice type)
{
    struct slice rest = slice_from(value, type.len);
    return slice_starts_with_nocase(value, type) &&
           (rest.len == 0 || rest.at[0] == ';' || rest.at[0] == ' ');
}

enum body_kind body_kind_of(const struct head *head)
{
    const struct field *type = fields_find(&head->fields, TOKEN_CONTENT_TYPE);
    if (type == NULL || fields_find(&head->fields, TOKEN_CONTENT_ENCODING) != NULL)
        return BODY_OPAQUE;
    if (is_media(type->value, SLICE("text/plain")))
        return BODY_TEXT;
    return is_media(type->value, SLICE("text/html")) ? BODY_HTML : BODY_OPAQUE;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct slice skip_blanks(struct slice s)
{
    while (s.len > 0 && is_blank(s.at[0]))
        s = slice_from(s, 1);
    return s;
}

/* What stands behind the start tag of the title; empty where there is none. */
static struct slice find_title(struct slice body)
{
    while (body.len > 0 && !slice_starts_with_nocase(body, SLICE("<title")))
        body = slice_from(body, 1);
    size_t end = slice_find(body, '>');
    return end < body.len ? slice_from(body, end + 1) : SLICE_NONE;
}

void body_line_add(struct slice body, enum body_kind kind, struct text *into)
{
    if (kind == BODY_OPAQUE)
        return;
    struct slice line = skip_blanks(kind == BODY_HTML ? find_title(body) : body);
    size_t len = 0;
    while (len < line.len && (unsigned char)line.at[len] >= ' ' &&
           !(kind == BODY_HTML && line.at[len] == '<'))
        len++;
    bool is_cut = len > BODY_LINE_MAX;
    text_add(into, slice_trim(slice_first(line, is_cut ? BODY_LINE_MAX : len)));
    text_add(into, is_cut ? SLICE("...") : SLICE_NONE);
}
