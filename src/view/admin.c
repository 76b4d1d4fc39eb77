/* A view needs no more of a configuration than where to ask, so none of the files that it names is read but the
 * token. */

#include "view/admin.h"

#include "config/snapshot.h"
#include "server/file.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAULT_TEXT = 900, DEFAULT_PORT = 3129 };

static void report_line(struct config_errors *errors, const char *line)
{
    (void)errors;
    (void)fprintf(stderr, "fairlead: %s\n", line);
}

/* ---- where ---- */

/* ADDR:PORT, localhost:PORT, unix:PATH or PATH; http:// before it and a / behind it are as a start prints them. */
static bool parse_listen(struct slice text, struct config_listen *into)
{
    if (slice_starts_with(text, SLICE("http://"))) {
        text = slice_from(text, sizeof("http://") - 1);
        if (text.len > 0 && text.at[text.len - 1] == '/')
            text.len--;
        if (slice_find(text, '/') < text.len)
            return false; /* a URL of something else */
    }
    bool is_named = slice_starts_with(text, SLICE("unix:"));
    if (is_named || slice_find(text, '/') < text.len) {
        into->kind = LISTEN_UNIX;
        into->path = slice_from(text, is_named ? sizeof("unix:") - 1 : 0);
        return into->path.len > 0;
    }
    into->kind = LISTEN_TCP;
    if (slice_starts_with(text, SLICE("localhost:"))) {
        uint64_t port = 0;
        bool is_port =
            slice_to_u64(slice_from(text, sizeof("localhost:") - 1), UINT16_MAX, &port) == ST_OK;
        into->endpoint.addr = (struct inet_addr){INET_V4, {127, 0, 0, 1}};
        into->endpoint.port = (uint16_t)port;
        return is_port && port != 0;
    }
    return inet_endpoint_parse(text, &into->endpoint) == ST_OK && into->endpoint.port != 0;
}

static int read_config(struct view_admin *admin, enum view_command command, const char *path)
{
    char words[FAULT_TEXT];
    struct text fault = text_on(words, sizeof(words));
    struct config_errors errors = {report_line, 0};
    char *text = NULL;
    size_t len = 0;
    bool is_stream = false;
    if (file_read_config(path, &text, &len, &is_stream, &fault) != ST_OK)
        return view_complain(command, text_string(&fault), "");
    enum status status = config_load(path, slice_of(text, len), 0, NULL, &errors, &admin->config);
    free(text);
    return status == ST_OK ? 0 : 2;
}

static int find_listen(struct view_admin *admin, enum view_command command, const char *given)
{
    if (given != NULL) {
        if (!parse_listen(slice_from_string(given), &admin->listen))
            return view_complain(
                command, "--admin expects ADDRESS:PORT, unix:PATH, or a path with a / in it", "");
        if (admin->listen.kind != LISTEN_UNIX || admin->listen.path.len <= CONFIG_SOCKET_PATH_MAX)
            return 0;
        static_assert(CONFIG_SOCKET_PATH_MAX == 107, "as the words say");
        return view_complain(command, "--admin: the path of a Unix socket has at most 107 bytes",
                             "");
    }
    if (admin->config == NULL) {
        admin->listen.kind = LISTEN_TCP;
        admin->listen.endpoint.addr = (struct inet_addr){INET_V4, {127, 0, 0, 1}};
        admin->listen.endpoint.port = DEFAULT_PORT;
        return 0;
    }
    if (!admin_client_can_ask(admin->config))
        return view_complain(command,
                             "the configuration names no admin listener that could be asked: give "
                             "--admin ADDRESS",
                             "");
    admin->listen = admin->config->admin.listen;
    return 0;
}

/* ---- the token ---- */

/* On loopback and Unix sockets reading is free. A token that is shown all the same could be heard by whoever has taken
 * the port of a process that ended. */
static bool needs_token(const struct view_admin *admin, const struct view_options *options)
{
    bool is_remote =
        admin->listen.kind == LISTEN_TCP && !inet_addr_is_loopback(&admin->listen.endpoint.addr);
    return is_remote || options->kill_count > 0;
}

/* A file that is not said to be needed may be for others only. */
static int read_token(struct view_admin *admin, enum view_command command, const char *path,
                      bool is_needed)
{
    char words[FAULT_TEXT];
    struct text fault = text_on(words, sizeof(words));
    size_t len = 0;
    if (file_read(path, FILE_BYTES_MAX, &admin->token, &len, &fault) != ST_OK)
        return is_needed ? view_complain(command, text_string(&fault), "") : 0;
    struct slice all = slice_of(admin->token, len);
    struct slice line = slice_trim(slice_first(all, slice_find(all, '\n')));
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    for (size_t i = 0; i < line.len; i++) {
        if (line.at[i] <= ' ' || line.at[i] > '~')
            line.len = 0;
    }
    if (line.len == 0 || line.len > ADMIN_TOKEN_MAX)
        return view_complain(command, "the first line of the token file is no token", "");
    admin->client.token = line;
    return 0;
}

/* ---- the whole ---- */

int view_admin_init(struct view_admin *admin, enum view_command command,
                    const struct view_options *options)
{
    *admin = (struct view_admin){.config = NULL};
    admin->client.listen = &admin->listen;
    int code = options->config != NULL ? read_config(admin, command, options->config) : 0;
    if (code == 0)
        code = find_listen(admin, command, options->admin);
    if (code == 0 && options->token_file != NULL)
        code = read_token(admin, command, options->token_file, true);
    else if (code == 0 && admin->config != NULL && admin->config->admin.token_file.len > 0 &&
             needs_token(admin, options))
        code =
            read_token(admin, command, admin->config->admin.token_file.at, options->kill_count > 0);
    return code;
}

void view_admin_done(struct view_admin *admin)
{
    if (admin->token != NULL)
        explicit_bzero(admin->token, strlen(admin->token));
    free(admin->token);
    admin->token = NULL;
    config_destroy(&admin->config);
}

int view_admin_get(const struct view_admin *admin, enum view_command command, const char *path,
                   struct admin_reply *ret_reply)
{
    char words[FAULT_TEXT];
    struct text fault = text_on(words, sizeof(words));
    struct admin_reply reply = {.status = 0};
    if (admin_ask(&admin->client, "GET", path, &fault, &reply) != ST_OK) {
        (void)view_complain(command, text_string(&fault), "");
        return 1;
    }
    if (reply.status == 200) {
        *ret_reply = reply;
        return 0;
    }
    text_add_format(&fault, "the admin listener answers %u: ", reply.status);
    admin_reply_add_why(&admin->client, &reply, VIEW_TOKEN_HOW, &fault);
    free(reply.text);
    (void)view_complain(command, text_string(&fault), "");
    return 1;
}
