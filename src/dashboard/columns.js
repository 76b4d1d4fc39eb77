/* The columns of the list. */

import {drawBar} from "./bar.js";
import {el, setText} from "./dom.js";
import {bytes, clock, duration} from "./format.js";
import {NOW, WORDS} from "./phases.js";
import {lengthOf, phaseText} from "./record.js";

const NOBODY = new Set(["none", "idle"]); /* verdicts */

function statusClass(row) {
    if (row.isInProgress)
        return "running";
    return row.status === undefined ? "s0" : `s${Math.floor(row.status / 100)}`;
}

function noteOf(row) {
    if (row.isLost)
        return "ended, its record is not here";
    if (row.isInFlight)
        return NOW[row.phase] ?? "";
    if (row.cause)
        return row.cause.replaceAll("_", " ");
    if (row.decision === "observed")
        return "would be refused";
    return row.slow && !NOBODY.has(row.slow) ? `slow: ${row.slow.replaceAll("_", " ")}` : "";
}

function reuseTitle(row) {
    const paid = ["dns", "connect", "tls"].map((word, i) => row.paid?.[i] ? `${word} ${duration(row.paid[i])}` : "").filter(Boolean);
    return `request ${row.upstreamUse} on this connection` + (paid.length > 0 ? `; its first paid ${paid.join(", ")}` : "");
}

function setClass(node, name) {
    if (node.className !== name)
        node.className = name;
}

/* `axis()` is the axis of the moment, `now()` the server's wall time in ms. */
export function columnsOf(axis, now) {
    return [
        {name: "time", label: "time", value: (row) => row.wallMs,
            draw: (cell, row) => setText(cell, clock(row.wallMs))},
        {name: "method", label: "method",
            draw: (cell, row) => setText(cell, row.method)},
        {name: "status", label: "status", value: (row) => row.status,
            draw: (cell, row) => {
                setText(cell, row.status === undefined ? "–" : String(row.status));
                setClass(cell, `cell c-status ${statusClass(row)}`);
            }},
        {name: "target", label: "target", value: (row) => row.host + row.rest,
            make: (cell) => cell.append(el("span", {class: "text"}, el("b"), el("span")), el("em"), el("small")),
            draw: (cell, row) => {
                const [text, note, reuse] = cell.children;
                setText(text.firstChild, row.authority);
                setText(text.lastChild, row.rest);
                setText(note, noteOf(row));
                setText(reuse, row.upstreamUse > 1 ? `↻${row.upstreamUse}` : "");
                reuse.title = row.upstreamUse > 1 ? reuseTitle(row) : "";
                cell.title = row.authority + row.rest;
            }},
        {name: "client", label: "client", value: (row) => row.user || row.client,
            draw: (cell, row) => {
                setText(cell, row.user || row.client.replace(/:\d+$/, ""));
                cell.title = row.user ? `${row.user} at ${row.client}` : row.client;
            }},
        {name: "bytes", label: "bytes", title: "to the client", value: (row) => row.bytes,
            draw: (cell, row) => setText(cell, bytes(row.bytes))},
        {name: "total", label: "total", value: (row) => lengthOf(row, now()),
            draw: (cell, row) => setText(cell, duration(lengthOf(row, now())))},
        {name: "bar", label: "",
            make: (cell) => cell.append(el("div", {class: "bars", role: "img"})),
            draw: (cell, row) => {
                const mark = `${row.id} ${row.endUs} ${row.isInProgress} ${axis().version}`;
                const bars = cell.firstChild;
                if (bars.mark === mark && !row.isInProgress)
                    return;
                bars.mark = mark;
                drawBar(bars, row, axis(), now());
                const over = phaseText(row, WORDS, duration);
                const words = (row.phase ? [over, `${row.phase} so far`].filter(Boolean).join(", ") : over) || "no phase yet";
                bars.title = words;
                bars.setAttribute("aria-label", words);
            }},
    ];
}

/* The line above a group. */
export function drawGroup(node, group) {
    if (node.childElementCount === 0)
        node.append(el("b"), el("span"), el("em"));
    const [name, size, saving] = node.children;
    const named = ["dns", "connect", "tls"].map((word, i) => group.paid[i] === undefined ? "" : `${word} ${duration(group.paid[i])}`);
    const paid = named.filter(Boolean).join(", ");
    setText(name, group.name === "" ? "without a connection" : group.host);
    setText(size, `${group.name === "" ? "" : `connection ${group.name} · `}${group.size} ${group.size === 1 ? "transaction" : "transactions"}`);
    setText(saving, group.by !== "upstream" || paid === "" ? "" : `first paid ${paid}` +
        (group.times > 0 ? ` · ${duration(group.saved)} saved by ${group.times} more ${group.times === 1 ? "use" : "uses"}` : ""));
}
