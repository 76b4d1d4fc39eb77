/* A hierarchical timer wheel with a grain of a millisecond.
 *
 * A timer stands in the slot of the time it had when it was put there (slot_ns). Moving it later only stores
 * the new deadline; when the slot comes up early, it is put in again. So a keep-alive timer that is moved
 * with every request costs a store, not a list operation. */

#include "io/loop_internal.h"

#include "base/check.h"
#include "base/clock.h"

static uint64_t wheel_tick(uint64_t deadline_ns)
{
    return (deadline_ns + NS_PER_MS - 1) / NS_PER_MS; /* never early */
}

void wheel_init(struct wheel *wheel, uint64_t now_ns)
{
    wheel->now_ms = now_ns / NS_PER_MS;
    wheel->count = 0;
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        for (int slot = 0; slot < WHEEL_SLOTS; slot++)
            link_init(&wheel->slots[level][slot]);
    }
}

void wheel_add(struct wheel *wheel, struct timer *timer)
{
    uint64_t tick = wheel_tick(timer->deadline_ns);
    if (tick <= wheel->now_ms)
        tick = wheel->now_ms + 1;
    uint64_t away = tick - wheel->now_ms;
    int level = 0;
    while (level < WHEEL_LEVELS - 1 && away >= (1ULL << (6 * (level + 1))))
        level++;
    uint64_t reach = 1ULL << (6 * WHEEL_LEVELS);
    if (away >= reach) /* beyond the wheel: its last slot, put in again from there */
        tick = wheel->now_ms + reach - 1;
    timer->slot_ns = timer->deadline_ns;
    size_t slot = (tick >> (6 * level)) & (WHEEL_SLOTS - 1);
    list_append(&wheel->slots[level][slot], &timer->link);
}

/* Put the timers of a slot of a higher level into the levels below. */
static void wheel_cascade(struct wheel *wheel, int level)
{
    size_t slot = (wheel->now_ms >> (6 * level)) & (WHEEL_SLOTS - 1);
    struct link moving;
    link_init(&moving);
    list_take_all(&moving, &wheel->slots[level][slot]);
    uint64_t now_ms = wheel->now_ms;
    wheel->now_ms = now_ms - 1; /* so that what is due at this tick lands in its slot */
    LIST_EACH(link, &moving) {
        link_remove(link);
        wheel_add(wheel, CONTAINER_OF(link, struct timer, link));
    }
    wheel->now_ms = now_ms;
    if (slot == 0 && level + 1 < WHEEL_LEVELS)
        wheel_cascade(wheel, level + 1);
}

static size_t wheel_fire_slot(struct wheel *wheel, uint64_t now_ns)
{
    struct link due;
    size_t fired = 0;
    link_init(&due);
    list_take_all(&due, &wheel->slots[0][wheel->now_ms & (WHEEL_SLOTS - 1)]);
    struct link *link;
    while ((link = list_first(&due)) != NULL) {
        struct timer *timer = CONTAINER_OF(link, struct timer, link);
        link_remove(link);
        if (timer->deadline_ns > now_ns) { /* it was moved later */
            wheel_add(wheel, timer);
            continue;
        }
        timer->deadline_ns = 0;
        timer->fire(timer);
        fired++;
    }
    return fired;
}

static bool wheel_is_empty(const struct wheel *wheel)
{
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        for (int slot = 0; slot < WHEEL_SLOTS; slot++) {
            if (!list_is_empty(&wheel->slots[level][slot]))
                return false;
        }
    }
    return true;
}

size_t wheel_turn(struct wheel *wheel, uint64_t now_ns)
{
    uint64_t now_ms = now_ns / NS_PER_MS;
    size_t fired = 0;
    if (now_ms > wheel->now_ms + 1000 && wheel_is_empty(wheel))
        wheel->now_ms = now_ms;
    while (wheel->now_ms < now_ms) {
        wheel->now_ms++;
        if ((wheel->now_ms & (WHEEL_SLOTS - 1)) == 0)
            wheel_cascade(wheel, 1);
        fired += wheel_fire_slot(wheel, now_ns);
    }
    return fired;
}

uint64_t wheel_next_ns(const struct wheel *wheel)
{
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        uint64_t base = wheel->now_ms >> (6 * level);
        for (uint64_t i = 1; i <= WHEEL_SLOTS; i++) {
            if (!list_is_empty(&wheel->slots[level][(base + i) & (WHEEL_SLOTS - 1)]))
                return ((base + i) << (6 * level)) * NS_PER_MS;
        }
    }
    return UINT64_MAX;
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
        deadline_ns = 1;
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
