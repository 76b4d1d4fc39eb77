/* One answer of any length, printed whole and lent to the exchange.
 *
 *     {"v":1,"settings":[{"name":"egress.allow","text":"[]"},...],"rules":[{"name":"mirrors","text":"{ ... }"},...]}
 *
 * None is longer than POLICY_BYTES, so that memory is bounded; a configuration of 4 MiB fits. */

#include "admin/policy.h"

#include "admin/lent.h"
#include "config/snapshot.h"

#include <stdio.h>
#include <stdlib.h>

enum { POLICY_BYTES = 32 << 20 };

struct writer {
    FILE *out;
    bool is_first; /* of its array */
    bool has_failed;
};

/* The inside of a JSON string. */
static void write_text(struct writer *writer, const char *words)
{
    struct slice slice = slice_from_string(words);
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

static void write_item(void *owner, const char *name, const char *words)
{
    struct writer *writer = owner;
    (void)fputs(writer->is_first ? "\n{\"name\":\"" : ",\n{\"name\":\"", writer->out);
    write_text(writer, name);
    (void)fputs("\",\"text\":\"", writer->out);
    write_text(writer, words);
    (void)fputs("\"}", writer->out);
    writer->is_first = false;
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
        write_item(writer, rule->name.at, words);
    free(words);
}

static enum status write_all(struct writer *writer, const struct config *config)
{
    (void)fputs("{\"v\":1,\"settings\":[", writer->out);
    writer->is_first = true;
    enum status status = config_each_decisive(config, write_item, writer);
    (void)fputs("],\n\"rules\":[", writer->out);
    writer->is_first = true;
    for (size_t i = 0; i < config->policy.rule_count; i++)
        write_rule(writer, &config->policy.rules[i]);
    (void)fputs("]}\n", writer->out);
    return writer->has_failed ? ST_NOMEM : status;
}

/* All of it, malloc'd. NULL: out of memory, or too long. */
static char *write_body(const struct config *config, size_t *ret_len)
{
    char *body = NULL;
    struct writer writer = {.out = open_memstream(&body, ret_len)};
    if (writer.out == NULL)
        return NULL;
    enum status status = write_all(&writer, config);
    if (fclose(writer.out) == 0 && status == ST_OK && *ret_len <= POLICY_BYTES)
        return body;
    free(body);
    return NULL;
}

void policy_show(const struct call *call)
{
    size_t len = 0;
    if (!lent_has_room(call))
        return;
    char *body = write_body(call->request->snapshot->config, &len);
    lent_answer(call, "application/json", body, len);
}
