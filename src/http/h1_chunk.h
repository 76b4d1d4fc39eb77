#ifndef FAIRLEAD_HTTP_H1_CHUNK_H
#define FAIRLEAD_HTTP_H1_CHUNK_H

#include "base/slice.h"
#include "http/h1_parse.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The chunked transfer coding (RFC 9112 §7.1), one step at a time over any segmentation of the input.
 * No byte is copied: data are given as views of the input. */

enum {
    H1_CHUNK_EXTENSION_MAX = 4096, /* bytes of extensions in one chunk */
    /* and over all chunks so much more than there was data, so that they cannot be most of the traffic */
    H1_CHUNK_EXTENSION_SLACK = 65536,
    H1_CHUNK_SIZE_DIGITS = 16,
    H1_CHUNK_PREFIX_MAX = 18, /* digits and CRLF */
};

/* Embedded by its owner; no pointer, nothing to free. */
struct h1_chunk {
    uint64_t data_bytes; /* chunk data seen in all */
    enum h1_fault fault; /* after ST_BAD or ST_LIMIT */
    /* private */
    uint64_t left; /* of the chunk that is open */
    uint64_t extension_total;
    uint32_t extension; /* bytes in this chunk */
    uint8_t digits;     /* of the size so far */
    uint8_t state;
};

void h1_chunk_init(struct h1_chunk *chunk);

/* Take the next step. *ret_consumed bytes of `input` are done with and *ret_data is a view of chunk data
 * among them; both are written on ST_OK, ST_AGAIN and ST_EOF.
 * Result: ST_OK: some data, ask again with the rest; ST_AGAIN: the whole input is consumed without data;
 * ST_EOF: the last chunk's line is consumed and the trailer section begins (h1_parse_request_trailers);
 * ST_BAD, ST_LIMIT: `chunk->fault` says why, and nothing more may be asked. */
enum status h1_chunk_next(struct h1_chunk *chunk, struct slice input, size_t *ret_consumed,
                          struct slice *ret_data) MUST_USE;

/* Of the open chunk's data, what comes next in the input; 0 where something else does. */
uint64_t h1_chunk_left(const struct h1_chunk *chunk);
/* `len` bytes of it, at most h1_chunk_left, passed by elsewhere. */
void h1_chunk_skip(struct h1_chunk *chunk, size_t len);

/* Write "SIZE CRLF" for a chunk of `size` (above 0) bytes; returns its length. After the data stands
 * H1_CHUNK_CRLF, at the end H1_CHUNK_LAST, trailers and H1_CHUNK_CRLF. */
size_t h1_chunk_prefix(uint64_t size, char into[static H1_CHUNK_PREFIX_MAX]);

#define H1_CHUNK_CRLF SLICE("\r\n")
#define H1_CHUNK_LAST SLICE("0\r\n")

#endif
