// The palette: a page or a command by a few letters of its name, or straight to a value.

const COMMANDS = [
  ["Home", "/"], ["Indicators", "/indicators"], ["Add an indicator", "/indicators/new"], ["Import a file", "/import"],
  ["Check a value", "/check"], ["Devices", "/devices"], ["Changes", "/changes"], ["Audit", "/audit"], ["Proposals", "/proposals"],
  ["Settings", "/settings"], ["Your account", "/settings/account"], ["Your keys", "/settings/keys"], ["People", "/settings/people"],
  ["Device groups", "/settings/groups"], ["API clients", "/settings/clients"], ["Limits and guard lists", "/settings/limits"],
  ["About and health", "/settings/about"], ["File hashes", "/indicators?tab=files"], ["IP addresses", "/indicators?tab=ips"],
  ["URLs and domains", "/indicators?tab=urls"], ["Certificates", "/indicators?tab=certificates"],
  ["Held for review", "/indicators?tab=held"], ["Export what is listed", "#export"],
  ["What expires within a week", "/indicators?q=expires%3A%3C7d"], ["What conflicts", "/indicators?q=has%3Aconflict"],
];

function fits(name, words) {
  const text = name.toLowerCase();
  return words.every((word) => text.includes(word));
}

export function open(dialog, element, go) {
  const field = element("input", { type: "text", id: "palette-field", autocomplete: "off", spellcheck: false });
  field.setAttribute("role", "combobox");
  field.setAttribute("aria-expanded", "true");
  field.setAttribute("aria-controls", "palette-list");
  field.setAttribute("aria-autocomplete", "list");
  const label = element("label", { htmlFor: "palette-field", textContent: "A page, a command, or a value" });
  const found = element("ul", { id: "palette-list" });
  found.setAttribute("role", "listbox");
  found.setAttribute("aria-label", "Results");
  let at = 0;
  let shown = [];

  function act(path) {
    made.close();
    const link = path === "#export" ? document.querySelector("a[download]") : null;
    if (path === "#export") link ? link.click() : go("/indicators");
    else go(path);
  }

  function draw() {
    const text = field.value.trim();
    shown = COMMANDS.filter(([name]) => fits(name, text.toLowerCase().split(/\s+/)));
    if (text) {
      shown.push([`Search indicators for “${text}”`, `/indicators?q=${encodeURIComponent(text)}`]);
      shown.push([`Check what happens to “${text}”`, `/check?value=${encodeURIComponent(text)}`]);
    }
    shown = shown.slice(0, 10);
    at = Math.min(at, shown.length - 1);
    found.replaceChildren(...shown.map(([name, path], place) => {
      const item = element("li", { id: `palette-${place}`, textContent: name });
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", String(place === at));
      item.addEventListener("click", () => act(path));
      return item;
    }));
    field.setAttribute("aria-activedescendant", `palette-${at}`);
    document.getElementById(`palette-${at}`)?.scrollIntoView({ block: "nearest" });
  }

  field.addEventListener("input", () => { at = 0; draw(); });
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      at = (at + (event.key === "ArrowDown" ? 1 : shown.length - 1)) % shown.length;
      draw();
      event.preventDefault();
    } else if (event.key === "Enter" && shown[at]) {
      event.preventDefault();
      act(shown[at][1]);
    }
  });
  const made = dialog("palette", "Go to", () => element("div", { className: "stack-2 palette" }, label, field, found));
  draw();
  field.focus();
}
