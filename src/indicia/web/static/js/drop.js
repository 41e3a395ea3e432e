// Files that are dropped or chosen: a certificate goes to the server to be read, any other file is hashed here.

import { digests, MOST_BYTES } from "./hash.js";
import { say } from "./portal.js";

export function watchDrops(place, { add, certificate }) {
  for (const box of place.querySelectorAll("[data-drop]")) {
    const input = box.querySelector("input[type=file]");
    for (const kind of ["dragenter", "dragover"]) {
      box.addEventListener(kind, (event) => {
        event.preventDefault();
        box.classList.add("is-over");
      });
    }
    for (const kind of ["dragleave", "drop"]) {
      box.addEventListener(kind, () => box.classList.remove("is-over"));
    }
    box.addEventListener("drop", (event) => {
      event.preventDefault();
      if (!event.dataTransfer?.files.length) return;
      if (box.dataset.drop === "certificate") {
        const [first] = event.dataTransfer.files;
        const only = new DataTransfer();
        only.items.add(first);
        input.files = only.files;
        certificate();
      } else hashAll(box, event.dataTransfer.files, add);
    });
    input.addEventListener("change", () => {
      if (!input.files.length) return;
      if (box.dataset.drop === "certificate") certificate();
      else hashAll(box, input.files, add).then(() => { input.value = ""; });
    });
  }
}

// One after the other: a hard disk is fastest so, and what is said stays readable.
async function hashAll(box, files, add) {
  const said = box.querySelector("[data-hash-said]");
  said.replaceChildren();
  for (const file of files) {
    const line = document.createElement("div");
    said.append(line);
    await hashOne(line, file, add);
  }
}

async function hashOne(line, file, add) {
  if (file.size > MOST_BYTES) {
    line.textContent = `${file.name} has ${gigabytes(file.size)} and is too large to be hashed here. Use sha256sum (Linux, macOS) or certutil -hashfile (Windows), and paste the hash.`;
    return;
  }
  const text = document.createElement("p");
  text.textContent = `${file.name} …`;
  const bar = document.createElement("progress");
  bar.max = Math.max(file.size, 1);
  bar.setAttribute("aria-label", `Hashing ${file.name}`);
  line.append(text, bar);
  try {
    const found = await digests(file, (bytes) => { bar.value = bytes; });
    bar.remove();
    text.textContent = `${file.name}: SHA-256 was added.`;
    const other = document.createElement("button");
    other.type = "button";
    other.className = "button button-small";
    other.textContent = "Add its SHA-1 too";
    other.addEventListener("click", () => {
      add(found.sha1);
      other.remove();
      text.textContent = `${file.name}: SHA-256 and SHA-1 were added.`;
    });
    line.append(other);
    add(found.sha256);
    say(`The SHA-256 of ${file.name} was added`);
  } catch {
    bar.remove();
    text.textContent = `${file.name} cannot be read. Copy it to this computer, and choose it again.`;
  }
}

function gigabytes(size) {
  return `${(size / 2 ** 30).toFixed(1)} GB`;
}
