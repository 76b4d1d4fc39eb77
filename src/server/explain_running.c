/* The options become a query. A text is printed as it is but for bytes that a terminal may obey, and its last line is
 * the verdict; an object, in which such bytes are escaped, as it is. */

#include "server/explain_running.h"

#include "base/json.h"
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

static void add_question(const struct asked *asked, struct text *path)
{
    const struct gate_question *who = &asked->question;
    char from[INET_ADDR_TEXT] = "";
    char at[24] = "";
    if (who->client.family != INET_NONE)
        (void)inet_addr_format(&who->client, from);
    if (who->at_s != 0)
        (void)snprintf(at, sizeof(at), "%" PRId64, who->at_s);
    text_add(path, SLICE("/api/v1/explain"));
    admin_path_add(path, "target", asked->target);
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
    admin_path_add(path, "json", asked->wants_json ? SLICE("1") : SLICE_NONE);
}

/* ---- the answer ---- */

static void print_text(struct slice body)
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

/* Does it? False also where there is no verdict, and then it is no answer of ours: ST_BAD. */
static enum status read_object(struct slice body, bool *ret_passes)
{
    struct json_value object;
    struct json_value value;
    struct slice key;
    enum status status = ST_BAD;
    if (json_check(body, &object) != ST_OK || object.kind != JSON_OBJECT)
        return ST_BAD;
    while (json_next_member(&object, &key, &value)) {
        if (!slice_equals(key, SLICE("passes")))
            continue;
        *ret_passes = value.kind == JSON_TRUE;
        status = ST_OK;
    }
    return status;
}

/* The exit code. */
static int print_answer(struct slice body, bool is_json)
{
    bool passes = false;
    if (!is_json) {
        print_text(body);
        return last_line_passes(body) ? 0 : 1;
    }
    if (read_object(body, &passes) != ST_OK)
        return complain("the answer cannot be read");
    (void)fwrite(body.at, 1, body.len, stdout);
    return passes ? 0 : 1;
}

static int ask(const struct snapshot *snapshot, const struct asked *asked)
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
        code = print_answer(reply.body, asked->wants_json);
    } else {
        admin_reply_add_why(&client, &reply, "-c FILE whose admin.token_file names it", &fault);
        (void)complain(text_string(&fault));
    }
    free(reply.text);
    return code;
}

int explain_running(int argc, const char *const *argv, const struct asked *asked)
{
    struct snapshot *snapshot = NULL;
    int code = serve_compile(argc, argv, &snapshot);
    if (code != 0)
        return code;
    code = ask(snapshot, asked);
    snapshot_unref(&snapshot);
    return code;
}
