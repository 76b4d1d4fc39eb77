/* A list of any length of which only what is seen is in the page: a few dozen rows are used again and again.
 *
 * Items are rows, with an `id`, or lines above a group, with `isGroup` and a `key`. While the end is in view the list
 * follows it; else what is in view stays where it is, whatever comes or goes around it. One row is the current one: keys
 * move it, and it is what a screen reader reads. */

import {el, onceAFrame} from "./dom.js";

const SPARE = 8; /* rows above and below those in view */

const keyOf = (item) => item.isGroup ? item.key : item.id;

export class Grid extends EventTarget {
    #host;
    #body;
    #head;
    #columns;
    #items = [];
    #rowHeight = 24; /* pixels: --row of the style, which a narrow list has another one of */
    #slots = [];
    #anchor = null; /* key of the row that a range begins at */
    #drawSoon;
    current = null; /* key */
    selected = new Set();
    isFollowing = true;
    mayFollow = true; /* false while new ones do not come at the end */

    /* `columns`: {name, label, title, make(cell), draw(cell, row, parts)}; `drawGroup(node, group)`. */
    constructor(host, columns, drawGroup) {
        super();
        this.#host = host;
        this.#columns = columns;
        this.drawGroup = drawGroup;
        this.#drawSoon = onceAFrame(() => this.#draw());
        this.#head = el("div", {role: "row", class: "row head", "aria-rowindex": 1}, columns.map((column) => this.#headOf(column)));
        this.#body = el("div", {role: "rowgroup", class: "body"});
        host.append(el("div", {role: "rowgroup", class: "heads"}, this.#head), this.#body);
        Object.entries({role: "grid", tabindex: 0, "aria-label": "Transactions", "aria-multiselectable": true,
            "aria-colcount": columns.length}).forEach(([name, value]) => host.setAttribute(name, value));
        host.addEventListener("scroll", () => this.#onScroll(), {passive: true});
        this.#body.addEventListener("mousedown", (event) => {
            if (event.shiftKey) { /* which would select text */
                event.preventDefault();
                host.focus();
            }
        });
        this.#body.addEventListener("click", (event) => this.#onClick(event));
        new ResizeObserver(() => this.#onResize()).observe(host);
    }

    #headOf(column) {
        const cell = el("div", {role: "columnheader", class: `cell c-${column.name}`, title: column.title});
        if (column.value)
            cell.append(el("button", {click: () => this.#emit("sort", column)}, column.label));
        else
            cell.append(el("span", {}, column.label));
        column.head = cell;
        return cell;
    }

    #emit(name, detail) {
        this.dispatchEvent(new CustomEvent(name, {detail}));
    }

    /* ---- what is shown ---- */

    get items() {
        return this.#items;
    }

    /* Show these, and what is in view again. */
    show(items) {
        const top = this.isFollowing ? null : this.#topInView();
        this.#items = items;
        this.#body.style.height = `${items.length * this.#rowHeight}px`;
        this.#host.setAttribute("aria-rowcount", items.length + 1);
        if (this.isFollowing)
            this.#host.scrollTop = this.#host.scrollHeight;
        else if (top)
            this.#keepInView(top);
        this.#drawSoon();
    }

    /* From the top, or with the current row in view: the order is another one. */
    begin(mayFollow) {
        this.mayFollow = mayFollow;
        this.isFollowing = mayFollow && this.current === null;
        const index = this.#items.findIndex((item) => keyOf(item) === this.current);
        if (index >= 0)
            this.#host.scrollTop = Math.max(0, index * this.#rowHeight - this.#viewHeight / 2);
        else
            this.#host.scrollTop = this.isFollowing ? this.#host.scrollHeight : 0;
        this.#drawSoon();
    }

    redraw() {
        this.#drawSoon();
    }

    follow() {
        this.isFollowing = true;
        this.#host.scrollTop = this.#host.scrollHeight;
        this.#emit("follow", true);
        this.#drawSoon();
    }

    #topInView() {
        const index = Math.floor(this.#host.scrollTop / this.#rowHeight);
        const item = this.#items[index];
        return item ? {key: keyOf(item), index, offset: this.#host.scrollTop - index * this.#rowHeight} : null;
    }

    #keepInView({key, index, offset}) {
        if (this.#items[index] && keyOf(this.#items[index]) === key)
            return;
        const found = this.#items.findIndex((item) => keyOf(item) === key);
        if (found >= 0)
            this.#host.scrollTop = found * this.#rowHeight + offset;
    }

    get #viewHeight() {
        return this.#host.clientHeight - this.#head.offsetHeight;
    }

    /* The items in view. */
    inView() {
        const first = Math.floor(this.#host.scrollTop / this.#rowHeight);
        return this.#items.slice(first, first + Math.ceil(this.#viewHeight / this.#rowHeight) + 1);
    }

    #onScroll() {
        if (this.#host.scrollTop < this.#rowHeight && this.#items.length > 0)
            this.#emit("top");
        const isAtEnd = this.mayFollow && this.#host.scrollTop + this.#host.clientHeight >= this.#host.scrollHeight - this.#rowHeight;
        if (isAtEnd !== this.isFollowing) {
            this.isFollowing = isAtEnd;
            this.#emit("follow", isAtEnd);
        }
        this.#drawSoon();
    }

    #onResize() {
        const height = parseFloat(getComputedStyle(this.#body).getPropertyValue("--row"));
        if (height !== this.#rowHeight) {
            const scroll = this.#host.scrollTop * height / this.#rowHeight;
            this.#rowHeight = height;
            this.#body.style.height = `${this.#items.length * height}px`;
            this.#host.scrollTop = scroll;
        }
        if (this.isFollowing)
            this.#host.scrollTop = this.#host.scrollHeight;
        this.#drawSoon();
    }

    /* ---- drawing ---- */

    #slot(number) {
        while (this.#slots.length <= number) {
            const cells = this.#columns.map((column) => {
                const cell = el("div", {role: "gridcell", class: `cell c-${column.name}`});
                column.make?.(cell);
                return cell;
            });
            const group = el("div", {role: "gridcell", class: "grouping", hidden: true, "aria-colspan": this.#columns.length});
            const node = el("div", {role: "row", class: "row", id: `row-${this.#slots.length}`}, cells, group);
            this.#body.append(node);
            this.#slots.push({node, cells, group, item: null});
        }
        return this.#slots[number];
    }

    #draw() {
        if (this.#host.offsetParent === null)
            return;
        this.#emit("draw", this.inView().filter((item) => !item.isGroup));
        const first = Math.max(0, Math.min(Math.floor(this.#host.scrollTop / this.#rowHeight), this.#items.length) - SPARE);
        const end = Math.min(this.#items.length, first + Math.ceil(this.#viewHeight / this.#rowHeight) + 2 * SPARE);
        let active = null;
        for (let index = first; index < end; index++) {
            const slot = this.#slot(index - first);
            this.#fill(slot, this.#items[index], index);
            if (keyOf(this.#items[index]) === this.current)
                active = slot.node.id;
        }
        for (let number = end - first; number < this.#slots.length; number++) {
            this.#slots[number].node.hidden = true;
            this.#slots[number].item = null;
        }
        if (active)
            this.#host.setAttribute("aria-activedescendant", active);
        else
            this.#host.removeAttribute("aria-activedescendant");
    }

    #fill(slot, item, index) {
        const {node, cells, group} = slot;
        const isGroup = item.isGroup === true;
        slot.item = item;
        node.hidden = false;
        node.style.transform = `translateY(${index * this.#rowHeight}px)`;
        node.setAttribute("aria-rowindex", index + 2);
        node.setAttribute("aria-selected", this.selected.has(item.id));
        const name = ["row", isGroup ? "group" : item.decision === "allowed" ? "" : item.decision,
            item.isInProgress ? "open" : "", index % 2 ? "odd" : "", keyOf(item) === this.current ? "current" : ""].filter(Boolean).join(" ");
        if (node.className !== name)
            node.className = name;
        if (isGroup !== !group.hidden) {
            group.hidden = !isGroup;
            cells.forEach((cell) => { cell.hidden = isGroup; });
        }
        if (isGroup)
            this.drawGroup(group, item);
        else
            this.#columns.forEach((column, number) => column.draw(cells[number], item));
    }

    /* ---- moving and selecting ---- */

    get currentItem() {
        return this.#items.find((item) => keyOf(item) === this.current);
    }

    moveTo(index) {
        const item = this.#items[Math.max(0, Math.min(index, this.#items.length - 1))];
        if (!item)
            return;
        this.current = keyOf(item);
        this.#scrollTo(this.#items.indexOf(item));
        this.#emit("current", item);
        this.#drawSoon();
    }

    #scrollTo(index) {
        const top = index * this.#rowHeight;
        if (top < this.#host.scrollTop)
            this.#host.scrollTop = top;
        else if (top + this.#rowHeight > this.#host.scrollTop + this.#viewHeight)
            this.#host.scrollTop = top + this.#rowHeight - this.#viewHeight;
    }

    toggle(item) {
        if (item.isGroup)
            return;
        if (!this.selected.delete(item.id))
            this.selected.add(item.id);
        this.#anchor = item.id;
        this.#emit("selection");
        this.#drawSoon();
    }

    selectNone() {
        this.selected.clear();
        this.#emit("selection");
        this.#drawSoon();
    }

    #selectTo(item) {
        const ends = [this.#anchor ?? this.current, keyOf(item)].map((key) => this.#items.findIndex((each) => keyOf(each) === key));
        const [from, to] = ends.sort((a, b) => a - b);
        for (const each of this.#items.slice(Math.max(from, 0), to + 1)) {
            if (!each.isGroup)
                this.selected.add(each.id);
        }
        this.#emit("selection");
        this.#drawSoon();
    }

    #onClick(event) {
        const slot = this.#slots.find(({node}) => node.contains(event.target));
        if (!slot?.item || getSelection().toString() !== "")
            return;
        if (event.shiftKey)
            this.#selectTo(slot.item);
        else if (event.ctrlKey || event.metaKey)
            this.toggle(slot.item);
        this.moveTo(this.#items.indexOf(slot.item));
        if (!event.shiftKey && !event.ctrlKey && !event.metaKey)
            this.#emit("open", slot.item);
    }

    /* For keys that whatever has the focus does not use itself. One that the list uses gives it the focus, so that the next
     * ones are meant for it, too, and a screen reader reads the row. */
    onKey(event) {
        const index = this.#items.findIndex((item) => keyOf(item) === this.current);
        const page = Math.max(1, Math.floor(this.#viewHeight / this.#rowHeight) - 1);
        const from = index >= 0 ? index : this.#items.indexOf(this.inView()[0]);
        const steps = {ArrowDown: index < 0 ? from : index + 1, ArrowUp: index < 0 ? from : index - 1, PageDown: from + page,
            PageUp: from - page, Home: 0, End: this.#items.length - 1};
        if (event.key in steps) {
            this.moveTo(steps[event.key]);
            if (event.key === "End" && this.mayFollow)
                this.follow();
            if (event.shiftKey && this.currentItem)
                this.#selectTo(this.currentItem);
        } else if (event.key === "Enter" && index >= 0) {
            this.#emit("open", this.#items[index]);
        } else if (event.key === " " && index >= 0) {
            this.toggle(this.#items[index]);
        } else {
            return;
        }
        this.#host.focus();
        event.preventDefault();
    }
}
