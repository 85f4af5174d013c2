// The start page in place: links, search and choices lead to the addresses that they lead to without scripts, and the
// page is brought up to date instead of loaded.  What is free, and when a choice would start, stays current by itself.
import { refresh } from "./live.js";

const EVERY_MS = 15000;
const TYPING_MS = 250;
let later;

const page = document.querySelector("[data-page=start]");
const choice = () => document.getElementById("hpchub-choice");

function go(address, soon = 0) {
  // What was refused is not what is shown any more.
  document.querySelector(".spawn-error-msg")?.remove();
  history.replaceState(null, "", address);
  clearTimeout(later);
  later = setTimeout(refresh, soon);
}

// The fields of a form as an address, without what protects it against forged requests.
function addressOf(form) {
  const fields = new URLSearchParams(new FormData(form));
  for (const [name, value] of [...fields]) if (name === "_xsrf" || !value) fields.delete(name);
  const query = fields.toString().replaceAll("%2F", "/");
  return form.getAttribute("action") + (query ? `?${query}` : "");
}

// The slider stands for the select, which is what a browser without scripts shows and what is sent.

function showTime(slider, select) {
  const { time } = select.options[select.selectedIndex].dataset;
  document.getElementById("hpchub-slider-value").textContent = time;
  slider.setAttribute("aria-valuetext", time);
}

function setSlider() {
  const slider = document.getElementById("hpchub-slider");
  const select = document.getElementById("hpchub-minutes");
  if (!slider) return;
  slider.max = select.options.length - 1;
  slider.value = select.selectedIndex;
  showTime(slider, select);
}

document.addEventListener("hpchub:fresh", setSlider);
setSlider();

document.addEventListener("input", (event) => {
  if (event.target.id === "hpchub-slider") {
    const select = document.getElementById("hpchub-minutes");
    select.selectedIndex = Number(event.target.value);
    showTime(event.target, select);
    go(addressOf(choice()), TYPING_MS);
  } else if (event.target.form?.id === "hpchub-search") {
    const address = new URL(window.location.href);
    const words = event.target.value.trim();
    if (words) address.searchParams.set("search", words);
    else address.searchParams.delete("search");
    go(address, TYPING_MS);
  }
});

document.addEventListener("change", (event) => {
  if (event.target.form?.id === "hpchub-choice" && event.target.name) go(addressOf(choice()));
});

document.addEventListener("submit", (event) => {
  if (event.target.id !== "hpchub-search" && event.submitter?.name !== "show") return;
  event.preventDefault();
  if (event.submitter?.name === "show") go(addressOf(choice()));
});

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-go]");
  const other = event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button;
  if (link && !other) {
    event.preventDefault();
    history.pushState(null, "", link.href);
    go(link.href);
    const profile = new URL(link.href).searchParams.get("profile");
    if (profile !== null || link.closest("[data-live=first]")) turnTo();
  } else if (event.target.closest("#hpchub-copy")) {
    const button = event.target.closest("#hpchub-copy");
    const { href } = document.getElementById("hpchub-link");
    try {
      await navigator.clipboard.writeText(href);
      button.textContent = button.dataset.copied;
    } catch {
      // Without a secure connection, or leave, a page cannot: the link is shown to be copied by hand.
      document.querySelector("[data-live=link]").hidden = false;
    }
  }
});

// What comes first on the page is what was asked for: it is brought into view and under the keyboard.
function turnTo() {
  document.addEventListener(
    "hpchub:fresh",
    () => {
      const heading = document.getElementById("hpchub-chosen") ?? document.querySelector("h1");
      heading.tabIndex = -1;
      heading.focus({ preventScroll: true });
      window.scrollTo(0, 0);
    },
    { once: true },
  );
}

window.addEventListener("popstate", () => {
  document.querySelector("#hpchub-search [name=search]").value =
    new URL(window.location.href).searchParams.get("search") ?? "";
  refresh();
});

// A form that was refused has no address of its own to look at again.
if (page.dataset.address) history.replaceState(null, "", page.dataset.address);

function look() {
  if (!document.hidden) refresh();
}

setInterval(look, EVERY_MS);
document.addEventListener("visibilitychange", look);
