/* Marks and phases as docs/timing.md has them: moments, and the spans between two of them. */

/* What each mark means, in the order in which they usually come. */
export const MARKS = new Map([
    ["c_accept", "the client's connection was accepted"],
    ["c_tls_done", "the client's TLS handshake was done"],
    ["c_first", "first byte of the request"],
    ["c_head", "request head complete"],
    ["c_body", "last byte of the request body was read"],
    ["p_policy", "allowed or denied"],
    ["p_slot", "a pooled connection was taken, or dialling was allowed to begin"],
    ["u_dns0", "the name was asked for"],
    ["u_dns1", "the wait for the answers was over that the dial began with"],
    ["u_syn0", "the first connect attempt began"],
    ["u_syn1", "the winning connect attempt was done"],
    ["u_pt0", "the TLS handshake with a parent proxy began"],
    ["u_pt1", "the TLS handshake with a parent proxy was done"],
    ["u_px0", "a CONNECT to a parent proxy began"],
    ["u_px1", "the parent proxy answered the CONNECT"],
    ["u_tls0", "the TLS handshake with the origin began"],
    ["u_tls1", "the TLS handshake with the origin was done"],
    ["u_tx0", "first byte of the request queued for the origin"],
    ["u_txh", "request head handed to the kernel"],
    ["u_tx1", "last byte of the request accepted by the kernel"],
    ["u_txd", "last byte of the request left the socket buffer"],
    ["u_1xx", "first interim response (1xx)"],
    ["u_rx0", "first byte of the final response"],
    ["u_rxh", "response head complete"],
    ["u_rx1", "last byte of the response read"],
    ["d_tx0", "first byte of the response queued for the client"],
    ["d_tx1", "last byte of the response accepted by the kernel"],
    ["t_open", "the tunnel opened: the 200 or 101 was sent"],
    ["t_ch", "the ClientHello in the tunnel was whole"],
    ["t_sh", "the origin began to answer it: ServerHello or HelloRetryRequest"],
    ["t_hs", "the TLS handshake in the tunnel was over"],
    ["t_req", "first data of the client inside TLS: the request"],
    ["t_rsp", "first data of the origin inside TLS behind it: the response"],
    ["t_up", "first tunnel byte from the client"],
    ["t_down", "first tunnel byte from the origin"],
    ["t_last", "last tunnel byte in either direction"],
    ["x_fin_c", "the client's end of file or reset was seen"],
    ["x_fin_u", "the origin's end of file or reset was seen"],
    ["x_end", "the transaction ended"],
]);

/* The end of sending, which an early answer cuts. */
const sent = (m) => m.u_rx0 < m.u_tx1 ? m.u_rx0 : m.u_tx1;
const last = (m) => [m.d_tx1, m.t_last, m.t_open].filter((at) => at !== undefined).reduce((a, b) => Math.max(a, b), -Infinity);

/* In the order in which they are drawn: what comes later lies above. */
export const PHASES = [
    {word: "tunnel", about: "life of the tunnel", from: (m) => m.t_open, to: (m) => m.x_end},
    {word: "inside_tls", about: "the TLS handshake in the tunnel, as seen from outside", from: (m) => m.t_ch, to: (m) => m.t_hs},
    {word: "inside_hello", about: "the origin answers the ClientHello in the tunnel", from: (m) => m.t_ch, to: (m) => m.t_sh},
    {word: "inside_wait", about: "the origin's answer to the first request in the tunnel", from: (m) => m.t_req, to: (m) => m.t_rsp},
    {word: "client_tls", about: "TLS handshake of the client with the proxy", from: (m) => m.c_accept, to: (m) => m.c_tls_done},
    {word: "receive", about: "the client sends its head", from: (m) => m.c_first, to: (m) => m.c_head},
    {word: "blocked", about: "waiting for a connection or a permission to dial", from: (m) => m.c_head, to: (m) => m.p_slot},
    {word: "dns", about: "looking up the name", from: (m) => m.u_dns0, to: (m) => m.u_dns1},
    {word: "connect", about: "TCP connect, from the first attempt to the winner", from: (m) => m.u_syn0, to: (m) => m.u_syn1},
    {word: "parent_tls", about: "TLS handshake with a parent proxy", from: (m) => m.u_pt0, to: (m) => m.u_pt1},
    {word: "parent", about: "CONNECT through a parent proxy", from: (m) => m.u_px0, to: (m) => m.u_px1},
    {word: "tls", about: "TLS handshake with the origin", from: (m) => m.u_tls0, to: (m) => m.u_tls1},
    {word: "send", about: "sending the request", from: (m) => m.u_tx0, to: sent},
    {word: "wait", about: "the origin thinks, and one round trip", from: sent, to: (m) => m.u_rx0},
    {word: "load", about: "reading the response", from: (m) => m.u_rx0, to: (m) => m.u_rx1},
    {word: "deliver", about: "the client takes its last bytes", from: (m) => m.u_rx1, to: (m) => m.d_tx1},
    {word: "close", about: "from the last byte to the end", from: last, to: (m) => m.x_end},
];
/* What somebody who waits wants to read. */
export const NOW = {receive: "receiving the request", blocked: "waiting for a connection", dns: "looking up the name", connect: "connecting",
    parent_tls: "TLS handshake with the parent proxy", parent: "waiting for the parent proxy", tls: "TLS handshake",
    send: "sending the request", wait: "waiting for the origin", load: "loading", deliver: "waiting for the client"};

/* The span of the phase that a request in flight is in, up to `nowUs`: as one of spansOf. */
export function spanNow(word, marks, nowUs) {
    const number = PHASES.findIndex((phase) => phase.word === word);
    const from = number < 0 ? undefined : PHASES[number].from(marks) ?? marks.d_tx0;
    return from === undefined ? [] : [number, from, Math.max(from, nowUs)];
}

/* The span of the phase that was not over when a transaction was given up. */
export const spanCutOff = (unfinished, marks) => {
    const [number, from] = spanNow(unfinished?.phase, marks, 0);
    return number === undefined ? [] : [number, from, from + unfinished.us];
};

/* As people expect them: a tunnel comes after its opening. */
export const WORDS = ["client_tls", "receive", "blocked", "dns", "connect", "parent_tls", "parent", "tls", "send", "wait", "load",
    "deliver", "inside_hello", "inside_tls", "inside_wait", "tunnel", "close"];

/* The spans of one record, in µs from its base, flat: number of the phase, begin, end, and so on. A phase that the
 * record does not have is not drawn, whatever the marks say. */
export function spansOf(marks, phases) {
    const spans = [];
    PHASES.forEach((phase, number) => {
        if (phases[phase.word] === undefined)
            return;
        const from = phase.from(marks);
        const to = phase.to(marks);
        if (to >= from)
            spans.push(number, from, to);
    });
    return spans;
}
