/* An open-addressing table from names to sets of owners.
 *
 * A name is hashed from its end to its beginning, so that one pass over a host gives the hashes of everything it
 * stands below. The table is made once, when all names are known: full to three quarters, probed linearly. Slots carry
 * half of the hash, so that a name is read only where it is probably the one.
 *
 * Clients choose what is looked for, and the operator what is stored: no client can make chains longer, so the hash
 * needs no secret.
 *
 * While names come, a set is a step: one that exists, and one owner more. Steps are remembered, so that a million names
 * of one list share one, and so do those that two lists hold. Only the sets that names have in the end are written out,
 * so that all of them together are no longer than what was added: a name of a thousand rules has one set of a thousand,
 * and not one of each length. */

#include "policy/name_index.h"

#include "base/check.h"

#include <stdlib.h>

enum { NAME_INDEX_TAG = TAG('n', 'i', 'd', 'x') };

/* A set of owners; number 0 is the empty one. */
struct name_set {
    uint32_t at; /* in `owners` */
    uint32_t count;
};

/* The set number `before` with `owner`, which is greater than all in it. */
struct name_step {
    uint32_t before;
    uint32_t owner;
    uint32_t count; /* of the whole set */
};

struct name_entry {
    uint32_t text;  /* in `texts`: its length in one byte, then itself */
    uint32_t exact; /* sets; before the end, steps */
    uint32_t below;
};

struct name_slot {
    uint32_t half;  /* of the hash */
    uint32_t entry; /* from 1; 0: empty */
};

struct name_index {
    uint32_t tag;
    bool is_finished;
    struct name_entry *entries;
    size_t entry_count, entry_room;
    char *texts;
    size_t text_len, text_room;
    struct name_slot *slots;
    size_t slot_count;
    uint32_t *owners;
    size_t owner_count, owner_room;
    struct name_set *sets;
    size_t set_count, set_room;
    /* Gone when finished: steps, of which number 0 is the empty set, and a table of their numbers; 0: an empty
     * place. */
    struct name_step *steps;
    size_t step_count, step_room;
    uint32_t *places;
    size_t place_count;
};

/* ---- hashing ---- */

static uint64_t hash_step(uint64_t hash, char c)
{
    return (hash ^ (unsigned char)c) * 0x100000001b3u;
}

/* Every bit of the hash depends on all bytes (the last step of MurmurHash3). */
static uint64_t hash_end(uint64_t hash)
{
    hash ^= hash >> 33;
    hash *= 0xff51afd7ed558ccdu;
    hash ^= hash >> 33;
    hash *= 0xc4ceb9fe1a85ec53u;
    return hash ^ hash >> 33;
}

static const uint64_t HASH_BEGIN = 0xcbf29ce484222325u;

static uint64_t hash_of(struct slice name)
{
    uint64_t hash = HASH_BEGIN;
    for (size_t i = name.len; i > 0; i--)
        hash = hash_step(hash, name.at[i - 1]);
    return hash_end(hash);
}

/* ---- memory ---- */

/* Room for `more` elements behind `count`. */
static enum status grow(void **list, size_t count, size_t more, size_t *room, size_t bytes)
{
    if (count + more <= *room)
        return ST_OK;
    size_t wanted = *room * 2 > count + more ? *room * 2 : count + more + 16;
    void *grown = realloc(*list, wanted * bytes);
    if (grown == NULL)
        return ST_NOMEM;
    *list = grown;
    *room = wanted;
    return ST_OK;
}

#define GROW(index, list, count, room, more) \
    grow((void **)&(index)->list, (index)->count, (more), &(index)->room, sizeof(*(index)->list))

struct name_index *name_index_create(void)
{
    struct name_index *index = calloc(1, sizeof(*index));
    if (index == NULL)
        return NULL;
    index->tag = NAME_INDEX_TAG;
    if (GROW(index, sets, set_count, set_room, 1) != ST_OK ||
        GROW(index, steps, step_count, step_room, 1) != ST_OK) {
        name_index_destroy(&index);
        return NULL;
    }
    index->sets[index->set_count++] = (struct name_set){0, 0};
    index->steps[index->step_count++] = (struct name_step){0, 0, 0};
    return index;
}

static void forget_steps(struct name_index *index)
{
    free(index->steps);
    free(index->places);
    index->steps = NULL;
    index->places = NULL;
    index->step_count = index->step_room = index->place_count = 0;
}

void name_index_destroy(struct name_index **index)
{
    struct name_index *dead = *index;
    if (dead == NULL)
        return;
    CHECK_TAG(dead, NAME_INDEX_TAG);
    free(dead->entries);
    free(dead->texts);
    free(dead->slots);
    free(dead->owners);
    free(dead->sets);
    forget_steps(dead);
    dead->tag = 0;
    free(dead);
    *index = NULL;
}

/* ---- sets ---- */

static struct name_hit set_hit(const struct name_index *index, uint32_t set)
{
    const struct name_set *at = &index->sets[set];
    return (struct name_hit){at->count == 0 ? NULL : index->owners + at->at, at->count};
}

/* The place of this step, or the empty one where it would stand. */
static uint32_t *place_of(const struct name_index *index, uint32_t *places, size_t count,
                          uint32_t before, uint32_t owner)
{
    size_t at = (size_t)(hash_end((uint64_t)before << 32 | owner) & (count - 1));
    for (;;) {
        const struct name_step *step = &index->steps[places[at]];
        if (places[at] == 0 || (step->before == before && step->owner == owner))
            return &places[at];
        at = (at + 1) & (count - 1);
    }
}

/* Full to one half at most. */
static enum status places_make_room(struct name_index *index)
{
    if (index->step_count * 2 < index->place_count)
        return ST_OK;
    size_t count = index->place_count == 0 ? 64 : index->place_count * 2;
    uint32_t *places = calloc(count, sizeof(*places));
    if (places == NULL)
        return ST_NOMEM;
    for (uint32_t i = 1; i < index->step_count; i++) {
        const struct name_step *step = &index->steps[i];
        *place_of(index, places, count, step->before, step->owner) = i;
    }
    free(index->places);
    index->places = places;
    index->place_count = count;
    return ST_OK;
}

/* The set that has `owner` beside those of *set. */
static enum status set_add(struct name_index *index, uint32_t *set, uint32_t owner)
{
    struct name_step from = index->steps[*set];
    if (from.count > 0 && from.owner == owner)
        return ST_OK;
    if (index->step_count == UINT32_MAX)
        return ST_LIMIT;
    if (places_make_room(index) != ST_OK || GROW(index, steps, step_count, step_room, 1) != ST_OK)
        return ST_NOMEM;
    uint32_t *known = place_of(index, index->places, index->place_count, *set, owner);
    if (*known == 0) {
        index->steps[index->step_count] = (struct name_step){*set, owner, from.count + 1};
        *known = (uint32_t)index->step_count++;
    }
    *set = *known;
    return ST_OK;
}

/* Write the set of a step out, once; *set is its number afterwards. */
static enum status set_make(struct name_index *index, uint32_t *made, uint32_t *set)
{
    struct name_step last = index->steps[*set];
    if (*set == 0 || made[*set] != 0) {
        *set = made[*set];
        return ST_OK;
    }
    if (index->owner_count + last.count > UINT32_MAX)
        return ST_LIMIT;
    if (GROW(index, owners, owner_count, owner_room, last.count) != ST_OK ||
        GROW(index, sets, set_count, set_room, 1) != ST_OK)
        return ST_NOMEM;
    for (struct name_step step = last; step.count > 0; step = index->steps[step.before])
        index->owners[index->owner_count + step.count - 1] = step.owner;
    made[*set] = (uint32_t)index->set_count;
    index->sets[index->set_count++] = (struct name_set){(uint32_t)index->owner_count, last.count};
    index->owner_count += last.count;
    *set = made[*set];
    return ST_OK;
}

/* All that names have in the end. */
static enum status sets_make(struct name_index *index)
{
    uint32_t *made = calloc(index->step_count, sizeof(*made));
    if (made == NULL)
        return ST_NOMEM;
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < index->entry_count; i++) {
        status = set_make(index, made, &index->entries[i].exact);
        if (status == ST_OK)
            status = set_make(index, made, &index->entries[i].below);
    }
    free(made);
    return status;
}

/* ---- the table ---- */

static struct slice entry_name(const struct name_index *index, const struct name_entry *entry)
{
    const char *text = index->texts + entry->text;
    return slice_of(text + 1, (unsigned char)text[0]);
}

static size_t slot_begin(const struct name_index *index, uint64_t hash)
{
    return (size_t)(((hash >> 32) * index->slot_count) >> 32);
}

/* The slot with this name, or the empty one where it would stand. */
static size_t slot_find(const struct name_index *index, uint64_t hash, struct slice name)
{
    size_t at = slot_begin(index, hash);
    for (;;) {
        const struct name_slot *slot = &index->slots[at];
        if (slot->entry == 0)
            return at;
        if (slot->half == (uint32_t)hash &&
            slice_equals(entry_name(index, &index->entries[slot->entry - 1]), name))
            return at;
        at = at + 1 < index->slot_count ? at + 1 : 0;
    }
}

static enum status slots_make(struct name_index *index, size_t count)
{
    struct name_slot *slots = calloc(count, sizeof(*slots));
    if (slots == NULL)
        return ST_NOMEM;
    free(index->slots);
    index->slots = slots;
    index->slot_count = count;
    for (size_t i = 0; i < index->entry_count; i++) {
        uint64_t hash = hash_of(entry_name(index, &index->entries[i]));
        size_t at = slot_begin(index, hash);
        while (slots[at].entry != 0)
            at = at + 1 < count ? at + 1 : 0;
        slots[at] = (struct name_slot){(uint32_t)hash, (uint32_t)i + 1};
    }
    return ST_OK;
}

static enum status entry_add(struct name_index *index, struct slice name, uint64_t hash, size_t at)
{
    size_t len = name.len + 1;
    if (index->entry_count == NAME_INDEX_NAMES_MAX || index->text_len + len > UINT32_MAX)
        return ST_LIMIT;
    if (GROW(index, entries, entry_count, entry_room, 1) != ST_OK ||
        GROW(index, texts, text_len, text_room, len) != ST_OK)
        return ST_NOMEM;
    char *text = index->texts + index->text_len;
    text[0] = (char)(unsigned char)name.len;
    memcpy(text + 1, name.at, name.len);
    index->entries[index->entry_count++] = (struct name_entry){(uint32_t)index->text_len, 0, 0};
    index->text_len += len;
    index->slots[at] = (struct name_slot){(uint32_t)hash, (uint32_t)index->entry_count};
    return ST_OK;
}

enum status name_index_add(struct name_index *index, struct slice name, bool is_below,
                           uint32_t owner)
{
    CHECK_TAG(index, NAME_INDEX_TAG);
    CHECK(!index->is_finished);
    CHECK(name.len > 0 && name.len <= NAME_INDEX_KEY_MAX);
    if (index->entry_count * 2 >= index->slot_count &&
        slots_make(index, index->slot_count == 0 ? 64 : index->slot_count * 2) != ST_OK)
        return ST_NOMEM;
    uint64_t hash = hash_of(name);
    size_t at = slot_find(index, hash, name);
    if (index->slots[at].entry == 0) {
        enum status status = entry_add(index, name, hash, at);
        if (status != ST_OK)
            return status;
    }
    struct name_entry *entry = &index->entries[index->slots[at].entry - 1];
    return set_add(index, is_below ? &entry->below : &entry->exact, owner);
}

/* Give back what was left for growing. */
static void trim(void **list, size_t count, size_t *room, size_t bytes)
{
    void *less = count == 0 ? NULL : realloc(*list, count * bytes);
    if (less == NULL)
        return; /* as it was */
    *list = less;
    *room = count;
}

#define TRIM(index, list, count, room) \
    trim((void **)&(index)->list, (index)->count, &(index)->room, sizeof(*(index)->list))

enum status name_index_finish(struct name_index *index)
{
    CHECK_TAG(index, NAME_INDEX_TAG);
    if (slots_make(index, index->entry_count + index->entry_count / 3 + 1) != ST_OK)
        return ST_NOMEM;
    enum status status = sets_make(index);
    if (status != ST_OK)
        return status;
    forget_steps(index);
    TRIM(index, entries, entry_count, entry_room);
    TRIM(index, texts, text_len, text_room);
    TRIM(index, owners, owner_count, owner_room);
    TRIM(index, sets, set_count, set_room);
    index->is_finished = true;
    return ST_OK;
}

/* ---- finding ---- */

static const struct name_entry *entry_find(const struct name_index *index, uint64_t hash,
                                           struct slice name)
{
    const struct name_slot *slot = &index->slots[slot_find(index, hash, name)];
    return slot->entry == 0 ? NULL : &index->entries[slot->entry - 1];
}

struct name_hit name_index_get(const struct name_index *index, struct slice name)
{
    CHECK_TAG(index, NAME_INDEX_TAG);
    DCHECK(index->is_finished);
    const struct name_entry *entry = entry_find(index, hash_of(name), name);
    return entry == NULL ? (struct name_hit){NULL, 0} : set_hit(index, entry->exact);
}

size_t name_index_find(const struct name_index *index, struct slice host, struct name_hit *into)
{
    CHECK_TAG(index, NAME_INDEX_TAG);
    DCHECK(index->is_finished);
    size_t count = 0;
    uint64_t hash = HASH_BEGIN;
    if (index->entry_count == 0)
        return 0;
    for (size_t i = host.len; i > 0; i--) {
        hash = hash_step(hash, host.at[i - 1]);
        bool is_whole = i == 1;
        if (!is_whole && host.at[i - 2] != '.')
            continue;
        const struct name_entry *entry = entry_find(index, hash_end(hash), slice_from(host, i - 1));
        uint32_t set = entry == NULL ? 0 : is_whole ? entry->exact : entry->below;
        if (set != 0 && count < NAME_INDEX_HITS_MAX)
            into[count++] = set_hit(index, set);
    }
    return count;
}

size_t name_index_count(const struct name_index *index)
{
    CHECK_TAG(index, NAME_INDEX_TAG);
    return index->entry_count;
}

size_t name_index_bytes(const struct name_index *index)
{
    CHECK_TAG(index, NAME_INDEX_TAG);
    return sizeof(*index) + index->entry_room * sizeof(*index->entries) + index->text_room +
           index->slot_count * sizeof(*index->slots) + index->owner_room * sizeof(*index->owners) +
           index->set_room * sizeof(*index->sets) + index->step_room * sizeof(*index->steps) +
           index->place_count * sizeof(*index->places);
}
