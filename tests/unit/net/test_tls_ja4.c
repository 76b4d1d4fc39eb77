/* JA4 against fingerprints that others have published, of the clients whose lists stand here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/tls_ja4.h"

#include <string.h>

/* "1301,1302" as bytes on the wire. */
static struct slice numbers(const char *list, char *into)
{
    size_t len = 0;
    for (const char *at = list; *at != '\0';) {
        unsigned value = 0;
        for (int digit = 0; digit < 4; digit++, at++)
            value = value << 4 | (unsigned)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
        into[len++] = (char)(unsigned char)(value >> 8);
        into[len++] = (char)(unsigned char)value;
        at += *at == ',' ? 1 : 0;
    }
    return slice_of(into, len);
}

/* Extensions without content. */
static struct slice extensions(const char *list, char *into)
{
    char types[256];
    struct slice rest = numbers(list, types);
    size_t len = 0;
    for (; rest.len > 0; rest = slice_from(rest, 2), len += 4)
        memcpy(into + len, (char[4]){rest.at[0], rest.at[1], 0, 0}, 4);
    return slice_of(into, len);
}

struct client {
    const char *ciphers, *extensions, *signatures;
    struct slice alpn;
    uint16_t version;
    bool has_name;
};

static void assert_ja4(const struct client *client, const char *expected)
{
    char space[3][1024];
    char got[TLS_JA4_TEXT];
    struct tls_hello hello = {.has_name = client->has_name,
                              .version = client->version,
                              .alpn = client->alpn,
                              .ciphers = numbers(client->ciphers, space[0]),
                              .extensions = extensions(client->extensions, space[1]),
                              .signatures = numbers(client->signatures, space[2])};
    assert_true(tls_ja4(&hello, got));
    assert_memory_equal(got, expected, TLS_JA4_TEXT);
    assert_int_equal(strlen(expected), TLS_JA4_TEXT);
}

#define CHROME_CIPHERS \
    "2a2a,1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035"
#define CHROME_SIGNATURES "0403,0804,0401,0503,0805,0501,0806,0601"
#define H2                SLICE("\2h2\10http/1.1")

static void browsers(void **state)
{
    (void)state;
    struct client chrome = {.ciphers = CHROME_CIPHERS,
                            .signatures = CHROME_SIGNATURES,
                            .alpn = H2,
                            .version = 0x0304,
                            .has_name = true};
    chrome.extensions = "8a8a,0000,0017,ff01,000a,000b,0023,0010,0005,000d,0012,0033,002d,002b,"
                        "001b,4469,1a1a,0015";
    assert_ja4(&chrome, "t13d1516h2_8daaf6152771_e5627efa2ab1");
    chrome.extensions = "3a3a,002d,0033,0010,fe0d,0017,44cd,0000,000b,000a,002b,ff01,0023,0012,"
                        "0005,000d,001b,dada";
    assert_ja4(&chrome, "t13d1516h2_8daaf6152771_d8a2da3f94cd");
    chrome.extensions = "0000,0005,000a,000b,000d,0010,0012,0017,001b,0023,002b,002d,0033,4469,"
                        "fe0d,ff01";
    assert_ja4(&chrome, "t13d1516h2_8daaf6152771_02713d6af862");
}

static void what_is_missing_is_zeros(void **state)
{
    (void)state;
    struct client bare = {.ciphers = "", .extensions = "", .signatures = "", .version = 0x0303};
    assert_ja4(&bare, "t12i000000_000000000000_000000000000");
}

static void the_first_protocol_counts(void **state)
{
    (void)state;
    struct client client = {.ciphers = "", .extensions = "", .signatures = "", .version = 0x0301};
    client.alpn = SLICE("\1x");
    assert_ja4(&client, "t10i0000xx_000000000000_000000000000");
    client.alpn = SLICE("\10http/1.1\2h2");
    assert_ja4(&client, "t10i0000h1_000000000000_000000000000");
    client.alpn = SLICE("\3\xab\x30\xcd"); /* no letters: its hexadecimal digits */
    assert_ja4(&client, "t10i0000ad_000000000000_000000000000");
}

static void more_than_anybody_offers_has_none(void **state)
{
    static char many[2 * 1000];
    char got[TLS_JA4_TEXT];
    (void)state;
    struct tls_hello hello = {.ciphers = slice_of(many, sizeof(many))};
    assert_false(tls_ja4(&hello, got));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(browsers),
        cmocka_unit_test(what_is_missing_is_zeros),
        cmocka_unit_test(the_first_protocol_counts),
        cmocka_unit_test(more_than_anybody_offers_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
