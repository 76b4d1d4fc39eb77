#ifndef FAIRLEAD_HTTP_H1_WRITE_H
#define FAIRLEAD_HTTP_H1_WRITE_H

#include "base/text.h"
#include "http/fields.h"

#include <stdint.h>

/* Writes an HTTP/1.1 head into bounded text. Every part is checked here or by the parser, so that no CR, LF, NUL or
 * other control byte gets out inside of one; the first failure sticks and h1_write_end tells it. */
struct h1_writer {
    struct text *text;
    enum status status; /* ST_OK, ST_BAD: a part that must not be sent, ST_LIMIT: no room */
};

void h1_write_begin(struct h1_writer *writer, struct text *text);
/* "METHOD target HTTP/1.1 CRLF". */
void h1_write_request_line(struct h1_writer *writer, struct slice method, struct slice target);
/* "HTTP/1.1 200 OK CRLF"; an empty reason takes that of status_code.h. `status` is 100 to 999. */
void h1_write_status_line(struct h1_writer *writer, unsigned status, struct slice reason);
/* "Name: value CRLF". */
void h1_write_field(struct h1_writer *writer, struct slice name, struct slice value);
/* All of the list; neighbours that were received as such lines (is_line) go as one piece, unchecked: the parser did. */
void h1_write_fields(struct h1_writer *writer, const struct fields *fields);
/* "Content-Length: 1024 CRLF". */
void h1_write_content_length(struct h1_writer *writer, uint64_t length);
/* The empty line. On ST_BAD or ST_LIMIT the text must not be sent. Also ends a trailer section. */
enum status h1_write_end(struct h1_writer *writer) MUST_USE;

#endif
