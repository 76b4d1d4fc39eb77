/* An expression is read once into terms whose values are what a record is compared with: patterns, ranges of addresses,
 * ranges of numbers. So matching is a loop without words in it but those of patterns.
 *
 *     F1  All memory is in the filter; text that nobody kept is not pointed at.
 *     F2  A pattern is compared in steps that its length times the length of the text bounds; nothing recurses.
 *
 * Rejected: "or" and brackets between terms. Several values of a key do most of it, two terminals the rest, and one
 * line can be read without thinking. Regular expressions: a pattern of a person at midnight must not cost a worker its
 * time. */

#include "report/filter.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/edit.h"
#include "record/verdict.h"

#include <assert.h>

enum value_kind {
    KIND_TEXT,
    KIND_ADDRESS,
    KIND_STATUS,
    KIND_KIND,
    KIND_DECISION,
    KIND_SLOW,
    KIND_END,
    KIND_SIZE,
    KIND_NUMBER,
    KIND_ID,
    KIND_DURATION
};

static const struct {
    struct slice word;
    enum value_kind kind;
    struct slice example;
} keys[FILTER_KEY_COUNT] = {
#define X(name, word, kind, example, meaning) \
    [FILTER_##name] = {{word, sizeof(word) - 1}, KIND_##kind, {example, sizeof(example) - 1}},
    FILTER_KEYS(X)
#undef X
};

static_assert(FILTER_KEY_COUNT + PHASE_COUNT <= UINT8_MAX, "a key fits in a term");
static_assert(sizeof(struct filter) <= 8192, "filters are copied, and lie on stacks");

/* The words of kinds that have some; decisions are those of `decision_of`. */
enum decision { DECISION_NONE, DECISION_ALLOWED, DECISION_REFUSED, DECISION_OBSERVED };

static const struct {
    enum value_kind kind;
    unsigned number;
    struct slice word;
} value_words[] = {{KIND_KIND, RECORD_EXCHANGE, {"exchange", 8}},
                   {KIND_KIND, RECORD_TUNNEL, {"tunnel", 6}},
                   {KIND_KIND, RECORD_UPGRADE, {"upgrade", 7}},
                   {KIND_KIND, RECORD_LOCAL, {"local", 5}},
                   {KIND_DECISION, DECISION_ALLOWED, {"allowed", 7}},
                   {KIND_DECISION, DECISION_REFUSED, {"refused", 7}},
                   {KIND_DECISION, DECISION_OBSERVED, {"observed", 8}},
#define X(name, word, meaning) {KIND_END, END_##name, {word, sizeof(word) - 1}},
                   RECORD_ENDS(X)
#undef X
#define X(name, word, meaning) {KIND_SLOW, SLOW_##name, {word, sizeof(word) - 1}},
                       SLOW_GUILTY(X)
#undef X
};

struct unit {
    struct slice word;
    uint64_t factor;
};

static const struct unit time_units[] = {
    {{"ns", 2}, 1},       {{"us", 2}, NS_PER_US},    {{"ms", 2}, NS_PER_MS},
    {{"s", 1}, NS_PER_S}, {{"m", 1}, 60 * NS_PER_S}, {{"h", 1}, 3600 * NS_PER_S}};
static const struct unit size_units[] = {
    {{"", 0}, 1},          {{"b", 1}, 1},           {{"kb", 2}, 1000},
    {{"mb", 2}, 1000000},  {{"gb", 2}, 1000000000}, {{"kib", 3}, 1 << 10},
    {{"mib", 3}, 1 << 20}, {{"gib", 3}, 1 << 30}};

/* ---- Keys ---- */

static struct slice key_word(size_t key)
{
    return key < FILTER_KEY_COUNT
               ? keys[key].word
               : slice_from_string(phase_word((enum phase)(key - FILTER_KEY_COUNT)));
}

static enum value_kind key_kind(size_t key)
{
    return key < FILTER_KEY_COUNT ? keys[key].kind : KIND_DURATION;
}

/* Does '=' take a word, and more than one of them? The others are compared. */
static bool kind_is_compared(enum value_kind kind)
{
    return kind == KIND_SIZE || kind == KIND_DURATION;
}

/* ---- Messages ---- */

struct parser {
    struct filter *filter;
    struct text *why;
    struct slice term; /* which is read */
};

static void add_quoted(struct text *into, struct slice s)
{
    enum { SHOWN = 40 };
    text_add_char(into, '"');
    text_add_log(into, slice_first(s, SHOWN), '"');
    text_add(into, s.len > SHOWN ? SLICE("...\"") : SLICE("\""));
}

/* The nearer one of `best` and a word. */
static void keep_nearer(struct slice written, struct slice word, size_t *best_distance,
                        struct slice *best)
{
    size_t distance = edit_distance(written, word);
    if (!edit_is_near(written, distance) || distance >= *best_distance)
        return;
    *best_distance = distance;
    *best = word;
}

static enum status fail_key(const struct parser *parser, struct slice written)
{
    size_t distance = SIZE_MAX;
    struct slice best = SLICE_NONE;
    for (size_t key = 0; key < FILTER_KEY_COUNT + PHASE_COUNT; key++)
        keep_nearer(written, key_word(key), &distance, &best);
    add_quoted(parser->why, parser->term);
    text_add(parser->why, SLICE(": there is no key "));
    add_quoted(parser->why, written);
    if (best.len > 0) {
        text_add(parser->why, SLICE("; did you mean "));
        add_quoted(parser->why, best);
        return ST_BAD;
    }
    text_add(parser->why, SLICE("; there are"));
    for (size_t key = 0; key < FILTER_KEY_COUNT; key++) {
        text_add_char(parser->why, ' ');
        text_add(parser->why, keys[key].word);
    }
    text_add(parser->why, SLICE(", and the phases such as wait"));
    return ST_BAD;
}

static void add_words(struct text *into, enum value_kind kind)
{
    for (size_t i = 0; i < COUNT_OF(value_words); i++) {
        if (value_words[i].kind != kind || value_words[i].word.at[0] == '-')
            continue;
        text_add_char(into, ' ');
        text_add(into, value_words[i].word);
    }
}

static void add_expected(struct text *into, size_t key)
{
    switch (key_kind(key)) {
    case KIND_TEXT: text_add(into, SLICE("a text, in which * stands for any")); break;
    case KIND_ADDRESS: text_add(into, SLICE("an address or a range")); break;
    case KIND_STATUS: text_add(into, SLICE("404, 4xx, 400-499, or a comparison")); break;
    case KIND_KIND:
    case KIND_DECISION:
    case KIND_SLOW:
    case KIND_END:
        text_add(into, SLICE("one of:"));
        add_words(into, key_kind(key));
        return;
    case KIND_SIZE: text_add(into, SLICE("a comparison with a size")); break;
    case KIND_NUMBER: text_add(into, SLICE("a number, a range, or a comparison")); break;
    case KIND_ID: text_add(into, SLICE("16 hexadecimal digits")); break;
    case KIND_DURATION:
        text_add_format(into, "a comparison with a duration, such as %s>100ms",
                        phase_word((enum phase)(key - FILTER_KEY_COUNT)));
        return;
    }
    text_add(into, SLICE(", such as "));
    text_add(into, keys[key].word);
    text_add_char(into, kind_is_compared(keys[key].kind) ? '>' : '=');
    text_add(into, keys[key].example);
}

static enum status fail_value(const struct parser *parser, size_t key, struct slice value)
{
    size_t distance = SIZE_MAX;
    struct slice best = SLICE_NONE;
    for (size_t i = 0; i < COUNT_OF(value_words); i++) {
        if (value_words[i].kind == key_kind(key))
            keep_nearer(value, value_words[i].word, &distance, &best);
    }
    add_quoted(parser->why, parser->term);
    text_add(parser->why, SLICE(": "));
    text_add(parser->why, key_word(key));
    text_add(parser->why, SLICE(" expects "));
    add_expected(parser->why, key);
    if (best.len > 0) {
        text_add(parser->why, SLICE("; did you mean "));
        add_quoted(parser->why, best);
    }
    return ST_BAD;
}

static enum status fail(const struct parser *parser, enum status status, const char *why)
{
    add_quoted(parser->why, parser->term);
    text_add(parser->why, SLICE(": "));
    text_add(parser->why, slice_from_string(why));
    return status;
}

/* ---- Values ---- */

/* "100ms", "1.5MB": digits, a fraction, a unit. */
static bool read_scaled(struct slice s, const struct unit *units, size_t count, uint64_t *ret_value)
{
    uint64_t whole = 0;
    uint64_t fraction = 0;
    uint64_t scale = 1;
    size_t at = 0;
    while (at < s.len && char_is_digit(s.at[at]))
        at++;
    if (at == 0 || slice_to_u64(slice_first(s, at), UINT32_MAX, &whole) != ST_OK)
        return false;
    s = slice_from(s, at);
    if (s.len > 0 && s.at[0] == '.') {
        for (at = 1; at < s.len && char_is_digit(s.at[at]); at++) {
            if (scale >= 1000000)
                return false;
            fraction = fraction * 10 + (uint64_t)(s.at[at] - '0');
            scale *= 10;
        }
        if (at == 1)
            return false;
        s = slice_from(s, at);
    }
    for (size_t i = 0; i < count; i++) {
        if (slice_equals_nocase(s, units[i].word)) {
            uint64_t part = fraction * units[i].factor / scale; /* below 4e18 before */
            return !__builtin_mul_overflow(whole, units[i].factor, ret_value) &&
                   !__builtin_add_overflow(*ret_value, part, ret_value);
        }
    }
    return false;
}

bool filter_read_duration(struct slice text, uint64_t *ret_ns)
{
    return read_scaled(text, time_units, COUNT_OF(time_units), ret_ns);
}

/* "4xx", "400-499", "404" */
static bool read_range(struct slice s, enum value_kind kind, struct filter_value *value)
{
    struct slice rest = s;
    struct slice head;
    bool is_class = kind == KIND_STATUS && s.len == 3 && s.at[0] >= '1' && s.at[0] <= '5' &&
                    slice_equals_nocase(slice_from(s, 1), SLICE("xx"));
    if (is_class) {
        value->least = (uint64_t)(s.at[0] - '0') * 100;
        value->most = value->least + 99;
        return true;
    }
    if (!slice_next_part(&rest, '-', &head) ||
        slice_to_u64(head, UINT64_MAX, &value->least) != ST_OK)
        return false;
    value->most = value->least;
    if (head.len < s.len && slice_to_u64(rest, UINT64_MAX, &value->most) != ST_OK)
        return false;
    return value->least <= value->most;
}

static bool read_value_word(struct slice s, enum value_kind kind, struct filter_value *value)
{
    for (size_t i = 0; i < COUNT_OF(value_words); i++) {
        bool is_word = value_words[i].kind == kind && value_words[i].word.at[0] != '-';
        if (is_word && slice_equals_nocase(s, value_words[i].word)) {
            value->least = value->most = value_words[i].number;
            return true;
        }
    }
    return false;
}

static bool read_number(struct slice s, enum value_kind kind, uint64_t *ret_number)
{
    if (kind == KIND_DURATION)
        return read_scaled(s, time_units, COUNT_OF(time_units), ret_number);
    if (kind == KIND_SIZE)
        return read_scaled(s, size_units, COUNT_OF(size_units), ret_number);
    return (kind == KIND_NUMBER || kind == KIND_STATUS) &&
           slice_to_u64(s, UINT64_MAX, ret_number) == ST_OK;
}

/* The value of '='. */
static bool read_equal(struct slice s, enum value_kind kind, struct filter_value *value)
{
    switch (kind) {
    case KIND_TEXT: return true;
    case KIND_ADDRESS: return inet_prefix_parse(s, &value->prefix) == ST_OK;
    case KIND_STATUS:
    case KIND_NUMBER: return read_range(s, kind, value);
    case KIND_KIND:
    case KIND_DECISION:
    case KIND_SLOW:
    case KIND_END: return read_value_word(s, kind, value);
    case KIND_ID:
        value->most = 0;
        if (s.len != 16 || slice_hex_to_u64(s, UINT64_MAX, &value->least) != ST_OK)
            return false;
        value->most = value->least;
        return true;
    case KIND_SIZE:
    case KIND_DURATION: return false; /* two of them are hardly ever the same */
    }
    return false;
}

/* The value of a comparison. */
static bool read_compared(struct slice s, enum value_kind kind, bool is_above, bool is_or_equal,
                          struct filter_value *value)
{
    uint64_t number = 0;
    if (!read_number(s, kind, &number))
        return false;
    bool is_empty = !is_or_equal && number == (is_above ? UINT64_MAX : 0);
    value->least = is_above ? number + (is_or_equal ? 0 : 1) : 0;
    value->most = is_above ? UINT64_MAX : number - (is_or_equal ? 0 : 1);
    return !is_empty;
}

/* ---- Terms ---- */

/* Copy what stands before the next comma into the filter's text, without quotes and in lower case. False: the text has
 * no end. */
static bool take_value(struct slice *rest, struct filter *filter, struct record_text *ret_value)
{
    bool is_quoted = false;
    size_t at = 0;
    ret_value->at = filter->text_len;
    for (; at < rest->len && (is_quoted || rest->at[at] != ','); at++) {
        if (rest->at[at] == '"')
            is_quoted = !is_quoted;
        else
            filter->text[filter->text_len++] = char_lower(rest->at[at]);
    }
    *rest = slice_from(*rest, at < rest->len ? at + 1 : at);
    ret_value->len = (uint16_t)(filter->text_len - ret_value->at);
    return !is_quoted;
}

static enum status add_value(struct parser *parser, size_t key, struct slice operator,
                             struct slice * values)
{
    struct filter *filter = parser->filter;
    if (filter->value_count == FILTER_VALUES_MAX)
        return fail(parser, ST_LIMIT, "a filter has at most 64 values");
    struct filter_value *value = &filter->values[filter->value_count++];
    struct slice before = *values;
    if (!take_value(values, filter, &value->pattern))
        return fail(parser, ST_BAD, "a quote is not closed");
    struct slice text = slice_of(filter->text + value->pattern.at, value->pattern.len);
    bool is_equal = slice_equals(operator, SLICE("="));
    bool is_part = slice_equals(operator, SLICE("~"));
    value->is_any = is_equal && slice_equals(text, SLICE("*"));
    enum value_kind kind = key_kind(key);
    bool is_good = text.len > 0;
    if (is_good && is_equal && !value->is_any)
        is_good = read_equal(text, kind, value);
    else if (is_good && is_part)
        is_good = kind == KIND_TEXT;
    else if (is_good && !is_equal)
        is_good = read_compared(text, kind, operator.at[0] == '>', operator.len == 2, value);
    return is_good ? ST_OK : fail_value(parser, key, before);
}

static bool is_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || char_is_digit(c) || c == '_' ||
           c == '-' || c == '.';
}

static struct slice take_operator(struct slice *rest)
{
    static const struct slice operators[] = {{"!=", 2}, {">=", 2}, {"<=", 2}, {"=", 1},
                                             {"~", 1},  {">", 1},  {"<", 1}};
    for (size_t i = 0; i < COUNT_OF(operators); i++) {
        if (slice_starts_with(*rest, operators[i])) {
            *rest = slice_from(*rest, operators[i].len);
            return operators[i];
        }
    }
    return SLICE_NONE;
}

static enum status add_term(struct parser *parser)
{
    struct filter *filter = parser->filter;
    struct slice rest = parser->term;
    bool is_negated = slice_starts_with(rest, SLICE("!"));
    rest = slice_from(rest, is_negated ? 1 : 0);
    size_t len = 0;
    while (len < rest.len && is_key_char(rest.at[len]))
        len++;
    struct slice word = slice_first(rest, len);
    size_t key = 0;
    while (key < FILTER_KEY_COUNT + PHASE_COUNT && !slice_equals_nocase(word, key_word(key)))
        key++;
    rest = slice_from(rest, len);
    struct slice operator= take_operator(&rest);
    if (len > 0 && key == FILTER_KEY_COUNT + PHASE_COUNT)
        return fail_key(parser, word);
    if (len == 0 || operator.len == 0)
        return fail(parser, ST_BAD,
                    "a term is KEY=VALUE, such as host=*.example.com or wait>100ms");
    if (filter->term_count == FILTER_TERMS_MAX)
        return fail(parser, ST_LIMIT, "a filter has at most 32 terms");
    if (slice_equals(operator, SLICE("!="))) {
        is_negated = !is_negated;
        operator= SLICE("=");
    }
    size_t first = filter->value_count;
    enum status status;
    do
        status = add_value(parser, key, operator, & rest);
    while (status == ST_OK && rest.len > 0);
    if (status != ST_OK)
        return status;
    filter->terms[filter->term_count].key = (uint8_t)key;
    filter->terms[filter->term_count].is_negated = is_negated;
    filter->terms[filter->term_count].is_part = slice_equals(operator, SLICE("~"));
    filter->terms[filter->term_count].first_value = (uint8_t)first;
    filter->terms[filter->term_count].value_count = (uint8_t)(filter->value_count - first);
    filter->term_count++;
    return ST_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next term, which ends at a blank outside of quotes. */
static bool next_term(struct slice *rest, struct slice *ret_term)
{
    bool is_quoted = false;
    size_t len = 0;
    while (rest->len > 0 && is_blank(rest->at[0]))
        *rest = slice_from(*rest, 1);
    for (; len < rest->len && (is_quoted || !is_blank(rest->at[len])); len++)
        is_quoted = rest->at[len] == '"' ? !is_quoted : is_quoted;
    *ret_term = slice_first(*rest, len);
    *rest = slice_from(*rest, len);
    return len > 0;
}

enum status filter_parse(struct slice text, struct filter *ret_filter, struct text *why)
{
    struct filter filter;
    struct parser parser = {&filter, why, text};
    memset(&filter, 0, sizeof(filter));
    if (text.len > FILTER_TEXT_MAX)
        return fail(&parser, ST_LIMIT, "a filter has at most 1024 bytes");
    while (next_term(&text, &parser.term)) {
        enum status status = add_term(&parser);
        if (status != ST_OK)
            return status;
    }
    *ret_filter = filter;
    return ST_OK;
}

/* ---- Matching ---- */

/* Where `part` stands first; text.len where it does not. The C library goes back over no more than 256 bytes, and so
 * needs some nanoseconds for each byte of the text, whatever the part; whoever matches many records looks at the
 * clock. */
static size_t text_find(struct slice text, struct slice part)
{
    const char *at = part.len == 0 ? text.at : memmem(text.at, text.len, part.at, part.len);
    return at == NULL ? text.len : (size_t)(at - text.at);
}

static bool text_ends_with(struct slice text, struct slice end)
{
    return text.len >= end.len && slice_equals(slice_from(text, text.len - end.len), end);
}

/* All of `text`, where '*' stands for any bytes. What stands between two of them is looked for from the left, which
 * leaves the most for what follows. */
static bool pattern_matches(struct slice pattern, struct slice text)
{
    size_t star = slice_find(pattern, '*');
    struct slice head = slice_first(pattern, star);
    if (star == pattern.len)
        return slice_equals(pattern, text);
    if (!slice_starts_with(text, head))
        return false;
    text = slice_from(text, head.len);
    size_t last = slice_find_last(pattern, '*');
    struct slice tail = slice_from(pattern, last + 1);
    if (!text_ends_with(text, tail))
        return false;
    text = slice_first(text, text.len - tail.len);
    struct slice middle =
        slice_first(slice_from(pattern, star + 1), last > star ? last - star - 1 : 0);
    struct slice part;
    while (slice_next_part(&middle, '*', &part)) {
        size_t at = text_find(text, part);
        if (part.len > 0 && at == text.len)
            return false;
        text = slice_from(text, at + part.len);
    }
    return true;
}

/* Patterns are in lower case. */
static bool text_fits(struct slice text, struct slice pattern, bool is_part)
{
    char room[RECORD_TEXT_MAX];
    struct slice lower = slice_of(room, text.len);
    if (text.len == 0 || text.len > sizeof(room))
        return false;
    for (size_t i = 0; i < text.len; i++)
        room[i] = char_lower(text.at[i]);
    if (is_part)
        return pattern.len == 0 || text_find(lower, pattern) < lower.len;
    return pattern_matches(pattern, lower);
}

/* "rule NAME" goes by its name, too. */
static bool rule_fits(struct slice rule, struct slice pattern, bool is_part)
{
    return text_fits(rule, pattern, is_part) ||
           (slice_starts_with(rule, SLICE("rule ")) &&
            text_fits(slice_from(rule, sizeof("rule ") - 1), pattern, is_part));
}

static struct record_text text_of(const struct record *record, enum filter_key key)
{
    switch (key) {
    case FILTER_HOST: return record->host;
    case FILTER_URL: return record->url;
    case FILTER_METHOD: return record->method;
    case FILTER_USER: return record->user;
    case FILTER_CAUSE: return record->cause;
    case FILTER_SNI: return record->sni;
    case FILTER_AGENT: return record->user_agent;
    default: return record->rule;
    }
}

static enum slow_side slow_of(const struct record *record)
{
    struct verdict verdict;
    return verdict_judge(record, &verdict) ? verdict.slow : SLOW_NONE;
}

static enum decision decision_of(const struct record *record)
{
    if (record->end == END_REFUSED)
        return DECISION_REFUSED;
    if (record->would_deny.len > 0)
        return DECISION_OBSERVED;
    return timeline_has(&record->timeline, MARK_P_POLICY) ? DECISION_ALLOWED : DECISION_NONE;
}

/* How long a phase had lasted when the transaction was given up; false where it is not the one that was not over. */
static bool unfinished_of(const struct record *record, enum phase phase, uint64_t *ret_ns)
{
    enum phase cut_off;
    uint64_t begin_ns, end_ns;
    if (!record_unfinished(record, &record->timeline, &cut_off, &begin_ns, &end_ns) ||
        cut_off != phase)
        return false;
    *ret_ns = end_ns - begin_ns;
    return true;
}

/* False: the record has no such number. */
static bool number_of(const struct record *record, size_t key, uint64_t *ret_number)
{
    if (key >= FILTER_KEY_COUNT)
        return timeline_phase(&record->timeline, (enum phase)(key - FILTER_KEY_COUNT),
                              ret_number) ||
               unfinished_of(record, (enum phase)(key - FILTER_KEY_COUNT), ret_number);
    switch ((enum filter_key)key) {
    case FILTER_STATUS: *ret_number = record->status; return record->status != 0;
    case FILTER_KIND: *ret_number = record->kind; return true;
    case FILTER_DECISION: *ret_number = decision_of(record); return *ret_number != DECISION_NONE;
    case FILTER_END: *ret_number = record->end; return record->end != END_NONE;
    case FILTER_SLOW: *ret_number = slow_of(record); return *ret_number != SLOW_NONE;
    case FILTER_UP: *ret_number = record->client_in_bytes; return true;
    case FILTER_DOWN: *ret_number = record->client_out_bytes; return true;
    case FILTER_USE: *ret_number = record->upstream_use; return record->upstream_use != 0;
    case FILTER_RETRIES: *ret_number = record->retries; return true;
    case FILTER_WORKER: *ret_number = record->worker; return true;
    case FILTER_CLIENT_CONN:
        *ret_number = record->client_conn_id;
        return record->client_conn_id != 0;
    case FILTER_UPSTREAM_CONN:
        *ret_number = record->upstream_conn_id;
        return record->upstream_conn_id != 0;
    case FILTER_ID: *ret_number = record->id; return true;
    default: return false;
    }
}

static bool address_fits(const struct inet_endpoint *endpoint, const struct filter_value *value)
{
    struct inet_addr plain = inet_addr_unmap(&endpoint->addr);
    return plain.family != INET_NONE &&
           (value->is_any || inet_prefix_contains(&value->prefix, &plain));
}

/* How long a request in flight has been in the phase that is not over; false where it is not in it. */
static bool so_far_of(const struct record *record, enum phase phase, uint64_t *ret_ns)
{
    enum phase now;
    uint64_t since_ns = record->timeline.at_ns[MARK_C_FIRST];
    if (!record_is_in_flight(record))
        return false;
    if (phase != PHASE_TOTAL &&
        (!timeline_phase_now(&record->timeline, &now, &since_ns) || now != phase))
        return false;
    *ret_ns = record->now_ns > since_ns ? record->now_ns - since_ns : 0;
    return since_ns != 0;
}

/* It goes on, so that only what it can but exceed is certain. */
static bool so_far_fits(const struct record *record, size_t key, const struct filter_value *value)
{
    uint64_t ns = 0;
    return key >= FILTER_KEY_COUNT &&
           so_far_of(record, (enum phase)(key - FILTER_KEY_COUNT), &ns) &&
           (value->is_any || (value->most == UINT64_MAX && ns >= value->least));
}

static bool value_fits(const struct filter *filter, size_t key, bool is_part,
                       const struct filter_value *value, const struct record *record)
{
    struct slice pattern = slice_of(filter->text + value->pattern.at, value->pattern.len);
    uint64_t number = 0;
    if (key == FILTER_CLIENT || key == FILTER_UPSTREAM)
        return address_fits(key == FILTER_CLIENT ? &record->client : &record->upstream, value);
    if (key == FILTER_RULE)
        return rule_fits(record_get(record, record->rule), pattern, is_part) ||
               rule_fits(record_get(record, record->would_deny), pattern, is_part);
    if (key_kind(key) == KIND_TEXT)
        return text_fits(record_get(record, text_of(record, (enum filter_key)key)), pattern,
                         is_part);
    if (!number_of(record, key, &number))
        return so_far_fits(record, key, value);
    return value->is_any || (number >= value->least && number <= value->most);
}

bool filter_match(const struct filter *filter, const struct record *record)
{
    for (size_t i = 0; i < filter->term_count; i++) {
        size_t end = (size_t)filter->terms[i].first_value + filter->terms[i].value_count;
        bool fits = false;
        for (size_t v = filter->terms[i].first_value; v < end && !fits; v++)
            fits = value_fits(filter, filter->terms[i].key, filter->terms[i].is_part,
                              &filter->values[v], record);
        if (fits == filter->terms[i].is_negated)
            return false;
    }
    return true;
}
