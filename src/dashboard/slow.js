/* Who was slow: the sides that a verdict may name, as docs/verdict.md has them, and how often each of them was it. */

import {el, setText} from "./dom.js";
import {count, share} from "./format.js";

const SIDES = [
    ["client", "the client's program: it sent or took late"],
    ["client_network", "the way between the client and the proxy"],
    ["proxy", "the proxy itself, and its limits on bandwidth"],
    ["dns", "the name server"],
    ["upstream_network", "the way between the proxy and the origin"],
    ["origin", "the origin's program: it answered, sent or took late"],
];

/* One bar of all sides, and a line with the figure of each. */
export class SlowSides {
    node;
    #whole = el("span", {class: "dim"});
    #bar = el("div", {class: "stack", role: "img"}, SIDES.map(([word]) => el("i", {class: `by-${word}`})));
    #figures = SIDES.map(() => [el("b"), el("small")]);
    #list = el("ul", {class: "sides"}, SIDES.map(([word, about], i) =>
        el("li", {title: about}, el("i", {class: `swatch by-${word}`}), word.replaceAll("_", " "), this.#figures[i])));

    constructor() {
        this.node = el("section", {class: "panel slow-sides"}, el("h3", {}, "Who was slow"), this.#whole, this.#bar, this.#list);
    }

    /* Of these points of the overview, together. */
    show(points) {
        const counts = SIDES.map(([word]) => points.reduce((sum, point) => sum + (point.slow?.[word] ?? 0), 0));
        const whole = counts.reduce((sum, one) => sum + one, 0);
        const transactions = points.reduce((sum, point) => sum + (point.transactions ?? 0), 0);
        setText(this.#whole, whole === 0 ? "nobody: nothing took 100 ms or more" :
            `${count(whole)} of ${count(transactions)} transactions took 100 ms or more`);
        this.#bar.hidden = whole === 0;
        this.#bar.setAttribute("aria-label", SIDES.map(([word], i) => `${word.replaceAll("_", " ")} ${share(counts[i], whole)}`).join(", "));
        SIDES.forEach((_, i) => {
            const [figure, part] = this.#figures[i];
            this.#bar.children[i].style.flexGrow = counts[i];
            this.#bar.children[i].hidden = counts[i] === 0;
            this.#list.children[i].classList.toggle("none", counts[i] === 0);
            setText(figure, count(counts[i]));
            setText(part, whole === 0 ? "" : share(counts[i], whole));
        });
    }
}
