/* Tries of names: those of the floor, those that lead where nobody may go, and those that change their mind.
 *
 * Whatever a name has, each address is judged by itself, whenever it comes: at the first look-up, at a second one, from
 * the hosts file, behind an alias, on a connection that was made before. */

#include "selftest/trial.h"

#include "base/check.h"

#include <stdio.h>

enum { LIST_ROWS_MAX = 32, MANY = 20 };

#define HOSTS_BASE "hosts.fairlead-self-test.example"

static const char no_name[] = "this is no name (400)";
static const char changed_rule[] =
    "each address is judged when it comes (egress.deny, this machine)";

static struct inet_addr addr_of(const char *text)
{
    struct inet_addr addr;
    CHECK(inet_addr_parse(slice_from_string(text), &addr) == ST_OK);
    return addr;
}

/* The first address of a row. */
static struct inet_addr row_addr(const char *text)
{
    struct inet_prefix prefix;
    CHECK(inet_prefix_parse(slice_from_string(text), &prefix) == ST_OK);
    return prefix.addr;
}

/* A row of the deny list or, behind its end, of the floor; false behind both. */
static bool row_at(size_t index, struct inet_addr *ret_addr)
{
    size_t ranges = 0;
    while (oracle_range_text(ranges) != NULL)
        ranges++;
    const char *text =
        index < ranges ? oracle_range_text(index) : oracle_floor_text(index - ranges);
    if (text != NULL)
        *ret_addr = row_addr(text);
    return text != NULL;
}

static void ask_name(struct trials *trials, enum trial_class class, unsigned forms,
                     struct slice spelling, struct slice name, const struct inet_addr *addr,
                     size_t count)
{
    struct asking asking = {
        .class = class,
        .forms = forms,
        .host = spelling,
        .name = name,
        .addr = addr,
        .addr_count = count,
    };
    trials_ask(trials, &asking);
}

/* ---- names by themselves ---- */

static void ask_wrong_name(struct trials *trials, enum trial_class class, const char *format,
                           const char *name)
{
    char words[300];
    struct text text = text_on(words, sizeof(words));
    const char *at = strstr(format, "%s");
    text_add(&text, slice_of(format, (size_t)(at - format)));
    text_add(&text, slice_from_string(name));
    text_add(&text, slice_from_string(at + 2));
    struct asking asking = {
        .class = class,
        .forms = FORMS_TWO,
        .host = text_slice(&text),
        .must_refuse = no_name,
    };
    trials_ask(trials, &asking);
}

static void ask_right_name(struct trials *trials, enum trial_class class, unsigned forms,
                           struct slice name, bool is_upper, bool has_dot)
{
    char words[256];
    struct text text = text_on(words, sizeof(words));
    for (size_t i = 0; i < name.len; i++) {
        bool turns = is_upper && name.at[i] >= 'a' && name.at[i] <= 'z' && (has_dot || i % 2 == 0);
        text_add_char(&text, (char)(turns ? name.at[i] - 32 : name.at[i]));
    }
    if (has_dot)
        text_add_char(&text, '.');
    ask_name(trials, class, forms, text_slice(&text), name, &trials->v4, 1);
}

/* A name that is denied, in all spellings of it. */
static void ask_denied_name(struct trials *trials, enum trial_class class, struct slice name)
{
    static const char *const wrong[] = {"%s..",           ".%s",    "%s%2e",   "%s%00",
                                        "%s\xe3\x80\x82", "%s:80:", "user@%s", "%s\\"};
    char terminated[254];
    (void)snprintf(terminated, sizeof(terminated), "%.*s", (int)name.len, name.at);
    ask_right_name(trials, class, FORMS_ALL, name, false, false);
    ask_right_name(trials, class, FORMS_TWO, name, false, true);
    ask_right_name(trials, class, FORMS_TWO, name, true, false);
    ask_right_name(trials, class, FORMS_TWO, name, true, true);
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        ask_wrong_name(trials, class, wrong[i], terminated);
}

/* Neighbours on the wrong side of a label's border are other names. */
static void try_floor_names(struct trials *trials)
{
    const char *text;
    trials_set_zone(trials, &trials->v4, 1);
    for (size_t row = 0; (text = oracle_name_text(row)) != NULL; row++) {
        char other[254];
        ask_denied_name(trials, TRIAL_FLOOR_NAMES, slice_from_string(text));
        (void)snprintf(other, sizeof(other), "x%s", text);
        ask_right_name(trials, TRIAL_FLOOR_NAMES, FORMS_TWO, slice_from_string(other), false,
                       false);
        (void)snprintf(other, sizeof(other), "%s.example", text);
        ask_right_name(trials, TRIAL_FLOOR_NAMES, FORMS_TWO, slice_from_string(other), false,
                       false);
    }
}

/* A name that a pattern holds: the pattern itself, or one below "*.x". */
static struct slice pattern_name(struct slice pattern, char into[254])
{
    bool is_wild = slice_starts_with(pattern, SLICE("*."));
    struct slice rest = is_wild ? slice_from(pattern, 2) : pattern;
    int len = snprintf(into, 254, "%s%.*s", is_wild ? "self-test." : "", (int)rest.len, rest.at);
    return slice_of(into, len < 254 ? (size_t)len : 0);
}

static void try_denied_names(struct trials *trials, const struct slice *patterns, size_t count)
{
    char name[254];
    for (size_t i = 0; i < count && i < LIST_ROWS_MAX; i++) {
        struct slice held = pattern_name(patterns[i], name);
        if (held.len > 0)
            ask_denied_name(trials, TRIAL_OWN_LISTS, held);
    }
}

/* What only looks like a name that is allowed. */
static void try_neighbours(struct trials *trials, const struct slice *patterns, size_t count)
{
    char name[254];
    for (size_t i = 0; i < count && i < LIST_ROWS_MAX; i++) {
        bool is_wild = slice_starts_with(patterns[i], SLICE("*."));
        struct slice bare = slice_from(patterns[i], is_wild ? 2 : 0);
        for (size_t j = 0; j < 3 && bare.len < 200; j++) {
            struct text text = text_on(name, sizeof(name));
            text_add(&text, j == 1 ? SLICE("x") : SLICE(""));
            text_add(&text, bare);
            text_add(&text, j == 2 ? SLICE(".example") : SLICE(""));
            ask_right_name(trials, TRIAL_OWN_LISTS, FORMS_TWO, text_slice(&text), false, false);
        }
    }
}

static void try_own_names(struct trials *trials)
{
    const struct config *config = trials->oracle.config;
    trials_set_zone(trials, &trials->v4, 1);
    try_denied_names(trials, config->egress.deny_names.at, config->egress.deny_names.count);
    try_neighbours(trials, config->egress.allow_names.at, config->egress.allow_names.count);
    for (size_t i = 0; i < config->policy.rule_count && i < LIST_ROWS_MAX; i++) {
        const struct gate_names *names = &config->policy.rules[i].to_names;
        if (config->policy.rules[i].action == RULE_DENY)
            try_denied_names(trials, names->at, names->count);
        else
            try_neighbours(trials, names->at, names->count);
    }
}

/* ---- what names have ---- */

/* A fresh name that has this. */
static void ask_zone(struct trials *trials, enum trial_class class, unsigned forms,
                     const struct zone *zone, bool is_either)
{
    char name[254];
    for (unsigned form = FORM_CONNECT; form <= FORM_UPGRADE; form <<= 1) {
        if ((forms & form) == 0)
            continue;
        struct slice fresh = trials_name(trials, name);
        struct asking asking = {
            .class = class,
            .forms = form,
            .host = fresh,
            .name = fresh,
            .addr = zone->answers[0].addr,
            .addr_count = zone->answers[0].count,
            .is_either = is_either,
        };
        outside_set_zone(&trials->outside, zone);
        trials_ask(trials, &asking);
    }
}

static struct zone zone_of(const struct inet_addr *addr, size_t count)
{
    struct zone zone = {.ttl_s = 0};
    CHECK(count <= OUTSIDE_ADDRESSES_MAX);
    zone.answers[0].count = count;
    memcpy(zone.answers[0].addr, addr, count * sizeof(addr[0]));
    zone.answers[1] = zone.answers[0];
    return zone;
}

static void ask_having(struct trials *trials, enum trial_class class, unsigned forms,
                       const struct inet_addr *addr, size_t count, unsigned aliases)
{
    struct zone zone = zone_of(addr, count);
    zone.aliases = aliases;
    ask_zone(trials, class, forms, &zone, /* is_either= */ false);
}

static struct inet_addr mapped(const struct inet_addr *v4)
{
    struct inet_addr addr = {INET_V6, {[10] = 0xff, [11] = 0xff}};
    memcpy(addr.bytes + 12, v4->bytes, 4);
    return addr;
}

static void try_resolved(struct trials *trials)
{
    struct inet_addr addr;
    const struct inet_addr good[] = {trials->v4, trials->v6};
    for (size_t row = 0; row_at(row, &addr); row++) {
        ask_having(trials, TRIAL_NAMES, FORMS_ALL, &addr, 1, 0);
        ask_having(trials, TRIAL_NAMES, FORMS_TWO, &addr, 1, 3);
        if (addr.family == INET_V4) {
            struct inet_addr twin = mapped(&addr);
            ask_having(trials, TRIAL_NAMES, FORMS_TWO, &twin, 1, 0);
        }
    }
    ask_having(trials, TRIAL_NAMES, FORMS_ALL, good, 1, 0);
    ask_having(trials, TRIAL_NAMES, FORMS_ALL, good + 1, 1, 0);
    ask_having(trials, TRIAL_NAMES, FORMS_ALL, good, 2, 3);
}

/* Good ones beside it, before and behind, and of the other family. There it depends on what is answered first: the
 * denied one, and nothing is dialled; the good one, and a dial to it may have begun (RFC 8305 §3), but none to the
 * other. */
static void try_mixed_with(struct trials *trials, const struct inet_addr *addr)
{
    bool is_v4 = addr->family == INET_V4;
    const struct inet_addr same = is_v4 ? trials->v4 : trials->v6;
    const struct inet_addr first[] = {*addr, same};
    const struct inet_addr last[] = {same, *addr};
    const struct inet_addr across[] = {is_v4 ? trials->v6 : trials->v4, *addr};
    struct inet_addr many[MANY + 1];
    for (size_t i = 0; i < MANY; i++)
        many[i] = same;
    many[MANY] = *addr;
    ask_having(trials, TRIAL_MIXED, FORMS_TWO, first, 2, 0);
    ask_having(trials, TRIAL_MIXED, FORMS_TWO, last, 2, 0);
    ask_having(trials, TRIAL_MIXED, FORM_CONNECT, many, MANY + 1, 1);
    struct zone zone = zone_of(across, 2);
    zone.is_v4_first = is_v4;
    ask_zone(trials, TRIAL_MIXED, FORMS_TWO, &zone, /* is_either= */ false);
    zone.is_v4_first = !is_v4;
    ask_zone(trials, TRIAL_MIXED, FORMS_TWO, &zone, /* is_either= */ true);
}

static void try_mixed(struct trials *trials)
{
    struct inet_addr addr;
    for (size_t row = 0; row_at(row, &addr) && trials_want(trials, TRIAL_MIXED); row++)
        try_mixed_with(trials, &addr);
}

/* Twice the same name, which has `first` at the first look-up and `second` at all later ones. */
static void ask_twice(struct trials *trials, unsigned form, const struct inet_addr *first,
                      const struct inet_addr *second, unsigned ttl_s)
{
    char name[254];
    struct slice fresh = trials_name(trials, name);
    struct zone zone = {
        .answers = {{.addr = {*first}, .count = 1}, {.addr = {*second}, .count = 1}},
        .ttl_s = ttl_s};
    outside_set_zone(&trials->outside, &zone);
    ask_name(trials, TRIAL_REBINDING, form, fresh, fresh, first, 1);
    ask_name(trials, TRIAL_REBINDING, form, fresh, fresh, ttl_s == 0 ? second : first, 1);
}

static void try_rebinding(struct trials *trials)
{
    struct inet_addr addr;
    for (size_t row = 0; row_at(row, &addr) && trials_want(trials, TRIAL_REBINDING); row++) {
        ask_twice(trials, FORM_CONNECT, &trials->v4, &addr, 0);
        ask_twice(trials, FORM_HTTP, &trials->v4, &addr, 0);
        ask_twice(trials, FORM_CONNECT, &addr, &trials->v4, 0);
        if (!trials->is_base_exact &&
            addr.family == INET_V4) /* one name: it is cached; IPv6: no answer is not */
            ask_twice(trials, FORM_HTTP, &trials->v4, &addr, 300);
    }
}

/* ---- the hosts file ---- */

size_t try_names_hosts(char *into, size_t cap)
{
    struct inet_addr addr;
    struct text text = text_on(into, cap);
    for (size_t row = 0; row_at(row, &addr); row++) {
        char words[INET_ADDR_TEXT];
        inet_addr_format(&addr, words);
        text_add_format(&text, "%s h%zu." HOSTS_BASE "\n", words, row);
    }
    CHECK(!text.is_cut);
    return text.len;
}

static void try_hosts_file(struct trials *trials)
{
    static const char *const locals[] = {"localhost", "a.localhost"};
    const struct inet_addr loopback[] = {addr_of("127.0.0.1"), addr_of("::1")};
    struct inet_addr addr;
    char name[254];
    trials_set_zone(trials, &trials->v4, 1); /* for whoever asks the name server instead */
    for (size_t row = 0; row_at(row, &addr); row++) {
        int len = snprintf(name, sizeof(name), "h%zu." HOSTS_BASE, row);
        struct slice host = slice_of(name, (size_t)len);
        ask_name(trials, TRIAL_HOSTS_FILE, FORMS_TWO, host, host, &addr, 1);
    }
    for (size_t i = 0; i < COUNT_OF(locals); i++) {
        struct slice host = slice_from_string(locals[i]);
        ask_name(trials, TRIAL_HOSTS_FILE, FORMS_ALL, host, host, loopback, 2);
        ask_name(trials, TRIAL_HOSTS_FILE, FORMS_TWO,
                 i == 0 ? SLICE("LOCALHOST.") : SLICE("A.LocalHost"), host, loopback, 2);
    }
}

/* ---- redirects ---- */

/* An origin leads to a denied address: the client hears it, and the proxy does not go there. Then the client does. */
static void try_redirects(struct trials *trials)
{
    struct inet_addr addr;
    for (size_t row = 0; row_at(row, &addr) && trials_want(trials, TRIAL_REDIRECTS); row++) {
        char words[INET_ADDR_TEXT];
        inet_addr_format(&addr, words);
        bool is_v6 = addr.family == INET_V6;
        (void)snprintf(trials->outside.location, sizeof(trials->outside.location), "http://%s%s%s/",
                       is_v6 ? "[" : "", words, is_v6 ? "]" : "");
        trials->outside.mood = ORIGIN_REDIRECTS;
        ask_having(trials, TRIAL_REDIRECTS, FORM_HTTP, &trials->v4, 1, 0);
        trials->outside.mood = ORIGIN_ENDS;
        char host[INET_ADDR_TEXT + 2];
        int len = snprintf(host, sizeof(host), "%s%s%s", is_v6 ? "[" : "", words, is_v6 ? "]" : "");
        ask_name(trials, TRIAL_REDIRECTS, FORM_HTTP, slice_of(host, (size_t)len), SLICE_NONE, &addr,
                 1);
    }
}

/* ---- reuse, and what changes meanwhile ---- */

/* Once more, on the connection that the last one left. */
static void ask_again(struct trials *trials, struct slice name)
{
    struct asking asking = {
        .class = TRIAL_REUSE,
        .forms = FORM_HTTP,
        .host = name,
        .name = name,
        .addr = &trials->v4,
        .addr_count = 1,
        .is_reused = true,
    };
    trials_ask(trials, &asking);
}

static void ask_changed(struct trials *trials, struct slice name)
{
    struct asking asking = {
        .class = TRIAL_REUSE,
        .forms = FORM_HTTP,
        .host = name,
        .name = name,
        .addr = &trials->v4,
        .addr_count = 1,
        .must_refuse = changed_rule,
    };
    trials_ask(trials, &asking);
    asking.forms = FORM_CONNECT;
    trials_ask(trials, &asking);
}

enum change { CHANGE_RELOAD, CHANGE_INTERFACE };

/* A connection stays open to an address that is then denied, and its name stays in the cache. */
static void try_change(struct trials *trials, enum change change)
{
    char name[254];
    struct slice fresh = trials_name(trials, name);
    struct inet_prefix denied = {.addr = trials->v4, .bits = 32};
    struct zone zone = {
        .answers = {{.addr = {trials->v4}, .count = 1}, {.addr = {trials->v4}, .count = 1}},
        .ttl_s = trials->is_base_exact ? 0 : 300};
    outside_set_zone(&trials->outside, &zone);
    trials->outside.mood = ORIGIN_KEEPS;
    trials->keeps_origins = true;
    ask_name(trials, TRIAL_REUSE, FORM_HTTP, fresh, fresh, &trials->v4, 1);
    ask_again(trials, fresh);
    if (change == CHANGE_RELOAD)
        trials_use(trials, RANGES_AS_GIVEN, &denied);
    else if (instance_add_address(&trials->instance, &trials->v4) != ST_OK)
        trials->is_broken = true;
    ask_changed(trials, fresh);
    trials->outside.mood = ORIGIN_ENDS;
    trials->keeps_origins = false;
    outside_close_origins(&trials->outside);
    trials_use(trials, RANGES_AS_GIVEN, NULL);
}

/* The origin leaves a kept connection without an answer, and the proxy asks again: of a name that has another address
 * by now. */
static void try_retry(struct trials *trials, const struct inet_addr *second)
{
    char name[254];
    struct slice fresh = trials_name(trials, name);
    struct zone zone = {
        .answers = {{.addr = {trials->v4}, .count = 1}, {.addr = {*second}, .count = 1}}};
    outside_set_zone(&trials->outside, &zone);
    trials->outside.mood = ORIGIN_LEAVES;
    trials->keeps_origins = true;
    ask_name(trials, TRIAL_REUSE, FORM_HTTP, fresh, fresh, &trials->v4, 1);
    ask_name(trials, TRIAL_REUSE, FORM_HTTP, fresh, fresh, second, 1);
    trials->outside.mood = ORIGIN_ENDS;
    trials->keeps_origins = false;
    outside_close_origins(&trials->outside);
}

static void try_reuse(struct trials *trials)
{
    struct inet_addr addr;
    if (!trials_want(trials, TRIAL_REUSE))
        return;
    try_change(trials, CHANGE_RELOAD);
    try_change(trials, CHANGE_INTERFACE);
    for (size_t row = 0; row_at(row, &addr) && trials_want(trials, TRIAL_REUSE); row++)
        try_retry(trials, &addr);
}

void try_names(struct trials *trials)
{
    try_floor_names(trials);
    try_own_names(trials);
    try_hosts_file(trials);
    if (trials->base.len == 0) /* no name passes: of what names have, nothing can be seen */
        return;
    try_resolved(trials);
    try_mixed(trials);
    try_rebinding(trials);
    try_redirects(trials);
    try_reuse(trials);
}
