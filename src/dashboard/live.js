/* The view of transactions as they happen. */

import {Refusal, getJson, query, send} from "./api.js";
import {arrange} from "./arrange.js";
import {ClockAxis, ElapsedAxis} from "./axis.js";
import {columnsOf, drawGroup} from "./columns.js";
import {Detail} from "./detail.js";
import {byId, el, onceAFrame, say, setText} from "./dom.js";
import {expressionOf, termsOf} from "./filter.js";
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
    #asked = null; /* the terms that the server was asked about last */
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
            if (field.name && field.name !== "phase")
                field.closest("label").after(el("output", {id: `not-${field.name}`, class: "fault"}));
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

    onKey(event) {
        this.#grid.onKey(event);
    }

    closeDetail() {
        if (this.#detail.row)
            this.#detail.close();
        else
            this.#grid.selectNone();
    }

    /* What is not a filter, as one that is half typed, changes nothing but the look of its fields. */
    async #applyFilter() {
        clearTimeout(this.#typing);
        const terms = this.#asked = termsOf(this.#form);
        const fields = new FormData(this.#form);
        try {
            if (!await this.#feed.show(expressionOf(terms)))
                return;
        } catch (refusal) {
            const faults = await this.#findFaults(terms, refusal);
            if (terms === this.#asked)
                this.#showFaults(faults);
            return;
        }
        this.#showFaults(new Map());
        this.#keep(fields);
        this.#grid.selectNone();
        this.#grid.current = null;
        this.#grid.begin(this.#isPlain);
        this.#refreshSoon();
    }

    /* In the address. */
    #keep(fields) {
        const hash = new URLSearchParams(location.hash.slice(1));
        for (const [name, value] of fields) {
            const isPlain = value === "" || (name === "phase" && fields.get("longer") === "");
            if (isPlain)
                hash.delete(name);
            else
                hash.set(name, value);
        }
        history.replaceState(null, "", `#${hash}`);
    }

    /* The fields that are no filter, and why: the server is asked about each alone, since its refusal of them all names none.
     * What is none only together is put down to the last. */
    async #findFaults(terms, refusal) {
        const faults = new Map();
        await Promise.all(terms.map(async ({name, text}) => {
            try {
                await getJson(`/api/v1/transactions?${query({limit: 1, filter: text})}`);
            } catch (error) {
                if (error instanceof Refusal && error.status === 400)
                    faults.set(name, error.message);
            }
        }));
        return faults.size > 0 ? faults : new Map([[terms.at(-1).name, refusal.message]]);
    }

    #showFaults(faults) {
        for (const note of this.#form.querySelectorAll(".fault")) {
            const name = note.id.slice("not-".length);
            const field = this.#form.elements[name];
            setText(note, faults.get(name) ?? "");
            note.title = note.textContent;
            if (faults.has(name)) {
                field.setAttribute("aria-invalid", true);
                field.setAttribute("aria-describedby", note.id);
            } else {
                field.removeAttribute("aria-invalid");
                field.removeAttribute("aria-describedby");
            }
        }
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
        setText(byId("counts"), `${kept} ${rows.length === 1 ? "transaction" : "transactions"}${chosen > 0 ? `, ${count(chosen)} selected` : ""}`);
        setText(byId("open-count"), count(openRows.size) + (isOpenCut ? "+" : ""));
        byId("open-count").title = isOpenCut ? "a part: more is in progress than is listed here" : "";
        setText(byId("left-out"), leftOut > 0 ? `sampled: ${count(leftOut)} more were left out` : "");
        byId("export").disabled = rows.length === 0;
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
        const isFiltered = this.#feed.filter !== "" || byId("open-only").checked;
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
        const parts = some.length > 0 ? `ids=${some.join(",")}` : query({filter: this.#feed.filter});
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
