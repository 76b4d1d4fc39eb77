/* Tries of addresses: each row of the deny list and of the floor, in every spelling.
 *
 * Of a range the first address, the last and the one in the middle are tried. What carries an IPv4 address is tried
 * with a public one in it, too: then the outer range alone must hold it. Two classes open what stands before, so that
 * what stands behind is seen: with ::/0 allowed the IPv4 address inside must hold a carrier, and with all ranges
 * allowed the floor must hold alone. */

#include "selftest/trial.h"

#include "base/check.h"
#include "selftest/spell.h"

enum { SAMPLES_MAX = 3, LIST_ROWS_MAX = 32 };

static const char spelling_rule[] = "only one spelling of an address is taken (400)";

struct samples {
    struct inet_addr at[SAMPLES_MAX];
    size_t count;
};

/* The first, the middle and the last address of a range, each once. */
static struct samples samples_of(const struct inet_prefix *range)
{
    unsigned width = range->addr.family == INET_V4 ? 32 : 128;
    struct samples samples = {.at = {range->addr}, .count = 1};
    if (range->bits == width)
        return samples;
    struct inet_addr middle = range->addr;
    struct inet_addr last = range->addr;
    middle.bytes[range->bits / 8] |= (uint8_t)(0x80U >> (range->bits % 8));
    for (unsigned bit = range->bits; bit < width; bit++)
        last.bytes[bit / 8] |= (uint8_t)(0x80U >> (bit % 8));
    samples.at[samples.count++] = middle;
    samples.at[samples.count++] = last;
    return samples;
}

static struct inet_prefix prefix_of(const char *text)
{
    struct inet_prefix prefix;
    CHECK(inet_prefix_parse(slice_from_string(text), &prefix) == ST_OK);
    return prefix;
}

static struct inet_addr addr_of(const char *text)
{
    struct inet_addr addr;
    CHECK(inet_addr_parse(slice_from_string(text), &addr) == ST_OK);
    return addr;
}

/* A spelling, as the address that it is or as one that must be refused. */
static void ask_spelling(struct trials *trials, enum trial_class class, unsigned forms,
                         const struct spelling *spelling, uint16_t port)
{
    struct asking asking = {
        .class = class,
        .forms = forms,
        .host = slice_of(spelling->text, spelling->len),
        .port = port,
    };
    if (spelling->is_address) {
        asking.addr = &spelling->addr;
        asking.addr_count = 1;
    } else {
        asking.must_refuse = spelling_rule;
    }
    trials_ask(trials, &asking);
}

static void ask_plain(struct trials *trials, enum trial_class class, unsigned forms,
                      const struct inet_addr *addr, uint16_t port)
{
    struct spelling spelling;
    spell_plain(&spelling, addr);
    ask_spelling(trials, class, forms, &spelling, port);
}

static void ask_all(struct trials *trials, enum trial_class class, unsigned forms,
                    const struct spellings *spellings)
{
    for (size_t i = 0; i < spellings->count; i++)
        ask_spelling(trials, class, forms, &spellings->at[i], 0);
}

static void ask_embedded(struct trials *trials, enum trial_class class, const struct inet_addr *v4)
{
    struct spellings spellings;
    if (!trials_want(trials, class))
        return;
    spell_embedded(&spellings, v4);
    ask_all(trials, class, FORMS_TWO, &spellings);
}

/* The same addresses as those of names: where only some names pass, nothing else reaches the address stage. */
static void ask_by_name(struct trials *trials, enum trial_class class, const struct inet_addr *addr)
{
    char name[254];
    if (trials->base.len == 0 || !trials_want(trials, class))
        return;
    struct slice host = trials_name(trials, name);
    trials_set_zone(trials, addr, 1);
    struct asking asking = {
        .class = class,
        .forms = FORMS_TWO,
        .host = host,
        .name = host,
        .addr = addr,
        .addr_count = 1,
    };
    trials_ask(trials, &asking);
}

static void ask_carriers_by_name(struct trials *trials, enum trial_class class,
                                 const struct inet_addr *v4)
{
    struct spellings spellings;
    if (!trials_want(trials, class))
        return;
    spell_embedded(&spellings, v4);
    for (size_t i = 0; i < spellings.count; i++) {
        bool is_new = i == 0 || !inet_addr_equals(&spellings.at[i].addr, &spellings.at[i - 1].addr);
        if (is_new) /* not one more spelling of the last one */
            ask_by_name(trials, class, &spellings.at[i].addr);
    }
}

/* ---- as configured ---- */

static void try_spellings(struct trials *trials, const struct inet_addr *addr)
{
    struct spellings spellings;
    if (addr->family == INET_V4) {
        spell_v4(&spellings, addr);
        ask_all(trials, TRIAL_SPELLINGS, FORMS_TWO, &spellings);
        ask_embedded(trials, TRIAL_EMBEDDED, addr);
    } else {
        spell_v6(&spellings, addr);
        ask_all(trials, TRIAL_IPV6, FORMS_TWO, &spellings);
    }
}

static void try_ranges(struct trials *trials)
{
    const char *text;
    for (size_t row = 0; (text = oracle_range_text(row)) != NULL; row++) {
        struct inet_prefix range = prefix_of(text);
        struct samples samples = samples_of(&range);
        for (size_t i = 0; i < samples.count; i++) {
            ask_plain(trials, TRIAL_RANGES, FORMS_ALL, &samples.at[i], 0);
            try_spellings(trials, &samples.at[i]);
        }
    }
    ask_plain(trials, TRIAL_RANGES, FORMS_ALL, &trials->v4, 0);
    ask_plain(trials, TRIAL_RANGES, FORMS_ALL, &trials->v6, 0);
    ask_embedded(trials, TRIAL_EMBEDDED, &trials->v4);
}

static void try_floor(struct trials *trials, enum trial_class class)
{
    const char *text;
    for (size_t row = 0; (text = oracle_floor_text(row)) != NULL; row++) {
        struct spellings spellings;
        struct inet_addr addr = addr_of(text);
        ask_plain(trials, class, FORMS_ALL, &addr, 0);
        ask_plain(trials, class, FORM_HTTP, &addr, 8080);
        if (addr.family == INET_V4)
            spell_v4(&spellings, &addr);
        else
            spell_v6(&spellings, &addr);
        ask_all(trials, class, FORMS_TWO, &spellings);
        if (addr.family == INET_V4)
            ask_embedded(trials, class, &addr);
    }
}

/* ---- this machine ---- */

/* Everything that leads to a socket of ours: its address, or, where that is the unspecified one, every local one. */
static void try_own(struct trials *trials, enum trial_class class, const struct inet_endpoint *own)
{
    static const char *const locals[] = {"127.0.0.1", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"};
    bool is_any = inet_addr_is_unspecified(&own->addr);
    ask_plain(trials, class, FORMS_TWO, &own->addr, own->port);
    for (size_t i = 0; is_any && i < COUNT_OF(locals); i++) {
        struct inet_addr addr = addr_of(locals[i]);
        ask_plain(trials, class, FORMS_TWO, &addr, own->port);
    }
    if (own->addr.family == INET_V4 && trials_want(trials, class)) {
        struct spellings spellings;
        spell_embedded(&spellings, &own->addr);
        for (size_t i = 0; i < spellings.count; i++)
            ask_spelling(trials, class, FORMS_TWO, &spellings.at[i], own->port);
    }
}

static void try_machine(struct trials *trials, enum trial_class class)
{
    const struct interfaces *interfaces = &trials->instance.interfaces;
    for (size_t i = 0; i < trials->oracle.own_count; i++)
        try_own(trials, class, &trials->oracle.own[i]);
    for (size_t i = 0; i < interfaces->count && i < LIST_ROWS_MAX; i++) {
        struct inet_addr addr = inet_addr_unmap(&interfaces->at[i]);
        ask_plain(trials, class, FORMS_ALL, &addr, 0);
        ask_by_name(trials, class, &addr);
        if (addr.family == INET_V4)
            ask_embedded(trials, class, &addr);
    }
}

/* ---- the configuration's own ranges ---- */

static void try_denied_ranges(struct trials *trials, const struct inet_prefix *ranges, size_t count)
{
    for (size_t row = 0; row < count && row < LIST_ROWS_MAX; row++) {
        struct samples samples = samples_of(&ranges[row]);
        for (size_t i = 0; i < samples.count; i++) {
            ask_plain(trials, TRIAL_OWN_LISTS, FORMS_ALL, &samples.at[i], 0);
            ask_by_name(trials, TRIAL_OWN_LISTS, &samples.at[i]);
            if (samples.at[i].family == INET_V4)
                ask_embedded(trials, TRIAL_OWN_LISTS, &samples.at[i]);
        }
    }
}

static void try_own_ranges(struct trials *trials)
{
    const struct config *config = trials->oracle.config;
    try_denied_ranges(trials, config->egress.deny.at, config->egress.deny.count);
    for (size_t i = 0; i < config->policy.rule_count && i < LIST_ROWS_MAX; i++) {
        const struct rule *rule = &config->policy.rules[i];
        if (rule->action == RULE_DENY)
            try_denied_ranges(trials, rule->to_address.at, rule->to_address.count);
    }
}

/* ---- with what stands before opened ---- */

static void try_carriers(struct trials *trials, const struct inet_addr *v4)
{
    ask_embedded(trials, TRIAL_CARRIED, v4);
    ask_carriers_by_name(trials, TRIAL_CARRIED, v4);
}

static void try_carried(struct trials *trials)
{
    const char *text;
    if (!trials_want(trials, TRIAL_CARRIED))
        return;
    trials_use(trials, RANGES_V6_OPEN, NULL);
    for (size_t row = 0; (text = oracle_range_text(row)) != NULL; row++) {
        struct inet_prefix range = prefix_of(text);
        struct samples samples = samples_of(&range);
        if (range.addr.family == INET_V4)
            try_carriers(trials, &samples.at[samples.count / 2]);
    }
    for (size_t row = 0; (text = oracle_floor_text(row)) != NULL; row++) {
        struct inet_addr addr = addr_of(text);
        if (addr.family == INET_V4)
            try_carriers(trials, &addr);
    }
    try_carriers(trials, &trials->v4);
}

static void try_floor_alone(struct trials *trials)
{
    if (!trials_want(trials, TRIAL_FLOOR_ALONE))
        return;
    trials_use(trials, RANGES_ALL_OPEN, NULL);
    try_floor(trials, TRIAL_FLOOR_ALONE);
    const char *text;
    for (size_t row = 0; (text = oracle_floor_text(row)) != NULL; row++) {
        struct inet_addr addr = addr_of(text);
        ask_by_name(trials, TRIAL_FLOOR_ALONE, &addr);
        if (addr.family == INET_V4)
            ask_carriers_by_name(trials, TRIAL_FLOOR_ALONE, &addr);
    }
    try_machine(trials, TRIAL_FLOOR_ALONE);
}

void try_addresses(struct trials *trials)
{
    try_ranges(trials);
    try_floor(trials, TRIAL_FLOOR);
    try_machine(trials, TRIAL_MACHINE);
    try_own_ranges(trials);
    try_carried(trials);
    try_floor_alone(trials);
}
