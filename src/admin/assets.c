/* The files of the dashboard.
 *
 * They are in the program, so the page works offline and is always of the version that it looks at. A browser
 * may keep them but asks each time whether they are still good: the ETag is a hash of the content. The policy
 * of content is the strictest that works: everything comes from here, nothing is inline, no other page may
 * frame it, and script cannot turn text into markup (trusted types). So what a peer put into a URL stays text
 * even if the page had a fault. */

#include "admin/assets.h"

#include "base/text.h"

#include <string.h>

#define ASSETS_PAGE "index.html"
#define ASSETS_POLICY                                                                       \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src " \
    "'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "                 \
    "require-trusted-types-for 'script'; trusted-types 'none'"

static const struct answer_field assets_fields[] = {
    {"Content-Security-Policy", ASSETS_POLICY},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Vary", "Accept"}, /* "/" has two faces */
    {NULL, NULL},
};

bool assets_has_path(struct slice path, bool accepts_page)
{
    return slice_starts_with(path, SLICE(ASSETS_PREFIX)) ||
           (accepts_page && slice_equals(path, SLICE("/")));
}

bool assets_wants_page(const struct head *head)
{
    const struct field *accept = fields_find(&head->fields, TOKEN_ACCEPT);
    struct slice rest = accept == NULL ? SLICE_NONE : accept->value;
    struct slice element;
    while (slice_next_element(&rest, &element)) {
        if (slice_starts_with_nocase(element, SLICE("text/html")))
            return true;
    }
    return false;
}

static const struct asset *assets_find(struct slice name)
{
    if (name.len == 0)
        name = SLICE(ASSETS_PAGE);
    for (size_t i = 0; i < assets_count; i++) {
        if (slice_equals(name, slice_from_string(assets[i].name)))
            return &assets[i];
    }
    return NULL;
}

/* If-None-Match compares weakly. */
static bool assets_is_known(const struct head *head, const struct asset *asset)
{
    const struct field *field = fields_find(&head->fields, TOKEN_IF_NONE_MATCH);
    struct slice rest = field == NULL ? SLICE_NONE : field->value;
    struct slice element;
    while (slice_next_element(&rest, &element)) {
        if (slice_starts_with(element, SLICE("W/")))
            element = slice_from(element, 2);
        if (slice_equals(element, SLICE("*")) ||
            slice_equals(element, slice_from_string(asset->etag)))
            return true;
    }
    return false;
}

void assets_serve(const struct call *call)
{
    const struct asset *asset = assets_find(call->rest);
    if (asset == NULL) {
        struct answer answer = {.status = 404};
        call_fail(call->exchange, call->wants_json, &answer, "not_found",
                  SLICE("the dashboard has no such file"));
        return;
    }
    struct answer answer = {.status = 200,
                            .type = asset->type,
                            .cache = "no-cache",
                            .etag = asset->etag,
                            .fields = assets_fields,
                            .body = slice_of(asset->content, asset->len),
                            .is_lent = true};
    if (assets_is_known(call->request->head, asset)) {
        answer.status = 304;
        answer.body = SLICE_NONE;
    }
    exchange_answer(call->exchange, &answer);
}
