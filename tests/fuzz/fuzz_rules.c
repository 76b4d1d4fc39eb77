/* Fuzz target: what rules read. The first line is the path of a request, the rest a list of names. Reading a path
 * gives one that reads as itself, without dot segments; a list is taken whole or refused with its line; every name that
 * it holds is found, and nothing beside them. */
#include "base/check.h"
#include "policy/gate.h"
#include "policy/url_path.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(struct slice path)
{
    static char once[URL_PATH_MAX];
    static char again[URL_PATH_MAX];
    struct slice read;
    struct slice same;
    if (!url_path_read(path, once, &read))
        return;
    CHECK(read.len > 0 && read.at[0] == '/');
    for (size_t i = 0; i + 1 < read.len; i++)
        CHECK(read.at[i] != '/' || read.at[i + 1] != '/');
    CHECK(url_path_is_below(read, SLICE("/")));
    if (memchr(read.at, '%', read.len) != NULL || memchr(read.at, '?', read.len) != NULL)
        return;
    CHECK(url_path_read(read, again, &same));
    CHECK(slice_equals(read, same));
}

static bool passes(const struct gate *gate, struct slice name)
{
    struct host host;
    struct gate_answer answer;
    if (host_parse(name, &host) != HOST_FINE || host.kind != HOST_NAME)
        return true;
    struct gate_question question = {.host = &host, .port = 80};
    return gate_request(gate, &question, &answer);
}

static void check_list(struct slice text)
{
    static const struct slice path[] = {{"list", 4}};
    static const struct rule rules[] = {{.name = {"r", 1}, .to_lists = {path, 1}}};
    const struct rules_list lists[] = {{path[0], text}};
    struct gate_options options = {.rules = rules,
                                   .rule_count = 1,
                                   .lists = lists,
                                   .list_count = 1,
                                   .has_default = true,
                                   .denies_by_default = true};
    char space[200];
    struct text fault = text_on(space, sizeof(space));
    struct gate *gate = NULL;
    size_t rule = 1;
    enum status status = gate_create(&options, &fault, &rule, &gate);
    CHECK(status == ST_OK || status == ST_BAD);
    CHECK((status == ST_OK) == (gate != NULL) && rule == 0);
    if (status == ST_BAD)
        CHECK(fault.len > 0);
    struct slice rest = text;
    struct slice line;
    while (gate != NULL && slice_next_part(&rest, '\n', &line)) {
        line = slice_trim(slice_first(line, slice_find(line, '#')));
        bool is_floor = slice_starts_with_nocase(line, SLICE("metadata")) ||
                        slice_starts_with_nocase(line, SLICE("instance"));
        if (line.len > 0 && line.at[0] != '*' && !is_floor)
            CHECK(passes(gate, line));
    }
    if (gate != NULL)
        CHECK(!passes(gate, SLICE("a-name-that-no-fuzzer-finds.example.test")) ||
              memchr(text.at, '*', text.len) != NULL);
    gate_destroy(&gate);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of((const char *)data, size);
    struct slice path = SLICE_NONE;
    (void)slice_next_part(&rest, '\n', &path);
    check_path(path);
    check_list(rest);
    return 0;
}
