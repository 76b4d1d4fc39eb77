#ifndef FAIRLEAD_TESTS_NET_OCTETS_H
#define FAIRLEAD_TESTS_NET_OCTETS_H

#include <stddef.h>

/* Messages of TLS, built piece by piece. */
struct bytes {
    char at[40000];
    size_t len;
};

void put(struct bytes *bytes, const void *from, size_t len);
/* `size` bytes, the most significant first. */
void put_number(struct bytes *bytes, size_t number, size_t size);
void put_extension(struct bytes *bytes, size_t type, const void *body, size_t len);

#endif
