// What every page does with JavaScript: copying, closing menus, taking the focus to what went wrong, saying things.

document.documentElement.classList.add("js");

// Tells somebody who cannot see the page what happened on it.
export function say(text) {
  const place = document.getElementById("said");
  if (!place) return;
  place.textContent = "";
  window.setTimeout(() => { place.textContent = text; }, 50);
}

// The token that a request of a script has to carry.
export function csrf() {
  return document.body.dataset.csrf ?? "";
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without a secure address there is no clipboard: select it, so that one key copies it.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

export async function copyText(text) {
  say((await copy(text)) ? "Copied" : "It could not be copied");
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (button) {
    copyText(button.dataset.copy);
    button.classList.add("copied");
    window.setTimeout(() => button.classList.remove("copied"), 1200);
    return;
  }
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary")?.focus();
  }
});

document.querySelector("[data-focus]")?.focus();
