#ifndef FAIRLEAD_CONFIG_VALUE_H
#define FAIRLEAD_CONFIG_VALUE_H

#include "config/schema.h"

/* Reading and writing one value of a schema row. */

/* Set the row's value, or add to it where it is a list. Text is copied.
 * Errors: ST_BAD not what schema_expected says, ST_NOMEM. */
enum status value_set(struct config *config, const struct schema_row *row,
                      struct slice text) MUST_USE;
/* Forget the elements of a list: the first element from a new source replaces the default. */
void value_clear(struct config *config, const struct schema_row *row);
/* As it would be written in a file; lists as [a, b]. */
void value_print(const struct config *config, const struct schema_row *row, FILE *out);
/* "127.0.0.1:3128", "[::]:80", "unix:/path" or "inherited". Errors: ST_BAD, ST_NOMEM. */
enum status value_listen(struct slice text, struct config_listen *ret_listen) MUST_USE;
/* A terminated copy; at is NULL when out of memory. */
struct slice value_copy(struct slice text);
void value_free(struct config *config, const struct schema_row *row);

#endif
