/* A direct-mapped table of hashes. Two origins with the same 64-bit hash would be taken for one another, which
 * an outsider cannot arrange since the hash is seeded, and which would cost a 411 or an early 100. */

#include "upstream/versions.h"

#include "base/clock.h"
#include "base/table.h"

static uint64_t versions_hash(const struct host *host, uint16_t port)
{
    return table_hash(host_slice(host)) ^ (uint64_t)port << 48;
}

void versions_note(struct versions *versions, const struct host *host, uint16_t port, bool is_old)
{
    if (!is_old && !versions->has_any)
        return;
    uint64_t hash = versions_hash(host, port);
    size_t place = hash % VERSIONS_PLACES;
    if (is_old) {
        versions->has_any = true;
        versions->at[place].hash = hash;
        versions->at[place].until_ns = clock_monotonic_ns() + (uint64_t)VERSIONS_KEEP_S * NS_PER_S;
    } else if (versions->at[place].hash == hash) {
        versions->at[place].until_ns = 0;
    }
}

bool versions_is_old(const struct versions *versions, const struct host *host, uint16_t port)
{
    uint64_t hash = versions_hash(host, port);
    size_t place = hash % VERSIONS_PLACES;
    return versions->at[place].hash == hash && versions->at[place].until_ns > clock_monotonic_ns();
}
