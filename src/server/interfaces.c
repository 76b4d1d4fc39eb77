/* The addresses of this machine, all of them or none: a list that was cut would leave the rest open to
 * clients without a word. */

#include "server/interfaces.h"

#include "base/check.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>

static int interfaces_order(const void *a, const void *b)
{
    return inet_addr_compare(a, b);
}

/* INET_NONE: no address that the gate needs to know. */
static struct inet_addr interfaces_addr(const struct ifaddrs *entry)
{
    struct inet_addr none = {.family = INET_NONE};
    if (entry->ifa_addr == NULL)
        return none;
    struct inet_addr addr =
        inet_from_sockaddr(entry->ifa_addr, sizeof(struct sockaddr_storage)).addr;
    return inet_addr_is_loopback(&addr) ? none : addr;
}

/* In order, and each once: the same address may stand on several interfaces. */
static void interfaces_sort(struct interfaces *all)
{
    size_t kept = 0;
    if (all->count == 0)
        return;
    qsort(all->at, all->count, sizeof(*all->at), interfaces_order);
    for (size_t i = 1; i < all->count; i++) {
        if (!inet_addr_equals(&all->at[i], &all->at[kept]))
            all->at[++kept] = all->at[i];
    }
    all->count = kept + 1;
}

static enum status interfaces_copy(const struct ifaddrs *list, struct interfaces *ret_all,
                                   struct text *fault)
{
    size_t count = 0;
    for (const struct ifaddrs *entry = list; entry != NULL; entry = entry->ifa_next)
        count += interfaces_addr(entry).family != INET_NONE;
    if (count > INTERFACES_MAX) {
        text_add_format(fault, "this machine has more than %d addresses", INTERFACES_MAX);
        return ST_LIMIT;
    }
    struct interfaces all = {.at = calloc(count + 1, sizeof(*all.at))};
    if (all.at == NULL) {
        text_add_format(fault, "out of memory");
        return ST_NOMEM;
    }
    for (const struct ifaddrs *entry = list; entry != NULL; entry = entry->ifa_next) {
        struct inet_addr addr = interfaces_addr(entry);
        if (addr.family != INET_NONE)
            all.at[all.count++] = addr;
    }
    interfaces_sort(&all);
    *ret_all = all;
    return ST_OK;
}

enum status interfaces_read(struct interfaces *ret_all, struct text *fault)
{
    struct ifaddrs *list;
    if (getifaddrs(&list) < 0) {
        text_add_format(fault, "the addresses of this machine cannot be read: %s", strerror(errno));
        return ST_IO;
    }
    enum status status = interfaces_copy(list, ret_all, fault);
    freeifaddrs(list);
    return status;
}

bool interfaces_are_equal(const struct interfaces *a, const struct interfaces *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!inet_addr_equals(&a->at[i], &b->at[i]))
            return false;
    }
    return true;
}

void interfaces_done(struct interfaces *all)
{
    free(all->at);
    *all = (struct interfaces){0};
}
