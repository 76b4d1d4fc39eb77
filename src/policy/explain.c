/* The gate's decisions in words. What is told is what the gate itself answers; the rules are compared one by one
 * beside it, to show those that do not decide. */

#include "policy/explain.h"

#include "policy/gate_internal.h"

enum { NAME_COLUMNS = 24 };

static int print_slice(struct slice text, FILE *out)
{
    return fprintf(out, "%.*s", (int)text.len, text.at);
}

static void print_rule(const struct rules *rules, size_t index, enum rule_condition condition,
                       FILE *out)
{
    const struct rule *rule = rules_at(rules, index);
    (void)fprintf(out, "  rule %-5zu ", index);
    int width = print_slice(rule->name, out);
    (void)fprintf(out, "%*s  %-5s  ", width < NAME_COLUMNS ? NAME_COLUMNS - width : 0, "",
                  rule->action == RULE_ALLOW ? "allow" : "deny");
    if (condition == RULE_MATCHES)
        (void)fputs(rule->to_address.count > 0 ? "matches, for its to_address" : "matches", out);
    else
        (void)fprintf(out, "no: %s", rule_condition_key(condition));
    (void)fputs(rule->mode == RULE_OBSERVE ? " (observes)\n" : "\n", out);
}

static void explain_rules(const struct rules *rules, const struct gate_question *question,
                          bool wants_all, FILE *out)
{
    size_t count = rules == NULL ? 0 : rules_count(rules);
    size_t hidden = 0;
    for (size_t i = 0; i < count; i++) {
        enum rule_condition condition = rules_compare(rules, i, question, NULL);
        if (condition == RULE_MATCHES || wants_all || count <= EXPLAIN_FEW)
            print_rule(rules, i, condition, out);
        else
            hidden++;
    }
    if (hidden > 0)
        (void)fprintf(out, "  %zu other rules do not match; --all lists them\n", hidden);
}

static const char *default_words(const struct gate *gate)
{
    const struct gate_options *options = &gate->options;
    if (options->has_default)
        return options->denies_by_default ? "deny" : "allow";
    return options->denies_by_default ? "deny, since egress.allow names hosts" : "allow";
}

static void print_refusal(const struct gate_answer *answer, FILE *out)
{
    (void)fprintf(out, "refused: %s\n", answer->rule);
    if (answer->remedy[0] != '\0')
        (void)fprintf(out, "  to allow it: %s\n", answer->remedy);
}

static void print_pass(const struct gate_answer *answer, FILE *out)
{
    (void)fputs("passes", out);
    if (answer->allowed_by.len > 0) {
        (void)fputs(" by rule ", out);
        (void)print_slice(answer->allowed_by, out);
    }
    if (answer->would_deny.len > 0) {
        (void)fputs("; would be denied by ", out);
        (void)print_slice(answer->would_deny, out);
    }
    (void)fputc('\n', out);
}

bool explain_request(const struct gate *gate, const struct gate_question *question, bool wants_all,
                     FILE *out)
{
    CHECK_TAG(gate, GATE_TAG);
    struct gate_answer answer;
    bool passes = gate_request(gate, question, &answer);
    explain_rules(gate->rules, question, wants_all, out);
    (void)fprintf(out, "  policy.default           %s\n", default_words(gate));
    if (gate->options.observes)
        (void)fputs("  policy.mode              observe: rules and default refuse nothing\n", out);
    (void)fputs("  => ", out);
    if (!passes) {
        print_refusal(&answer, out);
        return false;
    }
    print_pass(&answer, out);
    return true;
}

static void add_opener(const struct gate *gate, const struct gate_question *question,
                       const struct inet_endpoint *endpoint, struct text *into)
{
    struct rules_decision decision = {.address_opener = NULL};
    const struct inet_prefix *range = gate_find(gate->options.allow, &endpoint->addr);
    if (gate->rules != NULL)
        rules_judge(gate->rules, question, &endpoint->addr, &decision);
    if (range != NULL) {
        text_add(into, SLICE("egress.allow "));
        text_add_prefix(into, range);
    } else if (decision.address_opener != NULL) {
        text_add(into, SLICE("rule "));
        text_add(into, decision.address_opener->name);
    } else {
        text_add(into, SLICE("egress.floor_exceptions"));
    }
}

void explain_judge(const struct gate *gate, const struct gate_question *question,
                   const struct inet_endpoint *endpoint, struct explain_judgement *ret_judgement)
{
    CHECK_TAG(gate, GATE_TAG);
    struct inet_endpoint plain = {.addr = inet_addr_unmap(&endpoint->addr), .port = endpoint->port};
    struct text by = text_on(ret_judgement->opened_by, EXPLAIN_OPENER - 1);
    ret_judgement->addr = plain.addr;
    ret_judgement->passes = gate_address(gate, question, &plain, &ret_judgement->answer);
    ret_judgement->row = gate_find_default(gate, &plain.addr);
    if (ret_judgement->passes && ret_judgement->row != NULL)
        add_opener(gate, question, &plain, &by);
    ret_judgement->opened_by[by.len] = '\0';
}

bool explain_address(const struct gate *gate, const struct gate_question *question,
                     const struct inet_endpoint *endpoint, FILE *out)
{
    struct explain_judgement judgement;
    char words[INET_ADDR_TEXT];
    explain_judge(gate, question, endpoint, &judgement);
    (void)inet_addr_format(&judgement.addr, words);
    (void)fprintf(out, "  %-24s ", words);
    if (judgement.row == NULL)
        (void)fputs("public", out);
    else
        (void)fprintf(out, "%s (%s)", judgement.row->why, judgement.row->source);
    if (judgement.opened_by[0] != '\0')
        (void)fprintf(out, ", opened by %s", judgement.opened_by);
    (void)fputs("\n  => ", out);
    if (!judgement.passes) {
        print_refusal(&judgement.answer, out);
        return false;
    }
    print_pass(&judgement.answer, out);
    return true;
}
