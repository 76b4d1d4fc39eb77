/* The decisions of explain.c for programs: the same questions to the same gate. Texts of the configuration and of the
 * command line are escaped; a text that is not there is null, so that a member is always there where its stage is. */

#include "policy/explain_json.h"

#include "policy/explain.h"
#include "policy/gate_internal.h"

enum { JSON_PIECE = 128, JSON_ROOM = 6 * JSON_PIECE };

/* In pieces, none of which ends within a character. */
void explain_json_string(struct slice text, FILE *out)
{
    char words[JSON_ROOM];
    if (text.len == 0) {
        (void)fputs("null", out);
        return;
    }
    (void)fputc('"', out);
    while (text.len > 0) {
        size_t len = text.len < JSON_PIECE ? text.len : JSON_PIECE;
        for (int i = 0; i < 3 && len < text.len && ((unsigned char)text.at[len] & 0xc0) == 0x80;
             i++)
            len--;
        struct text piece = text_on(words, sizeof(words));
        text_add_json(&piece, slice_first(text, len));
        (void)fwrite(words, 1, piece.len, out);
        text = slice_from(text, len);
    }
    (void)fputc('"', out);
}

static void put(const char *key, struct slice text, FILE *out)
{
    (void)fprintf(out, ",\"%s\":", key);
    explain_json_string(text, out);
}

static const char *truth(bool is_so)
{
    return is_so ? "true" : "false";
}

static void put_rule(const struct rules *rules, size_t index, enum rule_condition condition,
                     FILE *out)
{
    const struct rule *rule = rules_at(rules, index);
    bool matches = condition == RULE_MATCHES;
    (void)fprintf(out, "{\"index\":%zu", index);
    put("name", rule->name, out);
    (void)fprintf(out, ",\"action\":\"%s\",\"mode\":\"%s\",\"matches\":%s,\"has_to_address\":%s",
                  rule->action == RULE_ALLOW ? "allow" : "deny",
                  rule->mode == RULE_OBSERVE ? "observe" : "enforce", truth(matches),
                  truth(rule->to_address.count > 0));
    put("unmet", matches ? SLICE_NONE : slice_from_string(rule_condition_key(condition)), out);
    (void)fputc('}', out);
}

static void put_rules(const struct rules *rules, const struct gate_question *question,
                      bool wants_all, FILE *out)
{
    size_t count = rules == NULL ? 0 : rules_count(rules);
    size_t hidden = 0;
    (void)fputs("\"rules\":[", out);
    for (size_t i = 0; i < count; i++) {
        enum rule_condition condition = rules_compare(rules, i, question, NULL);
        if (condition != RULE_MATCHES && !wants_all && count > EXPLAIN_FEW) {
            hidden++;
            continue;
        }
        (void)fputs(i == hidden ? "\n" : ",\n", out);
        put_rule(rules, i, condition, out);
    }
    (void)fprintf(out, "\n],\n\"rules_not_listed\":%zu,\n", hidden);
}

/* What a stage said. */
static void put_answer(bool passes, const struct gate_answer *answer, FILE *out)
{
    (void)fprintf(out, "\"passes\":%s", truth(passes));
    if (!passes) {
        put("rule", slice_from_string(answer->rule), out);
        put("remedy", slice_from_string(answer->remedy), out);
        return;
    }
    put("allowed_by", answer->allowed_by, out);
    put("would_deny", answer->would_deny, out);
}

bool explain_json_request(const struct gate *gate, const struct gate_question *question,
                          bool wants_all, FILE *out)
{
    CHECK_TAG(gate, GATE_TAG);
    struct gate_answer answer;
    bool passes = gate_request(gate, question, &answer);
    put_rules(gate->rules, question, wants_all, out);
    (void)fprintf(out, "\"default\":\"%s\",\n\"mode\":\"%s\",\n\"request\":{",
                  gate->options.denies_by_default ? "deny" : "allow",
                  gate->options.observes ? "observe" : "enforce");
    put_answer(passes, &answer, out);
    (void)fputc('}', out);
    return passes;
}

bool explain_json_address(const struct gate *gate, const struct gate_question *question,
                          const struct inet_endpoint *endpoint, FILE *out)
{
    struct explain_judgement judgement;
    char words[INET_ADDR_TEXT];
    explain_judge(gate, question, endpoint, &judgement);
    const struct egress_range *row = judgement.row;
    (void)fputs("{\"address\":", out);
    explain_json_string(slice_of(words, inet_addr_format(&judgement.addr, words)), out);
    put("class", row != NULL ? slice_from_string(row->why) : SLICE("public"), out);
    put("reference", row != NULL ? slice_from_string(row->source) : SLICE_NONE, out);
    put("opened_by", slice_from_string(judgement.opened_by), out);
    (void)fputc(',', out);
    put_answer(judgement.passes, &judgement.answer, out);
    (void)fputc('}', out);
    return judgement.passes;
}
