/* Figures as a person reads them: three digits and a unit. */

const THIN = "\u2009"; /* between a number and its unit */

function threeDigits(value) {
    if (value >= 100)
        return String(Math.round(value));
    return value >= 10 ? value.toFixed(1).replace(/\.0$/, "") : value.toFixed(2).replace(/\.?0+$/, "");
}

/* Of microseconds. */
export function duration(us) {
    if (us === null || us === undefined)
        return "";
    if (us < 0)
        return "\u2212" + duration(-us);
    if (us < 1000)
        return Math.round(us) + THIN + "µs";
    if (us < 999_500)
        return threeDigits(us / 1000) + THIN + "ms";
    if (us < 59_950_000)
        return threeDigits(us / 1e6) + THIN + "s";
    const s = Math.round(us / 1e6);
    if (s < 3600)
        return `${Math.floor(s / 60)}${THIN}m ${String(s % 60).padStart(2, "0")}${THIN}s`;
    return `${Math.floor(s / 3600)}${THIN}h ${String(Math.floor(s % 3600 / 60)).padStart(2, "0")}${THIN}m`;
}

export function bytes(count) {
    if (count === null || count === undefined)
        return "";
    if (count < 1000)
        return count + THIN + "B";
    const units = ["kB", "MB", "GB", "TB", "PB"];
    let unit = -1;
    do {
        count /= 1000;
        unit++;
    } while (count >= 999.5 && unit < units.length - 1);
    return threeDigits(count) + THIN + units[unit];
}

/* 12,345; what is not below 100,000 gets a letter: 123k, 1.23M. */
export function count(value) {
    return value < 100_000 ? Math.round(value).toLocaleString("en") : threeDigits(value / (value < 1e6 ? 1e3 : 1e6)) +
        (value < 1e6 ? "k" : "M");
}

export function share(part, whole) {
    if (!whole)
        return "–";
    const percent = 100 * part / whole;
    return (percent > 0 && percent < 10 ? percent.toFixed(1) : Math.round(percent)) + THIN + "%";
}

const two = (value) => String(value).padStart(2, "0");

/* Local time of day. */
export function clock(ms, withMs = true) {
    const at = new Date(ms);
    const day = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
    return withMs ? `${day}.${String(at.getMilliseconds()).padStart(3, "0")}` : day;
}

export const hour = (ms) => clock(ms, false).slice(0, 5);

/* How long ago, in the roughest words that help. */
export function ago(ms) {
    const s = Math.max(0, Math.round(ms / 1000));
    if (s < 60)
        return `${s}${THIN}s ago`;
    return s < 5400 ? `${Math.round(s / 60)}${THIN}min ago` : `${Math.round(s / 3600)}${THIN}h ago`;
}
