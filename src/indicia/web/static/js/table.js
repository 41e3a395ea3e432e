// The table of indicators: selecting, moving by keyboard, copying, the menu of a row, and what follows a swap.
import { copyText, say } from "./portal.js";

const rows = () => [...document.querySelectorAll("#table tbody tr")];
const list = () => document.getElementById("list");
const box = (row) => row?.querySelector("input[name='id']");
const isCard = () => window.matchMedia("(max-width: 40rem)").matches;
let last = null; // the row that was selected or left last: where a range begins
let menuRow = null;

// -- one row at a time can be reached by Tab ---------------------------------------------------------------------------

let roved = null;

function reach(row, index) {
  row.tabIndex = index;
  for (const each of row.querySelectorAll("a, button, input")) each.tabIndex = index;
}

// Tab goes through the controls of one row and on to what follows the table; arrows lead from row to row.
function rove(row) {
  if (row === roved) return;
  if (roved?.isConnected) reach(roved, -1);
  reach(row, 0);
  roved = row;
}

const current = () => (roved?.isConnected ? roved : rows()[0]);

function focusRow(row) {
  if (!row) return;
  rove(row);
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

function begin() {
  const all = rows();
  for (const row of all) reach(row, -1);
  roved = null;
  if (all.length) rove(all[0]);
  last = null;
  unmatch();
  tell();
}

function step(by) {
  const all = rows();
  const at = all.indexOf(document.activeElement?.closest?.("tr"));
  const to = at < 0 ? current() : all[at + by];
  if (to) focusRow(to);
  return to;
}

// -- selecting --------------------------------------------------------------------------------------------------------

function tell(aloud = false) {
  const all = rows();
  const picked = all.filter((row) => box(row)?.checked).length;
  for (const row of all) row.classList.toggle("picked", Boolean(box(row)?.checked));
  const every = document.getElementById("pick-all");
  if (every) {
    every.checked = picked > 0 && picked === all.length;
    every.indeterminate = picked > 0 && picked < all.length;
  }
  const matching = document.getElementById("all-matching");
  const whole = Boolean(matching?.checked);
  const text = whole ? "All that match are selected" : `${picked.toLocaleString("en")} selected`;
  const place = document.getElementById("picked");
  if (place) place.textContent = text;
  document.querySelector(".bulk-bar")?.classList.toggle("on", picked > 0 || whole);
  if (aloud) say(text);
}

function pick(row, on = !box(row)?.checked) {
  const one = box(row);
  if (!one) return;
  one.checked = on;
  if (!on) unmatch();
  last = row;
  tell(true);
}

function pickTo(row, on = true) {
  const all = rows();
  const from = Math.max(0, all.indexOf(last ?? row));
  const to = all.indexOf(row);
  for (const each of all.slice(Math.min(from, to), Math.max(from, to) + 1)) box(each).checked = on;
  tell(true);
}

function unmatch() {
  const matching = document.getElementById("all-matching");
  if (matching) matching.checked = false;
}

function pickEvery(on) {
  for (const row of rows()) box(row).checked = on;
  if (!on) unmatch();
  tell(true);
}

document.addEventListener("click", (event) => {
  const target = event.target;
  if (!(target instanceof Element)) return;
  if (target.id === "pick-none") {
    pickEvery(false);
    focusRow(current());
    return;
  }
  const row = target.closest("#table tbody tr");
  if (!row) return;
  if (target.matches("input[name='id']")) {
    if (event.shiftKey && last) pickTo(row, target.checked);
    else pick(row, target.checked);
    if (event.shiftKey) last = row;
    return;
  }
  if (target.closest(".row-menu")) {
    openMenu(row, target.closest(".row-menu"));
    return;
  }
  if (target.closest("a, button, label, input") || String(window.getSelection())) return;
  row.querySelector("a.open")?.click();
});

document.addEventListener("change", (event) => {
  if (event.target.id === "pick-all") pickEvery(event.target.checked);
  if (event.target.id === "all-matching") {
    if (event.target.checked) for (const row of rows()) box(row).checked = true;
    tell(true);
  }
});

document.addEventListener("focusin", (event) => {
  const row = event.target.closest?.("#table tbody tr");
  if (row) rove(row);
});

// -- the menu of a row ------------------------------------------------------------------------------------------------

const menu = () => document.getElementById("row-actions");
const items = () => [...menu().querySelectorAll("[role='menuitem']")];

function openMenu(row, anchor) {
  const panel = menu();
  if (!panel) return;
  menuRow = row;
  const { id, value } = row.dataset;
  for (const item of items()) {
    if (item.dataset.do === "open") item.href = `/indicators/${id}`;
    if (item.dataset.do === "edit") item.href = `/indicators/${id}/edit`;
    if (item.dataset.do === "check") item.href = `/check?value=${encodeURIComponent(value)}`;
    if (item.name === "only") item.value = `${item.dataset.do}:${id}`;
  }
  panel.showPopover();
  const at = anchor.getBoundingClientRect();
  const size = panel.getBoundingClientRect();
  const top = at.bottom + size.height + 8 > window.innerHeight ? at.top - size.height - 4 : at.bottom + 4;
  panel.style.top = `${Math.max(4, top)}px`;
  panel.style.left = `${Math.max(4, Math.min(at.right - size.width, window.innerWidth - size.width - 4))}px`;
  items()[0].focus();
}

function closeMenu(back = true) {
  const panel = menu();
  if (!panel?.matches(":popover-open")) return;
  panel.hidePopover();
  if (back) focusRow(menuRow);
}

// A swap would copy the attribute to the new menu, as an inline style that the policy of the page forbids.
document.addEventListener("toggle", (event) => {
  if (event.target.id === "row-actions" && event.newState === "closed") event.target.removeAttribute("style");
}, true);

document.addEventListener("click", (event) => {
  const item = event.target.closest?.("#row-actions [role='menuitem']");
  if (!item || !menuRow) return;
  if (item.dataset.do === "copy") copyText(menuRow.dataset.value);
  if (item.dataset.do === "defanged") copyText(menuRow.dataset.defanged);
  if (["copy", "defanged"].includes(item.dataset.do)) closeMenu();
});

document.addEventListener("keydown", (event) => {
  const item = event.target.closest?.("#row-actions [role='menuitem']");
  if (!item) return;
  const all = items();
  const at = all.indexOf(item);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (to !== undefined) {
    all.at(to % all.length).focus();
    event.preventDefault();
  } else if (event.key === "Tab" || event.key === "Escape") {
    closeMenu();
    event.preventDefault();
  }
});

// -- keys on a row: what they are is told by keys.js, which sends them here ---------------------------------------------

function rowKey(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const row = event.target.closest?.("#table tbody tr");
  if (!row || event.target.matches("input:not([type='checkbox']), select, textarea")) return;
  const moves = { ArrowDown: 1, ArrowUp: -1 };
  if (event.key in moves && event.target === row) {
    if (event.shiftKey) {
      if (!box(row).checked) pick(row, true);
      last ??= row;
      const from = last;
      const to = step(moves[event.key]);
      if (to) pickTo(to);
      last = from;
    } else step(moves[event.key]);
    event.preventDefault();
  } else if (event.key === "Enter" && event.target === row) {
    row.querySelector("a.open")?.click();
    event.preventDefault();
  } else if (event.key === " " && event.target === row) {
    pick(row);
    event.preventDefault();
  } else if (event.key === "Home" && event.target === row) {
    focusRow(rows()[0]);
    event.preventDefault();
  } else if (event.key === "End" && event.target === row) {
    focusRow(rows().at(-1));
    event.preventDefault();
  }
}
document.addEventListener("keydown", rowKey);

// Single keys come from keys.js, which knows whether somebody wants them: each is an event of its own.
document.addEventListener("indicia:key", (event) => {
  if (!list()) return;
  const key = event.detail.key;
  const row = document.activeElement?.closest?.("#table tbody tr");
  const done = {
    j: () => step(1),
    k: () => step(-1),
    x: () => row && pick(row),
    e: () => row && window.location.assign(`/indicators/${row.dataset.id}/edit`),
    c: () => row && copyText(row.dataset.value),
    ".": () => row && openMenu(row, isCard() ? row : row.querySelector(".row-menu")),
    "[": () => document.getElementById("previous")?.click(),
    "]": () => document.getElementById("next")?.click(),
  }[key]?.();
  if (done !== undefined && done !== null) event.preventDefault();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented) return;
  if (document.querySelector("dialog[open], details.menu[open], :popover-open")) return;
  if (rows().some((row) => box(row)?.checked)) pickEvery(false);
});

// -- after a swap -----------------------------------------------------------------------------------------------------

// htmx gives the focus back to what has the same id; a row of the page before and an entry of a menu have none.
let back = "";

document.addEventListener("htmx:before:swap", () => {
  const focused = document.activeElement;
  if (!list()?.contains(focused)) back = "";
  else if (focused.closest("#table tbody tr")) back = "row";
  else back = focused.closest("details")?.querySelector("summary").id ?? "";
});

document.addEventListener("htmx:after:swap", () => {
  const region = list();
  if (!region) return;
  const field = document.getElementById("q");
  if (field && document.activeElement !== field) field.value = region.dataset.q;
  begin();
  if (back && (document.activeElement === document.body || !document.activeElement)) {
    if (back === "row") focusRow(rows()[0]);
    else document.getElementById(back)?.focus();
  }
  back = "";
  say(region.dataset.said);
});

begin();
