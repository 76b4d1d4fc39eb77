/* The bar of one row: a span for each phase, told apart by colour and by pattern. */

import {PHASES} from "./phases.js";
import {endOf} from "./record.js";

const TUNNEL = PHASES.findIndex((phase) => phase.word === "tunnel");

function spansOf(row, nowMs) {
    if (!row.isInProgress)
        return row.spans;
    const now = row.openedUs !== undefined ? [TUNNEL, row.openedUs] : row.spanNow.slice(0, 2);
    return now.length === 0 ? row.spans : [...now, endOf(row, nowMs), ...row.spans];
}

function place(span, name, from, to) {
    const begin = Math.min(Math.max(from, 0), 1);
    const end = Math.min(Math.max(to, 0), 1);
    span.hidden = from > 1 || to < 0;
    span.className = name;
    span.style.left = `${(100 * begin).toFixed(3)}%`;
    span.style.width = `${(100 * (end - begin)).toFixed(3)}%`;
}

/* Draw into `cell`, whose spans are used again for other rows. */
export function drawBar(cell, row, axis, nowMs) {
    const spans = spansOf(row, nowMs);
    const count = spans.length / 3;
    while (cell.childElementCount < count)
        cell.append(document.createElement("i"));
    for (let i = 0; i < cell.childElementCount; i++) {
        const span = cell.children[i];
        if (i >= count) {
            span.hidden = true;
            continue;
        }
        const [phase, from, to] = spans.slice(3 * i, 3 * i + 3);
        const end = axis.at(row, to);
        place(span, `p ${"p-" + PHASES[phase].word}${end > 1 ? " cut" : ""}`, axis.at(row, from), end);
    }
}
