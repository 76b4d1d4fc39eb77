/* The view of figures: how much, how well, how fast, and where it is slow. */

import {getJson} from "./api.js";
import {Chart} from "./chart.js";
import {byId, el, setText} from "./dom.js";
import {ago, bytes, clock, count, duration, hour, share} from "./format.js";
import {SlowSides} from "./slow.js";

const EVERY_MS = 5000;
const SECONDS = 120;
const PHASES = ["dns", "connect", "tls", "wait", "load", "total"];
const OF_DESTINATION = ["dns", "connect", "tls", "wait", "load"];
/* name: label, the array of the answer, the length of its points in s, how many points */
const SPANS = {
    seconds: {label: "2 minutes", from: "seconds", step: 1, most: SECONDS},
    hour: {label: "1 hour", from: "minutes", step: 60, most: 60},
    day: {label: "24 hours", from: "minutes", step: 60, most: 1440},
};
const LEAST = 30; /* points of a chart, also when there is nothing from so long ago */
const POINTS = 300; /* more than a chart has room for are drawn as averages of several */

const sum = (points, name) => points.reduce((total, point) => total + (point[name] ?? 0), 0);

/* The server leaves out spans in which nothing happened. These are at equal distances, those that are over. */
function evenly(given, {step, most}, nowMs) {
    const stepMs = 1000 * step;
    const points = given.filter((point) => point.t_ms + stepMs <= nowMs);
    const last = points.at(-1)?.t_ms ?? nowMs;
    const end = last + Math.max(0, Math.floor((nowMs - last) / stepMs) - 1) * stepMs;
    const first = points[0]?.t_ms ?? end;
    const size = Math.min(most, Math.max(LEAST, Math.round((end - first) / stepMs) + 1));
    const even = Array.from({length: size}, (_, i) => ({t_ms: end - (size - 1 - i) * stepMs}));
    for (const point of points) {
        const i = size - 1 - Math.round((end - point.t_ms) / stepMs);
        if (i >= 0)
            even[i] = point;
    }
    return even;
}

const rate = (format) => (value) => format(value) + "/s";
const shortCount = (value) => value < 10 ? String(Math.round(value * 10) / 10) : count(value);

function average(values) {
    const there = values.filter((value) => value !== null);
    return there.length === 0 ? null : there.reduce((total, value) => total + value, 0) / there.length;
}

/* At most POINTS of them. */
function thinned(values) {
    const step = Math.ceil(values.length / POINTS);
    return step <= 1 ? values : Array.from({length: Math.ceil(values.length / step)}, (_, i) => average(values.slice(i * step, (i + 1) * step)));
}

/* A table whose rows are made anew with each look; `draw(entry)` gives the cells of a row. */
class List {
    #body = el("tbody");
    #none = el("p", {class: "dim"}, "none");

    constructor(title, heads, draw, name = "") {
        this.draw = draw;
        this.table = el("table", {}, el("thead", {}, el("tr", {}, heads.map(([text, kind]) => el("th", {scope: "col", class: kind}, text)))), this.#body);
        this.node = el("section", {class: `panel ${name}`}, el("h3", {}, title), this.table, this.#none);
    }

    show(entries) {
        this.#body.replaceChildren(...entries.map((entry) => el("tr", {}, this.draw(entry))));
        this.table.hidden = entries.length === 0;
        this.#none.hidden = entries.length > 0;
    }
}

function meter(part, whole) {
    const bar = el("i", {class: "p share"});
    bar.style.left = "0";
    bar.style.width = `${whole > 0 ? Math.min(100, 100 * part / whole) : 0}%`;
    return el("td", {class: "wide"}, el("div", {class: "bars"}, bar));
}

const number = (text, kind = "") => el("td", {class: `number ${kind}`}, text);

export class Overview {
    #feed;
    #span = "seconds";
    #data = null;
    #tiles = new Map();
    #charts;
    #phaseCharts;
    #lists;
    #slow = new SlowSides();
    #fault = el("p", {class: "fault", role: "status"});

    constructor(feed) {
        this.#feed = feed;
        const time = (ms) => this.#span === "day" || this.#span === "hour" ? hour(ms) : clock(ms, false);
        this.#charts = this.#makeCharts(time);
        this.#phaseCharts = PHASES.map((phase) => new Chart({title: phase, swatch: `p-${phase}`, format: duration, time,
            series: [{name: "p50", kind: "p50"}, {name: "p90", kind: "p90"}, {name: "p99", kind: "p99"}]}));
        this.#lists = this.#makeLists();
        byId("overview").append(this.#fault, this.#makeTiles(), this.#makeSpans(),
            el("div", {class: "charts"}, this.#charts.map(({chart}) => chart.node)),
            this.#slow.node, el("h2", {}, "Phases"), el("div", {class: "charts"}, this.#phaseCharts.map((chart) => chart.node)),
            el("div", {class: "panels"}, Object.values(this.#lists).map((list) => list.node)));
        feed.addEventListener("second", ({detail}) => this.#addSecond(detail));
        setInterval(() => this.look(), EVERY_MS);
    }

    /* ---- making ---- */

    #makeTiles() {
        const names = ["transactions", "failed", "refused", "to clients", "from clients", "tunnels open", "connections", "reused", "time saved"];
        return el("dl", {class: "tiles"}, names.map((name) => {
            const [figure, note] = [el("b"), el("small")];
            this.#tiles.set(name, [figure, note]);
            return el("div", {}, el("dt", {}, name), el("dd", {}, figure, note));
        }));
    }

    #makeSpans() {
        return el("fieldset", {class: "spans"}, el("legend", {class: "unseen"}, "Time span"), Object.entries(SPANS).map(([value, {label}]) =>
            el("label", {}, el("input", {type: "radio", name: "span", value, checked: value === this.#span, change: () => {
                this.#span = value;
                this.#draw();
            }}), label)));
    }

    #makeCharts(time) {
        const area = (name, kind) => ({name, kind, isArea: true});
        return [
            {names: ["transactions", "tunnels", "refused", "failed"], chart: new Chart({title: "Per second", format: shortCount, time,
                series: [area("all", "main"), area("tunnels", "other"), area("refused", "warn"), area("failed", "bad")]})},
            {names: ["client_out", "client_in"], chart: new Chart({title: "Bytes/s", format: (value) => bytes(Math.round(value)), time,
                series: [area("to clients", "main"), area("from clients", "other")]})},
            {names: ["opened", "reused"], chart: new Chart({title: "Connections to origins/s", format: shortCount, time,
                series: [area("opened", "main"), area("reused", "other")]})},
        ];
    }

    #makeLists() {
        return {
            destinations: new List("Destinations, the slow ones first; phases as nine of ten have them",
                [["host"], ["transactions", "number"], ["failed", "number"], ["p50", "number"], ["p90", "number"],
                    ...OF_DESTINATION.map((phase) => [phase, "number"]), ["slow by"], ["since", "number"]],
                (one) => this.#destination(one), "broad"),
            causes: new List("Errors by cause, since the start", [["cause"], [""], ["", "number"]],
                (one) => [el("td", {}, one.cause.replaceAll("_", " ")), meter(one.count, this.#data.causes[0].count), number(count(one.count))]),
            rules: new List("Refusals by rule, since the start", [["rule"], [""], ["", "number"]],
                (one) => [el("td", {}, one.rule), meter(one.count, this.#data.rules[0].count), number(count(one.count))]),
            workers: new List("Workers", [["worker"], ["busy"], ["", "number"], ["connections", "number"], ["tunnels", "number"]],
                (one) => [el("td", {}, String(one.worker)), meter(one.busy_share ?? 0, 1), number(share(one.busy_share ?? 0, 1)),
                    number(count(one.connections ?? 0)), number(count(one.tunnels ?? 0))]),
        };
    }

    #destination(one) {
        return [el("td", {class: "host"}, one.port ? `${one.host.includes(":") ? `[${one.host}]` : one.host}:${one.port}` : one.host), number(count(one.transactions)), number(one.failed ? count(one.failed) : "", "bad"),
            number(duration(one.p50_us)), number(duration(one.p90_us)),
            ...OF_DESTINATION.map((phase) => this.#phaseOf(one, phase)),
            el("td", {}, one.slow_phase ? [el("i", {class: `swatch p-${one.slow_phase}`}), one.slow_phase] : ""),
            number(one.since_ms && one.slow_phase ? ago(this.#data.now_ms - one.since_ms) : "", "dim")];
    }

    /* Nine of ten are quicker. */
    #phaseOf(one, phase) {
        const figures = one.phases?.[phase];
        const cell = number(duration(figures?.p90_us), one.slow_phase === phase ? "slow" : "dim");
        if (figures)
            cell.title = `${phase}: half of them within ${duration(figures.p50_us)}, nine of ten within ${duration(figures.p90_us)}`;
        return cell;
    }

    /* ---- figures ---- */

    get isShown() {
        return !byId("overview").hidden && !document.hidden;
    }

    async look() {
        if (!this.isShown)
            return;
        try {
            const data = await getJson("/api/v1/overview");
            data.causes?.sort((a, b) => b.count - a.count);
            data.rules?.sort((a, b) => b.count - a.count);
            this.#data = {minutes: [], seconds: [], causes: [], rules: [], destinations: [], workers: [], pool: {}, ...data};
            setText(this.#fault, "");
            this.#draw();
        } catch (error) {
            setText(this.#fault, error.status === 404 ? "This server has no overview." : `No figures: ${error.message}`);
        }
    }

    #addSecond(point) {
        if (!this.#data)
            return;
        if (this.#data.seconds.at(-1)?.t_ms !== point.t_ms)
            this.#data.seconds = [...this.#data.seconds, point].slice(-SECONDS);
        if (this.isShown)
            this.#draw();
    }

    get #points() {
        const span = SPANS[this.#span];
        return evenly(this.#data[span.from], span, this.#feed.nowMs);
    }

    #draw() {
        if (!this.#data)
            return;
        const points = this.#points;
        const times = thinned(points.map((point) => point.t_ms));
        const perSecond = SPANS[this.#span].step;
        this.#slow.show(points);
        for (const {names, chart} of this.#charts)
            chart.show(times, names.map((name) => thinned(points.map((point) => (point[name] ?? 0) / perSecond))));
        PHASES.forEach((phase, i) => this.#phaseCharts[i].show(times,
            ["p50_us", "p90_us", "p99_us"].map((name) => thinned(points.map((point) => point.phases?.[phase]?.[name] ?? null)))));
        for (const [name, list] of Object.entries(this.#lists))
            list.show(this.#data[name]);
        this.#drawTiles();
    }

    #drawTiles() {
        const begin = this.#feed.nowMs - 60_000;
        const last = this.#data.seconds.filter((point) => point.t_ms > begin);
        const seconds = 60;
        const transactions = sum(last, "transactions");
        const {pool, workers} = this.#data;
        const tell = (name, figure, note = "") => {
            const [b, small] = this.#tiles.get(name);
            setText(b, figure);
            setText(small, note);
        };
        tell("transactions", rate(shortCount)(transactions / seconds), "in the last minute");
        tell("failed", share(sum(last, "failed"), transactions), `${count(sum(last, "failed"))} in the last minute`);
        tell("refused", share(sum(last, "refused"), transactions), `${count(sum(last, "refused"))} in the last minute`);
        tell("to clients", rate(bytes)(Math.round(sum(last, "client_out") / seconds)), "in the last minute");
        tell("from clients", rate(bytes)(Math.round(sum(last, "client_in") / seconds)), "in the last minute");
        tell("tunnels open", count(sum(workers, "tunnels")), "now");
        tell("connections", count(sum(workers, "connections")), "of clients, now");
        tell("reused", share(pool.reused ?? 0, (pool.reused ?? 0) + (pool.opened ?? 0)), "of connections");
        tell("time saved", duration(pool.saved_us ?? 0) || "–", "since the start");
    }
}
