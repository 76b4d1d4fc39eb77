/* The page: two views, what they share, and the keys. */

import {byId, el, setText} from "./dom.js";
import {Feed} from "./feed.js";
import {count} from "./format.js";
import {Live} from "./live.js";
import {Overview} from "./overview.js";
import {Store} from "./store.js";

const VIEWS = ["live", "overview"];
const THEMES = {auto: "◐", light: "☀", dark: "☾"};

/* ---- light and dark ---- */

function showTheme(theme) {
    const button = byId("theme");
    if (theme === "auto")
        delete document.documentElement.dataset.theme;
    else
        document.documentElement.dataset.theme = theme;
    setText(button, THEMES[theme]);
    button.title = `Colours: ${theme === "auto" ? "as the system has them" : theme} (t)`;
    button.setAttribute("aria-label", button.title);
}

const keptTheme = () => localStorage.getItem("fairlead.theme") in THEMES ? localStorage.getItem("fairlead.theme") : "auto";

function nextTheme() {
    const names = Object.keys(THEMES);
    const theme = names[(names.indexOf(keptTheme()) + 1) % names.length];
    localStorage.setItem("fairlead.theme", theme);
    showTheme(theme);
}

/* ---- views ---- */

const store = new Store();
const feed = new Feed(store);
const live = new Live(store, feed);
const overview = new Overview(feed);

function showView(name) {
    for (const view of VIEWS) {
        const isShown = view === name;
        byId(view).hidden = !isShown;
        byId(`tab-${view}`).setAttribute("aria-selected", isShown);
        byId(`tab-${view}`).tabIndex = isShown ? 0 : -1;
    }
    const hash = new URLSearchParams(location.hash.slice(1));
    if (name === VIEWS[0])
        hash.delete("view");
    else
        hash.set("view", name);
    history.replaceState(null, "", `#${hash}`);
    if (name === "overview")
        overview.look();
}

function moveTab(event) {
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!step)
        return;
    const name = VIEWS[(VIEWS.findIndex((view) => !byId(view).hidden) + step + VIEWS.length) % VIEWS.length];
    showView(name);
    byId(`tab-${name}`).focus();
}

/* ---- keys: only where nobody is typing; those of the list where nothing else uses them ---- */

const KEYS = {
    1: () => showView("live"),
    2: () => showView("overview"),
    "/": () => (showView("live"), live.focusFilter()),
    "?": () => byId("keys-dialog").showModal(),
    p: () => live.togglePause(),
    a: () => live.cycle("axis"),
    g: () => live.cycle("group"),
    t: nextTheme,
    Escape: () => live.closeDetail(),
};

const isPress = (event) => ["Enter", " "].includes(event.key) && event.target.closest?.("button, input");

function onKey(event) {
    const isTyping = event.target.closest?.("input:not([type=checkbox]):not([type=radio]), select, textarea, dialog");
    if (isTyping && event.key === "Escape" && !event.target.closest("dialog"))
        byId("grid").focus();
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented)
        return;
    if (event.key in KEYS) {
        event.preventDefault();
        KEYS[event.key]();
    } else if (!byId("live").hidden && !event.target.closest?.("#detail") && !isPress(event)) {
        live.onKey(event);
    }
}

/* ---- the top line ---- */

function showState({state, text}) {
    byId("state").dataset.state = state;
    setText(byId("state"), state === "fault" ? "stopped" : text);
    byId("state").title = text;
}

let stale = 0; /* timer: a second without an end of anything is not told of */

function showRate(second) {
    clearTimeout(stale);
    stale = setTimeout(() => setText(byId("rate"), ""), 2500);
    const transactions = second.transactions ?? 0;
    const parts = [`${count(transactions)} ${transactions === 1 ? "transaction" : "transactions"}/s`, second.failed ? `${count(second.failed)} failed` : "",
        second.refused ? `${count(second.refused)} refused` : ""];
    setText(byId("rate"), parts.filter(Boolean).join(" · "));
}

showTheme(keptTheme());
feed.addEventListener("state", ({detail}) => showState(detail));
feed.addEventListener("second", ({detail}) => showRate(detail));
feed.addEventListener("hello", ({detail}) => { byId("state").title = `fairlead ${detail.version}`; });
byId("theme").addEventListener("click", nextTheme);
byId("keys").addEventListener("click", KEYS["?"]);
byId("state").addEventListener("click", () => ["locked", "fault", "offline", "paused"].includes(feed.state) && feed.resume());
byId("legend").append(el("li", {class: "dim", title: "taken from a pool of open connections"}, "↻ reused"));
for (const view of VIEWS)
    byId(`tab-${view}`).addEventListener("click", () => showView(view));
document.querySelector(".tabs").addEventListener("keydown", moveTab);
document.addEventListener("keydown", onKey);
showView(new URLSearchParams(location.hash.slice(1)).get("view") === "overview" ? "overview" : "live");
live.start();
