#ifndef FAIRLEAD_BASE_SLICE_H
#define FAIRLEAD_BASE_SLICE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed text: `len` bytes at `at`, not terminated, owned by somebody else.
 * Every ASCII comparison is independent of the locale. */
struct slice {
    const char *at;
    size_t len;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
#define SLICE_NONE     ((struct slice){NULL, 0})

static inline struct slice slice_of(const char *at, size_t len)
{
    return (struct slice){at, len};
}

/* View of a terminated string; NULL gives SLICE_NONE. */
struct slice slice_from_string(const char *string);

static inline bool slice_is_empty(struct slice s)
{
    return s.len == 0;
}

static inline bool slice_equals(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* Equal but for ASCII case. */
bool slice_equals_nocase(struct slice a, struct slice b);
bool slice_starts_with(struct slice s, struct slice prefix);
bool slice_starts_with_nocase(struct slice s, struct slice prefix);
bool slice_ends_with_nocase(struct slice s, struct slice suffix);

/* Index of the first `c`, or s.len where there is none. */
size_t slice_find(struct slice s, char c);
/* Index of the last `c`, or s.len where there is none. */
size_t slice_find_last(struct slice s, char c);

/* Without leading and trailing SP and HTAB (OWS of RFC 9110 §5.6.3). */
struct slice slice_trim(struct slice s);

/* From `from` (clamped) to the end. */
static inline struct slice slice_from(struct slice s, size_t from)
{
    size_t skip = from < s.len ? from : s.len;
    return (struct slice){skip == 0 ? s.at : s.at + skip, s.len - skip}; /* at may be NULL */
}

/* The first `len` bytes (clamped). */
static inline struct slice slice_first(struct slice s, size_t len)
{
    return (struct slice){s.at, len < s.len ? len : s.len};
}

/* Walk a comma-separated list (RFC 9110 §5.6.1): gives the next element, trimmed, and shortens *rest.
 * Empty elements are skipped; false when nothing is left. Commas in quoted strings do not split. */
bool slice_next_element(struct slice *rest, struct slice *ret_element);

/* True where a quoted string begins in `s` and does not end: more of a list, put behind it, would be inside. */
bool slice_has_open_quote(struct slice s);

/* Cut at the first `c`: *ret_head is what stands before it, *rest what stands behind.
 * Without a `c` the head is all and *rest is empty; false when *rest was already empty. */
bool slice_next_part(struct slice *rest, char c, struct slice *ret_head);

/* The whole slice as an unsigned number, digits only (no sign, blank or prefix).
 * Errors: ST_BAD where it is empty or holds another byte, ST_LIMIT beyond `max`. */
enum status slice_to_u64(struct slice s, uint64_t max, uint64_t *ret_value) MUST_USE;
/* The same in base 16, without a prefix. */
enum status slice_hex_to_u64(struct slice s, uint64_t max, uint64_t *ret_value) MUST_USE;

/* ASCII lower case of one byte. */
static inline char char_lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char)(c + ('a' - 'A')) : c;
}

static inline bool char_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

#endif
