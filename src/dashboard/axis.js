/* The time axis that all bars of the list share, in four parts. Its length is a round figure and changes only when what
 * is seen does not suit it any more, so that bars stay where they are while others come. */

import {clock, duration} from "./format.js";
import {endOf, lengthOf} from "./record.js";

const PARTS = 4;
const ROUND = [1, 2, 4, 6, 8, 10]; /* times a power of ten */
const SLACK = 5; /* an axis may be this much longer than it has to */

let versions = 0; /* no two states of any axis have the same */

function roundUp(us) {
    const power = 10 ** Math.floor(Math.log10(Math.max(us, 100)));
    return power * ROUND.find((factor) => factor * power >= us * 0.999);
}

/* The length that nine of ten rows stay below. What is in flight does not count among those that have ended, or a few that hang
 * would leave no room for the others. Where there are only tunnels, what is known of their beginning counts. */
function usualLength(rows, nowMs) {
    const all = rows.filter((row) => row.openedUs === undefined);
    const ended = all.filter((row) => !row.isInProgress);
    const plain = ended.length > 0 ? ended : all;
    const lengths = plain.length > 0 ? plain.map((row) => lengthOf(row, nowMs))
        : rows.map((row) => 1.5 * row.busyUs);
    lengths.sort((a, b) => a - b);
    return lengths[Math.floor(lengths.length * 0.9)] ?? 0;
}

/* Every bar begins at the left: where did the time of each go? */
export class ElapsedAxis {
    #lengthUs = 0;
    version = ++versions;

    fit(rows, nowMs) {
        const wanted = roundUp(1.05 * usualLength(rows, nowMs));
        if (rows.length === 0 || (wanted <= this.#lengthUs && wanted * SLACK >= this.#lengthUs))
            return;
        this.#lengthUs = wanted;
        this.version = ++versions;
    }

    at(row, us) {
        return (us - row.beginUs) / this.#lengthUs;
    }

    labels() {
        if (this.#lengthUs === 0)
            return Array(PARTS).fill("");
        return Array.from({length: PARTS}, (_, part) => part === 0 ? "0" : duration(part * this.#lengthUs / PARTS));
    }
}

/* Bars stand where they happened: what was at the same time as what? */
export class ClockAxis {
    #beginUs = 0;
    #lengthUs = 1;
    #wallOfBaseMs = 0;
    version = ++versions;

    fit(rows, nowMs) {
        if (rows.length === 0)
            return;
        const begins = rows.map((row) => row.baseUs + row.beginUs);
        const first = Math.min(...begins);
        const last = Math.max(...begins);
        const end = Math.max(...rows.map((row) => row.baseUs + endOf(row, nowMs)));
        const most = 1.3 * (last - first) + 2 * usualLength(rows, nowMs);
        const lengthUs = roundUp(Math.min(end - first, Math.max(most, 1000)) * 1.1);
        const step = lengthUs / PARTS / 2;
        const beginUs = Math.floor(first / step) * step;
        this.#wallOfBaseMs = rows[0].wallMs - rows[0].baseUs / 1000;
        const fits = beginUs === this.#beginUs && lengthUs <= this.#lengthUs && lengthUs * SLACK >= this.#lengthUs;
        if (fits)
            return;
        this.#beginUs = beginUs;
        this.#lengthUs = beginUs + lengthUs < end ? roundUp(lengthUs * 1.2) : lengthUs;
        this.version = ++versions;
    }

    at(row, us) {
        return (row.baseUs + us - this.#beginUs) / this.#lengthUs;
    }

    labels() {
        const isFine = this.#lengthUs < 10e6;
        const begin = clock(this.#wallOfBaseMs + this.#beginUs / 1000, isFine);
        return Array.from({length: PARTS}, (_, part) => part === 0 ? begin : "+" + duration(part * this.#lengthUs / PARTS));
    }
}
