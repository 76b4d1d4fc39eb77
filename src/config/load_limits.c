/* Budgets as a whole: what each of their values allows for itself, and together does not. */

#include "config/loader_internal.h"

#include "base/check.h"

enum { MEMORY_LEAST_MIB = 24, BANDWIDTH_LEAST = 1024 };

static void range_report(struct loader *loader, const struct budget_range *range,
                         const struct parse_node *node, const char *key, struct slice words)
{
    char space[SCHEMA_KEY_MAX];
    struct text text = text_on(space, sizeof(space));
    text_add_format(&text, "limits.ranges[%zu].%s",
                    (size_t)(range - loader->config->limits.budget.ranges), key);
    loader_report(loader, &node->place, text_slice(&text), words);
}

void loader_check_range(struct loader *loader, struct budget_range *range,
                        const struct parse_node *node)
{
    const struct budget_rules *budget = &loader->config->limits.budget;
    if (range->from.count == 0)
        range_report(loader, range, node, "from", SLICE("is missing"));
    if (range->limits.bandwidth > 0 && range->limits.bandwidth < BANDWIDTH_LEAST)
        range_report(loader, range, node, "bandwidth", SLICE("is less than 1KiB/s"));
    if (range->name.len == 0) {
        char space[32];
        struct text text = text_on(space, sizeof(space));
        text_add_format(&text, "%zu", (size_t)(range - budget->ranges));
        range->name = memory_copy(loader->memory, text_slice(&text));
    }
    if (range->name.at == NULL) {
        loader->is_out_of_memory = true;
        return;
    }
    for (const struct budget_range *other = budget->ranges; other < range; other++) {
        if (slice_equals(other->name, range->name)) {
            range_report(loader, range, node, "name", SLICE("another range has this name"));
            return;
        }
    }
}

void loader_check_limits(struct loader *loader)
{
    struct config *config = loader->config;
    struct budget_limits *parties[] = {&config->limits.budget.all,
                                       &config->limits.budget.per_client,
                                       &config->limits.budget.per_user};
    static const char *const keys[] = {"limits.bandwidth", "limits.per_client.bandwidth",
                                       "limits.per_user.bandwidth"};
    for (size_t i = 0; i < COUNT_OF(parties); i++) {
        if (parties[i]->bandwidth > 0 && parties[i]->bandwidth < BANDWIDTH_LEAST)
            loader_report_setting(loader, &parties[i]->bandwidth, keys[i],
                                  SLICE("is less than 1KiB/s"));
    }
    if (config->limits.memory_bytes > 0 && config->limits.memory_bytes < (uint64_t)MEMORY_LEAST_MIB
                                                                             << 20)
        loader_report_setting(loader, &config->limits.memory_bytes, "limits.memory",
                              SLICE("is less than the 24MiB that the program needs for itself"));
}
