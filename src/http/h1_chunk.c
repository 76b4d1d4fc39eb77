/* The chunked transfer coding.
 *
 *   SIZE --hex--> SIZE --CR--> SIZE_LF --LF--> DATA --all--> DATA_CR --CR--> DATA_LF --LF--> SIZE
 *     |                          ^  |size 0
 *     +--blank--> BLANK --;--> EXTENSION      +------> LAST (trailer section follows)
 *     +-----------;------------^
 *
 * Syntax lines are walked byte by byte, so any segmentation gives the same answers; data are views. Strict
 * where a looser reader and ours could part: bare LF, a size without digits, signs, prefixes, blanks that
 * no extension follows (the grammar allows them only before ';'), sizes beyond 2^63-1.
 * Extensions are skipped without being understood (RFC 9112 §7.1.1), bounded for one chunk and over all.
 *
 * Invariants: C1 `left` is the size so far in SIZE, and what is owed in DATA. C2 after a fault the state is
 * FAILED for ever. C3 `left` is above 0 in DATA. */
#include "http/h1_chunk.h"

#include "base/check.h"
#include "http/syntax.h"

enum state {
    STATE_SIZE,
    STATE_BLANK,
    STATE_EXTENSION,
    STATE_SIZE_LF,
    STATE_DATA,
    STATE_DATA_CR,
    STATE_DATA_LF,
    STATE_LAST,
    STATE_FAILED
};

#define FROM(state) (1u << (state))

/* The states that may come before each. */
static const uint16_t predecessors[] = {
    [STATE_SIZE] = FROM(STATE_DATA_LF),
    [STATE_BLANK] = FROM(STATE_SIZE),
    [STATE_EXTENSION] = FROM(STATE_SIZE) | FROM(STATE_BLANK),
    [STATE_SIZE_LF] = FROM(STATE_SIZE) | FROM(STATE_EXTENSION),
    [STATE_DATA] = FROM(STATE_SIZE_LF),
    [STATE_DATA_CR] = FROM(STATE_DATA),
    [STATE_DATA_LF] = FROM(STATE_DATA_CR),
    [STATE_LAST] = FROM(STATE_SIZE_LF),
    [STATE_FAILED] = 0xffff,
};

static void chunk_enter(struct h1_chunk *chunk, enum state state)
{
    CHECK(predecessors[state] & FROM(chunk->state));
    chunk->state = (uint8_t)state;
    if (state == STATE_SIZE) {
        chunk->digits = 0;
        chunk->extension = 0;
    }
}

void h1_chunk_init(struct h1_chunk *chunk)
{
    *chunk = (struct h1_chunk){.state = STATE_SIZE};
}

static enum status fail(struct h1_chunk *chunk, enum h1_fault fault)
{
    chunk->fault = fault;
    chunk_enter(chunk, STATE_FAILED);
    return fault == H1_FAULT_CHUNK_EXTENSION_TOO_LONG ? ST_LIMIT : ST_BAD;
}

static int hex_value(char c)
{
    if (char_is_digit(c))
        return c - '0';
    char lower = char_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static enum status count_extension_byte(struct h1_chunk *chunk)
{
    chunk->extension++;
    chunk->extension_total++;
    if (chunk->extension > H1_CHUNK_EXTENSION_MAX)
        return fail(chunk, H1_FAULT_CHUNK_EXTENSION_TOO_LONG);
    if (chunk->extension_total > H1_CHUNK_EXTENSION_SLACK &&
        chunk->extension_total - H1_CHUNK_EXTENSION_SLACK > chunk->data_bytes)
        return fail(chunk, H1_FAULT_CHUNK_EXTENSION_TOO_LONG);
    return ST_OK;
}

static enum status on_size_byte(struct h1_chunk *chunk, char c)
{
    int value = hex_value(c);
    if (value < 0 && chunk->digits == 0)
        return fail(chunk, c == '\n' ? H1_FAULT_BARE_LF : H1_FAULT_CHUNK_SIZE);
    if (value >= 0) {
        if (chunk->digits == H1_CHUNK_SIZE_DIGITS || chunk->left > INT64_MAX >> 4)
            return fail(chunk, H1_FAULT_CHUNK_SIZE_OVERFLOW);
        chunk->left = chunk->left << 4 | (uint64_t)value;
        chunk->digits++;
        return ST_OK;
    }
    switch (c) {
    case '\r': chunk_enter(chunk, STATE_SIZE_LF); return ST_OK;
    case '\n': return fail(chunk, H1_FAULT_BARE_LF);
    case ';': chunk_enter(chunk, STATE_EXTENSION); return count_extension_byte(chunk);
    case ' ':
    case '\t': chunk_enter(chunk, STATE_BLANK); return count_extension_byte(chunk);
    default: return fail(chunk, H1_FAULT_CHUNK_SIZE);
    }
}

static enum status on_blank_byte(struct h1_chunk *chunk, char c)
{
    if (c == ';')
        chunk_enter(chunk, STATE_EXTENSION);
    else if (c != ' ' && c != '\t')
        return fail(chunk, H1_FAULT_CHUNK_SIZE);
    return count_extension_byte(chunk);
}

static enum status on_extension_byte(struct h1_chunk *chunk, char c)
{
    if (c == '\r') {
        chunk_enter(chunk, STATE_SIZE_LF);
        return ST_OK;
    }
    if (c == '\n')
        return fail(chunk, H1_FAULT_BARE_LF);
    if (!syntax_is(c, SYNTAX_VALUE))
        return fail(chunk, H1_FAULT_CHUNK_EXTENSION);
    return count_extension_byte(chunk);
}

static enum status on_size_lf(struct h1_chunk *chunk, char c)
{
    if (c != '\n')
        return fail(chunk, H1_FAULT_BARE_CR);
    chunk_enter(chunk, chunk->left == 0 ? STATE_LAST : STATE_DATA);
    return ST_OK;
}

static enum status on_data_end(struct h1_chunk *chunk, char c)
{
    bool is_cr = chunk->state == STATE_DATA_CR;
    if (c != (is_cr ? '\r' : '\n'))
        return fail(chunk, H1_FAULT_CHUNK_END);
    if (is_cr) {
        chunk_enter(chunk, STATE_DATA_LF);
        return ST_OK;
    }
    chunk_enter(chunk, STATE_SIZE);
    return ST_OK;
}

static enum status on_syntax_byte(struct h1_chunk *chunk, char c)
{
    switch (chunk->state) {
    case STATE_SIZE: return on_size_byte(chunk, c);
    case STATE_BLANK: return on_blank_byte(chunk, c);
    case STATE_EXTENSION: return on_extension_byte(chunk, c);
    case STATE_SIZE_LF: return on_size_lf(chunk, c);
    default: return on_data_end(chunk, c);
    }
}

/* `len` bytes of the open chunk's data were seen. */
static void chunk_take(struct h1_chunk *chunk, size_t len)
{
    chunk->left -= len;
    chunk->data_bytes += len;
    if (chunk->left == 0)
        chunk_enter(chunk, STATE_DATA_CR);
}

enum status h1_chunk_next(struct h1_chunk *chunk, struct slice input, size_t *ret_consumed,
                          struct slice *ret_data)
{
    size_t at = 0;
    while (at < input.len && chunk->state < STATE_LAST && chunk->state != STATE_DATA) {
        enum status status = on_syntax_byte(chunk, input.at[at++]);
        if (status != ST_OK)
            return status;
    }
    if (chunk->state == STATE_FAILED)
        return fail(chunk, chunk->fault);

    size_t len = 0;
    if (chunk->state == STATE_DATA) {
        size_t have = input.len - at;
        len = chunk->left < have ? (size_t)chunk->left : have;
    }
    *ret_data = len > 0 ? slice_of(input.at + at, len) : SLICE_NONE;
    *ret_consumed = at + len;
    if (len > 0)
        chunk_take(chunk, len);
    if (chunk->state == STATE_LAST)
        return ST_EOF;
    return len > 0 ? ST_OK : ST_AGAIN;
}

uint64_t h1_chunk_left(const struct h1_chunk *chunk)
{
    return chunk->state == STATE_DATA ? chunk->left : 0;
}

void h1_chunk_skip(struct h1_chunk *chunk, size_t len)
{
    CHECK(len > 0 && len <= h1_chunk_left(chunk));
    chunk_take(chunk, len);
}

size_t h1_chunk_prefix(uint64_t size, char into[static H1_CHUNK_PREFIX_MAX])
{
    CHECK(size > 0);
    size_t digits = 0;
    for (uint64_t rest = size; rest > 0; rest >>= 4)
        digits++;
    for (size_t i = digits; i > 0; i--) {
        into[i - 1] = "0123456789abcdef"[size & 15];
        size >>= 4;
    }
    into[digits] = '\r';
    into[digits + 1] = '\n';
    return digits + 2;
}
