/* One answer of any length, printed whole and lent to the exchange.
 *
 *     {"v":1,"settings":[{"name":"egress.allow","text":"[]"},...],
 *      "rules":[{"name":"mirrors","text":"{ ... }"},...],
 *      "files":[{"name":"/etc/fairlead/users","text":"1234 bytes, sha256 3fa9..."},...],
 *      "limits":[{"name":"limits.connections","text":"0"},...]}
 *
 * None is longer than POLICY_BYTES, so that memory is bounded; a configuration of 4 MiB fits. */

#include "admin/policy.h"

#include "admin/lent.h"
#include "config/snapshot.h"
#include "http/media.h"

#include <stdio.h>
#include <stdlib.h>

enum { POLICY_BYTES = 32 << 20 };

struct writer {
    FILE *out;
    bool is_first; /* of its array */
    bool has_failed;
};

/* The inside of a JSON string. */
static void write_text(struct writer *writer, struct slice slice)
{
    size_t room = 6 * slice.len + 1;
    char *memory = malloc(room);
    if (memory == NULL) {
        writer->has_failed = true;
        return;
    }
    struct text text = text_on(memory, room);
    text_add_json(&text, slice);
    (void)fwrite(memory, 1, text.len, writer->out);
    free(memory);
}

static void write_item(struct writer *writer, struct slice name, struct slice words)
{
    (void)fputs(writer->is_first ? "\n{\"name\":\"" : ",\n{\"name\":\"", writer->out);
    write_text(writer, name);
    (void)fputs("\",\"text\":\"", writer->out);
    write_text(writer, words);
    (void)fputs("\"}", writer->out);
    writer->is_first = false;
}

static void write_setting(void *owner, const char *key, const char *words)
{
    write_item(owner, slice_from_string(key), slice_from_string(words));
}

static void write_rule(struct writer *writer, const struct rule *rule)
{
    char *words = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&words, &len);
    if (out != NULL)
        config_print_rule(rule, out);
    if (out == NULL || fclose(out) != 0)
        writer->has_failed = true;
    else
        write_item(writer, rule->name, slice_of(words, len));
    free(words);
}

static void write_file(struct writer *writer, const struct snapshot_text *file)
{
    char room[SNAPSHOT_TEXT_WORDS];
    struct text words = text_on(room, sizeof(room));
    snapshot_add_text(file, &words);
    write_item(writer, file->path, text_slice(&words));
}

static void begin_array(struct writer *writer, const char *before)
{
    (void)fputs(before, writer->out);
    writer->is_first = true;
}

static enum status write_all(struct writer *writer, const struct snapshot *snapshot)
{
    const struct config *config = snapshot->config;
    begin_array(writer, "{\"v\":1,\"settings\":[");
    enum status status = config_each_decisive(config, write_setting, writer);
    begin_array(writer, "],\n\"rules\":[");
    for (size_t i = 0; i < config->policy.rule_count; i++)
        write_rule(writer, &config->policy.rules[i]);
    begin_array(writer, "],\n\"files\":[");
    for (size_t i = 0; i < snapshot->text_count; i++)
        write_file(writer, &snapshot->texts[i]);
    begin_array(writer, "],\n\"limits\":[");
    if (status == ST_OK)
        status = config_each_limit(config, write_setting, writer);
    (void)fputs("]}\n", writer->out);
    return writer->has_failed ? ST_NOMEM : status;
}

/* All of it, malloc'd. NULL: out of memory, or too long. */
static char *write_body(const struct snapshot *snapshot, size_t *ret_len)
{
    char *body = NULL;
    struct writer writer = {.out = open_memstream(&body, ret_len)};
    if (writer.out == NULL)
        return NULL;
    enum status status = write_all(&writer, snapshot);
    if (fclose(writer.out) == 0 && status == ST_OK && *ret_len <= POLICY_BYTES)
        return body;
    free(body);
    return NULL;
}

void policy_show(const struct call *call)
{
    size_t len = 0;
    if (!lent_has_room(call, LENT_LONG, call->admin->listing_count))
        return;
    char *body = write_body(call->request->snapshot, &len);
    lent_answer(call, LENT_LONG, MEDIA_JSON, body, len);
}
