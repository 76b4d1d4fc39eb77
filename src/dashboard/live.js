/* The view of transactions as they happen. */

import {getJson, query, send} from "./api.js";
import {arrange} from "./arrange.js";
import {ClockAxis, ElapsedAxis} from "./axis.js";
import {columnsOf, drawGroup} from "./columns.js";
import {Detail} from "./detail.js";
import {byId, el, onceAFrame, say, setText} from "./dom.js";
import {expressionOf} from "./filter.js";
import {count} from "./format.js";
import {Grid} from "./grid.js";
import {PHASES, WORDS} from "./phases.js";
import {LIMIT} from "./store.js";

const TYPING_MS = 300;      /* until a filter that is being typed is taken */
const ARRANGE_MS = 250;     /* between two orderings of all rows */
const GROW_MS = 500;        /* between two looks at what is in progress */
const EXPORT_MAX = 1000;    /* ids that the server takes */
const AXES = {elapsed: ElapsedAxis, clock: ClockAxis};

export class Live {
    #store;
    #feed;
    #grid;
    #detail = new Detail(byId("detail"));
    #form = byId("filter");
    #axis = new ElapsedAxis();
    #axisHead;
    #axisVersion = null;
    #sort = null; /* {column, isDown} */
    #typing = 0;
    #arranging = 0;
    #seen = null; /* the newest row when the end was last in view */
    #refreshSoon = onceAFrame(() => this.#refresh());

    constructor(store, feed) {
        this.#store = store;
        this.#feed = feed;
        this.#grid = new Grid(byId("grid"), columnsOf(() => this.#axis, () => feed.nowMs), drawGroup);
        this.#makeAxisHead();
        this.#makeLegend();
        this.#makeForm();
        this.#makeTools();
        this.#listen();
        setInterval(() => this.#grow(), GROW_MS);
    }

    /* ---- making ---- */

    #makeAxisHead() {
        this.#axisHead = byId("grid").querySelector(".c-bar");
        this.#axisHead.replaceChildren(...Array.from({length: 4}, () => el("span")));
        this.#axisHead.setAttribute("aria-label", "phases on the time axis");
    }

    #makeLegend() {
        const about = new Map(PHASES.map((phase) => [phase.word, phase.about]));
        byId("legend").append(...WORDS.map((word) => el("li", {title: about.get(word)}, el("i", {class: `swatch p-${word}`}), word)));
    }

    #makeForm() {
        const form = this.#form;
        form.elements.phase.append(...["total", ...WORDS].map((word) => el("option", {selected: word === "total"}, word)));
        const given = new URLSearchParams(location.hash.slice(1));
        for (const field of form.elements) {
            if (field.name && given.has(field.name))
                field.value = given.get(field.name);
        }
        const changed = () => {
            clearTimeout(this.#typing);
            this.#typing = setTimeout(() => this.#applyFilter(), TYPING_MS);
        };
        form.addEventListener("input", changed);
        form.addEventListener("reset", () => setTimeout(changed));
        form.addEventListener("submit", (event) => {
            event.preventDefault();
            this.#applyFilter();
        });
    }

    #makeTools() {
        byId("more").addEventListener("click", () => {
            const isWhole = this.#form.classList.toggle("whole");
            byId("more").setAttribute("aria-expanded", isWhole);
            setText(byId("more"), isWhole ? "less" : "more");
        });
        byId("pause").addEventListener("click", () => this.togglePause());
        byId("axis").addEventListener("change", () => this.#setAxis());
        byId("group").addEventListener("change", () => this.#reorder());
        byId("open-only").addEventListener("change", () => this.#refreshSoon());
        byId("export").addEventListener("click", () => this.#export([...this.#grid.selected]));
        byId("latest").addEventListener("click", () => this.#grid.follow());
        const kept = localStorage.getItem("fairlead.axis");
        if (kept in AXES)
            byId("axis").value = kept;
        this.#setAxis();
    }

    #listen() {
        this.#feed.addEventListener("change", () => this.#onChange());
        this.#feed.addEventListener("state", ({detail}) => this.#onState(detail));
        this.#feed.addEventListener("hello", () => this.#lookForHar());
        this.#grid.addEventListener("draw", ({detail}) => this.#fitAxis(detail));
        this.#grid.addEventListener("open", ({detail}) => this.#open(detail));
        this.#grid.addEventListener("current", ({detail}) => {
            if (this.#detail.row && !detail.isGroup)
                this.#open(detail);
        });
        this.#grid.addEventListener("selection", () => this.#showCounts());
        this.#grid.addEventListener("follow", () => this.#showLatest());
        this.#grid.addEventListener("top", () => this.#isPlain && this.#feed.loadOlder());
        this.#grid.addEventListener("sort", ({detail}) => this.#sortBy(detail));
        this.#detail.addEventListener("close", () => byId("grid").focus());
    }

    /* ---- what the person wants ---- */

    start() {
        this.#applyFilter();
    }

    togglePause() {
        if (this.#feed.isPaused)
            this.#feed.resume();
        else
            this.#feed.pause();
    }

    focusFilter() {
        this.#form.elements.host.focus();
    }

    /* Go to the next of the choices of a field. */
    cycle(id) {
        const select = byId(id);
        select.selectedIndex = (select.selectedIndex + 1) % select.options.length;
        select.dispatchEvent(new Event("change"));
        say(`${id}: ${select.selectedOptions[0].text}`);
    }

    closeDetail() {
        if (this.#detail.row)
            this.#detail.close();
        else
            this.#grid.selectNone();
    }

    #applyFilter() {
        clearTimeout(this.#typing);
        setText(byId("filter-fault"), "");
        const hash = new URLSearchParams(location.hash.slice(1));
        for (const field of this.#form.elements) {
            if (!field.name)
                continue;
            const isPlain = field.value === "" || (field.name === "phase" && this.#form.elements.longer.value === "");
            if (isPlain)
                hash.delete(field.name);
            else
                hash.set(field.name, field.value);
        }
        history.replaceState(null, "", `#${hash}`);
        this.#store.clear();
        this.#grid.selectNone();
        this.#grid.current = null;
        this.#grid.begin(this.#isPlain);
        this.#feed.show(expressionOf(this.#form));
        this.#refreshSoon();
    }

    #setAxis() {
        this.#axis = new AXES[byId("axis").value]();
        localStorage.setItem("fairlead.axis", byId("axis").value);
        this.#grid.redraw();
    }

    /* Down, up, and as it came. */
    #sortBy(column) {
        const old = this.#sort;
        this.#sort = old?.column !== column ? {column, isDown: true} : old.isDown ? {column, isDown: false} : null;
        old?.column.head.removeAttribute("aria-sort");
        if (this.#sort)
            column.head.setAttribute("aria-sort", this.#sort.isDown ? "descending" : "ascending");
        this.#reorder();
    }

    #reorder() {
        this.#refresh();
        this.#grid.begin(this.#isPlain);
    }

    /* ---- what comes ---- */

    get #isPlain() {
        return !this.#sort && byId("group").value === "";
    }

    #onChange() {
        if (this.#isPlain)
            this.#refreshSoon();
        else
            this.#arranging ||= setTimeout(() => {
                this.#arranging = 0;
                this.#refreshSoon();
            }, ARRANGE_MS);
    }

    #refresh() {
        const sort = this.#sort && {value: this.#sort.column.value, isDown: this.#sort.isDown};
        this.#grid.show(arrange(this.#store.rows, {by: byId("group").value, onlyInProgress: byId("open-only").checked, sort}));
        this.#detail.refresh();
        this.#showCounts();
        this.#showLatest();
        this.#showEmpty();
    }

    #grow() {
        if (!document.hidden && this.#grid.inView().some((item) => item.isInProgress))
            this.#grid.redraw();
    }

    #onState({state, text}) {
        const isPaused = state === "paused";
        byId("pause").setAttribute("aria-pressed", isPaused);
        setText(byId("pause"), isPaused ? "Go on" : "Pause");
        setText(byId("filter-fault"), state === "fault" ? text : "");
        this.#showEmpty();
    }

    #fitAxis(rows) {
        this.#axis.fit(rows, this.#feed.nowMs);
        if (this.#axisVersion === this.#axis.version)
            return;
        this.#axisVersion = this.#axis.version;
        this.#axis.labels().forEach((label, part) => setText(this.#axisHead.children[part], label));
    }

    #open(item) {
        if (!item.isGroup)
            this.#detail.open(item);
    }

    /* ---- what is said around the list ---- */

    #showCounts() {
        const {rows, leftOut, openRows, isOpenCut} = this.#store;
        const chosen = this.#grid.selected.size;
        const kept = rows.length >= LIMIT ? `the last ${count(rows.length)}` : count(rows.length);
        setText(byId("counts"), `${kept} transactions${chosen > 0 ? `, ${count(chosen)} selected` : ""}`);
        setText(byId("open-count"), count(openRows.size) + (isOpenCut ? "+" : ""));
        byId("open-count").title = isOpenCut ? "a part: more is in progress than is listed here" : "";
        setText(byId("left-out"), leftOut > 0 ? `sampled: ${count(leftOut)} more were left out` : "");
        setText(byId("export"), chosen > 0 ? `Export ${count(chosen)} as HAR` : "Export HAR");
    }

    #showLatest() {
        const newest = this.#store.rows.at(-1);
        const isFollowing = this.#grid.isFollowing || !this.#isPlain;
        if (isFollowing)
            this.#seen = newest;
        byId("latest").hidden = isFollowing;
        setText(byId("latest"), newest !== this.#seen ? "Newer ones have come ↓" : "To the end ↓");
    }

    #showEmpty() {
        const isFiltered = expressionOf(this.#form) !== "" || byId("open-only").checked;
        byId("empty").hidden = this.#grid.items.length > 0 || !["live", "paused"].includes(this.#feed.state);
        setText(byId("empty"), isFiltered ? "Nothing that fits the filter yet." :
            "Nothing yet. What goes through the proxy appears here as it happens.");
    }

    /* ---- HAR ---- */

    /* The list of paths tells whether there is one. */
    async #lookForHar() {
        let isThere = false;
        try {
            isThere = (await (await send("/", {accept: "text/plain"})).text()).includes("\n/api/v1/har ");
        } catch {
            /* Then there is no button. */
        }
        byId("export").hidden = !isThere;
        this.#detail.exportOne = isThere ? (id) => this.#export([id]) : null;
    }

    async #export(ids) {
        const some = ids.slice(0, EXPORT_MAX);
        const parts = some.length > 0 ? `ids=${some.join(",")}` : query({filter: expressionOf(this.#form)});
        try {
            const har = await getJson(`/api/v1/har?${parts}`, {mayAsk: true});
            const address = URL.createObjectURL(new Blob([JSON.stringify(har, null, 1)], {type: "application/json"}));
            el("a", {href: address, download: "fairlead.har"}).click();
            setTimeout(() => URL.revokeObjectURL(address), 10_000);
            say(`${har.log.entries.length} exported`);
        } catch (error) {
            setText(byId("filter-fault"), `not exported: ${error.message}`);
        }
    }
}
