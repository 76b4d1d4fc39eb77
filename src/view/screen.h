#ifndef FAIRLEAD_VIEW_SCREEN_H
#define FAIRLEAD_VIEW_SCREEN_H

#include "base/slice.h"
#include "base/text.h"

#include <stdbool.h>

/* What standard output is, and small pieces of lines on it. */

#define SCREEN_RESET  "\x1b[0m"
#define SCREEN_BOLD   "\x1b[1m"
#define SCREEN_DIM    "\x1b[2m"
#define SCREEN_RED    "\x1b[31m"
#define SCREEN_GREEN  "\x1b[32m"
#define SCREEN_YELLOW "\x1b[33m"
#define SCREEN_BLUE   "\x1b[34m"
#define SCREEN_CYAN   "\x1b[36m"

struct screen {
    bool is_terminal;
    bool has_color;   /* a terminal, and NO_COLOR is not set */
    bool is_utf8;     /* a terminal, and the locale's characters are UTF-8 */
    unsigned columns; /* 80 where it is no terminal */
};

struct screen screen_of_output(void);
/* `text` in `columns` columns, cut with "..." where it is longer; to the right of blanks where `is_right`. It is
 * escaped before, so that no byte of it reaches a terminal raw. */
void screen_add_cell(struct text *into, struct slice text, size_t columns, bool is_right);

#endif
