#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "policy/name_index.h"

#include <stdio.h>
#include <stdlib.h>

static void add(struct name_index *index, const char *name, bool is_below, uint32_t owner)
{
    assert_int_equal(name_index_add(index, slice_from_string(name), is_below, owner), ST_OK);
}

/* The owners of what a host matches, as "1 2;3": one hit behind the other, the longest name last. */
static void finds(const struct name_index *index, const char *host, const char *wanted)
{
    struct name_hit hits[NAME_INDEX_HITS_MAX];
    char words[200] = "";
    size_t len = 0;
    size_t count = name_index_find(index, slice_from_string(host), hits);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < hits[i].count; j++)
            len += (size_t)snprintf(words + len, sizeof(words) - len, "%s%u",
                                    j > 0   ? " "
                                    : i > 0 ? ";"
                                            : "",
                                    hits[i].owners[j]);
    }
    assert_string_equal(words, wanted);
}

static void a_host_finds_itself_and_what_it_stands_below(void **state)
{
    struct name_index *index = name_index_create();
    (void)state;
    add(index, "example.com", false, 1);
    add(index, "example.com", true, 2);
    add(index, "a.example.com", false, 3);
    add(index, "com", true, 4);
    assert_int_equal(name_index_finish(index), ST_OK);
    finds(index, "example.com", "4;1");
    finds(index, "a.example.com", "4;2;3");
    finds(index, "b.a.example.com", "4;2");
    finds(index, "com", "");
    finds(index, "notexample.com", "4");
    finds(index, "example.com.evil", "");
    finds(index, "xexample.com", "4");
    finds(index, ".com", "4");
    finds(index, "", "");
    name_index_destroy(&index);
    assert_null(index);
}

static void names_with_the_same_owners_share_them(void **state)
{
    struct name_index *index = name_index_create();
    struct name_index *other = name_index_create();
    char name[32];
    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        (void)snprintf(name, sizeof(name), "h%u.example", i);
        for (uint32_t owner = 0; owner < 3; owner++)
            add(index, name, false, owner);
        add(index, name, false, 2); /* twice is once */
        add(other, name, false, 2);
    }
    assert_int_equal(name_index_finish(index), ST_OK);
    assert_int_equal(name_index_finish(other), ST_OK);
    assert_int_equal(name_index_count(index), 20000);
    assert_true(name_index_bytes(index) - name_index_bytes(other) < 100);
    finds(index, "h0.example", "0 1 2");
    finds(index, "h19999.example", "0 1 2");
    finds(index, "h20000.example", "");
    name_index_destroy(&index);
    name_index_destroy(&other);
}

static void an_empty_index_finds_nothing(void **state)
{
    struct name_index *index = name_index_create();
    (void)state;
    assert_int_equal(name_index_finish(index), ST_OK);
    finds(index, "example.com", "");
    assert_int_equal(name_index_get(index, SLICE("example.com")).count, 0);
    name_index_destroy(&index);
    name_index_destroy(&index);
}

/* The longest of all: 127 labels of one letter, each a name of its own. */
static void every_label_of_the_longest_name_is_found(void **state)
{
    struct name_index *index = name_index_create();
    char host[254];
    (void)state;
    for (size_t i = 0; i < 253; i++)
        host[i] = i % 2 == 0 ? 'a' : '.';
    host[253] = '\0';
    for (size_t from = 0; from < 253; from += 2)
        add(index, host + from, from != 0, (uint32_t)(200 - from / 2));
    assert_int_equal(name_index_finish(index), ST_OK);
    struct name_hit hits[NAME_INDEX_HITS_MAX];
    assert_int_equal(name_index_find(index, slice_from_string(host), hits), 127);
    name_index_destroy(&index);
}

/* A million names: what product and documentation promise of their memory. */
static void a_million_names_cost_at_most_64_bytes_each(void **state)
{
    enum { NAMES = 1000000 };
    struct name_index *index = name_index_create();
    char name[64];
    size_t text = 0;
    (void)state;
    for (unsigned i = 0; i < NAMES; i++) {
        text += (size_t)snprintf(name, sizeof(name), "host-%u.some-domain.example", i);
        add(index, name, i % 2 == 0, 7);
    }
    assert_int_equal(name_index_finish(index), ST_OK);
    assert_int_equal(name_index_count(index), NAMES);
    assert_true(text / NAMES > 28);
    assert_true(name_index_bytes(index) / NAMES <= 64);
    finds(index, "host-999999.some-domain.example", "7");
    finds(index, "x.host-999998.some-domain.example", "7");
    finds(index, "host-1000000.some-domain.example", "");
    name_index_destroy(&index);
}

/* Also before it is finished: no set is written out that no name has in the end. */
static void a_name_of_many_owners_costs_each_of_them_once(void **state)
{
    enum { OWNERS = 50000 };
    struct name_index *index = name_index_create();
    (void)state;
    for (uint32_t i = 0; i < OWNERS; i++) {
        add(index, "a.example", false, i);
        add(index, "b.example", true, i);
        if (i % 2 == 0)
            add(index, "c.example", true, i);
    }
    assert_in_range(name_index_bytes(index), 1, OWNERS * 100);
    assert_int_equal(name_index_finish(index), ST_OK);
    assert_in_range(name_index_bytes(index), OWNERS * 6, OWNERS * 7);
    struct name_hit all = name_index_get(index, SLICE("a.example"));
    struct name_hit hits[NAME_INDEX_HITS_MAX];
    assert_int_equal(all.count, OWNERS);
    assert_int_equal(name_index_find(index, SLICE("x.c.example"), hits), 1);
    assert_int_equal(hits[0].count, OWNERS / 2);
    for (uint32_t i = 0; i < OWNERS; i++) {
        assert_int_equal(all.owners[i], i);
        if (i % 2 == 0)
            assert_int_equal(hits[0].owners[i / 2], i);
    }
    assert_int_equal(name_index_find(index, SLICE("x.b.example"), hits), 1);
    assert_ptr_equal(hits[0].owners, all.owners); /* the same set */
    name_index_destroy(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_finds_itself_and_what_it_stands_below),
        cmocka_unit_test(names_with_the_same_owners_share_them),
        cmocka_unit_test(an_empty_index_finds_nothing),
        cmocka_unit_test(every_label_of_the_longest_name_is_found),
        cmocka_unit_test(a_name_of_many_owners_costs_each_of_them_once),
        cmocka_unit_test(a_million_names_cost_at_most_64_bytes_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
