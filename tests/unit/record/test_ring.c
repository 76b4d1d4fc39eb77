#include "record_test.h"

#include "base/check.h"
#include "record/ring.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SIZE = 4096, HEADER = 8, LARGE = 1 << 20 };

static char pattern[2 * SIZE];

static int fill_pattern(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (char)(i * 31 + i / 256);
    return 0;
}

static struct ring *ring_of(size_t bytes)
{
    struct ring *ring = ring_create(bytes);
    CHECK(ring != NULL);
    return ring;
}

static bool put(struct ring *ring, uint32_t len)
{
    return ring_put(ring, pattern + len % 7, len);
}

/* The next message has this length and the bytes that were put. */
static void assert_next(struct ring *ring, uint32_t len)
{
    uint32_t seen = 0;
    const void *message = ring_peek(ring, &seen);
    assert_non_null(message);
    assert_int_equal(seen, len);
    assert_memory_equal(message, pattern + len % 7, len);
    assert_ptr_equal(ring_peek(ring, &seen), message); /* looking takes nothing */
    ring_drop(ring);
}

static void assert_empty(struct ring *ring)
{
    uint32_t len;
    assert_null(ring_peek(ring, &len));
}

/* Messages come out whole and in order, empty ones among them. */
static void messages_come_out_in_order(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0, 1, 7, 8, 9, 100, 0, 1000, 3};
    struct ring *ring = ring_of(SIZE);
    assert_empty(ring);
    for (size_t i = 0; i < COUNT_OF(lengths); i++)
        assert_true(put(ring, lengths[i]));
    for (size_t i = 0; i < COUNT_OF(lengths); i++)
        assert_next(ring, lengths[i]);
    assert_empty(ring);
    assert_int_equal(ring_refused(ring), 0);
    ring_destroy(&ring);
    assert_null(ring);
    ring_destroy(&ring); /* takes NULL */
}

/* The size is rounded up to a power of two, and 4096 bytes are the least. */
static void the_size_is_a_power_of_two(void **state)
{
    (void)state;
    static const struct {
        size_t asked;
        uint32_t size;
    } rows[] = {{0, SIZE}, {1, SIZE}, {SIZE, SIZE}, {SIZE + 1, 2 * SIZE}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ring *ring = ring_of(rows[i].asked);
        assert_false(put(ring, rows[i].size - HEADER + 1));
        assert_true(put(ring, rows[i].size - HEADER));
        assert_next(ring, rows[i].size - HEADER);
        ring_destroy(&ring);
    }
}

/* A full ring refuses and counts, keeps what it holds, and takes again once there is room. */
static void a_full_ring_refuses_and_counts(void **state)
{
    (void)state;
    enum { LEN = 56, MESSAGES = SIZE / (LEN + HEADER) };
    struct ring *ring = ring_of(SIZE);
    for (int i = 0; i < MESSAGES; i++)
        assert_true(put(ring, LEN));
    assert_false(put(ring, 0));
    assert_false(put(ring, LEN));
    assert_int_equal(ring_refused(ring), 2);
    assert_next(ring, LEN);
    assert_false(put(ring, LEN + 1));
    assert_true(put(ring, LEN));
    assert_false(put(ring, 0));
    assert_int_equal(ring_refused(ring), 4);
    for (int i = 0; i < MESSAGES; i++)
        assert_next(ring, LEN);
    assert_empty(ring);
    ring_destroy(&ring);
}

/* A message larger than the ring is refused, up to the largest length there is. */
static void an_impossible_message_is_refused(void **state)
{
    (void)state;
    struct ring *ring = ring_of(SIZE);
    assert_false(ring_put(ring, pattern, SIZE - HEADER + 1));
    assert_false(ring_put(ring, pattern, SIZE));
    assert_false(ring_put(ring, pattern, UINT32_MAX - 1));
    assert_false(ring_put(ring, pattern, UINT32_MAX)); /* which marks the end of the buffer */
    assert_int_equal(ring_refused(ring), 4);
    assert_empty(ring);
    ring_destroy(&ring);
}

/* A message that is made in the ring lies where it was made, and takes no more than it needs. */
static void a_message_is_made_where_it_lies(void **state)
{
    (void)state;
    struct ring *ring = ring_of(SIZE);
    for (uint32_t len = 0; len <= 1000; len += 50) {
        uint32_t seen;
        assert_true(put(ring, 8)); /* the ring is not empty */
        void *room = ring_room(ring, 1000);
        assert_non_null(room);
        memcpy(room, pattern + len % 7, len);
        assert_next(ring, 8); /* the reader goes on meanwhile, and does not see it */
        assert_empty(ring);
        assert_true(ring_put(ring, room, len));
        assert_ptr_equal(ring_peek(ring, &seen), room);
        assert_true(put(ring, 8));
        assert_next(ring, len);
        assert_next(ring, 8);
    }
    assert_null(ring_room(ring, SIZE));
    assert_null(ring_room(ring, UINT32_MAX));
    assert_int_equal(ring_refused(ring), 0); /* nothing was lost */
    ring_destroy(&ring);
}

/* Another message may be put first: it takes the room. */
static void room_is_given_until_the_next_message(void **state)
{
    (void)state;
    for (uint32_t before = 0; before < SIZE - 3 * HEADER; before += HEADER) {
        struct ring *ring = ring_of(SIZE);
        assert_true(put(ring, before));
        assert_true(put(ring, 0)); /* stays, so that the ring is not empty */
        assert_next(ring, before);
        (void)ring_room(ring, 1000); /* before the end, or after it; or there is none */
        assert_true(put(ring, 8));
        assert_next(ring, 0);
        assert_next(ring, 8);
        assert_empty(ring);
        ring_destroy(&ring);
    }
}

/* Wherever the end of the buffer falls, the message that does not fit before it starts at the front. */
static void a_message_never_wraps(void **state)
{
    (void)state;
    for (uint32_t before = 1016; before < SIZE - 2 * HEADER; before += HEADER) {
        struct ring *ring = ring_of(SIZE);
        assert_true(put(ring, before));
        assert_true(put(ring, 0)); /* stays, so that the ring is not empty */
        assert_next(ring, before);
        assert_true(put(ring, 1000)); /* before the end, or after it */
        assert_true(put(ring, 5));
        assert_next(ring, 0);
        assert_next(ring, 1000);
        assert_next(ring, 5);
        assert_empty(ring);
        ring_destroy(&ring);
    }
}

/* All of the ring is there for an empty one, wherever the last message ended. */
static void an_empty_ring_is_there_as_a_whole(void **state)
{
    (void)state;
    for (uint32_t before = 0; before <= SIZE - HEADER; before += HEADER) {
        struct ring *ring = ring_of(SIZE);
        assert_true(put(ring, before));
        assert_next(ring, before);
        assert_true(put(ring, SIZE - HEADER));
        assert_next(ring, SIZE - HEADER);
        ring_destroy(&ring);
    }
}

/* What is lost at the end of the buffer counts as taken, so that nothing unread is written over. */
static void what_is_skipped_counts_as_taken(void **state)
{
    (void)state;
    struct ring *ring = ring_of(SIZE);
    assert_true(put(ring, 2000));
    assert_true(put(ring, 1000)); /* ends at 3016, 1080 bytes before the end */
    assert_next(ring, 2000);
    assert_false(put(ring, 2001)); /* 2009 padded to 2016 are more than the 2008 at the front */
    assert_true(put(ring, 2000));  /* exactly up to the unread message */
    assert_false(put(ring, 0));
    assert_next(ring, 1000);
    assert_next(ring, 2000);
    assert_empty(ring);
    ring_destroy(&ring);
}

/* A random mixture over many rounds comes out as a plain queue would give it. */
static void a_long_mixture_comes_out_right(void **state)
{
    (void)state;
    enum { STEPS = 200000, WAITING = 1024 };
    static uint32_t waiting[WAITING];
    struct ring *ring = ring_of(SIZE);
    unsigned first = 0;
    unsigned last = 0;
    uint32_t seed = 1;
    for (int i = 0; i < STEPS; i++) {
        seed = seed * 1664525 + 1013904223;
        uint32_t len = (seed >> 16) % 600;
        if ((seed >> 8) % 2 == 0 && put(ring, len))
            waiting[last++ % WAITING] = len;
        else if (first != last)
            assert_next(ring, waiting[first++ % WAITING]);
    }
    while (first != last)
        assert_next(ring, waiting[first++ % WAITING]);
    assert_empty(ring);
    assert_true(ring_refused(ring) > 0);
    ring_destroy(&ring);
}

/* Pages of this ring that are resident. */
static size_t resident(const void *first)
{
    enum { PAGES = LARGE / 4096 };
    unsigned char is_there[PAGES];
    size_t count = 0;
    assert_int_equal(mincore((void *)((uintptr_t)first & ~(uintptr_t)4095), LARGE, is_there), 0);
    for (size_t i = 0; i < PAGES; i++)
        count += is_there[i] & 1;
    return count;
}

static const void *first_message(struct ring *ring)
{
    uint32_t len;
    return ring_peek(ring, &len);
}

/* As long as the reader keeps up, messages go to the same memory again and again. */
static void a_ring_that_runs_empty_begins_anew(void **state)
{
    (void)state;
    struct ring *ring = ring_of(LARGE);
    assert_true(put(ring, 1000));
    const void *first = first_message(ring);
    assert_next(ring, 1000);
    for (int i = 0; i < 10 * LARGE / 1000; i++) {
        assert_true(put(ring, 1000));
        assert_true(put(ring, 3));
        assert_next(ring, 1000);
        assert_next(ring, 3);
    }
    assert_empty(ring);
    assert_int_equal(resident(first), 1);
    ring_destroy(&ring);
}

/* What a burst touched goes back when it was read, and not before. */
static void a_burst_is_tidied_up(void **state)
{
    (void)state;
    struct ring *ring = ring_of(LARGE);
    assert_true(put(ring, 1000));
    const void *first = first_message(ring);
    for (int i = 1; i < LARGE / 1008; i++)
        assert_true(put(ring, 1000));
    ring_tidy(ring);
    for (int i = 0; i < LARGE / 1008; i++)
        assert_next(ring, 1000);
    assert_empty(ring);
    assert_true(resident(first) > LARGE / 4096 / 2);
    ring_tidy(ring);
    assert_int_equal(resident(first) * 4096, RING_WARM);
    for (uint32_t len = 0; len < 2000; len += 77) {
        assert_true(put(ring, len));
        assert_next(ring, len);
        ring_tidy(ring);
    }
    assert_empty(ring);
    ring_destroy(&ring);
}

enum { THREAD_MESSAGES = 100000 };

static uint32_t length_of(uint64_t number)
{
    return (uint32_t)(sizeof(number) + number * 37 % 300);
}

/* In the ring where there is room for any of them, else in a copy. */
static bool write_number(struct ring *ring, uint64_t number)
{
    char copied[sizeof(uint64_t) + 300];
    char *made = ring_room(ring, sizeof(copied));
    char *message = made != NULL ? made : copied;
    memset(message, (int)(number & 0xff), sizeof(copied));
    memcpy(message, &number, sizeof(number));
    return ring_put(ring, message, length_of(number));
}

static void *write_numbers(void *with)
{
    struct ring *ring = with;
    for (uint64_t number = 0; number < THREAD_MESSAGES; number++) {
        while (!write_number(ring, number))
            (void)sched_yield();
        if (number % 64 == 0)
            ring_tidy(ring);
    }
    return NULL;
}

static void share_a_ring(size_t bytes)
{
    struct ring *ring = ring_of(bytes);
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, write_numbers, ring), 0);
    for (uint64_t expected = 0; expected < THREAD_MESSAGES; expected++) {
        uint32_t len = 0;
        const char *message;
        while ((message = ring_peek(ring, &len)) == NULL)
            (void)sched_yield();
        uint64_t number;
        memcpy(&number, message, sizeof(number));
        assert_true(number == expected);
        assert_int_equal(len, length_of(number));
        for (uint32_t i = sizeof(number); i < len; i++)
            assert_int_equal((unsigned char)message[i], number & 0xff);
        (void)ring_refused(ring); /* any thread may ask */
        ring_drop(ring);
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
    assert_empty(ring);
    ring_destroy(&ring);
}

/* One thread writes while another reads: each message arrives whole, once and in order. */
static void two_threads_share_a_ring(void **state)
{
    (void)state;
    share_a_ring(SIZE);
    share_a_ring(LARGE); /* which begins anew, and is tidied */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_out_in_order),
        cmocka_unit_test(the_size_is_a_power_of_two),
        cmocka_unit_test(a_full_ring_refuses_and_counts),
        cmocka_unit_test(an_impossible_message_is_refused),
        cmocka_unit_test(a_message_is_made_where_it_lies),
        cmocka_unit_test(room_is_given_until_the_next_message),
        cmocka_unit_test(a_message_never_wraps),
        cmocka_unit_test(an_empty_ring_is_there_as_a_whole),
        cmocka_unit_test(what_is_skipped_counts_as_taken),
        cmocka_unit_test(a_long_mixture_comes_out_right),
        cmocka_unit_test(a_ring_that_runs_empty_begins_anew),
        cmocka_unit_test(a_burst_is_tidied_up),
        cmocka_unit_test(two_threads_share_a_ring),
    };
    return cmocka_run_group_tests(tests, fill_pattern, NULL);
}
