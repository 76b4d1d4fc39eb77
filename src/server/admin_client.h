#ifndef FAIRLEAD_SERVER_ADMIN_CLIENT_H
#define FAIRLEAD_SERVER_ADMIN_CLIENT_H

#include "config/config.h"

/* Questions of a command to the admin listener of a process that runs. One connection each; they wait. */

enum { ADMIN_UNAUTHORIZED = 401 }; /* the status where a token is missing or wrong */

struct admin_client {
    const struct config_listen *listen; /* where it is */
    struct slice token;                 /* shown where it is not empty */
};

struct admin_reply {
    unsigned status;
    struct slice body; /* in `text` */
    char *text;        /* malloc'd: the whole answer */
};

enum { ADMIN_REPLY_MAX = 40 << 20, ADMIN_PATH_MAX = 6000 };

/* Does the configuration say where the admin listener is? One on port 0 can be anywhere. */
bool admin_client_can_ask(const struct config *config);
/* Where it is, for messages. */
void admin_client_name(const struct admin_client *client, struct text *into);

/* Add "NAME=VALUE" with the sign before it to a path, percent-encoded; nothing where the value is empty. */
void admin_path_add(struct text *path, const char *name, struct slice value);

/* Ask; the caller frees reply->text where this is ST_OK, whatever the status of the answer is.
 * Errors, all with a fault: ST_IO it is not there or does not answer within ten seconds, ST_BAD what came is no whole
 * answer, ST_NOMEM. */
enum status admin_ask(const struct admin_client *client, const char *method, const char *path,
                      struct text *fault, struct admin_reply *ret_reply) MUST_USE;

/* Why it refused, from the command line's side: the first line of the answer, or of a token what is wrong with it.
 * `how` says what gives one. */
void admin_reply_add_why(const struct admin_client *client, const struct admin_reply *reply,
                         const char *how, struct text *into);

/* An answer that does not end by itself, such as /api/v1/events. */
struct admin_stream;

/* Ask, with GET, and read the head of the answer; the body follows with admin_stream_read. `how` says what gives a
 * token. *ret_answer is the status of the answer, 0 where there is none.
 * Errors, all with a fault: ST_IO it is not there, or does not answer within ten seconds; ST_BAD it refuses, and says
 * why, or what came is no answer; ST_NOMEM. */
enum status admin_stream_open(const struct admin_client *client, const char *path, const char *how,
                              struct text *fault, unsigned *ret_answer,
                              struct admin_stream **ret_stream) MUST_USE;
/* For poll(2): ask again when it can be read. */
int admin_stream_descriptor(const struct admin_stream *stream);
/* The next bytes, a view until the next call. Never waits.
 * Errors: ST_AGAIN none yet; ST_EOF it ended in order; ST_IO it broke off, with errno; ST_BAD that is no answer. */
enum status admin_stream_read(struct admin_stream *stream, struct slice *ret_bytes) MUST_USE;
/* Takes a pointer to NULL. */
void admin_stream_close(struct admin_stream **stream);

#endif
