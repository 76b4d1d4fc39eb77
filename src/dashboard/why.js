/* The decision chain of a record, as /api/v1/explain tells it: every rule that was looked at in its order, the default, the
 * addresses of the name, and which of them decides. It is asked for by hand, since it needs the token and asks name servers. */

import {Refusal, getJson, query} from "./api.js";
import {el} from "./dom.js";
import {decisionOf} from "./record.js";

const THEN = {refused: "refused", allowed: "allowed", observed: "allowed, and would have been refused"};

/* The server takes HOST:PORT for CONNECT, and a URL for all else. */
export function mayBeExplained({method, url}) {
    return url !== undefined && (method === "CONNECT") !== url.includes("://");
}

/* What the record tells of who asked, and when. */
function questionOf(record) {
    const who = query({target: record.url, method: record.method, user: record.user,
        from: record.client?.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1"), listener: record.listener_name ?? record.listener,
        at: Math.max(1, Math.floor(Date.parse(record.time) / 1000)), json: 1});
    const {subject, names} = record.client_certificate ?? {};
    return [who, ...(record.groups ?? []).map((group) => query({group})), ...[subject, ...(names ?? [])].filter(Boolean)
        .map((certificate) => query({certificate}))].join("&");
}

/* ---- the steps: {what, says, isDeciding} ---- */

const isBy = (rule, words) => rule.matches && words === `rule ${rule.name}`;

function ruleStep(rule, decider) {
    const matches = rule.has_to_address ? "matches, for its to_address" : "matches";
    const says = [rule.action, rule.matches ? matches : `no: ${rule.unmet}`, rule.mode === "observe" && "only observes"]
        .filter(Boolean).join(", ");
    return {what: `rule ${rule.name ?? rule.index}`, says, isDeciding: isBy(rule, decider)};
}

function addressStep(address, isDeciding) {
    const kind = [address.class, address.opened_by && `opened by ${address.opened_by}`].filter(Boolean).join(", ");
    return {what: address.address, says: `${kind}; ${address.passes ? "passes" : `refused by ${address.rule}`}`, isDeciding};
}

/* What refused, or what allowed: "rule NAME", "policy.default…", or the words of what is neither. */
function deciderOf(answer) {
    const {request, lookup} = answer;
    if (!request.passes)
        return request.rule;
    const allowedBy = request.allowed_by ?? lookup?.addresses.find((address) => address.passes)?.allowed_by;
    if (allowedBy)
        return `rule ${allowedBy}`;
    return answer.default === "allow" || answer.mode === "observe" ? "policy.default" : "egress.allow";
}

export function stepsOf(answer) {
    if (answer.request === undefined) /* the target is none */
        return [];
    const addresses = answer.lookup?.addresses ?? [];
    const isOfAddresses = answer.request.passes && !answer.passes;
    const decider = isOfAddresses ? "" : deciderOf(answer);
    const rules = answer.rules.map((rule) => ruleStep(rule, decider));
    const others = answer.rules_not_listed;
    const byDefault = {what: "policy.default", says: answer.default + (answer.mode === "observe" ? ", only observed" : ""),
        isDeciding: decider.startsWith("policy.default")};
    const isTold = decider === "" || byDefault.isDeciding || rules.some((step) => step.isDeciding);
    return [...rules, ...(others > 0 ? [{what: "", says: `${others} other rules do not match`}] : []), byDefault,
        ...(isTold ? [] : [{what: decider, says: answer.request.passes ? "allows it" : "refuses it", isDeciding: true}]),
        ...addresses.map((address) => addressStep(address, isOfAddresses && !address.passes))];
}

/* ---- what is shown ---- */

function stepLine({what, says, isDeciding}) {
    return el("li", {class: isDeciding ? "decides" : null, "aria-current": isDeciding ? "step" : null},
        el("b", {}, what), el("span", {}, says), isDeciding && el("em", {}, "decides"));
}

function draw(record, answer) {
    const refusal = [answer.request, ...(answer.lookup?.addresses ?? [])].find((stage) => stage?.passes === false);
    const then = THEN[decisionOf(record)];
    const reason = record.rule ?? record.cause?.replaceAll("_", " ");
    return [el("p", {class: "dim"}, "By the rules, users and addresses of now, for the time of the request.",
        record.url_cut ? " The URL is not whole: a rule for a path may say otherwise." : ""),
    el("ol", {class: "chain"}, stepsOf(answer).map(stepLine)),
    el("p", {class: "verdict"}, answer.reason),
    !answer.passes && refusal?.remedy && el("p", {}, "to allow it: ", el("code", {}, refusal.remedy)),
    answer.request?.would_deny && el("p", {}, `would be denied by ${answer.request.would_deny}`),
    then && el("p", {}, `It was ${then} then${then === THEN.refused && reason ? `: ${reason}` : ""}.`)].filter(Boolean);
}

/* Ask, and give what is to be shown: the chain, or why there is none. */
export async function explain(record) {
    try {
        const asked = {mayAsk: true, why: "The decision chain shows rules, and needs the token."};
        return draw(record, await getJson(`/api/v1/explain?${questionOf(record)}`, asked));
    } catch (error) {
        const why = error instanceof Refusal ? error.message : "the server did not answer";
        return [el("p", {class: "fault", role: "alert"}, `The decision chain was not told: ${why}`)];
    }
}
