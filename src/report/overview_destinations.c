/* Destinations forget half of what they know each minute: they show how things are, not how they were. Each has a few
 * places behind its hash, of which a new one takes the one with the fewest transactions: so the frequent ones stay,
 * without a walk through all. */

#include "report/overview_internal.h"

#include "base/table.h"

#include <string.h>

enum {
    PLACES = 8,               /* where one may lie */
    SLOW_LEAST = 5,           /* durations that a judgement needs */
    PORT_SPREAD = 0x1e3779b1, /* odd: ports of one host lie apart */
};

static const enum phase slow_phases[] = {
#define X(name) PHASE_##name,
    SLOW_PHASES(X)
#undef X
};

enum phase destination_slow_phase(uint8_t index)
{
    return slow_phases[index];
}

const struct histogram *destination_worst(const struct destination *destination, uint8_t *ret_index)
{
    const struct histogram *worst = NULL;
    uint64_t worst_ns = 0;
    for (size_t i = 0; i < SLOW_IN_COUNT; i++) {
        const struct histogram *histogram = &destination->phases[i];
        uint64_t p90_ns = histogram->count < SLOW_LEAST ? 0 : histogram_quantile_ns(histogram, 900);
        if (p90_ns <= worst_ns)
            continue;
        worst = histogram;
        worst_ns = p90_ns;
        *ret_index = (uint8_t)i;
    }
    return worst_ns >= RECORD_SLOW_NS ? worst : NULL;
}

/* Slow is a destination of which one phase takes RECORD_SLOW_NS or more in a tenth of the cases. */
void destination_judge(struct destination *destination, uint64_t now_ns)
{
    uint8_t slow_in = NOT_SLOW;
    if (destination_worst(destination, &slow_in) == NULL)
        slow_in = NOT_SLOW;
    if (slow_in != destination->slow_in)
        destination->slow_since_ns = now_ns;
    destination->slow_in = slow_in;
}

void destination_forget_half(struct destination *destination)
{
    destination->transactions /= 2;
    destination->failed /= 2;
    histogram_halve(&destination->total);
    for (size_t i = 0; i < SLOW_IN_COUNT; i++)
        histogram_halve(&destination->phases[i]);
    if (destination->transactions == 0)
        destination->hash = 0;
}

/* The port that the URL names, or 0 where it is the usual one. A tunnel's usual one is that of https. */
static uint16_t destination_port(struct slice url)
{
    bool is_http = slice_starts_with_nocase(url, SLICE("http://"));
    if (is_http)
        url = slice_from(url, sizeof("http://") - 1);
    else if (slice_starts_with_nocase(url, SLICE("https://")))
        url = slice_from(url, sizeof("https://") - 1);
    size_t end = 0;
    while (end < url.len && url.at[end] != '/' && url.at[end] != '?' && url.at[end] != '#')
        end++;
    url = slice_first(url, end);
    uint64_t port = 0;
    if (slice_to_u64(slice_from(url, slice_find_last(url, ':') + 1), UINT16_MAX, &port) != ST_OK ||
        port == (is_http ? 80 : 443))
        return 0;
    return (uint16_t)port;
}

static struct destination *destination_find(struct overview *overview, struct slice host,
                                            uint16_t port)
{
    uint64_t hash = (table_hash(host) + (uint64_t)port * PORT_SPREAD) | 1;
    struct destination *least = NULL;
    for (size_t i = 0; i < PLACES; i++) {
        struct destination *each = &overview->destinations[(hash + i) % OVERVIEW_DESTINATIONS];
        if (each->hash == hash && each->port == port &&
            slice_equals(slice_from_string(each->host), host))
            return each;
        bool is_less = least == NULL || each->hash == 0 || each->transactions < least->transactions;
        if (is_less &&
            (least == NULL || least->hash != 0)) /* of free ones the first, to be found soon */
            least = each;
    }
    memset(least, 0, sizeof(*least));
    least->hash = hash;
    least->slow_in = NOT_SLOW;
    least->port = port;
    memcpy(least->host, host.at, host.len);
    return least;
}

struct destination *destination_of(struct overview *overview, const struct record *record)
{
    struct slice host = record_get(record, record->host);
    if (host.len == 0 || host.len > HOST_MAX || record->end == END_REFUSED)
        return NULL;
    uint16_t port = destination_port(record_get(record, record->url));
    struct destination *destination = destination_find(overview, host, port);
    destination->transactions++;
    destination->failed += record->cause.len > 0;
    return destination;
}

struct histogram *destination_phase(struct destination *destination, enum phase phase)
{
    static const uint8_t places[PHASE_COUNT] = {
#define X(name) [PHASE_##name] = 1 + SLOW_IN_##name,
        SLOW_PHASES(X)
#undef X
    };
    if (destination == NULL)
        return NULL;
    if (phase == PHASE_TOTAL)
        return &destination->total;
    return places[phase] == 0 ? NULL : &destination->phases[places[phase] - 1];
}
