/* The request as a command line that makes it again, as far as the record tells. */

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/* Control characters would be typed by whoever pastes them, and what turns the direction of text hides what is pasted. */
const clean = (text) => text.replace(
    /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu, (char) => encodeURIComponent(char));

export function curlOf(record) {
    const isTunnel = record.kind === "tunnel" || record.method === "CONNECT";
    const url = isTunnel ? `https://${record.url ?? ""}/` : record.url ?? "";
    const words = ["curl", "-v", "--globoff", "--path-as-is"]; // the URL is what it says
    if (record.listener)
        words.push("-x", quote(`${record.client_tls ? "https" : "http"}://${record.listener}`));
    if (record.user)
        words.push("-U", quote(clean(record.user)));
    if (!isTunnel && record.method === "HEAD")
        words.push("-I");
    else if (!isTunnel && record.method && record.method !== "GET")
        words.push("-X", quote(clean(record.method)));
    if (record.user_agent)
        words.push("-A", quote(clean(record.user_agent)));
    if (record.referer)
        words.push("-e", quote(clean(record.referer)));
    if (record.http === "1.0" && !isTunnel)
        words.push("--http1.0");
    words.push("--", quote(clean(url)));
    return words.join(" ");
}
