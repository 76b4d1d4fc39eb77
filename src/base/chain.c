/* A queue of bytes. Each piece stands at the front of its own block, before the bytes it describes.
 *
 * Bytes are copied in once, into the room that the last block has left, and never moved: chain_iovec gives
 * them to the kernel where they lie. No piece is ever empty, since a piece goes with its last byte. */

#include "base/chain.h"

#include "base/check.h"

#include <assert.h>

struct chain_piece {
    struct chain_piece *next;
    struct block *block;
    uint32_t from; /* of data[] of the block */
    uint32_t to;
};
static_assert(sizeof(struct chain_piece) <= BLOCK_HUGE - CHAIN_PIECE_MAX, "a piece has its room");

void chain_init(struct chain *chain, struct block_pool *pool)
{
    *chain = (struct chain){.pool = pool};
}

static void chain_drop_first(struct chain *chain)
{
    struct chain_piece *piece = chain->first;
    struct block *block = piece->block;
    chain->first = piece->next;
    if (chain->first == NULL)
        chain->last = NULL;
    block_unref(&block);
}

void chain_clear(struct chain *chain)
{
    while (chain->first != NULL)
        chain_drop_first(chain);
    chain->len = 0;
}

/* Drop all pieces behind `keep`, which again ends at `to`; NULL drops all. */
static void chain_cut_back(struct chain *chain, struct chain_piece *keep, uint32_t to)
{
    struct chain_piece *piece = keep == NULL ? chain->first : keep->next;
    chain->last = keep;
    if (keep == NULL) {
        chain->first = NULL;
    } else {
        keep->next = NULL;
        keep->to = to;
    }
    while (piece != NULL) {
        struct block *block = piece->block;
        piece = piece->next;
        block_unref(&block);
    }
}

/* The last piece, which holds nothing. */
static void chain_drop_last(struct chain *chain)
{
    struct chain_piece *keep = NULL;
    for (struct chain_piece *piece = chain->first; piece != chain->last; piece = piece->next)
        keep = piece;
    chain_cut_back(chain, keep, keep == NULL ? 0 : keep->to);
}

static struct chain_piece *chain_grow(struct chain *chain, size_t want)
{
    size_t size = want + sizeof(struct chain_piece);
    struct block *block = block_create(chain->pool, size > BLOCK_HUGE ? BLOCK_HUGE : size);
    if (block == NULL)
        return NULL;
    struct chain_piece *piece = (struct chain_piece *)(void *)block->data;
    *piece = (struct chain_piece){NULL, block, sizeof(*piece), sizeof(*piece)};
    if (chain->last == NULL)
        chain->first = piece;
    else
        chain->last->next = piece;
    chain->last = piece;
    return piece;
}

enum status chain_append(struct chain *chain, struct slice bytes)
{
    struct chain_piece *old_last = chain->last;
    uint32_t old_to = old_last == NULL ? 0 : old_last->to;
    size_t old_len = chain->len;
    while (bytes.len > 0) {
        struct chain_piece *piece = chain->last;
        if (piece == NULL || piece->to == piece->block->size)
            piece = chain_grow(chain, bytes.len);
        if (piece == NULL) {
            chain_cut_back(chain, old_last, old_to);
            chain->len = old_len;
            return ST_NOMEM;
        }
        size_t room = piece->block->size - piece->to;
        size_t take = bytes.len < room ? bytes.len : room;
        memcpy(piece->block->data + piece->to, bytes.at, take);
        piece->to += (uint32_t)take;
        chain->len += take;
        bytes = slice_from(bytes, take);
    }
    return ST_OK;
}

char *chain_reserve(struct chain *chain, size_t want, size_t *ret_room)
{
    struct chain_piece *piece = chain->last;
    DCHECK(want > 0 && want <= CHAIN_PIECE_MAX);
    if (piece == NULL || piece->block->size - piece->to < want)
        piece = chain_grow(chain, want);
    if (piece == NULL)
        return NULL;
    *ret_room = piece->block->size - piece->to;
    return piece->block->data + piece->to;
}

void chain_commit(struct chain *chain, size_t len)
{
    struct chain_piece *piece = chain->last;
    CHECK(len <= piece->block->size - piece->to);
    piece->to += (uint32_t)len;
    chain->len += len;
    if (piece->from == piece->to)
        chain_drop_last(chain);
}

int chain_iovec(const struct chain *chain, struct iovec *iov, int max)
{
    int count = 0;
    for (struct chain_piece *piece = chain->first; piece != NULL && count < max;
         piece = piece->next) {
        iov[count].iov_base = piece->block->data + piece->from;
        iov[count++].iov_len = piece->to - piece->from;
    }
    return count;
}

void chain_consume(struct chain *chain, size_t len)
{
    CHECK(len <= chain->len);
    chain->len -= len;
    while (len > 0) {
        struct chain_piece *piece = chain->first;
        size_t have = piece->to - piece->from;
        size_t take = len < have ? len : have;
        piece->from += (uint32_t)take;
        len -= take;
        if (piece->from == piece->to)
            chain_drop_first(chain);
    }
}
