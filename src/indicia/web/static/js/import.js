// Import with JavaScript: files dropped or chosen go up one after another with their progress; an import is watched.

import { csrf, say } from "./portal.js";

const DONE = "indicia-import-done";
const POLL_MS = 700;
const LOST = "The connection was lost, and nothing of this file was kept.";

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

async function stateOf(path) {
  const reply = await fetch(path, { headers: { Accept: "application/json" } });
  if (!reply.ok || !(reply.headers.get("content-type") ?? "").includes("json")) throw new Error(String(reply.status));
  return reply.json();
}

// -- one import, watched ----------------------------------------------------------------------------------------------

function watch(place) {
  const bar = place.querySelector("progress");
  const text = place.querySelector("#progress-text");
  const label = place.querySelector("#progress-label");
  let told = -1;

  function show(state) {
    label.textContent = state.label;
    text.textContent = state.text;
    if (state.percent) bar.value = state.percent;
    const quarter = Math.floor((state.percent ?? 0) / 25);
    if (quarter > told) {
      told = quarter;
      say(`${state.label}: ${state.percent ?? 0} per cent`);
    }
  }

  function finish() {
    window.sessionStorage.setItem(DONE, window.location.pathname);
    window.location.reload();
  }

  async function ask() {
    try {
      const state = await stateOf(place.dataset.state);
      if (state.done) return finish();
      show(state);
    } catch {
      text.textContent = "The server cannot be reached; the import goes on there. This page looks again by itself.";
    }
    window.setTimeout(ask, 2 * POLL_MS);
  }

  const events = new EventSource(place.dataset.events);
  events.addEventListener("progress", (event) => show(JSON.parse(event.data)));
  events.addEventListener("done", () => { events.close(); finish(); });
  events.addEventListener("error", () => {
    // The browser opens a stream that was lost by itself; one that is refused it does not.
    if (events.readyState === EventSource.CLOSED) ask();
  });
}

// -- the recent imports -----------------------------------------------------------------------------------------------

async function follow(row) {
  try {
    const state = await stateOf(row.dataset.watch);
    row.querySelector("[data-label]").textContent = state.label;
    row.querySelector("[data-text]").textContent = state.text;
    if (state.done) return;
  } catch { /* it is asked again */ }
  window.setTimeout(() => follow(row), 2 * POLL_MS);
}

// -- choosing and sending ---------------------------------------------------------------------------------------------

function sending(form) {
  const input = form.querySelector("#file");
  const list = form.querySelector("#queue");
  const go = form.querySelector("#go");
  const most = Number(form.dataset.most);
  const items = [];
  let busy = false;

  function add(file) {
    const item = { file, sent: false };
    item.row = make("li");
    item.row.append(make("span", "name", file.name));
    item.button = make("button", "button button-small", "Remove");
    item.button.type = "button";
    item.button.setAttribute("aria-label", `Remove ${file.name}`);
    item.button.addEventListener("click", () => remove(item));
    item.what = make("span", "what", `${Math.max(1, Math.round(file.size / 1024)).toLocaleString("en")} kB`);
    item.row.append(item.button, item.what);
    items.push(item);
    list.append(item.row);
    list.hidden = false;
  }

  function remove(item) {
    items.splice(items.indexOf(item), 1);
    item.row.remove();
    list.hidden = !items.length;
    input.focus();
  }

  function take(files) {
    for (const file of files) add(file);
    input.value = "";
    say(`${items.length} files chosen`);
    go.focus();
  }

  function fail(item, text) {
    item.bar?.remove();
    item.what.classList.add("failed");
    item.what.textContent = text;
    item.button.textContent = "Try again";
    item.button.setAttribute("aria-label", `Try ${item.file.name} again`);
    item.button.hidden = false;
    const again = item.button.cloneNode(true);
    item.button.replaceWith(again);
    item.button = again;
    again.addEventListener("click", () => { item.failed = false; start(); });
    say(`${item.file.name}: ${text}`);
  }

  function send(item) {
    return new Promise((resolve) => {
      const fields = new FormData(form);
      fields.delete("file");
      fields.delete("pasted");
      fields.append("file", item.file, item.file.name);
      item.what.classList.remove("failed");
      item.what.textContent = "Sending…";
      item.button.hidden = true;
      item.bar = make("progress");
      item.bar.max = 100;
      item.bar.setAttribute("aria-label", `Sending ${item.file.name}`);
      item.row.append(item.bar);
      const request = new XMLHttpRequest();
      request.open("POST", "/import");
      request.setRequestHeader("Accept", "application/json");
      request.setRequestHeader("X-CSRF-Token", csrf());
      request.upload.addEventListener("progress", (event) => {
        if (!event.lengthComputable) return;
        const percent = Math.round((100 * event.loaded) / event.total);
        item.bar.value = percent;
        item.what.textContent = percent < 100 ? `Sending, ${percent} %` : "Sent; it is looked at";
      });
      request.addEventListener("error", () => { fail(item, LOST); resolve(false); });
      request.addEventListener("abort", () => { fail(item, LOST); resolve(false); });
      request.addEventListener("load", () => {
        let told = null;
        try { told = JSON.parse(request.responseText); } catch { /* no reply of ours */ }
        if (request.status === 201 && told?.imports?.length) {
          item.sent = told.imports[0];
          item.bar.remove();
          resolve(true);
          return;
        }
        const why = told?.problems?.map((each) => each.message).join("; ")
          ?? (request.status === 413 ? "It is larger than this server takes." : "It was not taken: reload this page, sign in if you are asked to, and try again. Nothing was kept.");
        fail(item, why);
        resolve(false);
      });
      request.send(fields);
    });
  }

  async function tell(item) {
    try {
      const state = await stateOf(`${item.sent.href}/state`);
      item.what.textContent = `${state.label}: ${state.text}`;
      if (state.done) {
        const link = make("a", "button button-small", "Review");
        link.href = item.sent.href;
        link.setAttribute("aria-label", `Review ${item.file.name}`);
        item.button.replaceWith(link);
        say(`${item.file.name}: ${state.label}, ${state.text}`);
        return;
      }
    } catch { /* it is asked again */ }
    window.setTimeout(() => tell(item), POLL_MS);
  }

  function pasted() {
    const text = form.querySelector("#f-pasted");
    if (!text.value.trim()) return;
    add(new File([text.value], "Pasted text", { type: "text/plain" }));
    text.value = "";
  }

  async function start() {
    if (busy) return;
    busy = true;
    go.disabled = true;
    pasted();
    const waiting = items.filter((item) => !item.sent);
    for (const item of waiting) {
      if (item.file.size > most) {
        fail(item, "It is larger than this server takes: split it.");
        continue;
      }
      const sent = await send(item);
      if (sent && items.length === 1) {
        window.location.assign(item.sent.href);
        return;
      }
      if (sent) tell(item);
      const left = items.filter((each) => !each.sent);
      if (sent && left.length && !form.querySelector("#f-repeat").checked) {
        left[0].what.textContent = "Say how this one is to be imported, then press Import.";
        say(`Now the options for ${left[0].file.name}`);
        break;
      }
    }
    busy = false;
    go.disabled = false;
  }

  input.addEventListener("change", () => take(input.files));
  form.addEventListener("submit", (event) => {
    if (!items.some((item) => !item.sent) && !form.querySelector("#f-pasted").value.trim()) return;
    event.preventDefault();
    start();
  });
  const drop = form.querySelector("#drop");
  for (const name of ["dragenter", "dragover"]) {
    form.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("is-over"); });
  }
  for (const name of ["dragleave", "drop"]) {
    form.addEventListener(name, () => drop.classList.remove("is-over"));
  }
  form.addEventListener("drop", (event) => {
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    take(event.dataTransfer.files);
  });
}

const progress = document.querySelector("[data-events]");
if (progress) watch(progress);
const form = document.querySelector("form#import");
if (form) sending(form);
for (const row of document.querySelectorAll("[data-watch]")) follow(row);
if (window.sessionStorage.getItem(DONE) === window.location.pathname) {
  window.sessionStorage.removeItem(DONE);
  const place = document.querySelector("main .notice") ?? document.querySelector("#decide h2") ?? document.querySelector("main");
  if (place) {
    place.tabIndex = -1;
    place.focus();
  }
}
