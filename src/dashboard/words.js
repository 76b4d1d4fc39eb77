/* Plain words for the members of a record that have no place of their own in the details. */

const WORDS = new Map(Object.entries({
    tcp: "TCP, as the kernel has it", inside: "TLS in the tunnel", tls: "TLS", upstream: "origin", alpn: "offered protocols",
    offered: "highest version offered", resumed: "session resumed", hello_retry: "second ClientHello asked for", early_data: "data before the handshake (0-RTT)",
    early_data_refused: "which the origin did not take", ech: "encrypted ClientHello", ja4: "fingerprint (JA4)", turns: "turns of the client",
    idle_us: "longest silence", confidence: "how sure", rtt_us: "round trip", rtt_var_us: "its deviation", min_rtt_us: "least round trip",
    retransmits: "sent again", out_of_order: "came out of order", segments_in: "segments received", segments_out: "segments sent",
    data_segments_in: "of these with data", data_bytes_in: "bytes in them", mss_in: "largest segment", delivery_rate: "bytes a second to it",
    busy_us: "sending", rwnd_limited_us: "its window was full", sndbuf_limited_us: "our buffer was full",
    quiet_us: "in pauses", pauses: "pauses", moving_us: "moving", awaited_us: "waited for the origin", held_us: "held back for a 100", waits: "waits",
}));

/* "deep_us" is "deep" where there is no better word: a value brings its unit. */
export const wordOf = (name) => WORDS.get(name) ?? name.replace(/_us$/, "").replaceAll("_", " ");
