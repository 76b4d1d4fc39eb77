/* The last transactions, oldest first, at most LIMIT of them. A tunnel that is open, or a request in flight, has one row,
 * which is replaced by what is newer of it; open ones are kept when others make room. */

export const LIMIT = 10_000;
const SPARE = 500; /* so that making room is seldom */

export class Store {
    rows = [];
    leftOut = 0;
    isOpenCut = false; /* more is open than was listed */
    #byId = new Map();
    #open = new Map();

    get openRows() {
        return this.#open;
    }

    /* Take in a row. One that tells less than what is known is dropped: a record in progress may come behind the last one. */
    put(row) {
        const known = this.#byId.get(row.id);
        if (known !== undefined) {
            if (row.isInProgress && !known.isInProgress && !known.isLost)
                return;
            Object.assign(known, {isLost: false}, row);
        } else {
            this.#byId.set(row.id, row);
            this.rows.push(row);
        }
        const kept = known ?? row;
        if (kept.isInProgress)
            this.#open.set(kept.id, kept);
        else
            this.#open.delete(kept.id);
        if (this.rows.length > LIMIT + SPARE)
            this.#makeRoom();
    }

    /* Take in rows that are older than all that are here, as far as there is room. */
    putOlder(rows) {
        const room = Math.max(0, LIMIT - this.rows.length);
        const fresh = room === 0 ? [] : rows.filter((row) => !this.#byId.has(row.id)).slice(-room);
        for (const row of fresh) {
            this.#byId.set(row.id, row);
            if (row.isInProgress)
                this.#open.set(row.id, row);
        }
        this.rows = [...fresh, ...this.rows];
    }

    #makeRoom() {
        let surplus = this.rows.length - LIMIT;
        this.rows = this.rows.filter((row) => {
            if (surplus === 0 || (row.isInProgress && this.#open.size < LIMIT / 2))
                return true;
            surplus--;
            this.#byId.delete(row.id);
            this.#open.delete(row.id);
            return false;
        });
    }

    /* One that the server has open no more, whose record did not come. */
    lose(row) {
        row.isInProgress = false;
        row.isLost = true;
        this.#open.delete(row.id);
    }

    clear() {
        this.rows = [];
        this.leftOut = 0;
        this.isOpenCut = false;
        this.#byId.clear();
        this.#open.clear();
    }
}
