/* All that one record tells, beside the list. */

import {Refusal, send} from "./api.js";
import {curlOf} from "./curl.js";
import {el, say} from "./dom.js";
import {bytes, clock, duration} from "./format.js";
import {MARKS, NOW, PHASES, WORDS, spanCutOff, spanNow, spansOf} from "./phases.js";
import {decisionOf, isInFlight} from "./record.js";
import {explain, mayBeExplained} from "./why.js";
import {wordOf} from "./words.js";

/* Members that have a place of their own below; all others are shown as they are. */
const PLACED = new Set(["v", "time", "base_ns", "seq", "kind", "in_progress", "id", "worker", "client", "listener", "listener_name",
    "method", "url", "url_cut", "host", "http", "user", "status", "upstream_status", "upstream_http", "end", "ended_by", "rule",
    "would_deny", "remedy", "cause", "error", "detail", "retries", "retry_reason", "upstream", "source", "client_conn",
    "upstream_conn", "client_tls", "parent_tls", "upstream_tls", "dns", "bytes", "stalled_us", "phases_us", "marks_us", "attempts", "verdict",
    "referer", "user_agent", "sni", "groups", "phase", "now_us", "unfinished"]);

const DECIDED = {refused: "refused", observed: "allowed, and would be refused", allowed: "allowed", "": "none"};
const ABOUT = new Map(PHASES.map((phase) => [phase.word, phase.about]));

/* ---- pieces ---- */

function section(title, ...content) {
    const kept = content.flat().filter(Boolean);
    return kept.length === 0 ? null : el("section", {}, el("h3", {}, title), kept);
}

/* Pairs of a name and a text; those without a text are left out. */
function facts(pairs) {
    const kept = pairs.filter(([, value]) => value !== undefined && value !== null && value !== "");
    return kept.length === 0 ? null : el("dl", {}, kept.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function valueText(key, value) {
    if (typeof value !== "number")
        return String(value);
    if (/_us$/.test(key))
        return duration(value);
    return /(^|_)bytes$/.test(key) ? bytes(value) : value.toLocaleString("en");
}

/* Whatever a member holds. `unit` passes on to what is inside: {"shares_us": {"origin": 12}}. */
function tree(value, unit = "") {
    if (value === null || typeof value !== "object")
        return value === true ? "yes" : valueText(unit, value);
    if (Array.isArray(value) && value.every((each) => each === null || typeof each !== "object"))
        return value.map((each) => valueText(unit, each)).join(", ");
    return el("dl", {class: "tree"}, Object.entries(value).map(([key, inner]) => {
        const passed = /_(us|bytes)$/.exec(key)?.[0] ?? unit;
        return [el("dt", {}, Array.isArray(value) ? `${Number(key) + 1}` : wordOf(key)), el("dd", {}, tree(inner, passed))];
    }));
}

function spanBar(name, from, length, whole) {
    const bar = el("i", {class: name});
    bar.style.left = `${100 * from / whole}%`;
    bar.style.width = `${100 * length / whole}%`;
    return el("div", {class: "bars"}, bar);
}

/* ---- sections ---- */

function timing(record) {
    const phases = record.phases_us ?? {};
    const marks = record.marks_us ?? {};
    const isOver = record.in_progress !== true;
    const open = isOver ? spanCutOff(record.unfinished, marks) : spanNow(record.phase, marks, record.now_us);
    const openWord = open.length > 0 ? PHASES[open[0]].word : "";
    const spans = [...spansOf(marks, phases), ...open];
    const begin = Math.min(marks.c_first ?? 0, ...spans.filter((_, i) => i % 3 === 1));
    const whole = Math.max(1, ...spans.filter((_, i) => i % 3 === 2)) - begin;
    const rows = WORDS.filter((word) => phases[word] !== undefined || word === openWord).map((word) => {
        const at = spans.findIndex((number, i) => i % 3 === 0 && PHASES[number].word === word);
        const bar = at < 0 ? null : spanBar(`p p-${word}`, spans[at + 1] - begin, spans[at + 2] - spans[at + 1], whole);
        return el("tr", {title: ABOUT.get(word)}, el("th", {scope: "row"}, el("i", {class: `swatch p-${word}`}), word),
            el("td", {class: "wide"}, bar), el("td", {class: "number"}, phases[word] === undefined ? `${duration(open[2] - open[1])} ${isOver ? "in vain" : "so far"}` : duration(phases[word])));
    });
    if (isInFlight(record))
        rows.push(el("tr", {class: "sum"}, el("th", {scope: "row"}, NOW[record.phase] ?? "in flight"), el("td"),
            el("td", {class: "number"}, duration(record.now_us - begin))));
    if (phases.total !== undefined)
        rows.push(el("tr", {class: "sum"}, el("th", {scope: "row"}, "total"), el("td"), el("td", {class: "number"}, duration(phases.total))));
    return section("Where the time went", rows.length > 0 && el("table", {class: "phases"}, rows));
}

function verdict(record) {
    if (!record.verdict)
        return null;
    const {slow, shares_us: shares, ...others} = record.verdict;
    const whole = Object.values(shares ?? {}).reduce((sum, us) => sum + us, 0) || 1;
    const rows = Object.entries(shares ?? {}).map(([who, us]) => el("tr", {class: who === slow ? "guilty" : null},
        el("th", {scope: "row"}, who.replaceAll("_", " ")), el("td", {class: "wide"}, spanBar("p share", 0, us, whole)),
        el("td", {class: "number"}, duration(us))));
    return section(isInFlight(record) ? "Who is slow" : "Who was slow", slow && el("p", {class: "verdict"}, slow === "none" ? "nobody" : String(slow).replaceAll("_", " ")),
        rows.length > 0 && el("table", {class: "phases"}, rows), Object.keys(others).length > 0 && tree(others));
}

function decision(record) {
    const decided = decisionOf(record);
    return section("Decision", facts([
        ["decision", decided === "" && record.in_progress ? "none yet" : DECIDED[decided]],
        ["rule", record.rule], ["would deny", record.would_deny], ["to allow it", record.remedy && el("code", {}, record.remedy)],
        ["cause", record.cause], ["error", record.error], ["detail", record.detail],
        ["retries", record.retries && `${record.retries}${record.retry_reason ? `: ${record.retry_reason.replaceAll("_", " ")}` : ""}`],
    ]));
}

function tlsText(tls) {
    return tls && `TLS ${tls.version} ${tls.cipher_name ?? tls.cipher}${tls.resumed ? ", resumed" : ""}`;
}

function useText(connection) {
    return connection && `${connection.id}, use ${connection.use}`;
}

function connections(record) {
    const up = record.upstream_conn;
    const paid = ["dns", "connect", "tls"].filter((word) => up?.[`paid_${word}_us`] !== undefined)
        .map((word) => `${word} ${duration(up[`paid_${word}_us`])}`).join(", ");
    return section("Connections", facts([
        ["client", record.client], ["listener", [record.listener, record.listener_name].filter(Boolean).join(" ")],
        ["connection", useText(record.client_conn)], ["TLS", tlsText(record.client_tls)],
        ["origin", record.upstream], ["from", record.source], ["connection", useText(up)],
        ["age", up?.age_us !== undefined ? duration(up.age_us) : ""], ["first paid", paid], ["TLS", tlsText(record.upstream_tls)],
        ["sni", record.sni],
        ["dns", record.dns && `${record.dns.source}${record.dns.answers ? `, ${record.dns.answers} ${record.dns.answers === 1 ? "address" : "addresses"}` : ""}`],
    ]));
}

function attempts(record) {
    const rows = (record.attempts ?? []).map((attempt) => el("tr", {},
        el("td", {class: "code"}, attempt.peer), el("td", {class: ["connected", "trying"].includes(attempt.result) ? "" : "bad"}, attempt.error ?? attempt.result),
        el("td", {class: "number"}, attempt.begin_us === undefined ? "" : duration(attempt.begin_us)),
        el("td", {class: "number"}, attempt.end_us === undefined ? "" : duration(attempt.end_us))));
    return section("Attempts", rows.length > 0 && el("table", {}, el("thead", {}, el("tr", {},
        ["peer", "result", "begin", "end"].map((name, i) => el("th", {scope: "col", class: i > 1 ? "number" : null}, name)))), el("tbody", {}, rows)));
}

function request(record) {
    return section("Request", facts([
        ["time", clock(Date.parse(record.time))], ["id", el("code", {}, record.id)], ["kind", record.kind], ["worker", String(record.worker ?? "")],
        ["user", record.user], ["groups", record.groups?.join(", ")], ["version", record.http && `HTTP/${record.http}`],
        ["status", record.status], ["origin's", record.upstream_status && `${record.upstream_status}, HTTP/${record.upstream_http}`],
        ["end", record.in_progress ? "in progress" : `${record.end ?? ""}${record.ended_by ? ` by ${record.ended_by}` : ""}`],
        ["agent", record.user_agent], ["referer", record.referer],
    ]));
}

function volume(record) {
    const sizes = Object.entries(record.bytes ?? {}).map(([name, count]) => [name.replaceAll("_", " "), bytes(count)]);
    const stalls = Object.entries(record.stalled_us ?? {}).map(([name, us]) => [`stalled ${name.replaceAll("_", " ")}`, duration(us)]);
    return section("Bytes", facts([...sizes, ...stalls]));
}

function marks(record) {
    const rows = Object.entries(record.marks_us ?? {}).sort(([, a], [, b]) => a - b).map(([word, us], number, all) =>
        el("tr", {}, el("th", {scope: "row", class: "code"}, word), el("td", {class: "dim"}, MARKS.get(word) ?? ""),
            el("td", {class: "number"}, duration(us)), el("td", {class: "number dim"}, number > 0 ? "+" + duration(us - all[number - 1][1]) : "")));
    return section("Marks", rows.length > 0 && el("table", {class: "marks"}, rows));
}

function others(record) {
    return Object.entries(record).filter(([name]) => !PLACED.has(name))
        .map(([name, value]) => section(wordOf(name), el("div", {}, tree(value, name))));
}

/* ---- the pane ---- */

async function copy(text, what) {
    try {
        await navigator.clipboard.writeText(text);
        say(`${what} copied`);
        return true;
    } catch {
        return false; /* not allowed outside of secure contexts; the text is shown instead */
    }
}

export class Detail extends EventTarget {
    #node;
    #row = null;
    #shown = null; /* the text that is on the page */
    #title = el("h2", {});
    #actions = el("div", {class: "actions"});
    #notice = el("output", {class: "notice", hidden: true});
    #why = el("section", {class: "why", "aria-label": "Decision chain", tabindex: -1, hidden: true});
    #sections = el("div", {class: "sections"});
    #raw = el("details", {}, el("summary", {}, "JSON"), el("pre", {}));
    exportOne = null; /* (id) => …; null where the server has no HAR */

    constructor(node) {
        super();
        this.#node = node;
        const head = el("header", {}, this.#title, el("button", {class: "quiet close", "aria-label": "Close", title: "Close (Esc)",
            click: () => this.close()}, "×"));
        node.append(head, this.#actions, this.#notice, this.#why, this.#sections, this.#raw);
        /* What is scrolled to stops below the title, which stays at the top. */
        new ResizeObserver(() => { node.style.scrollPaddingTop = `${head.offsetHeight}px`; }).observe(head);
    }

    get row() {
        return this.#row;
    }

    open(row) {
        this.#row = row;
        this.#shown = null;
        this.#notice.hidden = this.#why.hidden = true;
        this.#node.hidden = false;
        this.refresh();
        this.#node.scrollTop = 0;
    }

    close() {
        this.#row = null;
        this.#node.hidden = true;
        this.dispatchEvent(new CustomEvent("close"));
    }

    /* Show what is newer of the row. */
    refresh() {
        if (!this.#row || this.#shown === this.#row.text)
            return;
        const isNew = this.#shown === null;
        const record = JSON.parse(this.#row.text);
        this.#shown = this.#row.text;
        this.#title.replaceChildren(el("span", {class: "code"}, record.method ?? ""), " ", record.url ?? "", record.url_cut ? "…" : "");
        this.#title.title = record.url ?? "";
        if (isNew || !record.in_progress)
            this.#showActions(record);
        this.#sections.replaceChildren(...[timing(record), verdict(record), decision(record), ...others(record), connections(record),
            attempts(record), volume(record), request(record), marks(record)].filter(Boolean));
        this.#raw.lastChild.textContent = JSON.stringify(record, null, 2);
    }

    #showActions(record) {
        const line = curlOf(record);
        const json = this.#row.text.trim();
        const mayEnd = record.in_progress && (record.kind === "tunnel" || record.kind === "upgrade");
        this.#actions.replaceChildren(...[
            el("button", {click: (event) => this.#copyOrShow(event.target, line, "curl")}, "Copy as curl"),
            el("button", {click: (event) => this.#copyOrShow(event.target, json, "JSON")}, "Copy JSON"),
            this.exportOne && !isInFlight(record) && el("button", {click: () => this.exportOne(record.id)}, "Export HAR"),
            mayBeExplained(record) && this.#whyButton(record),
            mayEnd && this.#endButton(record.id),
        ].filter(Boolean));
    }

    async #copyOrShow(button, text, what) {
        const label = button.textContent;
        if (!await copy(text, what)) {
            this.#notify(text);
            return;
        }
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = label; }, 1200);
    }

    #notify(text) {
        this.#notice.textContent = text;
        this.#notice.hidden = false;
    }

    /* The decision chain, which takes the focus when it is there. */
    #whyButton(record) {
        const button = el("button", {title: "the rules that were looked at, and the one that decides; needs the token", click: async () => {
            if (button.ariaBusy === "true")
                return;
            button.ariaBusy = "true";
            const row = this.#row;
            const shown = await explain(record);
            button.ariaBusy = null;
            if (row !== this.#row)
                return;
            this.#why.replaceChildren(el("h3", {}, "Decision chain"), ...shown);
            this.#why.hidden = false;
            this.#why.focus();
        }}, "Why?");
        return button;
    }

    /* It takes two clicks, the second within three seconds. */
    #endButton(id) {
        let isSure = false;
        const button = el("button", {class: "danger", click: async () => {
            if (isSure) {
                await this.#end(id);
                return;
            }
            isSure = true;
            button.textContent = "Really end it?";
            setTimeout(() => {
                isSure = false;
                button.textContent = "End tunnel";
            }, 3000);
        }}, "End tunnel");
        return button;
    }

    async #end(id) {
        try {
            await send(`/api/v1/tunnels/${encodeURIComponent(id)}`, {method: "DELETE", mayAsk: true, why: "Ending a tunnel needs the token."});
            this.#notify("The tunnel was ended.");
            say("The tunnel was ended.");
        } catch (error) {
            this.#notify(error instanceof Refusal ? error.message : "The server did not answer.");
        }
    }
}
