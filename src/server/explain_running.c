/* The options become a query, the answer is printed as it is but for bytes that a terminal may obey, and its last line is
 * the verdict. */

#include "server/explain_running.h"

#include "config/snapshot.h"
#include "server/admin_client.h"
#include "server/serve.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { RUNNING_FAULT = 600 };

static int complain(const char *words)
{
    (void)fprintf(stderr, "fairlead: explain: --running: %s\n", words);
    return 2;
}

/* ---- the query ---- */

static void add_question(const struct explain_question *asked, struct text *path)
{
    const struct gate_question *who = asked->who;
    char from[INET_ADDR_TEXT] = "";
    char at[24] = "";
    if (who->client.family != INET_NONE)
        (void)inet_addr_format(&who->client, from);
    if (who->at_s != 0)
        (void)snprintf(at, sizeof(at), "%" PRId64, who->at_s);
    text_add(path, SLICE("/api/v1/explain"));
    admin_path_add(path, "target", slice_from_string(asked->target));
    admin_path_add(path, "method", who->method);
    admin_path_add(path, "user", who->who.user);
    for (size_t i = 0; i < who->who.group_count; i++)
        admin_path_add(path, "group", who->who.groups[i]);
    admin_path_add(path, "from", slice_from_string(from));
    admin_path_add(path, "listener", who->listener);
    admin_path_add(path, "certificate", who->who.cert_subject);
    for (size_t i = 0; i < who->who.cert_name_count; i++)
        admin_path_add(path, "certificate", who->who.cert_names[i]);
    admin_path_add(path, "at", slice_from_string(at));
    admin_path_add(path, "all", asked->wants_all ? SLICE("1") : SLICE_NONE);
}

/* ---- the answer ---- */

static void print_body(struct slice body)
{
    for (size_t i = 0; i < body.len; i++) {
        unsigned char c = (unsigned char)body.at[i];
        bool is_plain = (c >= 0x20 && c < 0x7f) || c == '\n';
        (void)printf(is_plain ? "%c" : "\\x%02x", c);
    }
}

static bool last_line_passes(struct slice body)
{
    struct slice line = SLICE_NONE;
    while (slice_next_part(&body, '\n', &line))
        continue;
    return slice_starts_with(line, SLICE("passes"));
}

static int ask(const struct snapshot *snapshot, const struct explain_question *asked)
{
    char words[RUNNING_FAULT];
    char room[ADMIN_PATH_MAX + 1];
    struct text fault = text_on(words, sizeof(words));
    struct text path = text_on(room, ADMIN_PATH_MAX);
    struct admin_client client = {&snapshot->config->admin.listen, snapshot->admin_token};
    struct admin_reply reply = {.status = 0};
    add_question(asked, &path);
    if (path.is_cut)
        return complain("the question is too long");
    path.cap++;
    if (!admin_client_can_ask(snapshot->config))
        return complain("the configuration names no admin listener that could be asked: give "
                        "--admin ADDRESS");
    if (admin_ask(&client, "GET", text_string(&path), &fault, &reply) != ST_OK)
        return complain(text_string(&fault));
    int code = 2;
    if (reply.status == 200) {
        print_body(reply.body);
        code = last_line_passes(reply.body) ? 0 : 1;
    } else {
        text_add_log(&fault, slice_first(reply.body, slice_find(reply.body, '\n')), '\0');
        (void)complain(text_string(&fault));
    }
    free(reply.text);
    return code;
}

int explain_running(int argc, const char *const *argv, const struct explain_question *asked)
{
    struct snapshot *snapshot = NULL;
    int code = serve_compile(argc, argv, &snapshot);
    if (code != 0)
        return 2;
    code = ask(snapshot, asked);
    snapshot_unref(&snapshot);
    return code;
}
