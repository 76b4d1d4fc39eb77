/* What is beyond the room of a line is read and dropped, so that the next line is found. */

#include "base/line_reader.h"

#include "base/text.h"

#include <stdlib.h>

enum { CHUNK = 65536 };

enum status line_reader_init(struct line_reader *reader)
{
    *reader = (struct line_reader){.room = malloc(LINE_READER_MAX + CHUNK)};
    return reader->room == NULL ? ST_NOMEM : ST_OK;
}

void line_reader_use(struct line_reader *reader, FILE *file)
{
    reader->file = file;
    reader->count = 0;
    reader->chunk_at = reader->chunk_len = 0;
}

enum status line_reader_next(struct line_reader *reader, struct slice *ret_line)
{
    struct text line = text_on(reader->room, LINE_READER_MAX);
    char *chunk = reader->room + LINE_READER_MAX;
    bool has_any = false;
    reader->has_feed = false;
    while (!reader->has_feed) {
        if (reader->chunk_at == reader->chunk_len) {
            reader->chunk_at = 0;
            reader->chunk_len = fread(chunk, 1, CHUNK, reader->file);
        }
        if (reader->chunk_len == 0) {
            if (ferror(reader->file))
                return ST_IO;
            if (!has_any)
                return ST_EOF;
            break;
        }
        struct slice rest =
            slice_of(chunk + reader->chunk_at, reader->chunk_len - reader->chunk_at);
        size_t len = slice_find(rest, '\n');
        text_add(&line, slice_first(rest, len));
        has_any = true;
        reader->has_feed = len < rest.len;
        reader->chunk_at += reader->has_feed ? len + 1 : len;
    }
    reader->count++;
    reader->is_cut = line.is_cut;
    *ret_line = text_slice(&line);
    return ST_OK;
}

void line_reader_done(struct line_reader *reader)
{
    free(reader->room);
    reader->room = NULL;
}
