/* A configuration file, and flags: what is accepted prints itself as a file that is accepted and prints the same,
 * and its gate refuses the metadata address unless an exception names it. The input is the file up to a NUL
 * byte, then flags, each up to another. */
#include "base/check.h"
#include "config/config.h"
#include "policy/gate.h"

#include <stdio.h>
#include <stdlib.h>

enum { FLAGS_MAX = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void say_nothing(struct config_errors *errors, const char *line)
{
    CHECK(errors->count > 0 && line[0] != '\0');
    for (const char *at = line; *at != '\0'; at++)
        CHECK((unsigned char)*at >= 0x20 && (unsigned char)*at < 0x7f);
}

static char *printed(const struct config *config)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    CHECK(out != NULL);
    config_print(config, out);
    (void)fclose(out);
    return text;
}

static void check_printed(const struct config *config)
{
    struct config_errors errors = {.report = say_nothing};
    struct config *again = NULL;
    char *once = printed(config);
    CHECK(config_load("again", slice_from_string(once), 0, NULL, &errors, &again) == ST_OK);
    char *twice = printed(again);
    CHECK(strcmp(once, twice) == 0);
    free(once);
    free(twice);
    config_destroy(&again);
}

static void check_gate(const struct config *config)
{
    struct gate_options options = {
        .allow = {config->egress.allow.at, config->egress.allow.count},
        .deny = {config->egress.deny.at, config->egress.deny.count},
        .allow_names = {config->egress.allow_names.at, config->egress.allow_names.count},
        .deny_names = {config->egress.deny_names.at, config->egress.deny_names.count},
        .rules = config->policy.rules,
        .rule_count = config->policy.rule_count,
        .has_default = config->policy.has_default,
        .denies_by_default = config->policy.by_default == RULE_DENY,
        .observes = config->policy.observes,
    };
    char space[200];
    struct text fault = text_on(space, sizeof(space));
    size_t rule = 0;
    struct inet_endpoint metadata = {.addr = {INET_V4, {169, 254, 169, 254}}, .port = 80};
    struct gate_answer answer;
    struct gate *gate = NULL;
    if (gate_create(&options, &fault, &rule, &gate) != ST_OK) { /* lists are not read here */
        CHECK(gate == NULL && config->policy.rules[rule].to_lists.count > 0);
        return;
    }
    CHECK(!gate_address(gate, NULL, &metadata, &answer));
    CHECK(answer.rule[0] != '\0');
    gate_destroy(&gate);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct config_errors errors = {.report = say_nothing};
    struct config *config = NULL;
    const char *flags[FLAGS_MAX];
    int count = 0;
    char *copy = malloc(len + 1);
    CHECK(copy != NULL);
    memcpy(copy, data, len);
    copy[len] = '\0';
    struct slice file = slice_from_string(copy);
    for (size_t at = file.len + 1; at < len && count < FLAGS_MAX; at += strlen(copy + at) + 1)
        flags[count++] = copy + at;
    (void)config_file_flag(count, flags);
    if (config_load("fuzz.yaml", file, count, flags, &errors, &config) == ST_OK) {
        check_printed(config);
        check_gate(config);
    }
    config_destroy(&config);
    free(copy);
    return 0;
}
