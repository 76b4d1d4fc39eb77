/* A small chart: lines, or areas, over time. The pointer or the arrow keys read it off; its caption has the figures. */

import {el, setText, svg} from "./dom.js";

const HEIGHT = 100;
const TOP = 14; /* for the scale */
const BOTTOM = 14; /* for the times */
const ROUND = [1, 1.5, 2, 3, 4, 5, 6, 8, 10];

function roundUp(value) {
    const power = 10 ** Math.floor(Math.log10(value || 1));
    return power * ROUND.find((factor) => factor * power >= value * 0.999);
}

const dot = (kind, cx, cy) => svg("circle", {class: `dot k-${kind}`, cx, cy, r: 2.5});
const isThere = (value) => value !== null && value !== undefined;

export class Chart {
    node;
    #title;
    #series; /* {name, kind: "p50" for the style, isArea} */
    #format;
    #time;
    #times = [];
    #values = [];
    #cursor = null; /* index, or null for the newest */
    #width = 300;
    #plot = svg("svg", {class: "plot", height: HEIGHT, "aria-hidden": "true"});
    #figures = [];
    #when = el("span", {class: "when"});

    /* `format(value)` and `time(ms)` make texts. */
    constructor({title, swatch, series, format, time}) {
        this.#title = title;
        this.#series = series;
        this.#format = format;
        this.#time = time;
        const legend = series.map(({name, kind}) => {
            const figure = el("b");
            this.#figures.push(figure);
            return el("span", {class: `key k-${kind}`}, name, figure);
        });
        this.node = el("figure", {class: "chart", tabindex: 0, role: "group", "aria-label": title},
            el("figcaption", {}, el("h3", {}, swatch && el("i", {class: `swatch ${swatch}`}), title), legend, this.#when), this.#plot);
        this.#plot.addEventListener("pointermove", (event) => this.#point(event.offsetX));
        this.#plot.addEventListener("pointerleave", () => this.#setCursor(null));
        this.node.addEventListener("keydown", (event) => this.#onKey(event));
        this.node.addEventListener("blur", () => this.#setCursor(null));
        new ResizeObserver(([{contentRect}]) => {
            if (Math.abs(contentRect.width - this.#width) < 1 || contentRect.width === 0)
                return;
            this.#width = contentRect.width;
            this.#draw();
        }).observe(this.node);
    }

    /* `times` in ms, ascending; `values` one array for each of the series, with null where there is nothing. */
    show(times, values) {
        this.#times = times;
        this.#values = values;
        if (this.#cursor !== null)
            this.#cursor = Math.min(this.#cursor, times.length - 1);
        this.#draw();
    }

    #x(index) {
        return this.#times.length < 2 ? this.#width : index * this.#width / (this.#times.length - 1);
    }

    #draw() {
        const all = this.#values.flat().filter(isThere);
        const top = all.length === 0 ? 0 : roundUp(Math.max(...all));
        const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / (top || 1));
        const line = (name, value) => svg("line", {class: name, x1: 0, x2: this.#width, y1: y(value), y2: y(value)});
        const text = (x, at, anchor, words, name = "") => svg("text", {x, y: at, "text-anchor": anchor, class: name}, words);
        this.#plot.setAttribute("width", this.#width);
        this.#plot.setAttribute("viewBox", `0 0 ${this.#width} ${HEIGHT}`);
        this.#plot.replaceChildren(line("base", 0), ...(top > 0 ? [line("rule", top / 2), line("rule", top)] : []),
            ...this.#series.flatMap((series, number) => this.#pathsOf(series, this.#values[number] ?? [], y)),
            ...(top > 0 ? [text(0, y(top) - 4, "start", this.#format(top), "scale")] : []),
            ...(this.#times.length > 1 ? [text(0, HEIGHT - 2, "start", this.#time(this.#times[0])),
                text(this.#width, HEIGHT - 2, "end", this.#time(this.#times.at(-1)))] : [text(this.#width / 2, HEIGHT / 2, "middle", "no figures yet")]),
            ...this.#cursorOf(y));
        this.#showFigures();
    }

    /* A gap is a gap: the line stops there, and a value alone is a dot. */
    #pathsOf({kind, isArea}, values, y) {
        const runs = [];
        values.forEach((value, index) => {
            if (!isThere(value))
                return;
            if (index === 0 || !isThere(values[index - 1]))
                runs.push([]);
            runs.at(-1).push(`${this.#x(index).toFixed(1)} ${y(value).toFixed(1)}`);
        });
        const xOf = (point) => point.split(" ")[0];
        const areas = isArea ? runs.map((run) => svg("path", {class: `area k-${kind}`,
            d: `M${xOf(run[0])} ${y(0)}L${run.join("L")}L${xOf(run.at(-1))} ${y(0)}Z`})) : [];
        const dots = runs.filter((run) => run.length === 1).map(([point]) => dot(kind, ...point.split(" ")));
        return [...areas, svg("path", {class: `line k-${kind}`, d: runs.filter((run) => run.length > 1).map((run) => `M${run.join("L")}`).join("")}), ...dots];
    }

    #cursorOf(y) {
        if (this.#cursor === null || this.#times.length < 2)
            return [];
        const x = this.#x(this.#cursor);
        const dots = this.#series.map(({kind}, number) => [kind, this.#values[number][this.#cursor]]).filter(([, value]) => isThere(value))
            .map(([kind, value]) => dot(kind, x, y(value)));
        return [svg("line", {class: "cursor", x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM}), ...dots];
    }

    #showFigures() {
        const index = this.#cursor ?? this.#times.length - 1;
        this.#series.forEach((series, number) => {
            const value = this.#values[number]?.[index];
            setText(this.#figures[number], isThere(value) ? this.#format(value) : "–");
        });
        setText(this.#when, this.#cursor === null ? "" : this.#time(this.#times[this.#cursor]));
        const newest = this.#series.map((series, number) => `${series.name} ${this.#figures[number].textContent}`).join(", ");
        this.node.setAttribute("aria-label", `${this.#title}: ${newest}`);
    }

    #point(x) {
        this.#setCursor(Math.max(0, Math.min(this.#times.length - 1, Math.round(x / this.#width * (this.#times.length - 1)))));
    }

    #setCursor(index) {
        if (index === this.#cursor || this.#times.length < 2)
            return;
        this.#cursor = index;
        this.#draw();
    }

    #onKey(event) {
        const end = this.#times.length - 1;
        const at = this.#cursor ?? end;
        const to = {ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: end}[event.key];
        if (to === undefined)
            return;
        this.#setCursor(Math.max(0, Math.min(end, to)));
        event.preventDefault();
    }
}
