#include "budget_test.h"

#include "base/clock.h"
#include "budget/ceiling.h"

#include <sys/mman.h>

enum { ROOM = 16 << 20 };

/* Memory that is resident. */
static char *take(size_t bytes)
{
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    return memory;
}

/* A ceiling that is far above what this program has. */
static struct ceiling *ceiling_above(uint64_t room)
{
    struct ceiling *ceiling = NULL;
    assert_int_equal(ceiling_create(1ULL << 40, &ceiling), ST_OK);
    uint64_t resident = ceiling_resident(ceiling);
    ceiling_destroy(&ceiling);
    assert_int_equal(ceiling_create(resident + room, &ceiling), ST_OK);
    return ceiling;
}

static void without_one_it_is_calm(void **state)
{
    (void)state;
    assert_in_range(ceiling_look(NULL, 0, SIZE_MAX), 0, 79);
    ceiling_set_reserve(NULL, 1);
    ceiling_use_reserve(NULL, 1);
    assert_int_equal(ceiling_resident(NULL), 0);
}

/* What the caller says it took counts until the kernel is asked, and then what the kernel says. */
static void memory_that_was_taken_is_seen(void **state)
{
    struct ceiling *ceiling = ceiling_above(4ULL * ROOM);
    uint64_t now_ns = 1000 * NS_PER_S;
    (void)state;
    assert_in_range(ceiling_look(ceiling, now_ns, 0), 0, 79);
    assert_in_range(ceiling_look(ceiling, now_ns, 4 * ROOM), 0,
                    79); /* said, and found not to be so */
    char *memory = take(4 * ROOM);
    assert_in_range(ceiling_look(ceiling, now_ns + NS_PER_S, 0), 90, 1000);
    assert_true(ceiling_resident(ceiling) > 4ULL * ROOM);
    assert_int_equal(munmap(memory, 4 * ROOM), 0);
    assert_in_range(ceiling_look(ceiling, now_ns + 2 * NS_PER_S, 0), 0, 79);
    ceiling_destroy(&ceiling);
}

/* It is not asked at each look. */
static void the_kernel_is_asked_seldom(void **state)
{
    struct ceiling *ceiling = ceiling_above(4ULL * ROOM);
    uint64_t now_ns = 1000 * NS_PER_S;
    (void)state;
    assert_in_range(ceiling_look(ceiling, now_ns, 0), 0, 79);
    char *memory = take(4 * ROOM);
    assert_in_range(ceiling_look(ceiling, now_ns + NS_PER_MS, 0), 0, 79);
    assert_in_range(ceiling_look(ceiling, now_ns + 30 * NS_PER_MS, 0), 90, 1000);
    assert_int_equal(munmap(memory, 4 * ROOM), 0);
    ceiling_destroy(&ceiling);
}

/* What is kept for hashes is not there for others, unless the hash has it: then the kernel counts it. */
static void the_reserve_is_kept(void **state)
{
    struct ceiling *ceiling = ceiling_above(ROOM);
    uint64_t now_ns = 1000 * NS_PER_S;
    (void)state;
    assert_in_range(ceiling_look(ceiling, now_ns, 0), 0, 79);
    ceiling_set_reserve(ceiling, 2 * ROOM);
    assert_in_range(ceiling_look(ceiling, now_ns, 0), 90, 1000);
    ceiling_use_reserve(ceiling, 2 * ROOM);
    assert_in_range(ceiling_look(ceiling, now_ns, 0), 0, 79);
    ceiling_use_reserve(ceiling, -2 * (int64_t)ROOM);
    assert_in_range(ceiling_look(ceiling, now_ns, 0), 90, 1000);
    ceiling_destroy(&ceiling);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_one_it_is_calm),
        cmocka_unit_test(memory_that_was_taken_is_seen),
        cmocka_unit_test(the_kernel_is_asked_seldom),
        cmocka_unit_test(the_reserve_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
