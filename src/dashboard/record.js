/* A record of the server, as a row that the list can hold ten thousand of: what the list shows and filters by is taken
 * out once, the rest stays text until somebody looks at it. */

import {PHASES, spanCutOff, spanNow, spansOf} from "./phases.js";

/* As the filter's `decision`; "" where nothing was decided yet, or at all: a head that is malformed is answered without. */
export function decisionOf(record) {
    if (record.end === "refused")
        return "refused";
    if (record.would_deny !== undefined)
        return "observed";
    return record.marks_us?.p_policy !== undefined ? "allowed" : "";
}

/* A request that has not ended, and is no tunnel. */
export const isInFlight = (record) => record.in_progress === true && !["tunnel", "upgrade"].includes(record.kind);

/* host and the rest of the URL, so that the eye finds the host. */
function splitTarget(record) {
    const url = record.url ?? "";
    const match = /^(?:http:\/\/)?((?:https?:\/\/)?[^/?#]*)(.*)$/su.exec(url);
    return match ? [match[1], match[2]] : [url, ""];
}

/* How long until nothing more is known than that a tunnel is open. */
function busyOf(spans, begin) {
    const ends = spans.filter((_, i) => i % 3 === 2 && !["tunnel", "close"].includes(PHASES[spans[i - 2]].word));
    return ends.length > 0 ? Math.max(...ends) - begin : 0;
}

/* Worker and number of a connection, whose id in a record is both (docs/log.md). */
const connectionOf = (record, connection) => connection ? `${record.worker}.${connection.id % 2 ** 44}` : "";

/* `text` is the JSON that `record` was read from. */
export function rowOf(record, text) {
    const marks = record.marks_us ?? {};
    const phases = record.phases_us ?? {};
    const times = Object.values(marks);
    const begin = marks.c_first ?? marks.c_accept ?? 0;
    const spans = [...spansOf(marks, phases), ...spanCutOff(record.unfinished, marks)];
    const [authority, rest] = splitTarget(record);
    const upstream = record.upstream_conn;
    return {
        id: record.id,
        text,
        wallMs: Date.parse(record.time),
        baseUs: record.base_ns / 1000,
        isInProgress: record.in_progress === true,
        method: record.method ?? "",
        status: record.status,
        host: record.host ?? "",
        authority,
        rest,
        client: record.client ?? "",
        user: record.user ?? "",
        bytes: record.bytes?.client_out,
        cause: record.cause ?? "",
        decision: decisionOf(record),
        slow: record.verdict?.slow ?? "",
        upstreamConn: connectionOf(record, upstream),
        upstreamUse: upstream?.use ?? 0,
        paid: upstream?.use > 1 ? [upstream.paid_dns_us, upstream.paid_connect_us, upstream.paid_tls_us] : null,
        clientConn: connectionOf(record, record.client_conn),
        beginUs: begin,
        endUs: times.length > 0 ? Math.max(...times) : begin,
        totalUs: phases.total,
        phases,
        spans,
        openedUs: marks.t_open,
        isInFlight: isInFlight(record),
        phase: record.phase ?? "",
        spanNow: spanNow(record.phase, marks, record.now_us),
        busyUs: busyOf(spans, begin),
    };
}

/* The end of a row on its own clock: that of what is in progress is now. `nowMs` is the server's wall time. */
export function endOf(row, nowMs) {
    return row.isInProgress ? Math.max(row.endUs, (nowMs - row.wallMs) * 1000) : row.endUs;
}

/* How long it took, or takes so far, in µs. */
export function lengthOf(row, nowMs) {
    return row.totalUs ?? Math.max(0, endOf(row, nowMs) - row.beginUs);
}

/* "dns 2.8 ms, connect 12 ms", for a tooltip and for those who do not see bars. */
export function phaseText(row, words, duration) {
    return words.filter((word) => row.phases[word] !== undefined)
        .map((word) => `${word} ${duration(row.phases[word])}`).join(", ");
}
