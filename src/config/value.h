#ifndef FAIRLEAD_CONFIG_VALUE_H
#define FAIRLEAD_CONFIG_VALUE_H

#include "config/memory.h"
#include "config/schema.h"

/* Reading and writing one value of a schema row. `object` is what the row's table describes: a struct
 * config, a struct config_listen or a struct rule. */

/* Set the row's value, or add to it where it is a list. Text is copied to `memory`.
 * Errors: ST_BAD not what schema_expected says, ST_LIMIT a list is full, ST_NOMEM. */
enum status value_set(struct memory *memory, void *object, const struct schema_row *row,
                      struct slice text) MUST_USE;
/* Forget the elements of a list. */
void value_clear(void *object, const struct schema_row *row);
/* Of a rule: does the row say something? Lists that hold something, names, and words that are not the default. */
bool value_is_said(const void *object, const struct schema_row *row);
/* As it would be written in a file, on one line; lists as [a, b]. */
void value_print(const void *object, const struct schema_row *row, FILE *out);
/* Text in double quotes that YAML reads back to the same bytes. */
void value_print_quoted(struct slice text, FILE *out);

#endif
