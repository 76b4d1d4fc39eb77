/* Fuzz target: lines of an access log that somebody else may have written. The first byte says how they are grouped and
 * folded. Whatever the lines are, what is proposed of them loads as a configuration, has as many rules as were meant,
 * and none of them is for everybody unless that was asked for, or denies, or reaches below a public suffix. */
#include "base/check.h"
#include "base/json.h"
#include "config/config.h"
#include "learn/proposal.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void report(struct config_errors *errors, const char *line)
{
    (void)errors;
    (void)fprintf(stderr, "%s\n", line);
}

static void check_rule(const struct rule *rule, enum store_by by)
{
    CHECK(rule->action == RULE_ALLOW && rule->ports.count == 1);
    CHECK(rule->to_names.count + rule->to_ranges.count > 0);
    CHECK(rule->methods.count > 0);
    CHECK((by == STORE_BY_ALL) == (rule->users.count + rule->from.count == 0));
    CHECK(rule->users.count == 0 || !slice_equals(rule->users.at[0], SLICE("*")));
    for (size_t i = 0; i < rule->to_names.count; i++) {
        struct slice name = rule->to_names.at[i];
        CHECK(!slice_equals(name, SLICE("*.com")) && !slice_equals(name, SLICE("*.co.uk")));
    }
}

static void check_proposal(const struct store *store, const struct proposal_options *options)
{
    struct config_errors errors = {.report = report};
    struct config *config = NULL;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    CHECK(out != NULL);
    CHECK(proposal_print(store, options, out) == ST_OK);
    CHECK(fclose(out) == 0);
    CHECK(config_load("learned", slice_of(text, len), 0, NULL, &errors, &config) == ST_OK);
    CHECK(config->policy.has_default && config->policy.by_default == RULE_DENY);
    CHECK((config->policy.rule_count > 0) == (store->allowed_count > 0));
    for (size_t i = 0; i < config->policy.rule_count; i++)
        check_rule(&config->policy.rules[i], store->by);
    config_destroy(&config);
    free(text);
}

/* What a checked value is walked into is checked itself. */
static void check_json(struct slice text)
{
    struct json_value value;
    struct json_value part;
    struct slice key;
    static char into[LOG_LINE_MAX];
    if (json_check(text, &value) != ST_OK)
        return;
    while (json_next_member(&value, &key, &part) || json_next_element(&value, &part)) {
        struct slice said;
        if (part.kind == JSON_STRING && json_text_into(&part, into, sizeof(into), &said) == ST_OK)
            CHECK(said.len <= part.raw.len);
    }
    CHECK((value.kind != JSON_OBJECT && value.kind != JSON_ARRAY) ||
          slice_trim(value.raw).len == 0 || value.raw.at[0] == '\n' || value.raw.at[0] == '\r');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct suffixes *suffixes;
    static struct log_line line;
    struct store store;
    struct slice rest = slice_of((const char *)data, size);
    struct slice text;
    if (size == 0)
        return 0;
    if (suffixes == NULL)
        CHECK(suffixes_create(SLICE("com\nuk\nco.uk\n"), &suffixes) == ST_OK);
    struct proposal_options options = {
        .min_count = 1, .fold_least = (data[0] & 4) != 0 ? 2 : 0, .suffixes = suffixes};
    store_init(&store, (enum store_by)((data[0] & 3) % STORE_BY_COUNT));
    rest = slice_from(rest, 1);
    while (slice_next_part(&rest, '\n', &text)) {
        const char *fault = NULL;
        check_json(text);
        if (log_line_read(text, &line, &fault) != ST_OK)
            CHECK(fault != NULL);
        else if (store_add(&store, &line, &fault) == ST_BAD)
            CHECK(fault != NULL);
    }
    check_proposal(&store, &options);
    store_done(&store);
    return 0;
}
