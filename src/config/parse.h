#ifndef FAIRLEAD_CONFIG_PARSE_H
#define FAIRLEAD_CONFIG_PARSE_H

#include "config/memory.h"

#include <stdbool.h>

/* YAML to a tree that knows where everything stands. Only what settings need: one document of maps, lists
 * and scalars. Aliases, anchors and tags are refused; depth, size and counts are bounded. */

enum {
    PARSE_BYTES_MAX = 4 << 20,
    PARSE_DEPTH_MAX = 16,
    PARSE_NODES_MAX = 200000,
    PARSE_MAP_MAX = 200, /* keys of one map */
};

enum parse_kind { PARSE_SCALAR, PARSE_LIST, PARSE_MAP };

struct parse_place {
    size_t line; /* from 1 */
    size_t column;
};

struct parse_node {
    enum parse_kind kind;
    bool is_plain; /* a scalar without quotes */
    struct parse_place place;
    struct slice text; /* PARSE_SCALAR; terminated, no NUL inside */
    struct slice name; /* the key, for what stands in a map */
    struct parse_place name_place;
    struct parse_node *first; /* children in the order of the file */
    struct parse_node *next;
};

struct parse_fault {
    struct parse_place place;
    char text[160];
};

/* *ret_root is NULL for an empty document. Everything lies in `memory`.
 * Errors: ST_BAD with *ret_fault written, ST_NOMEM. */
enum status parse_yaml(struct slice text, struct memory *memory, struct parse_fault *ret_fault,
                       struct parse_node **ret_root) MUST_USE;

#endif
