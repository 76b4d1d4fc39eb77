/* Guessing what was meant.
 *
 * Keys are compared in whole and by their last word, since the right word often stands in the wrong map; a word
 * that is a part of another one ("cert" of "certificate") is near, however many letters it lacks. Each row may
 * tell how others call it (`also`), and its flag is one more name: "log.level" is --log-level.
 *
 *     score   NEAR_STEP * distance, and NEAR_OTHER_MAP more where the candidate stands in another map
 *
 * Rejected: to guess values too. A wrong value is told with what was expected, which is enough. */

#include "config/nearest.h"

#include "base/edit.h"
#include "config/value.h"

enum { NEAR_STEP = 2, NEAR_PART = 2, NEAR_OTHER_MAP = 3 };

/* ---- words ---- */

static bool is_same(struct slice a, struct slice b)
{
    size_t i = 0;
    while (a.len == b.len && i < a.len && edit_plain(a.at[i]) == edit_plain(b.at[i]))
        i++;
    return a.len == b.len && i == a.len;
}

static struct slice without_dashes(struct slice word)
{
    while (slice_starts_with(word, SLICE("-")))
        word = slice_from(word, 1);
    return word;
}

static struct slice last_word(struct slice key)
{
    size_t dot = slice_find_last(key, '.');
    return dot < key.len ? slice_from(key, dot + 1) : without_dashes(key);
}

/* Is `word` how the other one begins, or one of its words at the end? */
static bool is_part(struct slice word, struct slice whole)
{
    if (word.len < 2 || whole.len <= word.len)
        return false;
    bool begins = is_same(word, slice_first(whole, word.len));
    size_t rest = whole.len - word.len;
    return (begins && (word.len > 3 || edit_plain(whole.at[word.len]) == '-')) ||
           (is_same(word, slice_from(whole, rest)) && edit_plain(whole.at[rest - 1]) == '-');
}

/* What it costs to stand in another map. */
static size_t far(struct slice a, struct slice b)
{
    struct slice map = slice_first(a, slice_find(a, '.'));
    return is_same(map, slice_first(b, slice_find(b, '.'))) ? 0 : NEAR_OTHER_MAP;
}

/* ---- candidates ---- */

static void keep_nearer(struct nearest *best, size_t score, struct slice word,
                        const struct schema_row *row)
{
    if (score < best->score)
        *best = (struct nearest){score, word, row};
}

void nearest_compare(struct slice wrong, struct slice candidate, const struct schema_row *row,
                     struct nearest *best)
{
    struct slice word = last_word(wrong);
    struct slice other = last_word(candidate);
    size_t whole = edit_distance(wrong, candidate);
    size_t moved = edit_distance(word, other) + 1;
    size_t distance = whole < moved ? whole : moved;
    bool is_near = edit_is_near(word, distance);
    if (!is_near && (is_part(word, other) || is_part(other, word))) {
        is_near = true;
        distance = NEAR_PART;
    }
    if (is_near)
        keep_nearer(best, NEAR_STEP * distance + far(wrong, candidate), candidate, row);
}

/* How others call it, and its flag. */
static bool row_is_called(const struct schema_row *row, struct slice wrong)
{
    struct slice names = slice_from_string(row->also);
    struct slice name;
    if (row->flag != NULL && is_same(wrong, without_dashes(slice_from_string(row->flag))))
        return true;
    while (slice_next_part(&names, ' ', &name)) {
        if (is_same(wrong, name) || is_same(last_word(wrong), name))
            return true;
    }
    return false;
}

void nearest_key(const struct schema_table *table, struct slice wrong, struct nearest *best)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct schema_row *row = &table->rows[i];
        struct slice key = slice_from_string(row->key);
        nearest_compare(wrong, key, row, best);
        if (row_is_called(row, wrong))
            keep_nearer(best, far(wrong, key) > 0, key, row);
        size_t dot = slice_find_last(key, '.');
        if (dot < key.len)
            nearest_compare(wrong, slice_first(key, dot), NULL, best);
    }
}

/* ---- values ---- */

/* How much it says that a row takes a value: a path may be nearly anything. 0: it does not. */
static unsigned weigh(const struct schema_row *row, struct slice value)
{
    bool is_path = slice_find(value, '/') < value.len || slice_equals(value, SLICE("off"));
    union {
        struct config config;
        struct config_listen listen;
        struct rule rule;
    } scratch = {.config = {.workers = 0}};
    struct memory memory = {NULL};
    enum status status = value_set(&memory, &scratch, row, value);
    memory_done(&memory);
    if (status != ST_OK || schema_is_table(row))
        return 0;
    if (row->kind == KIND_PATH)
        return is_path ? 1 : 0;
    return (row->kind == KIND_WORD || row->kind == KIND_NAME || row->kind == KIND_TEXTS ||
            row->kind == KIND_CSTRING) &&
                   row->words[0] == NULL
               ? 1
               : 2;
}

const struct schema_row *nearest_taker(const struct schema_table *table, struct slice section,
                                       struct slice value, bool is_list)
{
    const struct schema_row *best = NULL;
    unsigned most = 0;
    bool is_alone = false;
    for (size_t i = 0; i < table->count; i++) {
        const struct schema_row *row = &table->rows[i];
        if (!slice_starts_with(slice_from_string(row->key), section) ||
            (is_list && !schema_is_list(row)))
            continue;
        unsigned weight = weigh(row, value);
        if (weight == 0 || weight < most)
            continue;
        is_alone = weight > most;
        most = weight;
        best = row;
    }
    return is_alone ? best : NULL;
}
