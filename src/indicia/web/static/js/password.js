// Lets somebody see the password that they type; without JavaScript the field is an ordinary one.

for (const twice of document.querySelectorAll(".without-script")) twice.remove();

for (const input of document.querySelectorAll('input[type="password"]')) {
  const frame = document.createElement("span");
  frame.className = "with-show";
  input.replaceWith(frame);
  const button = document.createElement("button");
  button.type = "button";
  button.className = "show";
  const label = document.querySelector(`label[for="${CSS.escape(input.id)}"]`)?.firstChild?.textContent?.trim() ?? "";
  const tell = () => {
    const shown = input.type === "text";
    button.textContent = shown ? "Hide" : "Show";
    button.setAttribute("aria-label", `${shown ? "Hide" : "Show"} ${label.toLowerCase()}`);
  };
  button.addEventListener("click", () => {
    input.type = input.type === "password" ? "text" : "password";
    tell();
    input.focus();
  });
  // What is shown on the screen is sent as a password all the same, so that managers offer to keep it.
  input.form?.addEventListener("submit", () => { input.type = "password"; });
  tell();
  const focused = document.activeElement === input;
  frame.append(input, button);
  if (focused || input.autofocus) input.focus();
}
