/* Packing by words of 8 bytes. A bit for each word of the fixed part says whether it is kept, which it is unless it is
 * zero; of a kept word follow a byte with the place and number of its bytes from the first to the last that is not
 * zero, and those; behind all of them the text. Moments lie close together, so of a word whose upper half is that of
 * the kept one before it only the lower half is written. Of the fields this knows only that the attempts come last, and
 * how many there are: a new one needs no change here.
 *
 *     kept | bytes | {place and number, its bytes} of each kept word | text
 *
 * Before that it lies as it was in a slab of its own, in a list by age; *kept* tells where, and is told when it moves.
 *
 * A general compressor does no better on so few bytes, and takes longer than the request. Each packed record lies in a
 * slab for its size, and so takes at most SHELF_STEP more than it needs. */
#include "record/shelf.h"

#include "base/check.h"

#include <assert.h>
#include <string.h>

enum {
    WORD_BYTES = sizeof(uint64_t),
    WORD_ROOM = 1 + WORD_BYTES,
    WORD_IS_NEAR = 0x80, /* beside place and number: only the lower half is there */
    FIXED_LEAST = offsetof(struct record, attempts),
    PACKED_WORDS = offsetof(struct record, text) / WORD_BYTES,
    PACKED_MASKS = (PACKED_WORDS + 63) / 64,
};

struct record_packed {
    uint64_t kept[PACKED_MASKS]; /* a bit a word */
    uint16_t bytes;              /* of all this */
    char data[];
};

enum {
    PACKED_HEAD = offsetof(struct record_packed, data),
    PACKED_MAX = PACKED_HEAD + PACKED_WORDS * WORD_ROOM + RECORD_TEXT_MAX,
    SHELF_STEPS_BYTES = SHELF_STEPS * SHELF_STEP,
};

static_assert(FIXED_LEAST % WORD_BYTES == 0, "the fixed part is whole words");
static_assert(sizeof(struct record_attempt) % WORD_BYTES == 0, "and so are the attempts");
static_assert(offsetof(struct record, text) ==
                  FIXED_LEAST + RECORD_ATTEMPTS_MAX * sizeof(struct record_attempt),
              "behind which the text begins");
static_assert(PACKED_MAX <= SHELF_STEPS_BYTES << SHELF_LARGE, "the largest has its slab");
static_assert(PACKED_MAX <= UINT16_MAX, "16 bits for the size");

/* A packed record that is being made or read: words are written and read whole, and so beyond the last byte. */
union packed_room {
    struct record_packed packed;
    char bytes[PACKED_MAX + WORD_BYTES];
};

/* A record as it was put. */
struct record_fresh {
    struct link link;
    struct record_kept *kept; /* where it is known */
    _Alignas(struct record) char bytes[offsetof(struct record, text) + SHELF_FRESH_TEXT_MAX];
};

static_assert((int)SHELF_FRESH_TEXT_MAX <= (int)RECORD_TEXT_MAX, "more is never there");

void record_shelf_init(struct record_shelf *shelf)
{
    slab_init_front(&shelf->fresh_slab, sizeof(struct record_fresh), 0);
    link_init(&shelf->fresh);
    shelf->fresh_count = 0;
    for (size_t i = 0; i < SHELF_STEPS; i++)
        slab_init_front(&shelf->slabs[i], (i + 1) * SHELF_STEP, 0);
    for (size_t i = 0; i < SHELF_LARGE; i++)
        slab_init_front(&shelf->slabs[SHELF_STEPS + i], (size_t)SHELF_STEPS_BYTES << (i + 1), 0);
}

void record_shelf_done(struct record_shelf *shelf)
{
    slab_done(&shelf->fresh_slab);
    for (size_t i = 0; i < SHELF_SLABS; i++)
        slab_done(&shelf->slabs[i]);
}

static struct slab *shelf_slab(struct record_shelf *shelf, size_t bytes)
{
    size_t at = (bytes - 1) / SHELF_STEP;
    if (at >= SHELF_STEPS)
        at = SHELF_STEPS;
    while (shelf->slabs[at].object_bytes < bytes)
        at++;
    return &shelf->slabs[at];
}

static uint64_t upper_half(uint64_t word)
{
    return word & ~(uint64_t)UINT32_MAX;
}

/* Pack one that is not zero, behind the kept one `before`; gives the place behind it. */
static char *pack_word(uint64_t word, uint64_t before, char *into)
{
    bool is_near = upper_half(word) != 0 && upper_half(word) == upper_half(before);
    word &= is_near ? UINT32_MAX : UINT64_MAX;
    unsigned place = word == 0 ? 0 : (unsigned)__builtin_ctzll(word) / 8;
    unsigned bytes = word == 0 ? 0 : WORD_BYTES - (unsigned)__builtin_clzll(word) / 8 - place;
    word >>= place * 8;
    *into = (char)(unsigned char)(place | bytes << 3 | (is_near ? WORD_IS_NEAR : 0));
    memcpy(into + 1, &word, sizeof(word)); /* the zeros behind it are overwritten */
    return into + 1 + bytes;
}

/* Pack up to 64 words, of which *ret_kept tells; *before is the last one that was kept. Gives the place behind them. */
static char *pack_words(const char *words, size_t count, char *into, uint64_t *ret_kept,
                        uint64_t *before)
{
    uint64_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t word;
        memcpy(&word, words + i * WORD_BYTES, sizeof(word));
        if (word == 0)
            continue;
        kept |= 1ULL << i;
        into = pack_word(word, *before, into);
        *before = word;
    }
    *ret_kept = kept;
    return into;
}

static const char *unpack_words(const char *from, uint64_t kept, char *words, uint64_t *before)
{
    for (; kept != 0; kept &= kept - 1) {
        uint64_t word;
        unsigned head = (unsigned char)*from;
        unsigned place = head & 7;
        unsigned bytes = head >> 3 & 0xf;
        memcpy(&word, from + 1, sizeof(word));
        word =
            bytes == 0 ? 0 : word << (WORD_BYTES - bytes) * 8 >> (WORD_BYTES - bytes - place) * 8;
        if ((head & WORD_IS_NEAR) != 0)
            word |= upper_half(*before);
        *before = word;
        memcpy(words + (size_t)__builtin_ctzll(kept) * WORD_BYTES, &word, sizeof(word));
        from += 1 + bytes;
    }
    return from;
}

/* Bytes of the fixed part that are set. */
static size_t fixed_bytes(const struct record *record)
{
    return FIXED_LEAST + record->attempt_count * sizeof(record->attempts[0]);
}

/* How many of `words` the mask with this number is for. */
static size_t mask_words(size_t words, size_t mask)
{
    size_t before = mask * 64;
    size_t left = words > before ? words - before : 0;
    return left < 64 ? left : 64;
}

static struct record_packed *shelf_pack(struct record_shelf *shelf, const struct record *record)
{
    union packed_room room;
    const char *words = (const char *)record;
    char *at = room.packed.data;
    uint64_t before = 0;
    size_t count = fixed_bytes(record) / WORD_BYTES;
    for (size_t mask = 0; mask < PACKED_MASKS; mask++, words += (size_t)64 * WORD_BYTES)
        at = pack_words(words, mask_words(count, mask), at, &room.packed.kept[mask], &before);
    memcpy(at, record->text, record->text_len);
    at += record->text_len;
    size_t bytes = (size_t)(at - room.bytes);
    room.packed.bytes = (uint16_t)bytes;

    struct record_packed *packed = slab_alloc(shelf_slab(shelf, bytes));
    if (packed != NULL)
        memcpy(packed, &room, bytes);
    return packed;
}

static struct record_fresh *kept_fresh(const struct record_kept *kept)
{
    return (kept->at & 1) != 0 ? (struct record_fresh *)(kept->at - 1) : NULL;
}

static struct record *fresh_record(struct record_fresh *fresh)
{
    return (struct record *)(void *)fresh->bytes;
}

static struct record_packed *kept_packed(const struct record_kept *kept)
{
    return (kept->at & 1) == 0 ? (struct record_packed *)kept->at : NULL;
}

static void shelf_drop_fresh(struct record_shelf *shelf, struct record_fresh *fresh)
{
    link_remove(&fresh->link);
    shelf->fresh_count--;
    slab_free(&shelf->fresh_slab, fresh);
}

/* False: out of memory. */
static bool shelf_pack_oldest(struct record_shelf *shelf)
{
    struct link *oldest = list_first(&shelf->fresh);
    CHECK(oldest != NULL);
    struct record_fresh *fresh = CONTAINER_OF(oldest, struct record_fresh, link);
    struct record_packed *packed = shelf_pack(shelf, fresh_record(fresh));
    if (packed == NULL)
        return false;
    fresh->kept->at = (uintptr_t)packed;
    shelf_drop_fresh(shelf, fresh);
    return true;
}

bool record_shelf_tidy(struct record_shelf *shelf)
{
    while (shelf->fresh_count > 0 && shelf_pack_oldest(shelf))
        continue;
    bool has_more = slab_tidy(&shelf->fresh_slab) || shelf->fresh_count > 0;
    for (size_t i = 0; i < SHELF_SLABS; i++)
        has_more = slab_tidy(&shelf->slabs[i]) || has_more;
    return has_more;
}

static enum status shelf_put_packed(struct record_shelf *shelf, const struct record *record,
                                    struct record_kept *kept)
{
    kept->at = (uintptr_t)shelf_pack(shelf, record);
    return kept->at == 0 ? ST_NOMEM : ST_OK;
}

/* What is set of it. */
static void copy_record(struct record *into, const struct record *from)
{
    memcpy(into, from, fixed_bytes(from));
    memcpy(into->text, from->text, from->text_len);
}

enum status record_shelf_put(struct record_shelf *shelf, const struct record *record,
                             struct record_kept *kept)
{
    if (record->text_len > SHELF_FRESH_TEXT_MAX)
        return shelf_put_packed(shelf, record, kept);
    if (shelf->fresh_count == SHELF_FRESH_MAX && !shelf_pack_oldest(shelf))
        return ST_NOMEM;
    struct record_fresh *fresh = slab_alloc(&shelf->fresh_slab);
    if (fresh == NULL)
        return ST_NOMEM;
    fresh->kept = kept;
    copy_record(fresh_record(fresh), record);
    link_init(&fresh->link);
    list_append(&shelf->fresh, &fresh->link);
    shelf->fresh_count++;
    kept->at = (uintptr_t)fresh + 1;
    return ST_OK;
}

void record_shelf_drop(struct record_shelf *shelf, struct record_kept *kept)
{
    struct record_fresh *fresh = kept_fresh(kept);
    struct record_packed *packed = kept_packed(kept);
    kept->at = 0;
    if (fresh != NULL)
        shelf_drop_fresh(shelf, fresh);
    else if (packed != NULL)
        slab_free(shelf_slab(shelf, packed->bytes), packed);
}

struct record *record_shelf_front(const struct record_kept *kept)
{
    struct record_fresh *fresh = kept_fresh(kept);
    return fresh == NULL ? NULL : fresh_record(fresh);
}

void record_shelf_renew(struct record_shelf *shelf, const struct record *record,
                        struct record_kept *kept)
{
    record_shelf_drop(shelf, kept);
    if (record_shelf_put(shelf, record, kept) != ST_OK)
        kept->at = 0;
}

static void unpack(const struct record_packed *packed, struct record *into)
{
    union packed_room room;
    memcpy(&room, packed, packed->bytes);
    memset(into, 0, offsetof(struct record, text)); /* what is zero was left out */
    char *words = (char *)into;
    const char *at = room.packed.data;
    uint64_t before = 0;
    for (size_t mask = 0; mask < PACKED_MASKS; mask++, words += (size_t)64 * WORD_BYTES)
        at = unpack_words(at, room.packed.kept[mask], words, &before);
    memcpy(into->text, at, into->text_len);
}

void record_shelf_get(const struct record_kept *kept, struct record *into)
{
    struct record_fresh *fresh = kept_fresh(kept);
    const struct record_packed *packed = kept_packed(kept);
    CHECK(fresh != NULL || packed != NULL); /* it was put */
    if (fresh != NULL)
        copy_record(into, fresh_record(fresh));
    else
        unpack(packed, into);
}

size_t record_packed_bytes(const struct record_kept *kept)
{
    const struct record_packed *packed = kept_packed(kept);
    return packed == NULL ? 0 : packed->bytes;
}
