/* The schedule of faults, and each thread's place in it. */

#include "base/fault.h"

#include "base/check.h"
#include "base/slice.h"

#include <stdlib.h>

enum { MILLION = 1000000 };

static const char *const call_names[] = {
#define X(name) #name,
    FAULT_CALLS_EACH(X)
#undef X
};

/* "0.015" is 15000, "1" is all. */
static enum status parse_rate(struct slice text, uint32_t *ret_per_million)
{
    struct slice whole;
    uint64_t rate = 0;
    uint32_t unit = MILLION;
    if (!slice_next_part(&text, '.', &whole) || slice_to_u64(whole, 1, &rate) != ST_OK ||
        text.len > 6)
        return ST_BAD;
    rate *= MILLION;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return ST_BAD;
        unit /= 10;
        rate += (uint64_t)(text.at[i] - '0') * unit;
    }
    *ret_per_million = (uint32_t)rate;
    return rate <= MILLION ? ST_OK : ST_BAD;
}

static enum status parse_word(struct fault_schedule *schedule, struct slice name,
                              struct slice value)
{
    if (slice_equals(name, SLICE("seed")))
        return slice_to_u64(value, UINT64_MAX, &schedule->seed) == ST_OK ? ST_OK : ST_BAD;
    uint32_t rate = 0;
    bool is_all = slice_equals(name, SLICE("all"));
    bool is_known = is_all;
    if (parse_rate(value, &rate) != ST_OK)
        return ST_BAD;
    for (int call = 0; call < FAULT_CALLS; call++) {
        if (!is_all && !slice_equals(name, slice_from_string(call_names[call])))
            continue;
        schedule->per_million[call] = rate;
        is_known = true;
    }
    return is_known ? ST_OK : ST_BAD;
}

enum status fault_schedule_parse(const char *text, struct fault_schedule *ret_schedule)
{
    struct fault_schedule schedule = {0};
    struct slice rest = slice_from_string(text);
    struct slice word;
    struct slice name;
    while (slice_next_part(&rest, ' ', &word)) {
        if (word.len == 0)
            continue;
        if (!slice_next_part(&word, '=', &name) || parse_word(&schedule, name, word) != ST_OK)
            return ST_BAD;
    }
    *ret_schedule = schedule;
    return ST_OK;
}

enum fault_kind fault_draw(const struct fault_schedule *schedule, struct random *random,
                           enum fault_call call)
{
    uint32_t rate = schedule->per_million[call];
    if (rate == 0 || random_below(random, MILLION) >= rate)
        return FAULT_NONE;
    return (enum fault_kind)(FAULT_FAIL + random_below(random, 3));
}

#ifdef FAIRLEAD_FAULTS

enum { LATE_MAX = 65536 };

static _Thread_local struct {
    bool is_on;
    struct fault_schedule schedule;
    struct random random;
    int late[LATE_MAX];
    bool is_late[LATE_MAX]; /* by descriptor: it is in the list */
    unsigned late_count;
} own;

void fault_begin(unsigned thread)
{
    const char *text = getenv(FAULT_VARIABLE);
    if (text == NULL)
        return;
    CHECK(fault_schedule_parse(text, &own.schedule) == ST_OK);
    random_seed(&own.random, own.schedule.seed + thread);
    own.is_on = true;
}

enum fault_kind fault_next(enum fault_call call)
{
    return own.is_on ? fault_draw(&own.schedule, &own.random, call) : FAULT_NONE;
}

void fault_note_late(int fd)
{
    CHECK(fd >= 0 && fd < LATE_MAX);
    if (!own.is_late[fd])
        own.late[own.late_count++] = fd;
    own.is_late[fd] = true;
}

bool fault_take_late(int *ret_fd)
{
    if (own.late_count == 0)
        return false;
    *ret_fd = own.late[--own.late_count];
    own.is_late[*ret_fd] = false;
    return true;
}

#endif
