#include "base_test.h"

#include "base/list.h"

struct item {
    char name;
    struct link link;
};

/* What the list holds, from front to end; the same from end to front, or the test fails. */
static void assert_items(struct link *head, const char *expected)
{
    char seen[16] = {0};
    char back[16] = {0};
    size_t count = 0;
    LIST_EACH(link, head)
        seen[count++] = CONTAINER_OF(link, struct item, link)->name;
    for (struct link *link = head->prev; link != head; link = link->prev)
        back[--count] = CONTAINER_OF(link, struct item, link)->name;
    assert_int_equal(count, 0);
    assert_string_equal(seen, expected);
    assert_string_equal(back, expected);
    assert_int_equal(list_is_empty(head), expected[0] == '\0');
    struct link *first = list_first(head);
    if (expected[0] == '\0')
        assert_null(first);
    else
        assert_int_equal(CONTAINER_OF(first, struct item, link)->name, expected[0]);
}

static void item_init(struct item *item, char name)
{
    item->name = name;
    link_init(&item->link);
}

/* Appending, prepending and inserting put a member where they say. */
static void members_stand_where_they_were_put(void **state)
{
    (void)state;
    struct link head;
    link_init(&head);
    struct item items[4];
    for (int i = 0; i < 4; i++)
        item_init(&items[i], (char)('a' + i));
    assert_items(&head, "");
    list_append(&head, &items[1].link);
    assert_items(&head, "b");
    list_append(&head, &items[3].link);
    list_prepend(&head, &items[0].link);
    assert_items(&head, "abd");
    list_insert_before(&items[3].link, &items[2].link);
    assert_items(&head, "abcd");
}

/* Removing works anywhere, and is harmless for a member that is in no list. */
static void removing_is_safe_anywhere(void **state)
{
    (void)state;
    struct link head;
    link_init(&head);
    struct item items[3];
    for (int i = 0; i < 3; i++) {
        item_init(&items[i], (char)('a' + i));
        assert_false(link_is_linked(&items[i].link));
        list_append(&head, &items[i].link);
        assert_true(link_is_linked(&items[i].link));
    }
    link_remove(&items[1].link);
    assert_false(link_is_linked(&items[1].link));
    assert_items(&head, "ac");
    link_remove(&items[1].link);
    assert_items(&head, "ac");
    link_remove(&items[0].link);
    link_remove(&items[2].link);
    assert_items(&head, "");
    list_append(&head, &items[1].link);
    assert_items(&head, "b");
}

/* Taking all keeps the order, empties the source, and does nothing for an empty one. */
static void taking_all_keeps_the_order(void **state)
{
    (void)state;
    struct link to;
    struct link from;
    link_init(&to);
    link_init(&from);
    struct item items[4];
    for (int i = 0; i < 4; i++) {
        item_init(&items[i], (char)('a' + i));
        list_append(i < 2 ? &to : &from, &items[i].link);
    }
    list_take_all(&to, &from);
    assert_items(&to, "abcd");
    assert_items(&from, "");
    list_take_all(&to, &from);
    assert_items(&to, "abcd");
    list_take_all(&from, &to); /* into an empty list */
    assert_items(&from, "abcd");
    assert_items(&to, "");
}

/* The member that a walk stands on may be removed inside of it. */
static void a_walk_survives_the_removal_of_where_it_stands(void **state)
{
    (void)state;
    struct link head;
    link_init(&head);
    struct item items[5];
    for (int i = 0; i < 5; i++) {
        item_init(&items[i], (char)('a' + i));
        list_append(&head, &items[i].link);
    }
    LIST_EACH(link, &head) {
        struct item *item = CONTAINER_OF(link, struct item, link);
        if ((item->name - 'a') % 2 == 0)
            link_remove(link);
    }
    assert_items(&head, "bd");
    LIST_EACH(link, &head)
        link_remove(link);
    assert_items(&head, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_stand_where_they_were_put),
        cmocka_unit_test(removing_is_safe_anywhere),
        cmocka_unit_test(taking_all_keeps_the_order),
        cmocka_unit_test(a_walk_survives_the_removal_of_where_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
