/* The fields above the list as an expression in the language of filters, which docs/live.md describes and the server alone
 * understands. */

/* A value with a blank or a comma stands in quotes. */
const quoted = (value) => /[\s,]/u.test(value) && !value.includes('"') ? `"${value}"` : value;

export function expressionOf(form) {
    const value = (name) => form.elements[name].value.trim();
    const terms = ["host", "client", "user", "decision"].filter((name) => value(name) !== "")
        .map((name) => `${name}=${quoted(value(name))}`);
    const status = value("status");
    if (status !== "")
        terms.push(/^[<>=!]/.test(status) ? `status${status}` : `status=${status}`);
    const longer = value("longer");
    if (longer !== "")
        terms.push(`${value("phase")}>${/[a-z]$/.test(longer) ? longer : longer + "ms"}`);
    if (value("terms") !== "")
        terms.push(value("terms"));
    return terms.join(" ");
}
