// Single keys on every page: where they lead, the list of them, and the palette. Off in fields, and for who wants none.
import { say } from "./portal.js";

const GO = { h: "/", i: "/indicators", t: "/check", d: "/devices", c: "/changes", p: "/proposals", s: "/settings" };
const LIST = [
  ["Everywhere", [
    ["/", "Search"], ["a", "Add an indicator"], ["i", "Import"], ["t", "Check a value"],
    ["g then h", "Home"], ["g then i", "Indicators"], ["g then t", "Check"], ["g then d", "Devices"],
    ["g then c", "Changes"], ["g then p", "Proposals"], ["g then s", "Settings"],
    ["u", "Undo what was just done"], ["Ctrl K", "Find a page or a command"], ["?", "This list"], ["Esc", "Close"],
  ]],
  ["In the table", [
    ["j or ↓", "Next row"], ["k or ↑", "Row before"], ["x", "Select"], ["Shift ↓", "Select further"],
    ["Enter", "Open"], ["e", "Edit"], ["c", "Copy the value"], [".", "More for this row"],
    ["[", "Page before"], ["]", "Next page"],
  ]],
];
let going = 0; // until when the second key of a pair counts

// Where nobody is signed in there is nowhere to go.
const wanted = () => document.body.dataset.keys !== "off" && Boolean(document.querySelector("nav.nav"));
const isField = (target) =>
  target instanceof Element && Boolean(target.closest("input:not([type='checkbox'], [type='radio']), select, textarea, [contenteditable]"));

// Whether something was typed on this page that leaving it would lose.
function typed() {
  const fields = document.querySelectorAll("main form[method='post'] textarea, main form[method='post'] input");
  return [...fields].some((field) => !["hidden", "checkbox", "radio", "file"].includes(field.type) && field.value !== field.defaultValue);
}

function go(path) {
  if (!typed()) {
    window.location.assign(path);
    return;
  }
  dialog("leave", "Leave this page?", (made) => {
    const leave = element("button", { type: "button", className: "button button-danger", textContent: "Leave" });
    const stay = element("button", { type: "button", className: "button", textContent: "Stay", autofocus: true });
    leave.addEventListener("click", () => window.location.assign(path));
    stay.addEventListener("click", () => made.close());
    const text = element("p", { textContent: "What you typed here is not saved, and would be lost." });
    return element("div", { className: "stack" }, text, element("div", { className: "row" }, stay, leave));
  });
}

function press(selector) {
  const found = document.querySelector(selector);
  if (!found) return false;
  found.click();
  return true;
}

function search() {
  const field = document.getElementById("q");
  if (!field) {
    go("/indicators#q");
    return;
  }
  field.focus();
  field.select();
}

// -- dialogs ----------------------------------------------------------------------------------------------------------

function element(name, options = {}, ...children) {
  const made = Object.assign(document.createElement(name), options);
  made.append(...children);
  return made;
}

export function dialog(id, title, build) {
  document.getElementById(id)?.remove();
  const close = element("button", { type: "button", className: "button button-quiet", textContent: "Close" });
  const heading = element("h2", { id: `${id}-title`, textContent: title });
  const head = element("div", { className: "dialog-head" }, heading, close);
  const made = element("dialog", { id });
  made.setAttribute("aria-labelledby", heading.id);
  made.append(head, build(made));
  const back = document.activeElement;
  close.addEventListener("click", () => made.close());
  made.addEventListener("click", (event) => { if (event.target === made) made.close(); });
  made.addEventListener("close", () => { made.remove(); back?.focus?.(); });
  document.body.append(made);
  made.showModal();
  return made;
}

export function help() {
  dialog("shortcuts", "Keyboard shortcuts", () => {
    const place = element("div", { className: "shortcuts" });
    for (const [title, keys] of LIST) {
      const lines = keys.map(([key, what]) => {
        const parts = key.split(" ").map((each) => (each === "then" || each === "or" ? ` ${each} ` : element("kbd", { textContent: each })));
        return element("div", {}, element("dt", {}, ...parts), element("dd", { textContent: what }));
      });
      place.append(element("section", {}, element("h3", { textContent: title }), element("dl", {}, ...lines)));
    }
    const link = element("a", { href: "/settings/account", textContent: "your account" });
    const state = wanted() ? "Single keys can be switched off under " : "Single keys are switched off under ";
    return element("div", { className: "stack" }, place, element("p", { className: "help" }, state, link, "."));
  });
}

async function palette() {
  const { open } = await import("./palette.js");
  open(dialog, element, go);
}

// -- keys -------------------------------------------------------------------------------------------------------------

const KEYS = {
  "/": search,
  a: () => go("/indicators/new"),
  i: () => go("/import"),
  t: () => go("/check"),
  u: () => { if (!press("main [data-key='u']")) say("There is nothing to undo here"); },
  "?": help,
};

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    palette();
    return;
  }
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (!wanted() || isField(event.target) || document.querySelector("dialog[open], :popover-open")) return;
  if (going > Date.now()) {
    going = 0;
    if (event.key in GO) {
      event.preventDefault();
      go(GO[event.key]);
      return;
    }
  }
  if (event.key === "g") {
    going = Date.now() + 1500;
    event.preventDefault();
    return;
  }
  const asked = new CustomEvent("indicia:key", { detail: { key: event.key }, cancelable: true });
  if (!document.dispatchEvent(asked)) {
    event.preventDefault();
    return;
  }
  const act = KEYS[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});

document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-shortcuts]")) {
    event.target.closest("details.menu")?.removeAttribute("open");
    help();
  }
});

if (window.location.hash === "#q") search();
