/* One thread at a time asks the kernel; the others take what is known. */

#include "budget/ceiling.h"

#include "base/clock.h"
#include "base/slice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    LOOK_MS = 20,
    LOOK_NEAR_MS = 4,
    LOOK_BYTES = 1 << 20,
    NEAR_PERCENT = 70,
};

struct ceiling {
    int statm;
    uint64_t bytes;
    uint64_t page_bytes;
    atomic_uint_fast64_t looked_ns;
    atomic_uint_fast64_t grown; /* since then */
    atomic_uint_fast64_t resident;
    atomic_uint_fast64_t reserve;
    atomic_int_fast64_t used_of_reserve;
    atomic_flag is_looking;
};

/* The second number of /proc/self/statm: resident pages. */
static enum status ceiling_ask(struct ceiling *ceiling)
{
    char text[128];
    uint64_t resident = 0;
    struct slice part;
    ssize_t len = pread(ceiling->statm, text, sizeof(text), 0);
    if (len <= 0)
        return ST_IO;
    struct slice rest = slice_of(text, (size_t)len);
    bool has_both = slice_next_part(&rest, ' ', &part) && slice_next_part(&rest, ' ', &part);
    if (!has_both || slice_to_u64(part, UINT32_MAX, &resident) != ST_OK)
        return ST_IO;
    atomic_store_explicit(&ceiling->resident, resident * ceiling->page_bytes, memory_order_relaxed);
    return ST_OK;
}

enum status ceiling_create(uint64_t bytes, struct ceiling **ret_ceiling)
{
    struct ceiling *ceiling = calloc(1, sizeof(*ceiling));
    if (ceiling == NULL)
        return ST_NOMEM;
    ceiling->bytes = bytes;
    ceiling->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    ceiling->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (ceiling->statm < 0 || ceiling_ask(ceiling) != ST_OK) {
        int error = errno;
        ceiling_destroy(&ceiling);
        errno = error;
        return ST_IO;
    }
    *ret_ceiling = ceiling;
    return ST_OK;
}

void ceiling_destroy(struct ceiling **ceiling)
{
    if (*ceiling != NULL && (*ceiling)->statm >= 0)
        (void)close((*ceiling)->statm);
    free(*ceiling);
    *ceiling = NULL;
}

static unsigned ceiling_percent(const struct ceiling *ceiling)
{
    uint64_t reserve = atomic_load_explicit(&ceiling->reserve, memory_order_relaxed);
    int64_t used = atomic_load_explicit(&ceiling->used_of_reserve, memory_order_relaxed);
    uint64_t kept =
        used > 0 && (uint64_t)used >= reserve ? 0 : reserve - (uint64_t)(used > 0 ? used : 0);
    uint64_t taken = atomic_load_explicit(&ceiling->resident, memory_order_relaxed) + kept +
                     atomic_load_explicit(&ceiling->grown, memory_order_relaxed);
    return (unsigned)(taken / (ceiling->bytes / 100));
}

unsigned ceiling_look(struct ceiling *ceiling, uint64_t now_ns, size_t grown)
{
    if (ceiling == NULL)
        return 0;
    uint64_t sum = atomic_fetch_add_explicit(&ceiling->grown, grown, memory_order_relaxed) + grown;
    unsigned percent = ceiling_percent(ceiling);
    uint64_t pause_ns = (percent < NEAR_PERCENT ? LOOK_MS : LOOK_NEAR_MS) * NS_PER_MS;
    uint64_t looked_ns = atomic_load_explicit(&ceiling->looked_ns, memory_order_relaxed);
    bool is_due = now_ns >= looked_ns + pause_ns || sum >= LOOK_BYTES;
    if (!is_due || atomic_flag_test_and_set_explicit(&ceiling->is_looking, memory_order_acquire))
        return percent;
    atomic_store_explicit(&ceiling->looked_ns, now_ns, memory_order_relaxed);
    atomic_store_explicit(&ceiling->grown, 0, memory_order_relaxed);
    (void)ceiling_ask(ceiling); /* a failure leaves the last answer */
    atomic_flag_clear_explicit(&ceiling->is_looking, memory_order_release);
    return ceiling_percent(ceiling);
}

void ceiling_set_reserve(struct ceiling *ceiling, uint64_t bytes)
{
    if (ceiling != NULL)
        atomic_store_explicit(&ceiling->reserve, bytes, memory_order_relaxed);
}

void ceiling_use_reserve(struct ceiling *ceiling, int64_t bytes)
{
    if (ceiling != NULL)
        (void)atomic_fetch_add_explicit(&ceiling->used_of_reserve, bytes, memory_order_relaxed);
}

uint64_t ceiling_resident(const struct ceiling *ceiling)
{
    return ceiling == NULL ? 0 : atomic_load_explicit(&ceiling->resident, memory_order_relaxed);
}
