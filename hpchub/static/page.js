// What all pages have: clocks in the reader's zone, buttons that say they are at work, notices that can be closed.
// Nothing here is needed to use a page.
import { drawClocks } from "./clock.js";

drawClocks(document);

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button?.dataset.busy) return;
  // A disabled button is not part of what is sent, so only after this turn.
  setTimeout(() => {
    button.disabled = true;
    button.textContent = button.dataset.busy;
  });
});

// Coming back by the browser's own button: the page is as it was left.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload();
});

for (const notice of document.querySelectorAll("[data-notice]")) {
  const place = `hpchub-closed-${notice.dataset.notice}`;
  const close = notice.querySelector("button");
  if (!close) continue;
  if (localStorage.getItem(place)) notice.remove();
  close.hidden = false;
  close.addEventListener("click", () => {
    localStorage.setItem(place, "1");
    notice.remove();
  });
}

for (const button of document.querySelectorAll("button[data-reveals]")) {
  const field = document.getElementById(button.dataset.reveals);
  button.hidden = false;
  button.addEventListener("click", () => {
    const hidden = field.type === "password";
    field.type = hidden ? "text" : "password";
    button.setAttribute("aria-pressed", String(hidden));
  });
}

if (!window.isSecureContext) {
  for (const warning of document.querySelectorAll("[data-insecure]")) warning.hidden = false;
}
