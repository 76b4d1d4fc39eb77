/* A hierarchical timer wheel with a grain of a millisecond.
 *
 * A time in milliseconds is read as digits of 6 bits. A timer stands in the level of the highest digit in
 * which its tick differs from the wheel's time, in the slot of that digit. So every timer of a level is due
 * before every timer of the levels above, and the next slot to come up is found in the lowest level that is
 * not empty. When the wheel's time reaches a slot of a higher level, its timers are put in again, further
 * down; in level 0 a slot is one tick, and its timers fire.
 *
 * Invariants:
 *     W1  A timer never fires before its deadline: its tick is rounded up, the wheel's time down.
 *     W2  Between two ticks that have a slot the wheel's time may jump: W3 still holds.
 *     W3  A timer that stands in level n shares all digits above n with the wheel's time, and its digit n
 *         is greater. Level 0 is the same, so that a slot never holds two ticks.
 *     W4  A slot that holds a timer has its bit in `occupied`; the bit of an empty slot may be left over,
 *         since timer_cancel does not know the wheel, and is cleared when it is met.
 *
 * A timer stands where it belonged when it was put there (slot_ns). Moving it later only stores the new
 * deadline; when the slot comes up, it is put in again. So a keep-alive timer that is moved with every
 * request costs a store, not a list operation.
 *
 * Not done here: waiting. The loop asks wheel_next_ns, which may name the time of a slot to be put in again
 * rather than a deadline. */

#include "io/loop_internal.h"

#include "base/check.h"
#include "base/clock.h"

#include <assert.h>

enum { WHEEL_DIGIT_BITS = 6 };

static_assert(WHEEL_SLOTS == 1 << WHEEL_DIGIT_BITS, "one digit, one slot");
static_assert(WHEEL_LEVELS * WHEEL_DIGIT_BITS >= 45, "any 64-bit time in ns has its place");

static uint64_t wheel_tick(uint64_t deadline_ns)
{
    return deadline_ns / NS_PER_MS + (deadline_ns % NS_PER_MS != 0); /* W1 */
}

static unsigned wheel_digit(uint64_t tick, int level)
{
    return (unsigned)(tick >> (WHEEL_DIGIT_BITS * level)) & (WHEEL_SLOTS - 1);
}

void wheel_init(struct wheel *wheel, uint64_t now_ns)
{
    wheel->now_ms = now_ns / NS_PER_MS;
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        wheel->occupied[level] = 0;
        for (int slot = 0; slot < WHEEL_SLOTS; slot++)
            link_init(&wheel->slots[level][slot]);
    }
}

void wheel_drop_all(struct wheel *wheel)
{
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        for (int slot = 0; slot < WHEEL_SLOTS; slot++) {
            LIST_EACH(link, &wheel->slots[level][slot])
                timer_cancel(CONTAINER_OF(link, struct timer, link));
        }
    }
}

/* Put a timer where it belongs; `earliest` is the first tick that has not been served. */
static void wheel_place(struct wheel *wheel, struct timer *timer, uint64_t earliest)
{
    uint64_t tick = wheel_tick(timer->deadline_ns);
    if (tick < earliest)
        tick = earliest;
    int highest_bit = 63 - __builtin_clzll((tick ^ wheel->now_ms) | 1);
    int level = highest_bit / WHEEL_DIGIT_BITS;
    unsigned slot = wheel_digit(tick, level);
    timer->slot_ns = timer->deadline_ns;
    wheel->occupied[level] |= 1ULL << slot;
    list_append(&wheel->slots[level][slot], &timer->link);
}

void wheel_add(struct wheel *wheel, struct timer *timer)
{
    wheel_place(wheel, timer, wheel->now_ms + 1);
}

/* The time of the first slot of `level` that holds a timer, UINT64_MAX for none. Clears left-over bits. */
static uint64_t wheel_level_next(struct wheel *wheel, int level)
{
    int shift = WHEEL_DIGIT_BITS * level;
    while (wheel->occupied[level] != 0) {
        unsigned slot = (unsigned)__builtin_ctzll(wheel->occupied[level]);
        if (!list_is_empty(&wheel->slots[level][slot])) {
            uint64_t above = wheel->now_ms >> shift >> WHEEL_DIGIT_BITS << WHEEL_DIGIT_BITS;
            return (above | slot) << shift; /* W3: the slot lies ahead */
        }
        wheel->occupied[level] &= ~(1ULL << slot);
    }
    return UINT64_MAX;
}

static uint64_t wheel_next_tick(struct wheel *wheel)
{
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        uint64_t tick = wheel_level_next(wheel, level);
        if (tick != UINT64_MAX)
            return tick;
    }
    return UINT64_MAX;
}

/* Take the timers of the slot that the wheel's time has reached in `level`. */
static void wheel_take_slot(struct wheel *wheel, int level, struct link *taken)
{
    unsigned slot = wheel_digit(wheel->now_ms, level);
    link_init(taken);
    list_take_all(taken, &wheel->slots[level][slot]);
    wheel->occupied[level] &= ~(1ULL << slot);
}

/* Put the timers of the slots that begin at this tick into the levels below. */
static void wheel_cascade(struct wheel *wheel)
{
    for (int level = 1; level < WHEEL_LEVELS; level++) {
        struct link taken;
        if (wheel_digit(wheel->now_ms, level - 1) != 0)
            return;
        wheel_take_slot(wheel, level, &taken);
        LIST_EACH(link, &taken) {
            link_remove(link);
            wheel_place(wheel, CONTAINER_OF(link, struct timer, link), wheel->now_ms);
        }
    }
}

static size_t wheel_fire_slot(struct wheel *wheel)
{
    struct link due;
    struct link *link;
    size_t fired = 0;
    wheel_take_slot(wheel, 0, &due);
    while ((link = list_first(&due)) != NULL) {
        struct timer *timer = CONTAINER_OF(link, struct timer, link);
        link_remove(link);
        if (wheel_tick(timer->deadline_ns) > wheel->now_ms) { /* it was moved later */
            wheel_add(wheel, timer);
            continue;
        }
        timer->deadline_ns = 0;
        timer->fire(timer);
        fired++;
    }
    return fired;
}

size_t wheel_turn(struct wheel *wheel, uint64_t now_ns)
{
    uint64_t now_ms = now_ns / NS_PER_MS;
    size_t fired = 0;
    while (wheel->now_ms < now_ms) {
        uint64_t next = wheel_next_tick(wheel);
        wheel->now_ms = next < now_ms ? next : now_ms; /* W2 */
        if (next > now_ms)
            break;
        wheel_cascade(wheel);
        fired += wheel_fire_slot(wheel);
    }
    return fired;
}

uint64_t wheel_next_ns(struct wheel *wheel)
{
    uint64_t tick = wheel_next_tick(wheel);
    return tick > UINT64_MAX / NS_PER_MS ? UINT64_MAX : tick * NS_PER_MS;
}

uint64_t wheel_earliest_ns(const struct wheel *wheel)
{
    uint64_t earliest = UINT64_MAX;
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        for (int slot = 0; slot < WHEEL_SLOTS; slot++) {
            const struct link *head = &wheel->slots[level][slot];
            for (const struct link *link = head->next; link != head; link = link->next) {
                const struct timer *timer =
                    (const struct timer *)(const void *)((const char *)link -
                                                         offsetof(struct timer, link));
                if (timer->deadline_ns < earliest)
                    earliest = timer->deadline_ns;
            }
        }
    }
    return earliest;
}

void timer_set(struct loop *loop, struct timer *timer, uint64_t deadline_ns)
{
    if (deadline_ns == 0)
        deadline_ns = 1; /* 0 says: not set */
    bool is_later = link_is_linked(&timer->link) && deadline_ns >= timer->slot_ns;
    timer->deadline_ns = deadline_ns;
    if (is_later)
        return;
    link_remove(&timer->link);
    wheel_add(&loop->wheel, timer);
}

void timer_cancel(struct timer *timer)
{
    link_remove(&timer->link);
    timer->deadline_ns = 0;
}
