/* Elements made by hand. What is shown goes in as text, never as markup: the policy of this page forbids the
 * latter anyhow, and much of what is shown was chosen by a stranger. */

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
        if (typeof value === "function")
            node.addEventListener(name, value);
        else if (value !== null && value !== undefined && value !== false)
            node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return node;
}

/* An element. A function among `attributes` listens to the event of that name; null and false are left out. */
export function el(name, attributes = {}, ...children) {
    return fill(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
    return fill(document.createElementNS(SVG, name), attributes, children);
}

export const byId = (id) => document.getElementById(id);

/* Write only what differs, since even the same text makes the browser lay out anew. */
export function setText(node, text) {
    if (node.textContent !== text)
        node.textContent = text;
}

/* Tell those who do not see the page. */
export function say(text) {
    byId("said").textContent = text;
}

/* `draw` once in the next frame, however often it is asked for. */
export function onceAFrame(draw) {
    let isWanted = false;
    return () => {
        if (isWanted)
            return;
        isWanted = true;
        requestAnimationFrame(() => {
            isWanted = false;
            draw();
        });
    };
}
