/* The order of the list: as it came, by a column, or by connection with a line above each that tells what its first
 * request paid and what the others were saved. */

const UNNAMED = "";

function groupOf(key, rows, by) {
    const first = rows[0];
    const paid = paidOf(rows);
    const times = by === "upstream" ? rows.filter((row) => row.upstreamUse > 1).length : 0;
    const saved = paid.reduce((sum, us) => sum + (us ?? 0), 0) * times;
    return {isGroup: true, key: `${by} ${key}`, by, name: key, host: by === "upstream" ? first.authority : first.client,
        size: rows.length, paid, times, saved};
}

/* [dns, connect, tls] in µs: of the first request where it is there, else as a later one tells. */
function paidOf(rows) {
    const first = rows.find((row) => row.upstreamUse === 1);
    const later = rows.find((row) => row.paid !== null);
    return first ? [first.phases.dns, first.phases.connect, first.phases.tls] : later?.paid ?? [];
}

function grouped(rows, by) {
    const keyOf = by === "upstream" ? (row) => row.upstreamConn : (row) => row.clientConn;
    const groups = new Map();
    for (const row of rows) {
        const key = keyOf(row);
        if (!groups.has(key))
            groups.set(key, []);
        groups.get(key).push(row);
    }
    const unnamed = groups.get(UNNAMED);
    groups.delete(UNNAMED);
    if (unnamed)
        groups.set(UNNAMED, unnamed); /* to the end */
    return [...groups].flatMap(([key, members]) => [groupOf(key, members, by), ...members]);
}

/* `sort`: {value, isDown} or null. */
export function arrange(rows, {by, onlyInProgress, sort}) {
    let kept = onlyInProgress ? rows.filter((row) => row.isInProgress) : rows;
    if (sort) {
        const sign = sort.isDown ? -1 : 1;
        const keyed = kept.map((row) => [sort.value(row) ?? -Infinity, row]);
        keyed.sort(([a], [b]) => sign * (a < b ? -1 : a > b ? 1 : 0));
        kept = keyed.map(([, row]) => row);
    }
    return by ? grouped(kept, by) : kept;
}
