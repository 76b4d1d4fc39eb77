/* Requests to the admin listener that this page came from. Where it wants a token, a person is asked for it once; it is
 * kept in the session of this tab. */

import {byId} from "./dom.js";

const KEY = "fairlead.token";
const SILENCE_MS = 40_000;          /* the stream says something every 5 s at least */
const MESSAGE_MAX = 4 * 1024 * 1024; /* no message is longer */

/* An answer that is none of 2xx. */
export class Refusal extends Error {
    constructor(status, word, message) {
        super(message);
        this.status = status;
        this.word = word;
    }
}

let asking = null; /* the question that is open, so that there is one */

function askForToken(why) {
    const dialog = byId("token-dialog");
    const input = byId("token");
    asking ??= new Promise((resolve) => {
        byId("token-why").textContent = why;
        input.value = "";
        dialog.returnValue = "";
        dialog.addEventListener("close", () => {
            const isGiven = dialog.returnValue === "ok" && input.value !== "";
            if (isGiven)
                sessionStorage.setItem(KEY, input.value.trim());
            input.value = "";
            asking = null;
            resolve(isGiven);
        }, {once: true});
        byId("token-cancel").onclick = () => dialog.close();
        dialog.showModal();
    });
    return asking;
}

async function refusalOf(response) {
    try {
        const error = await response.json();
        return new Refusal(response.status, error.error ?? "", error.message ?? response.statusText);
    } catch {
        return new Refusal(response.status, "", response.statusText);
    }
}

async function sendOnce(path, {method = "GET", accept = "application/json", signal}) {
    const headers = {Accept: accept};
    const token = sessionStorage.getItem(KEY);
    if (token !== null)
        headers.Authorization = `Bearer ${token}`;
    if (method !== "GET" && method !== "HEAD")
        headers["X-Fairlead"] = "1";
    const response = await fetch(path, {method, headers, signal, cache: "no-store", redirect: "error", credentials: "omit"});
    if (!response.ok)
        throw await refusalOf(response);
    return response;
}

/* `mayAsk`: a person has asked for this and may be asked for the token. Throws Refusal, or what fetch throws. */
export async function send(path, options = {}) {
    for (;;) {
        try {
            return await sendOnce(path, options);
        } catch (error) {
            const isLocked = error instanceof Refusal && error.status === 401;
            if (!isLocked || !options.mayAsk)
                throw error;
            const had = sessionStorage.getItem(KEY) !== null;
            sessionStorage.removeItem(KEY);
            if (!await askForToken(had ? "That was not the token." : options.why ?? "This listener wants its token."))
                throw error;
        }
    }
}

export async function getJson(path, options) {
    return (await send(path, options)).json();
}

/* "a=1&b=2" of what is neither null nor empty. */
export function query(parts) {
    const given = Object.entries(parts).filter(([, value]) => value !== null && value !== undefined && value !== "");
    return given.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
}

function messageOf(lines) {
    const message = {event: "message", data: "", id: null};
    for (const line of lines) {
        const colon = line.indexOf(":");
        const name = colon < 0 ? line : line.slice(0, colon);
        if (name in message)
            message[name] = (name === "data" && message.data !== "" ? message.data + "\n" : "") +
                line.slice(colon + 1).replace(/^ /, "");
    }
    return message;
}

/* Messages of a text/event-stream, in batches as they come. It is read with fetch, since EventSource cannot send a
 * token. Ends when the server ends it; throws when it falls silent. */
export async function* messages(path, signal) {
    const quiet = new AbortController();
    const response = await send(path, {accept: "text/event-stream", signal: AbortSignal.any([signal, quiet.signal]), mayAsk: true});
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
        const timer = setTimeout(() => quiet.abort(new Error("the stream fell silent")), SILENCE_MS);
        const {done, value} = await reader.read().finally(() => clearTimeout(timer));
        if (done)
            return;
        const parts = (rest + value.replaceAll("\r", "")).split("\n\n");
        rest = parts.pop();
        if (rest.length > MESSAGE_MAX)
            throw new Error("a message without end");
        const batch = parts.map((part) => messageOf(part.split("\n"))).filter((message) => message.data !== "");
        if (batch.length > 0)
            yield batch;
    }
}
