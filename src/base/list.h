#ifndef FAIRLEAD_BASE_LIST_H
#define FAIRLEAD_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* Intrusive doubly linked ring: a `struct link` as head, one in every member.
 * A member that is in no list links to itself, so that link_remove is always safe after link_init. */
struct link {
    struct link *next;
    struct link *prev;
};

static inline void link_init(struct link *link)
{
    link->next = link->prev = link;
}

static inline bool link_is_linked(const struct link *link)
{
    return link->next != link;
}

static inline bool list_is_empty(const struct link *head)
{
    return head->next == head;
}

static inline void list_insert_before(struct link *position, struct link *member)
{
    member->prev = position->prev;
    member->next = position;
    position->prev->next = member;
    position->prev = member;
}

static inline void list_append(struct link *head, struct link *member)
{
    list_insert_before(head, member);
}

static inline void list_prepend(struct link *head, struct link *member)
{
    list_insert_before(head->next, member);
}

static inline void link_remove(struct link *member)
{
    member->prev->next = member->next;
    member->next->prev = member->prev;
    link_init(member);
}

static inline struct link *list_first(struct link *head)
{
    return list_is_empty(head) ? NULL : head->next;
}

/* Take all members of `from` over to the end of `head`; `from` is empty afterwards. */
static inline void list_take_all(struct link *head, struct link *from)
{
    if (list_is_empty(from))
        return;
    from->next->prev = head->prev;
    head->prev->next = from->next;
    from->prev->next = head;
    head->prev = from->prev;
    link_init(from);
}

/* `link` may be removed inside the body. */
#define LIST_EACH(link, head)                                                         \
    for (struct link *link = (head)->next, *link##_next = link->next; link != (head); \
         link = link##_next, link##_next = link->next)

#endif
