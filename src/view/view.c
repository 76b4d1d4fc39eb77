/* From the word to the command. */

#include "view/view.h"

#include "base/clock.h"
#include "view/commands.h"

#include <stdio.h>
#include <string.h>

static int find_command(const char *word)
{
    for (int i = 0; i < VIEW_COMMAND_COUNT; i++) {
        if (strcmp(word, view_command_word((enum view_command)i)) == 0)
            return i;
    }
    return -1;
}

bool view_is_command(const char *word)
{
    return find_command(word) >= 0;
}

static int run(enum view_command command, const struct view_options *options)
{
    switch (command) {
    case VIEW_TRACE: return trace_command(options);
    case VIEW_TAIL: return tail_command(options);
    case VIEW_TUNNELS: return tunnels_command(options);
    case VIEW_REQUESTS: return requests_command(options);
    case VIEW_HAR: return har_command(options);
    case VIEW_COMMAND_COUNT: break;
    }
    return 2;
}

int view_run(const char *word, int argc, const char *const *argv)
{
    enum view_command command = (enum view_command)find_command(word);
    struct view_options options;
    int code = view_options_read(command, argc, argv, clock_wall_ns(), &options);
    if (code == 0)
        code = run(command, &options);
    view_options_done(&options);
    return code;
}

void view_print_flags(const char *word)
{
    view_options_print((enum view_command)find_command(word));
}

void view_print_options(void)
{
    view_options_print_all();
}
