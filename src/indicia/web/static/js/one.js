// The keys of the page of one indicator: e edits it, t checks its value, c copies it.

document.addEventListener("indicia:key", (event) => {
  const { key } = event.detail;
  const target = key === "c"
    ? document.querySelector(".indicator-head [data-copy]")
    : ["e", "t"].includes(key) && document.querySelector(`main [data-key="${key}"]`);
  if (!target) return;
  event.preventDefault();
  target.click();
});
