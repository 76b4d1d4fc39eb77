#include "octets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

void put(struct bytes *bytes, const void *from, size_t len)
{
    assert_true(bytes->len + len <= sizeof(bytes->at));
    if (len > 0)
        memcpy(bytes->at + bytes->len, from, len);
    bytes->len += len;
}

void put_number(struct bytes *bytes, size_t number, size_t size)
{
    for (size_t i = size; i > 0; i--) {
        char c = (char)(unsigned char)(number >> 8 * (i - 1));
        put(bytes, &c, 1);
    }
}

void put_extension(struct bytes *bytes, size_t type, const void *body, size_t len)
{
    put_number(bytes, type, 2);
    put_number(bytes, len, 2);
    put(bytes, body, len);
}
