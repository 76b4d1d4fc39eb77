/* Packing by words of 8 bytes. A bit for each word of the fixed part says whether it is kept, which it is unless it is
 * zero; of a kept word follow a byte with the place and number of its bytes from the first to the last that is not
 * zero, and those; behind all of them the text. This knows nothing of the fields: a new one needs no change here.
 *
 *     kept | bytes | {place and number, its bytes} of each kept word | text
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
    PACKED_FIXED = offsetof(struct record, text),
    PACKED_WORDS = PACKED_FIXED / WORD_BYTES,
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

static_assert(PACKED_FIXED % WORD_BYTES == 0, "the fixed part is whole words");
static_assert(PACKED_MAX <= SHELF_STEPS_BYTES << SHELF_LARGE, "the largest has its slab");
static_assert(PACKED_MAX <= UINT16_MAX, "16 bits for the size");

/* A packed record that is being made or read: words are written and read whole, and so beyond the last byte. */
union packed_room {
    struct record_packed packed;
    char bytes[PACKED_MAX + WORD_BYTES];
};

void record_shelf_init(struct record_shelf *shelf)
{
    for (size_t i = 0; i < SHELF_STEPS; i++)
        slab_init_front(&shelf->slabs[i], (i + 1) * SHELF_STEP, 0);
    for (size_t i = 0; i < SHELF_LARGE; i++)
        slab_init_front(&shelf->slabs[SHELF_STEPS + i], (size_t)SHELF_STEPS_BYTES << (i + 1), 0);
}

void record_shelf_done(struct record_shelf *shelf)
{
    for (size_t i = 0; i < SHELF_SLABS; i++)
        slab_done(&shelf->slabs[i]);
}

bool record_shelf_tidy(struct record_shelf *shelf)
{
    bool has_more = false;
    for (size_t i = 0; i < SHELF_SLABS; i++)
        has_more = slab_tidy(&shelf->slabs[i]) || has_more;
    return has_more;
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

/* Pack up to 64 words, of which *ret_kept tells; gives the place behind them. */
static char *pack_words(const char *words, size_t count, char *into, uint64_t *ret_kept)
{
    uint64_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t word;
        memcpy(&word, words + i * WORD_BYTES, sizeof(word));
        if (word == 0)
            continue;
        unsigned place = (unsigned)__builtin_ctzll(word) / 8;
        unsigned bytes = WORD_BYTES - (unsigned)__builtin_clzll(word) / 8 - place;
        word >>= place * 8;
        kept |= 1ULL << i;
        *into = (char)(place | bytes << 3);
        memcpy(into + 1, &word, sizeof(word)); /* the zeros behind it are overwritten */
        into += 1 + bytes;
    }
    *ret_kept = kept;
    return into;
}

static const char *unpack_words(const char *from, uint64_t kept, char *words)
{
    for (; kept != 0; kept &= kept - 1) {
        uint64_t word;
        unsigned place = (unsigned char)*from & 7;
        unsigned bytes = (unsigned char)*from >> 3;
        memcpy(&word, from + 1, sizeof(word));
        word = word << (WORD_BYTES - bytes) * 8 >> (WORD_BYTES - bytes - place) * 8;
        memcpy(words + (size_t)__builtin_ctzll(kept) * WORD_BYTES, &word, sizeof(word));
        from += 1 + bytes;
    }
    return from;
}

static size_t mask_words(size_t mask)
{
    size_t left = PACKED_WORDS - mask * 64;
    return left < 64 ? left : 64;
}

struct record_packed *record_shelf_put(struct record_shelf *shelf, const struct record *record)
{
    union packed_room room;
    const char *words = (const char *)record;
    char *at = room.packed.data;
    for (size_t mask = 0; mask < PACKED_MASKS; mask++, words += (size_t)64 * WORD_BYTES)
        at = pack_words(words, mask_words(mask), at, &room.packed.kept[mask]);
    memcpy(at, record->text, record->text_len);
    at += record->text_len;
    size_t bytes = (size_t)(at - room.bytes);
    room.packed.bytes = (uint16_t)bytes;

    struct record_packed *packed = slab_alloc(shelf_slab(shelf, bytes));
    if (packed != NULL)
        memcpy(packed, &room, bytes);
    return packed;
}

void record_shelf_drop(struct record_shelf *shelf, struct record_packed **drop)
{
    struct record_packed *packed = *drop;
    *drop = NULL;
    if (packed != NULL)
        slab_free(shelf_slab(shelf, packed->bytes), packed);
}

void record_unpack(const struct record_packed *packed, struct record *into)
{
    union packed_room room;
    memcpy(&room, packed, packed->bytes);
    record_begin(into);
    char *words = (char *)into;
    const char *at = room.packed.data;
    for (size_t mask = 0; mask < PACKED_MASKS; mask++, words += (size_t)64 * WORD_BYTES)
        at = unpack_words(at, room.packed.kept[mask], words);
    memcpy(into->text, at, into->text_len);
}

size_t record_packed_bytes(const struct record_packed *packed)
{
    return packed->bytes;
}
