/* Everything is counted in columns of ASCII: what is not is escaped. */

#include "view/screen.h"

#include "base/check.h"
#include "base/clock.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { COLUMNS = 80, COLUMNS_MIN = 60, COLUMNS_MAX = 500, CELL_TEXT = COLUMNS_MAX + 4 };

struct screen screen_of_output(void)
{
    struct winsize size = {.ws_col = 0};
    const char *no_color = getenv("NO_COLOR");
    bool is_terminal = isatty(STDOUT_FILENO) == 1;
    struct screen screen = {.columns = COLUMNS};
    locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    screen.is_terminal = is_terminal;
    screen.has_color = is_terminal && (no_color == NULL || no_color[0] == '\0');
    if (locale != (locale_t)0) {
        screen.is_utf8 = is_terminal && strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
        freelocale(locale);
    }
    if (is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        screen.columns = size.ws_col;
    if (screen.columns < COLUMNS_MIN)
        screen.columns = COLUMNS_MIN;
    if (screen.columns > COLUMNS_MAX)
        screen.columns = COLUMNS_MAX;
    return screen;
}

void screen_add_cell(struct text *into, struct slice text, size_t columns, bool is_right)
{
    char room[CELL_TEXT];
    struct text cell = text_on(room, sizeof(room));
    text_add_log(&cell, text, '\0');
    bool is_cut = cell.len > columns || cell.is_cut;
    if (is_cut)
        cell.len = columns;
    for (size_t i = cell.len; is_right && i < columns; i++)
        text_add_char(into, ' ');
    text_add(into, slice_first(text_slice(&cell), is_cut && columns > 3 ? columns - 3 : columns));
    if (is_cut && columns > 3)
        text_add(into, SLICE("..."));
    for (size_t i = cell.len; !is_right && i < columns; i++)
        text_add_char(into, ' ');
}
