/* Keeps a store in step with the server: first what its ring still has, then what comes. A connection that breaks is
 * made again, with the number of the last record, so that nothing is missed that the ring still holds. While paused
 * there is no connection at all, and so nothing that could grow. */

import {Refusal, getJson, messages, query} from "./api.js";
import {rowOf} from "./record.js";
import {LIMIT} from "./store.js";

const HISTORY = 1000; /* the most that one answer has */
const WAIT_MIN_MS = 500;
const WAIT_MAX_MS = 10_000;
const ASLEEP_MS = 60_000; /* out of sight for so long, a page lets go of its connection; browsers have few for one host */
const OPEN = 200; /* tunnels, and requests in flight, that are asked for */
const OPEN_EVERY_MS = 1000;
const LASTING = "500ms"; /* requests of which most end before anybody has read them are left out */

const sleep = (ms, signal) => new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), {once: true});
});

export class Feed extends EventTarget {
    #store;
    #filter = "";
    #after = null; /* number of the last record that was seen */
    #oldest = 0;   /* of the first one; 0: there are none before it */
    #isLoading = false;
    #running = null;
    #trying = null; /* the filter that the server is asked about */
    #falling = 0; /* timer: asleep soon */
    #skewMs = 0; /* the server's clock less ours */
    state = "connecting";

    constructor(store) {
        super();
        this.#store = store;
        setInterval(() => this.#lookAtOpen(), OPEN_EVERY_MS);
        document.addEventListener("visibilitychange", () => this.#onSight());
    }

    /* The server's wall time. */
    get nowMs() {
        return Date.now() + this.#skewMs;
    }

    get isPaused() {
        return this.state === "paused";
    }

    get filter() {
        return this.#filter;
    }

    /* Begin anew with this filter once the server takes it, and say true. Where it is none the Refusal is thrown and all goes on
     * as before; where another one was asked for meanwhile the answer is false. */
    async show(filter) {
        this.#trying?.abort();
        const {signal} = this.#trying = new AbortController();
        const got = await this.#ask({}, filter, signal).catch((error) => error);
        if (signal.aborted)
            return false;
        if (got.status === 400) {
            if (this.state === "connecting" && !this.#running) /* the page was opened with it */
                this.resume();
            throw got;
        }
        this.#filter = filter;
        this.#after = null;
        if (this.#isFinal(got)) {
            this.#running?.abort();
            return true;
        }
        if (!(got instanceof Error))
            this.#begin(got);
        this.resume();
        return true;
    }

    pause() {
        this.#running?.abort();
        this.#running = null;
        this.#enter("paused", "paused");
    }

    resume() {
        this.#running?.abort();
        this.#running = new AbortController();
        this.#run(this.#running.signal);
    }

    #onSight() {
        clearTimeout(this.#falling);
        if (document.hidden) {
            this.#falling = setTimeout(() => {
                if (!this.#running)
                    return;
                this.pause();
                this.#enter("asleep", "asleep");
            }, ASLEEP_MS);
        } else if (this.state === "asleep") {
            this.resume();
        }
    }

    #enter(state, text) {
        this.state = state;
        this.dispatchEvent(new CustomEvent("state", {detail: {state, text}}));
    }

    #tell(name, detail) {
        this.dispatchEvent(new CustomEvent(name, {detail}));
    }

    async #run(signal) {
        let waitMs = WAIT_MIN_MS;
        this.#enter("connecting", "connecting");
        while (!signal.aborted) {
            let why = "no connection, trying again";
            try {
                if (this.#after === null)
                    await this.#loadHistory(signal);
                const parts = query({after: this.#after, filter: this.#filter});
                for await (const batch of messages(`/api/v1/events?${parts}`, signal)) {
                    if (signal.aborted)
                        return;
                    waitMs = WAIT_MIN_MS;
                    for (const message of batch)
                        this.#take(message);
                    this.#tell("change");
                }
            } catch (error) {
                if (signal.aborted || this.#isFinal(error))
                    return;
                if (error instanceof Refusal)
                    why = error.message;
            }
            if (signal.aborted)
                return;
            this.#enter("offline", why);
            await sleep(waitMs, signal);
            waitMs = Math.min(waitMs * 2, WAIT_MAX_MS);
        }
    }

    /* What trying again does not mend. */
    #isFinal(error) {
        if (!(error instanceof Refusal) || error.status >= 500)
            return false;
        if (error.status === 401)
            this.#enter("locked", "needs the token");
        else
            this.#enter("fault", error.status === 404 ? "this server has no stream" : error.message);
        return true;
    }

    async #loadHistory(signal) {
        const history = await this.#ask({}, this.#filter, signal);
        if (!signal.aborted)
            this.#begin(history);
    }

    #begin({rows, newest, oldest}) {
        this.#store.clear();
        for (const row of rows)
            this.#store.put(row);
        this.#oldest = oldest;
        this.#after = newest ?? null;
        this.#tell("change");
    }

    async #ask(parts, filter, signal) {
        const path = `/api/v1/transactions?${query({limit: HISTORY, filter, ...parts})}`;
        const {transactions, newest} = await getJson(path, {signal, mayAsk: true});
        const oldest = transactions.length === HISTORY ? transactions[0].seq : 0;
        return {rows: transactions.map((record) => rowOf(record, JSON.stringify(record))), newest, oldest};
    }

    /* What the server still has of before. */
    async loadOlder() {
        if (this.#oldest <= 1 || this.#isLoading || !this.#running || this.#store.rows.length >= LIMIT)
            return;
        this.#isLoading = true;
        try {
            const running = this.#running;
            const {rows, oldest} = await this.#ask({before: this.#oldest}, this.#filter, running.signal);
            if (running === this.#running) {
                this.#oldest = oldest;
                this.#store.putOlder(rows);
            }
            this.#tell("change");
        } catch {
            /* Who scrolls to the top asks again. */
        } finally {
            this.#isLoading = false;
        }
    }

    #take({event, data, id}) {
        if (event === "transaction") {
            this.#store.put(rowOf(JSON.parse(data), data));
            this.#after = id ?? this.#after;
        } else if (event === "left_out") {
            this.#store.leftOut += JSON.parse(data).count;
        } else if (event === "overview") {
            this.#tell("second", JSON.parse(data));
        } else if (event === "hello") {
            this.#greet(JSON.parse(data));
        }
    }

    #greet(hello) {
        this.#skewMs = hello.wall_ms - Date.now();
        this.#enter("live", "live");
        this.#tell("hello", hello);
        if (this.#after !== null && hello.seq < Number(this.#after)) { /* another process, which counts anew */
            this.#after = null;
            this.resume();
        }
    }

    /* What is in progress: what it has become since it was told of last. Requests come first, since one may be a tunnel by
     * the time that those are listed. */
    async #lookAtOpen() {
        if (document.hidden || this.state !== "live")
            return;
        const running = this.#running;
        const askedMs = this.nowMs;
        const parts = {limit: OPEN, filter: this.#filter};
        try {
            const [requests, tunnels] = await Promise.all([getJson(`/api/v1/requests?${query({...parts, age: LASTING})}`),
                getJson(`/api/v1/tunnels?${query(parts)}`)]);
            if (running !== this.#running)
                return;
            this.#store.isOpenCut = requests.truncated || tunnels.truncated;
            this.#takeOpen(requests.requests, requests.truncated, (row) => row.isInFlight, askedMs);
            this.#takeOpen(tunnels.tunnels, tunnels.truncated, (row) => !row.isInFlight, askedMs);
            this.#tell("change");
        } catch {
            /* The stream tells when the server is gone. */
        }
    }

    #takeOpen(records, isTruncated, isOfThese, askedMs) {
        for (const record of records)
            this.#store.put(rowOf(record, JSON.stringify(record)));
        if (!isTruncated)
            this.#forgetEnded([...this.#store.openRows.values()].filter(isOfThese), new Set(records.map((record) => record.id)), askedMs);
    }

    /* Those that are not listed any more, twice, have ended and their record was left out. */
    #forgetEnded(rows, listed, askedMs) {
        for (const row of rows) {
            if (listed.has(row.id))
                row.missedMs = undefined;
            else if (row.missedMs === undefined)
                row.missedMs = askedMs;
            else if (askedMs - row.missedMs > 2 * OPEN_EVERY_MS)
                this.#store.lose(row);
        }
    }
}
