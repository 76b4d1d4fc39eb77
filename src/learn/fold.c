/* Sorted by their names from behind, the hosts below one name stand together. So each depth is one pass, from the
 * deepest up: a run of hosts that are not folded yet, and have the same last labels and more before them.
 *
 * The narrowest name is taken that has hosts enough, since each further one that it lets pass was never asked for. */

#include "learn/fold.h"

#include <stdlib.h>

static int compare_from_behind(const void *a, const void *b)
{
    struct slice left = ((const struct fold_host *)a)->name;
    struct slice right = ((const struct fold_host *)b)->name;
    size_t least = left.len < right.len ? left.len : right.len;
    for (size_t i = 1; i <= least; i++) {
        unsigned char l = (unsigned char)left.at[left.len - i];
        unsigned char r = (unsigned char)right.at[right.len - i];
        if (l != r)
            return l < r ? -1 : 1;
    }
    return (left.len > right.len) - (left.len < right.len);
}

static size_t count_labels(struct slice name)
{
    size_t count = name.len > 0 ? 1 : 0;
    for (size_t i = 0; i < name.len; i++)
        count += name.at[i] == '.' ? 1 : 0;
    return count;
}

/* The last `depth` labels; empty where there are no more than these. */
static struct slice last_labels(struct slice name, size_t depth)
{
    for (size_t i = name.len; i-- > 0;) {
        if (name.at[i] == '.' && --depth == 0)
            return slice_from(name, i + 1);
    }
    return SLICE_NONE;
}

/* Could it be folded at this depth, and below what? */
static struct slice suffix_at(const struct fold_host *host, size_t depth)
{
    bool is_free = !host->is_address && host->suffix.len == 0;
    return is_free ? last_labels(host->name, depth) : SLICE_NONE;
}

/* The hosts from `begin` on with the suffix of the first; gives how many there are to look at, and how many count. */
static size_t measure_run(const struct fold_host *hosts, size_t count, size_t depth,
                          size_t *ret_free)
{
    struct slice suffix = suffix_at(&hosts[0], depth);
    size_t free_count = 0;
    size_t i = 0;
    for (; i < count; i++) {
        struct slice mine = last_labels(hosts[i].name, depth);
        if (!slice_equals(mine, suffix))
            break;
        free_count += suffix_at(&hosts[i], depth).len > 0 ? 1 : 0;
    }
    *ret_free = free_count;
    return i;
}

static void fold_at(struct fold_host *hosts, size_t count, size_t depth, size_t least,
                    const struct suffixes *suffixes)
{
    for (size_t i = 0; i < count;) {
        struct slice suffix = suffix_at(&hosts[i], depth);
        size_t free_count = 0;
        if (suffix.len == 0) {
            i++;
            continue;
        }
        size_t run = measure_run(hosts + i, count - i, depth, &free_count);
        bool folds = free_count >= least && suffixes_has_owner(suffixes, suffix);
        for (size_t j = i; folds && j < i + run; j++) {
            if (suffix_at(&hosts[j], depth).len > 0)
                hosts[j].suffix = suffix;
        }
        i += run;
    }
}

void fold_hosts(struct fold_host *hosts, size_t count, size_t least,
                const struct suffixes *suffixes)
{
    size_t deepest = 0;
    qsort(hosts, count, sizeof(*hosts), compare_from_behind);
    for (size_t i = 0; i < count; i++) {
        size_t labels = hosts[i].is_address ? 0 : count_labels(hosts[i].name);
        deepest = labels > deepest ? labels : deepest;
    }
    for (size_t depth = deepest; depth-- > 2;)
        fold_at(hosts, count, depth, least, suffixes);
}
