/* Two sides in one form: settings and rules, each a name with its value as a file would have it. One side is always the
 * configuration that is checked; the other is a file, or what a process says of itself (/api/v1/policy).
 *
 * Rules are compared by name and by what they say; their order is not, since it tells only whose name is in the log. A
 * rule without a name is called rules[N], which changes when one is put before it: such rules are compared by what they
 * say alone. Of the files of to_list, users and tokens it is told that they changed, not what in them: a process keeps
 * no texts, but knows the digest of each. */

#include "server/diff.h"

#include "base/json.h"
#include "base/table.h"
#include "server/diff_tunnels.h"
#include "server/serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIFF_FAULT = 600 };

struct form_item {
    struct slice name, text; /* of the side's memory */
    bool is_made;            /* of a rule: nobody gave it the name */
    bool is_matched;         /* by one of the other side */
    /* Of those with one key: the one behind it; of the first of them, those that are left and the last one. */
    struct form_item *next, *left, *last;
};

struct form_list {
    struct form_item *at;
    size_t count, room;
};

/* One side. */
struct form {
    struct form_list settings, rules, files, limits;
    char **memory; /* blocks that items point into */
    size_t memory_count, memory_room;
    bool has_failed; /* out of memory */
};

static int complain(const char *words)
{
    (void)fprintf(stderr, "fairlead: check: --diff: %s\n", words);
    return 1;
}

/* ---- making one ---- */

static void form_done(struct form *form)
{
    for (size_t i = 0; i < form->memory_count; i++)
        free(form->memory[i]);
    free(form->memory);
    free(form->settings.at);
    free(form->rules.at);
    free(form->files.at);
    free(form->limits.at);
}

/* `block` is the form's from now on; NULL is a failure. */
static void form_keep(struct form *form, char *block)
{
    if (form->memory_count == form->memory_room) {
        size_t room = form->memory_room == 0 ? 64 : 2 * form->memory_room;
        char **grown = reallocarray(form->memory, room, sizeof(*grown));
        if (grown != NULL) {
            form->memory = grown;
            form->memory_room = room;
        }
    }
    if (form->memory_count == form->memory_room || block == NULL) {
        form->has_failed = true;
        free(block);
        return;
    }
    form->memory[form->memory_count++] = block;
}

/* "rules[12]" */
static bool is_made_name(struct slice name)
{
    uint64_t number = 0;
    return slice_starts_with(name, SLICE("rules[")) && name.at[name.len - 1] == ']' &&
           slice_to_u64(slice_of(name.at + 6, name.len - 7), UINT64_MAX, &number) == ST_OK;
}

static void form_add(struct form *form, struct form_list *list, struct slice name,
                     struct slice text)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 64 : 2 * list->room;
        struct form_item *grown = reallocarray(list->at, room, sizeof(*grown));
        if (grown == NULL) {
            form->has_failed = true;
            return;
        }
        list->at = grown;
        list->room = room;
    }
    list->at[list->count++] = (struct form_item){
        .name = name, .text = text, .is_made = list == &form->rules && is_made_name(name)};
}

/* With copies of both. */
static void add_words(struct form *form, struct form_list *list, const char *name,
                      const char *words)
{
    char *name_copy = strdup(name);
    char *copy = strdup(words);
    form_keep(form, name_copy);
    form_keep(form, copy);
    if (!form->has_failed)
        form_add(form, list, slice_from_string(name_copy), slice_from_string(copy));
}

static void add_setting(void *owner, const char *key, const char *words)
{
    struct form *form = owner;
    add_words(form, &form->settings, key, words);
}

static void add_limit(void *owner, const char *key, const char *words)
{
    struct form *form = owner;
    add_words(form, &form->limits, key, words);
}

static void add_file(struct form *form, const struct snapshot_text *file)
{
    char room[SNAPSHOT_TEXT_WORDS];
    struct text words = text_on(room, sizeof(room));
    snapshot_add_text(file, &words);
    add_words(form, &form->files, file->path.at, text_string(&words));
}

static void add_rule(struct form *form, const struct rule *rule)
{
    char *words = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&words, &len);
    if (out != NULL)
        config_print_rule(rule, out);
    if (out == NULL || fclose(out) != 0) {
        free(words);
        words = NULL;
    }
    form_keep(form, words);
    if (!form->has_failed)
        form_add(form, &form->rules, rule->name, slice_of(words, len));
}

/* Of a configuration, which must live as long. */
static enum status form_of_snapshot(const struct snapshot *snapshot, struct form *form)
{
    const struct config *config = snapshot->config;
    enum status status = config_each_decisive(config, add_setting, form);
    if (status == ST_OK)
        status = config_each_limit(config, add_limit, form);
    for (size_t i = 0; i < snapshot->text_count; i++)
        add_file(form, &snapshot->texts[i]);
    for (size_t i = 0; i < config->policy.rule_count; i++)
        add_rule(form, &config->policy.rules[i]);
    return form->has_failed ? ST_NOMEM : status;
}

/* [{"name":"...","text":"..."},...] */
static enum status add_items(struct form *form, struct form_list *list, struct json_value array,
                             struct text *room)
{
    struct json_value item;
    struct json_value value;
    struct slice key;
    if (array.kind != JSON_ARRAY)
        return ST_BAD;
    while (json_next_element(&array, &item)) {
        struct slice parts[2] = {SLICE_NONE, SLICE_NONE};
        while (json_next_member(&item, &key, &value)) {
            size_t which = slice_equals(key, SLICE("name")) ? 0 : 1;
            if (json_text_into(&value, room->at + room->len, room->cap - room->len,
                               &parts[which]) != ST_OK)
                return ST_BAD;
            room->len += parts[which].len;
        }
        if (parts[0].len == 0)
            return ST_BAD;
        form_add(form, list, parts[0], parts[1]);
    }
    return ST_OK;
}

static enum status form_of_json(struct slice body, struct form *form)
{
    struct json_value page;
    struct json_value value;
    struct slice key;
    char *memory = malloc(body.len + 1);
    struct text room = text_on(memory, body.len + 1);
    enum status status = ST_OK;
    form_keep(form, memory);
    if (form->has_failed)
        return ST_NOMEM;
    if (json_check(body, &page) != ST_OK || page.kind != JSON_OBJECT)
        return ST_BAD;
    while (status == ST_OK && json_next_member(&page, &key, &value)) {
        if (slice_equals(key, SLICE("settings")))
            status = add_items(form, &form->settings, value, &room);
        else if (slice_equals(key, SLICE("rules")))
            status = add_items(form, &form->rules, value, &room);
        else if (slice_equals(key, SLICE("files")))
            status = add_items(form, &form->files, value, &room);
        else if (slice_equals(key, SLICE("limits")))
            status = add_items(form, &form->limits, value, &room);
    }
    return form->has_failed ? ST_NOMEM : status;
}

/* ---- comparing two ---- */

/* Made names count for nothing, so that such rules are found by what they say. */
static struct slice key_of(const struct form_item *item)
{
    return item->is_made ? item->text : item->name;
}

static bool has_key_of(const void *entry, const void *key)
{
    const struct form_item *item = entry;
    const struct form_item *other = key;
    return item->is_made == other->is_made && slice_equals(key_of(item), key_of(other));
}

/* Only the first of those with one key is in the table, since any number may have it; the others hang on that one. */
static enum status index_list(struct table *table, struct form_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct form_item *item = &list->at[i];
        struct form_item *first = table_find(table, table_hash(key_of(item)), has_key_of, item);
        if (first != NULL) {
            first->last->next = item;
            first->last = item;
            continue;
        }
        item->left = item->last = item;
        if (table_add(table, table_hash(key_of(item)), item) != ST_OK)
            return ST_NOMEM;
    }
    return ST_OK;
}

/* The next one with the key of `item`, which is matched by it. NULL: there is none left. */
static struct form_item *take_match(struct table *table, struct form_item *item)
{
    struct form_item *first = table_find(table, table_hash(key_of(item)), has_key_of, item);
    struct form_item *match = first != NULL ? first->left : NULL;
    if (match == NULL)
        return NULL;
    first->left = match->next;
    match->is_matched = true;
    return match;
}

/* As a file has it, but for bytes that a terminal may obey. */
static void print_text(const char *before, struct slice text)
{
    (void)fputs(before, stdout);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        (void)printf(c < 0x20 || c >= 0x7f ? "\\x%02x" : "%c", c);
    }
}

static void print_item(char sign, const char *kind, const struct form_item *item)
{
    (void)printf("  %c %s", sign, kind);
    print_text("", item->name);
    print_text(kind[0] != '\0' ? " " : ": ", item->text);
    (void)fputc('\n', stdout);
}

static void print_changed(const char *kind, const struct form_item *before,
                          const struct form_item *after)
{
    (void)printf("  ~ %s", kind);
    print_text("", after->name);
    print_text("\n    - ", before->text);
    print_text("\n    + ", after->text);
    (void)fputc('\n', stdout);
}

/* Print what differs; gives how much. */
static enum status compare_lists(const char *kind, struct form_list *before,
                                 struct form_list *after, size_t *count)
{
    struct table table;
    table_init(&table);
    enum status status = index_list(&table, before);
    for (size_t i = 0; i < after->count && status == ST_OK; i++) {
        struct form_item *item = &after->at[i];
        struct form_item *other = take_match(&table, item);
        if (other != NULL && slice_equals(other->text, item->text))
            continue;
        (*count)++;
        if (other != NULL)
            print_changed(kind, other, item);
        else
            print_item('+', kind, item);
    }
    for (size_t i = 0; i < before->count && status == ST_OK; i++) {
        if (before->at[i].is_matched)
            continue;
        (*count)++;
        print_item('-', kind, &before->at[i]);
    }
    table_done(&table);
    return status;
}

/* `ret_count` is of all but the limits, which refuse nothing that is open. */
static int compare_forms(struct form *before, struct form *after, size_t *ret_count)
{
    size_t count = 0;
    size_t limits_count = 0;
    (void)fputs("policy\n", stdout);
    enum status status = compare_lists("", &before->settings, &after->settings, &count);
    if (status == ST_OK)
        status = compare_lists("rule ", &before->rules, &after->rules, &count);
    if (status == ST_OK)
        status = compare_lists("file ", &before->files, &after->files, &count);
    if (status == ST_OK)
        status = compare_lists("", &before->limits, &after->limits, &limits_count);
    if (status != ST_OK)
        return complain("out of memory");
    if (count + limits_count == 0)
        (void)fputs("  no difference (listeners, timeouts and the like are not compared)\n",
                    stdout);
    *ret_count = count;
    return 0;
}

/* ---- the other side ---- */

/* The arguments with another file. Malloc'd; NULL out of memory. */
static const char **replace_file(int argc, const char *const *argv, const char *path,
                                 int *ret_count)
{
    const char **words = calloc((size_t)argc + 3, sizeof(*words));
    int count = 0;
    if (words == NULL)
        return NULL;
    words[count++] = "-c";
    words[count++] = path;
    for (int i = 0; i < argc; i++) {
        bool is_file = strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "--config") == 0;
        if (is_file)
            i++;
        else if (strncmp(argv[i], "--config=", 9) != 0)
            words[count++] = argv[i];
    }
    *ret_count = count;
    return words;
}

static int diff_file(int argc, const char *const *argv, const char *path, struct form *after)
{
    struct snapshot *old = NULL;
    struct form before = {.has_failed = false};
    size_t count = 0;
    int old_argc = 0;
    const char **old_argv = replace_file(argc, argv, path, &old_argc);
    if (old_argv == NULL)
        return complain("out of memory");
    int code = serve_compile(old_argc, old_argv, &old);
    free(old_argv);
    if (code != 0)
        return code;
    code = form_of_snapshot(old, &before) == ST_OK ? compare_forms(&before, after, &count)
                                                   : complain("out of memory");
    form_done(&before);
    snapshot_unref(&old);
    return code;
}

/* The rules of the process that runs. Said where they cannot be had; `ret_is_there`: it answers. */
static int diff_running(const struct admin_client *client, struct form *after, size_t *ret_count,
                        bool *ret_is_there)
{
    char words[DIFF_FAULT];
    struct text fault = text_on(words, sizeof(words));
    struct admin_reply reply = {.status = 0};
    struct form before = {.has_failed = false};
    enum status status = admin_ask(client, "GET", "/api/v1/policy", &fault, &reply);
    *ret_is_there = status == ST_OK;
    if (status != ST_OK)
        return complain(text_string(&fault));
    if (reply.status != 200) {
        text_add(&fault, SLICE("the rules of the running process cannot be read: "));
        admin_reply_add_why(client, &reply, "-c FILE whose admin.token_file names it", &fault);
        status = ST_IO;
    } else if (form_of_json(reply.body, &before) != ST_OK) {
        text_add(&fault, SLICE("the rules of the running process cannot be read"));
        status = ST_BAD;
    }
    int code =
        status == ST_OK ? compare_forms(&before, after, ret_count) : complain(text_string(&fault));
    form_done(&before);
    free(reply.text);
    return code;
}

/* ---- the whole ---- */

static int diff_process(const struct snapshot *snapshot, struct form *after, bool kills)
{
    const struct config *config = snapshot->config;
    struct admin_client client = {&config->admin.listen, snapshot->admin_token};
    size_t count = 0;
    if (!admin_client_can_ask(config))
        return complain("the configuration names no admin listener that could be asked: give "
                        "--admin ADDRESS, or a file to compare with");
    if (kills && client.token.len == 0)
        return complain("--kill-refused needs admin.token_file");
    bool is_there = false;
    int code = diff_running(&client, after, &count, &is_there);
    if (!is_there)
        return code;
    if (kills && (code != 0 || count > 0))
        (void)fputs("fairlead: check: --diff: the running process has other rules, or nobody knows "
                    "them: what is ended may come back until it reloads\n",
                    stderr);
    int tunnels_code = diff_tunnels(&client, snapshot, kills);
    return code != 0 ? code : tunnels_code;
}

int diff(int argc, const char *const *argv, const struct diff_options *options)
{
    struct snapshot *snapshot = NULL;
    struct form after = {.has_failed = false};
    if (options->old_path != NULL && options->kills_refused) {
        (void)complain("--kill-refused is about a running process, not a file");
        return 2;
    }
    int code = serve_compile(argc, argv, &snapshot);
    if (code != 0)
        return code;
    if (form_of_snapshot(snapshot, &after) != ST_OK)
        code = complain("out of memory");
    else if (options->old_path != NULL)
        code = diff_file(argc, argv, options->old_path, &after);
    else
        code = diff_process(snapshot, &after, options->kills_refused);
    form_done(&after);
    snapshot_unref(&snapshot);
    return code;
}
