/* A list of what is lent, the oldest first, so that an exchange that ends finds its own.
 *
 * Whoever reads slowly is cut only where somebody else waits for the place: a slow line alone is no reason. Bytes do
 * not buy time, or a reader that takes one each second would keep its place. */

#include "admin/lent.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>

struct lent {
    struct link link; /* in admin->lent */
    struct exchange *exchange;
    enum lent_kind kind;
    bool is_cut; /* its exchange was told to end */
    uint64_t since_ns;
    char *body;
};

static const size_t lent_places[] = {
#define X(name, places) [LENT_##name] = (places),
    LENT_KINDS(X)
#undef X
};

/* How many of a kind are on their way. */
static size_t lent_count(const struct admin *admin, enum lent_kind kind, struct lent **ret_oldest)
{
    size_t count = 0;
    LIST_EACH(link, &admin->lent) {
        struct lent *lent = CONTAINER_OF(link, struct lent, link);
        if (lent->kind != kind || lent->is_cut)
            continue;
        if (count++ == 0)
            *ret_oldest = lent;
    }
    return count;
}

bool lent_has_room(const struct call *call, enum lent_kind kind, size_t making)
{
    struct lent *oldest = NULL;
    size_t count = lent_count(call->admin, kind, &oldest);
    if (count + making < lent_places[kind])
        return true;
    if (oldest != NULL && clock_monotonic_ns() - oldest->since_ns >= LENT_GRACE_NS) {
        oldest->is_cut = true;
        exchange_cut(oldest->exchange);
        return true;
    }
    struct answer answer = {.status = 503};
    call_fail(call->exchange, call->wants_json, &answer, "busy",
              SLICE("too many such questions at once; ask again"));
    return false;
}

void lent_answer(const struct call *call, enum lent_kind kind, const char *type, char *body,
                 size_t len)
{
    struct lent *lent = body == NULL ? NULL : malloc(sizeof(*lent));
    if (lent == NULL) {
        struct answer answer = {.status = 503};
        free(body);
        call_fail(call->exchange, call->wants_json, &answer, "memory",
                  SLICE("out of memory, or too long"));
        return;
    }
    *lent = (struct lent){
        .exchange = call->exchange, .kind = kind, .since_ns = clock_monotonic_ns(), .body = body};
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
