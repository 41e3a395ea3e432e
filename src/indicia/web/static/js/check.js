// Check a value: Enter asks, as in any field for one value; Shift and Enter begin a new line, for many.

const field = document.getElementById("f-value");

field?.addEventListener("keydown", (event) => {
  const composing = event.isComposing || event.keyCode === 229;
  if (event.key !== "Enter" || event.shiftKey || event.altKey || composing) return;
  // In a list that is being written Enter is a new line; Ctrl or Cmd and Enter always ask.
  if (field.value.trim().includes("\n") && !event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  if (field.value.trim()) field.form.requestSubmit();
});

// Who comes to ask begins to type at once.
if (field && !field.value && !window.location.hash) field.focus();
