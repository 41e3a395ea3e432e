// The wizard and the form that edits: steps without loading a page, notes while typing, files that are dropped.

import { csrf, say } from "./portal.js";
import { watchDrops } from "./drop.js";

const TYPING = 350;
const place = document.getElementById("wizard-place") ?? document.getElementById("edit-place");

let dirty = false;
let busy = false;
let stale = false;
let asked = new AbortController();

const form = () => place.querySelector("form[data-step], form[data-edit]");

// -- talking to the server ------------------------------------------------------------------------------------------

async function freshToken() {
  const reply = await fetch(location.pathname, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await reply.text(), "text/html");
  const token = page.body.dataset.csrf;
  if (reply.redirected || !token) throw new Error("signed out");
  document.body.dataset.csrf = token;
  stale = false;
}

async function send(path, data, signal) {
  if (stale) await freshToken();
  data.delete("csrf");
  return fetch(path, {
    method: "POST",
    body: data,
    signal,
    headers: { "X-CSRF-Token": csrf(), "HX-Request": "true", "HX-Request-Type": "partial" },
  });
}

function fields({ files = false } = {}) {
  const data = new FormData(form());
  if (!files) data.delete("certificate_file");
  return data;
}

// -- steps ----------------------------------------------------------------------------------------------------------

async function go(name, value) {
  if (busy) return;
  busy = true;
  asked.abort();
  form().setAttribute("aria-busy", "true");
  const data = fields({ files: true });
  data.set(name, value);
  try {
    const reply = await send(form().getAttribute("action"), data);
    const target = reply.headers.get("HX-Redirect") ?? (reply.redirected ? reply.url : null);
    if (target !== null && /^\/sign-in|\/sign-in(\?|$)/.test(target)) {
      stale = true;
      lost("You were signed out. ", true);
    } else if (target !== null) {
      dirty = false;
      location.assign(target);
      return;
    } else if (reply.status === 403 && !stale) {
      stale = true;
      lost("This page is older than your session. Press the button again. ");
    } else if (reply.ok || reply.status === 422 || reply.status === 409) {
      swap(await reply.text());
    } else {
      lost((new DOMParser().parseFromString(await reply.text(), "text/html").body.textContent ?? "").trim().slice(0, 300) + " ");
    }
  } catch {
    lost(stale ? "You are still signed out. " : "The server cannot be reached. ", stale);
  } finally {
    busy = false;
    form()?.removeAttribute("aria-busy");
  }
}

// Whatever went wrong on the way, what was typed stays where it is.
function lost(why, signIn = false) {
  const box = place.querySelector("[data-offline]");
  box.replaceChildren();
  const notice = document.createElement("div");
  notice.className = "notice notice-error";
  notice.tabIndex = -1;
  const text = document.createElement("p");
  text.append(why, "Nothing that you typed is lost, and nothing was saved. ");
  if (signIn) {
    const link = document.createElement("a");
    link.href = "/sign-in";
    link.target = "_blank";
    link.textContent = "Sign in in another tab";
    text.append(link, ", then try again here.");
  } else text.append("Try again.");
  notice.append(text);
  box.append(notice);
  box.hidden = false;
  notice.focus();
}

function swap(html) {
  asked.abort(); // what was asked about the form that was is no answer to this one
  const page = new DOMParser().parseFromString(html, "text/html");
  place.replaceChildren(...page.body.childNodes);
  const done = place.querySelector("[data-done]");
  if (done) {
    dirty = false;
    document.querySelector("h1").textContent = "Added";
    done.focus();
    return;
  }
  begin();
  const wrong = place.querySelector("[data-focus]");
  const heading = place.querySelector("[data-current] h2");
  (wrong ?? heading)?.focus();
  if (!wrong && heading) say(`Step ${heading.textContent}`);
  window.scrollTo({ top: 0 });
}

// -- while somebody types ---------------------------------------------------------------------------------------------

const waiting = new Map();

function soon(key, work) {
  clearTimeout(waiting.get(key));
  waiting.set(key, setTimeout(work, TYPING));
}

async function tell(path, id) {
  if (busy) return;
  asked.abort();
  asked = new AbortController();
  try {
    const reply = await send(path, fields(), asked.signal);
    const target = document.getElementById(id);
    if (busy || !reply.ok || reply.redirected || reply.headers.get("HX-Redirect") || !target) return;
    const page = new DOMParser().parseFromString(await reply.text(), "text/html");
    target.replaceChildren(...page.body.childNodes);
  } catch {
    // Notes are a help: without them everything is said again when one goes on.
  }
}

export function valuesChanged() {
  dirty = true;
  tell("/indicators/new/values", "values-seen");
}

function changed(event) {
  dirty = true;
  const target = event.target;
  const name = target.name;
  if (form().dataset.step !== undefined) {
    if (name === "values" || name === "type") soon("values", valuesChanged);
    if (["action", "scope", "groups", "expiry"].includes(name)) soon("notes", () => tell("/indicators/new/notes", "notes"));
  } else {
    mark(target);
    soon("notes", () => tell(form().dataset.notes, "notes"));
  }
  if (name === "expiry" || name === "expires_at") showLocalTime();
}

// -- editing: what was changed is marked, in words too ----------------------------------------------------------------

function mark(field) {
  const around = field.closest("[data-mark]");
  if (!around) return;
  const now = new FormData(form());
  const names = new Set([...around.querySelectorAll("input, select, textarea")].map((each) => each.name).filter(Boolean));
  const is = [...names].some((name) => String(now.getAll(name).sort()) !== String(stored(name).sort()));
  around.classList.toggle("is-changed", is);
  const note = around.querySelector(".changed-note");
  if (note) note.hidden = !is;
}

function stored(name) {
  return [...form().querySelectorAll(`[data-was="${name}"]`)].map((each) => each.value);
}

// -- details ----------------------------------------------------------------------------------------------------------

function showLocalTime() {
  const field = place.querySelector("[name=expires_at]");
  const shown = place.querySelector("[data-local-time]");
  if (!field || !shown) return;
  const at = field.value ? new Date(`${field.value}Z`) : null;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  shown.textContent = at && !Number.isNaN(at.getTime()) && zone !== "UTC"
    ? `, which is ${at.toLocaleString([], { dateStyle: "medium", timeStyle: "short" })} in ${zone}` : "";
}

function filterGroups(text) {
  const wanted = text.trim().toLowerCase();
  for (const label of place.querySelectorAll("[data-groups] .group-name")) {
    label.hidden = !label.textContent.toLowerCase().includes(wanted) && !label.querySelector("input").checked;
  }
}

function begin() {
  showLocalTime();
  watchDrops(place, { add: addValue, certificate: () => go("go", "certificate") });
  if (form()?.dataset.step === "action") tell("/indicators/new/notes", "notes");
}

function addValue(value) {
  const area = place.querySelector("[name=values]");
  const lines = area.value.split("\n").map((line) => line.trim()).filter(Boolean);
  if (!lines.includes(value)) lines.push(value);
  area.value = lines.join("\n");
  valuesChanged();
}

if (place && form()) {
  place.addEventListener("submit", (event) => {
    const sent = event.target;
    if (sent !== form() || !window.fetch) return;
    event.preventDefault();
    const button = event.submitter;
    go(button?.name || "go", button?.value || "next");
  });
  place.addEventListener("input", (event) => {
    if (event.target.matches("[data-group-filter]")) filterGroups(event.target.value);
    else if (event.target.closest("form") === form()) changed(event);
  });
  place.addEventListener("keydown", (event) => {
    // Enter goes on from a field of one line by itself; in one of several it is a new line.
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.closest("form") === form()) {
      event.preventDefault();
      form().requestSubmit(form().querySelector("button[name=go]"));
    }
  });
  window.addEventListener("beforeunload", (event) => { if (dirty && !busy) event.preventDefault(); });
  begin();
  place.querySelector("[name=values]")?.focus();
}
