/* The fields above the list as an expression in the language of filters, which docs/live.md describes and the server alone
 * understands. */

/* A value with a blank or a comma stands in quotes. */
const quoted = (value) => /[\s,]/u.test(value) && !value.includes('"') ? `"${value}"` : value;

/* What each field that is not empty says: {name, text}. */
export function termsOf(form) {
    const value = (name) => form.elements[name].value.trim();
    const terms = ["host", "client", "user", "decision"].map((name) => ({name, text: value(name) && `${name}=${quoted(value(name))}`}));
    const [status, longer] = [value("status"), value("longer")];
    terms.push({name: "status", text: status && (/^[<>=!]/.test(status) ? `status${status}` : `status=${status}`)});
    terms.push({name: "longer", text: longer && `${value("phase")}>${/[a-z]$/.test(longer) ? longer : longer + "ms"}`});
    terms.push({name: "terms", text: value("terms")});
    return terms.filter(({text}) => text !== "");
}

export const expressionOf = (terms) => terms.map(({text}) => text).join(" ");
