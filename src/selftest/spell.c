/* Spellings of addresses.
 *
 * What inet_aton(3) and its kin take for an address, what browsers and URL libraries fold to one, and what C code that
 * cuts at a byte would see. Only the canonical form, also with one trailing dot, is the address here; each other
 * spelling must be refused without a look-up, also where the address itself is open. */

#include "selftest/spell.h"

#include "base/check.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

static struct text spell_begin(struct spellings *into)
{
    CHECK(into->count < SPELL_MAX);
    into->at[into->count] = (struct spelling){.len = 0};
    return text_on(into->at[into->count].text, SPELL_TEXT);
}

static void spell_end(struct spellings *into, const struct text *text, const struct inet_addr *addr)
{
    CHECK(!text->is_cut);
    struct spelling *made = &into->at[into->count++];
    made->len = text->len;
    made->is_address = addr != NULL;
    if (addr != NULL)
        made->addr = *addr;
}

/* One that must be refused. */
__attribute__((format(printf, 2, 3))) static void spell_wrong(struct spellings *into,
                                                              const char *format, ...)
{
    char words[SPELL_TEXT];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(words, sizeof(words), format, arguments);
    va_end(arguments);
    CHECK(len > 0 && len < SPELL_TEXT);
    struct text text = spell_begin(into);
    text_add(&text, slice_of(words, (size_t)len));
    spell_end(into, &text, NULL);
}

static void add_addr(struct text *text, const struct inet_addr *addr)
{
    char words[INET_ADDR_TEXT];
    size_t len = inet_addr_format(addr, words);
    bool is_v6 = addr->family == INET_V6;
    text_add(text, is_v6 ? SLICE("[") : SLICE(""));
    text_add(text, slice_of(words, len));
    text_add(text, is_v6 ? SLICE("]") : SLICE(""));
}

void spell_plain(struct spelling *into, const struct inet_addr *addr)
{
    *into = (struct spelling){.is_address = true, .addr = *addr};
    struct text text = text_on(into->text, SPELL_TEXT);
    add_addr(&text, addr);
    into->len = text.len;
}

/* ---- IPv4 ---- */

/* Each byte of `digits` is replaced by the UTF-8 of the character `first` + digit, dots by `dot`. */
static void spell_unicode(struct spellings *into, const char *digits, unsigned first,
                          const char *dot)
{
    struct text text = spell_begin(into);
    for (; *digits != '\0'; digits++) {
        unsigned point = first + (unsigned)(*digits - '0');
        if (*digits == '.') {
            text_add(&text, slice_from_string(dot));
        } else if (first == '0') {
            text_add_char(&text, *digits);
        } else {
            text_add_char(&text, (char)(0xe0 | point >> 12));
            text_add_char(&text, (char)(0x80 | (point >> 6 & 0x3f)));
            text_add_char(&text, (char)(0x80 | (point & 0x3f)));
        }
    }
    spell_end(into, &text, NULL);
}

static void spell_percent(struct spellings *into, const char *plain, bool is_dot_only)
{
    struct text text = spell_begin(into);
    for (; *plain != '\0'; plain++) {
        if (*plain == '.' || !is_dot_only)
            text_add_format(&text, "%%%02x", (unsigned)(unsigned char)*plain);
        else
            text_add_char(&text, *plain);
    }
    spell_end(into, &text, NULL);
}

static void spell_v4_numbers(struct spellings *into, const uint8_t *b)
{
    unsigned tail2 = (unsigned)b[2] << 8 | b[3];
    unsigned tail3 = (unsigned)b[1] << 16 | tail2;
    unsigned all = (unsigned)b[0] << 24 | tail3;
    spell_wrong(into, "0%o.0%o.0%o.0%o", b[0], b[1], b[2], b[3]);
    spell_wrong(into, "%04o.%04o.%04o.%04o", b[0], b[1], b[2], b[3]);
    spell_wrong(into, "000000000000%o.0%o.%u.%u", b[0], b[1], b[2], b[3]);
    spell_wrong(into, "0x%x.0x%x.0x%x.0x%x", b[0], b[1], b[2], b[3]);
    spell_wrong(into, "0X%02X.0X%02X.0X%02X.0X%02X", b[0], b[1], b[2], b[3]);
    spell_wrong(into, "0x%x.%u.%u.%u", b[0], b[1], b[2], b[3]);
    spell_wrong(into, "%u.%u.%u.0x%x", b[0], b[1], b[2], b[3]);
    spell_wrong(into, "0x%x.0%o.%u.0%o", b[0], b[1], b[2], b[3]);
    spell_wrong(into, "%03u.%03u.%03u.%03u", b[0], b[1], b[2], b[3] % 100);
    spell_wrong(into, "%u.%u.%u.0%u", b[0], b[1], b[2], b[3]);
    spell_wrong(into, "%u.%u.%u", b[0], b[1], tail2);
    spell_wrong(into, "%u.%u", b[0], tail3);
    spell_wrong(into, "0x%x.0x%x", b[0], tail3);
    spell_wrong(into, "0%o.0%o", b[0], tail3);
    spell_wrong(into, "%u", all);
    spell_wrong(into, "0x%08x", all);
    spell_wrong(into, "0X%X", all);
    spell_wrong(into, "0%o", all);
    spell_wrong(into, "%llu", (1ULL << 32) + all);
    spell_wrong(into, "%u.%u.%u.%u", b[0] + 256U, b[1] + 256U, b[2] + 256U, b[3] + 256U);
    spell_wrong(into, "%u.", all);
}

void spell_v4(struct spellings *into, const struct inet_addr *addr)
{
    const uint8_t *b = addr->bytes;
    char plain[INET_ADDR_TEXT];
    inet_addr_format(addr, plain);
    into->count = 0;
    struct text text = spell_begin(into);
    text_add_format(&text, "%s.", plain);
    spell_end(into, &text, addr);
    spell_v4_numbers(into, b);
    spell_wrong(into, "%s..", plain);
    spell_wrong(into, "%s....", plain);
    spell_wrong(into, ".%s", plain);
    spell_wrong(into, "%u..%u.%u.%u", b[0], b[1], b[2], b[3]);
    spell_wrong(into, "+%s", plain);
    spell_wrong(into, "[%s]", plain);
    spell_wrong(into, "%s%%lo", plain);
    spell_wrong(into, "%s%%00", plain);
    spell_wrong(into, "%s%%2e", plain);
    spell_percent(into, plain, /* is_dot_only= */ true);
    spell_percent(into, plain, /* is_dot_only= */ false);
    spell_unicode(into, plain, 0xff10, ".");            /* full-width digits */
    spell_unicode(into, plain, 0xff10, "\xef\xbc\x8e"); /* and full-width dots */
    spell_unicode(into, plain, '0', "\xef\xbc\x8e");    /* U+FF0E */
    spell_unicode(into, plain, '0', "\xe3\x80\x82");    /* U+3002, the ideographic full stop */
    spell_unicode(into, plain, '0', "\xef\xbd\xa1");    /* U+FF61, its half-width form */
    spell_unicode(into, plain, 0x2080, ".");            /* subscripts */
}

/* ---- IPv6 that carries IPv4 ---- */

/* As it is usually written, in full in upper case, and with the IPv4 part in dots where it stands last. */
static void spell_carrier(struct spellings *into, const struct inet_addr *addr, bool is_last)
{
    const uint8_t *b = addr->bytes;
    struct text text = spell_begin(into);
    add_addr(&text, addr);
    spell_end(into, &text, addr);
    for (int round = 0; round < (is_last ? 2 : 1); round++) {
        text = spell_begin(into);
        text_add_char(&text, '[');
        for (unsigned i = 0; i < 12; i += 2)
            text_add_format(&text, "%X:", (unsigned)b[i] << 8 | b[i + 1]);
        if (round == 0)
            text_add_format(&text, "%X:%X]", (unsigned)b[12] << 8 | b[13],
                            (unsigned)b[14] << 8 | b[15]);
        else
            text_add_format(&text, "%u.%u.%u.%u]", b[12], b[13], b[14], b[15]);
        spell_end(into, &text, addr);
    }
}

/* The four bytes of `v4` at these places of an address that begins with `prefix`. */
static struct inet_addr carry(const char *prefix, const struct inet_addr *v4, unsigned first,
                              bool skips_8)
{
    struct inet_addr addr;
    CHECK(inet_addr_parse(slice_from_string(prefix), &addr) == ST_OK);
    for (unsigned i = 0; i < 4; i++, first++) {
        if (skips_8 && first == 8)
            first++;
        addr.bytes[first] = v4->bytes[i];
    }
    return addr;
}

void spell_embedded(struct spellings *into, const struct inet_addr *v4)
{
    static const struct {
        const char *prefix; /* what else it carries is 198.41.0.4, a public address */
        unsigned first;
        bool is_nat64;
        bool is_last;
    } ways[] = {
        {"::ffff:0:0", 12, false, true},               /* mapped */
        {"::", 12, false, true},                       /* compatible */
        {"::ffff:0:0:0", 12, false, true},             /* translated */
        {"64:ff9b::", 12, false, true},                /* NAT64 */
        {"64:ff9b:1::", 6, true, false},               /* of local use, /48 */
        {"64:ff9b:1::", 7, true, false},               /* /56 */
        {"64:ff9b:1::", 9, true, false},               /* /64 */
        {"64:ff9b:1::", 12, true, true},               /* /96 */
        {"2002::1", 2, false, false},                  /* 6to4 */
        {"2001:0:0:0:0:0:39d6:fffb", 4, false, false}, /* a Teredo server */
        {"2001:0:c629:4::", 12, false, false},         /* a Teredo client */
    };
    into->count = 0;
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        struct inet_addr inner = *v4;
        bool is_client = i + 1 == COUNT_OF(ways);
        for (unsigned j = 0; is_client && j < 4; j++)
            inner.bytes[j] = (uint8_t)~inner.bytes[j];
        struct inet_addr addr = carry(ways[i].prefix, &inner, ways[i].first, ways[i].is_nat64);
        spell_carrier(into, &addr, ways[i].is_last);
    }
}

/* ---- IPv6 ---- */

void spell_v6(struct spellings *into, const struct inet_addr *addr)
{
    const uint8_t *b = addr->bytes;
    char plain[INET_ADDR_TEXT];
    char full[INET_ADDR_TEXT];
    struct text groups = text_on(full, sizeof(full));
    inet_addr_format(addr, plain);
    for (unsigned i = 0; i < 16; i += 2)
        text_add_format(&groups, "%s%02x%02x", i > 0 ? ":" : "", b[i], b[i + 1]);
    (void)text_string(&groups);
    into->count = 0;

    struct text text = spell_begin(into);
    text_add_format(&text, "[%s]", full);
    spell_end(into, &text, addr);
    text = spell_begin(into);
    text_add_char(&text, '[');
    for (const char *c = plain; *c != '\0'; c++)
        text_add_char(&text, (char)(*c >= 'a' && *c <= 'f' ? *c - 32 : *c));
    text_add_char(&text, ']');
    spell_end(into, &text, addr);

    spell_wrong(into, "%s", plain);
    spell_wrong(into, "[[%s]]", plain);
    spell_wrong(into, "[%s", plain);
    spell_wrong(into, "%s]", plain);
    spell_wrong(into, "[%s].", plain);
    spell_wrong(into, "[%s%%25lo]", plain);
    spell_wrong(into, "[%s%%lo]", plain);
    spell_wrong(into, "[%s%%251]", plain);
    spell_wrong(into, "[%s%%25eth0]", plain);
    spell_wrong(into, "[%s%%]", plain);
    spell_wrong(into, "[0%s]", full);
    spell_wrong(into, "[%s:0]", full);
    spell_wrong(into, "[v1.%s]", plain);
    spell_wrong(into, "[%s%%00]", plain);
    spell_wrong(into, "[%s/128]", plain);
}
