/* A scanner that steps over one value, whatever is nested in it, and what is made of it. The open brackets are bits of
 * a word, so that depth is bounded and no stack grows with the input.
 *
 *     value  = scalar | "{" members "}" | "[" elements "]"
 *     opening  goes down to the next scalar or empty bracket: "[[{"a":" 1
 *     closing  goes up from there, to a comma or the end:     1 "}]" ","
 *
 * A tree of nodes was not made: what reads JSON here wants a dozen members of flat objects, one after the other. */

#include "base/json.h"

#include "base/text.h"

struct nest {
    uint64_t objects; /* bit 0: the innermost open bracket is a brace */
    unsigned depth;
};

/* ---- lexemes ---- */

static void skip_blanks(struct slice *rest)
{
    while (rest->len > 0 && (rest->at[0] == ' ' || rest->at[0] == '\t' || rest->at[0] == '\n' ||
                             rest->at[0] == '\r'))
        *rest = slice_from(*rest, 1);
}

static bool take_char(struct slice *rest, char c)
{
    if (rest->len == 0 || rest->at[0] != c)
        return false;
    *rest = slice_from(*rest, 1);
    return true;
}

static size_t skip_digits(struct slice *rest)
{
    size_t count = 0;
    while (count < rest->len && char_is_digit(rest->at[count]))
        count++;
    *rest = slice_from(*rest, count);
    return count;
}

static bool scan_number(struct slice *rest)
{
    (void)take_char(rest, '-');
    bool is_zero = take_char(rest, '0');
    if (!is_zero && skip_digits(rest) == 0)
        return false;
    if (take_char(rest, '.') && skip_digits(rest) == 0)
        return false;
    if (take_char(rest, 'e') || take_char(rest, 'E')) {
        if (!take_char(rest, '+'))
            (void)take_char(rest, '-');
        return skip_digits(rest) > 0;
    }
    return true;
}

static bool is_simple_escape(char c)
{
    return c == '"' || c == '\\' || c == '/' || c == 'b' || c == 'f' || c == 'n' || c == 'r' ||
           c == 't';
}

/* Bytes of the character or escape at the front; 0: neither. */
static size_t string_step(struct slice s)
{
    uint64_t unit = 0;
    unsigned char c = (unsigned char)s.at[0];
    if (c < 0x20)
        return 0;
    if (c >= 0x80)
        return utf8_length(s);
    if (c != '\\')
        return 1;
    if (s.len >= 2 && is_simple_escape(s.at[1]))
        return 2;
    bool is_unicode = s.len >= 6 && s.at[1] == 'u' &&
                      slice_hex_to_u64(slice_first(slice_from(s, 2), 4), 0xffff, &unit) == ST_OK;
    return is_unicode ? 6 : 0;
}

/* *rest begins behind the opening quote, and ends behind the closing one. */
static bool scan_string(struct slice *rest)
{
    while (rest->len > 0 && rest->at[0] != '"') {
        size_t step = string_step(*rest);
        if (step == 0)
            return false;
        *rest = slice_from(*rest, step);
    }
    return take_char(rest, '"');
}

static bool take_word(struct slice *rest, struct slice word)
{
    if (!slice_starts_with(*rest, word))
        return false;
    *rest = slice_from(*rest, word.len);
    return true;
}

static bool scan_scalar(struct slice *rest)
{
    if (take_char(rest, '"'))
        return scan_string(rest);
    return take_word(rest, SLICE("true")) || take_word(rest, SLICE("false")) ||
           take_word(rest, SLICE("null")) || scan_number(rest);
}

/* A name and its colon. */
static bool scan_key(struct slice *rest)
{
    skip_blanks(rest);
    if (!take_char(rest, '"') || !scan_string(rest))
        return false;
    skip_blanks(rest);
    return take_char(rest, ':');
}

/* ---- values ---- */

static enum status scan_opening(struct slice *rest, struct nest *nest)
{
    for (;;) {
        skip_blanks(rest);
        bool is_object = take_char(rest, '{');
        if (!is_object && !take_char(rest, '['))
            return scan_scalar(rest) ? ST_OK : ST_BAD;
        if (nest->depth == JSON_DEPTH_MAX)
            return ST_LIMIT;
        skip_blanks(rest);
        if (take_char(rest, is_object ? '}' : ']'))
            return ST_OK;
        nest->depth++;
        nest->objects = nest->objects << 1 | (is_object ? 1 : 0);
        if (is_object && !scan_key(rest))
            return ST_BAD;
    }
}

static enum status scan_closing(struct slice *rest, struct nest *nest)
{
    while (nest->depth > 0) {
        bool is_object = (nest->objects & 1) != 0;
        skip_blanks(rest);
        if (take_char(rest, ','))
            return !is_object || scan_key(rest) ? ST_OK : ST_BAD;
        if (!take_char(rest, is_object ? '}' : ']'))
            return ST_BAD;
        nest->depth--;
        nest->objects >>= 1;
    }
    return ST_OK;
}

/* Step over one value. */
static enum status scan_value(struct slice *rest)
{
    struct nest nest = {.depth = 0};
    do {
        enum status status = scan_opening(rest, &nest);
        if (status == ST_OK)
            status = scan_closing(rest, &nest);
        if (status != ST_OK)
            return status;
    } while (nest.depth > 0);
    return ST_OK;
}

/* The value that a scan has stepped over. */
static struct json_value value_of(struct slice text)
{
    struct slice inside = text.len >= 2 ? slice_of(text.at + 1, text.len - 2) : SLICE_NONE;
    switch (text.at[0]) {
    case '{': return (struct json_value){JSON_OBJECT, inside};
    case '[': return (struct json_value){JSON_ARRAY, inside};
    case '"': return (struct json_value){JSON_STRING, inside};
    case 't': return (struct json_value){JSON_TRUE, text};
    case 'f': return (struct json_value){JSON_FALSE, text};
    case 'n': return (struct json_value){JSON_NULL, text};
    default: return (struct json_value){JSON_NUMBER, text};
    }
}

static enum status take_value(struct slice *rest, struct json_value *ret_value)
{
    skip_blanks(rest);
    struct slice begin = *rest;
    enum status status = scan_value(rest);
    if (status == ST_OK)
        *ret_value = value_of(slice_first(begin, begin.len - rest->len));
    return status;
}

enum status json_check_at(struct slice text, struct json_value *ret_value, size_t *ret_at)
{
    struct json_value value;
    size_t len = text.len;
    enum status status = take_value(&text, &value);
    if (status == ST_OK)
        skip_blanks(&text);
    *ret_at = len - text.len;
    if (status == ST_OK && text.len > 0)
        status = ST_BAD;
    if (status == ST_OK)
        *ret_value = value;
    return status;
}

enum status json_check(struct slice text, struct json_value *ret_value)
{
    size_t at;
    return json_check_at(text, ret_value, &at);
}

bool json_next_member(struct json_value *object, struct slice *ret_key,
                      struct json_value *ret_value)
{
    struct slice *rest = &object->raw;
    if (object->kind != JSON_OBJECT)
        return false;
    skip_blanks(rest);
    (void)take_char(rest, ',');
    skip_blanks(rest);
    struct slice begin = *rest;
    if (!take_char(rest, '"') || !scan_string(rest))
        return false;
    struct slice key = slice_of(begin.at + 1, begin.len - rest->len - 2);
    skip_blanks(rest);
    if (!take_char(rest, ':') || take_value(rest, ret_value) != ST_OK)
        return false;
    *ret_key = key;
    return true;
}

bool json_next_element(struct json_value *array, struct json_value *ret_value)
{
    if (array->kind != JSON_ARRAY)
        return false;
    skip_blanks(&array->raw);
    (void)take_char(&array->raw, ',');
    return take_value(&array->raw, ret_value) == ST_OK;
}

/* ---- what values say ---- */

static bool text_add_point(struct text *text, uint32_t point)
{
    char bytes[4];
    size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len; i-- > 1; point >>= 6)
        bytes[i] = (char)(0x80 | (point & 0x3f));
    bytes[0] = (char)(lead[len] | point);
    text_add(text, slice_of(bytes, len));
    return !text->is_cut;
}

/* The unit of a \u escape at the front. */
static bool take_unit(struct slice *rest, uint32_t *ret_unit)
{
    uint64_t unit = 0;
    if (rest->len < 6 || !slice_starts_with(*rest, SLICE("\\u")) ||
        slice_hex_to_u64(slice_first(slice_from(*rest, 2), 4), 0xffff, &unit) != ST_OK)
        return false;
    *rest = slice_from(*rest, 6);
    *ret_unit = (uint32_t)unit;
    return true;
}

static enum status add_unicode(struct slice *rest, struct text *text)
{
    uint32_t point = 0;
    uint32_t low = 0;
    if (!take_unit(rest, &point))
        return ST_BAD;
    bool is_high = point >= 0xd800 && point < 0xdc00;
    if (is_high && (!take_unit(rest, &low) || low < 0xdc00 || low > 0xdfff))
        return ST_BAD;
    if (point >= 0xdc00 && point <= 0xdfff)
        return ST_BAD;
    if (is_high)
        point = 0x10000 + ((point - 0xd800) << 10 | (low - 0xdc00));
    return text_add_point(text, point) ? ST_OK : ST_LIMIT;
}

static enum status add_escape(struct slice *rest, struct text *text)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char *found = rest->len >= 2 ? memchr(letters, rest->at[1], sizeof(letters) - 1) : NULL;
    if (found == NULL)
        return add_unicode(rest, text);
    text_add_char(text, meanings[found - letters]);
    *rest = slice_from(*rest, 2);
    return ST_OK;
}

enum status json_text_into(const struct json_value *value, char *into, size_t cap,
                           struct slice *ret_text)
{
    struct slice rest = value->raw;
    struct text text = text_on(into, cap);
    enum status status = value->kind == JSON_STRING ? ST_OK : ST_BAD;
    while (status == ST_OK && rest.len > 0) {
        struct slice run = slice_first(rest, slice_find(rest, '\\'));
        text_add(&text, run);
        rest = slice_from(rest, run.len);
        if (rest.len > 0)
            status = add_escape(&rest, &text);
    }
    if (status == ST_OK && text.is_cut)
        status = ST_LIMIT;
    if (status == ST_OK)
        *ret_text = text_slice(&text);
    return status;
}

enum status json_to_u64(const struct json_value *value, uint64_t max, uint64_t *ret_value)
{
    return value->kind == JSON_NUMBER ? slice_to_u64(value->raw, max, ret_value) : ST_BAD;
}
