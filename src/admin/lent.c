/* A list of what is lent, so that an exchange that ends finds its own. */

#include "admin/lent.h"

#include "base/check.h"

#include <stdlib.h>

struct lent {
    struct link link; /* in admin->lent */
    struct exchange *exchange;
    char *body;
};

bool lent_has_room(const struct call *call, size_t at_once)
{
    size_t count = 0;
    LIST_EACH(link, &call->admin->lent)
        count++;
    if (count < at_once)
        return true;
    struct answer answer = {.status = 503};
    call_fail(call->exchange, call->wants_json, &answer, "busy",
              SLICE("too many such questions at once; ask again"));
    return false;
}

void lent_answer(const struct call *call, const char *type, char *body, size_t len)
{
    struct lent *lent = body == NULL ? NULL : malloc(sizeof(*lent));
    if (lent == NULL) {
        struct answer answer = {.status = 503};
        free(body);
        call_fail(call->exchange, call->wants_json, &answer, "memory",
                  SLICE("out of memory, or too long"));
        return;
    }
    *lent = (struct lent){.exchange = call->exchange, .body = body};
    list_append(&call->admin->lent, &lent->link);
    struct answer answer = {
        .status = 200, .type = type, .body = slice_of(body, len), .is_lent = true};
    exchange_answer(call->exchange, &answer);
}

void lent_forget(struct admin *admin, const struct exchange *exchange)
{
    LIST_EACH(link, &admin->lent) {
        struct lent *lent = CONTAINER_OF(link, struct lent, link);
        if (lent->exchange != exchange)
            continue;
        link_remove(&lent->link);
        free(lent->body);
        free(lent);
        return;
    }
}
