#include "common/talk.h"

#include "common/tool.h"

#include <stdio.h>

enum { TALK_BYTES_MAX = 65536 };

struct talk talk_load(const char *path)
{
    struct talk talk = {.count = 0};
    char *bytes = tool_alloc(TALK_BYTES_MAX);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        tool_die(path);
    size_t len = fread(bytes, 1, TALK_BYTES_MAX, file), at = 0;
    (void)fclose(file);
    while (at + 2 <= len && talk.count < TALK_LINES_MAX) {
        unsigned head = (unsigned)(unsigned char)bytes[at] << 8 | (unsigned char)bytes[at + 1];
        struct talk_line line = {(head & 0x8000) == 0, head & 0x7fff, bytes + at + 2};
        at += 2 + line.len;
        if (at <= len && line.len > 0)
            talk.lines[talk.count++] = line;
    }
    if (at != len || talk.count == 0)
        tool_die("this is no conversation");
    return talk; /* its bytes stay */
}
