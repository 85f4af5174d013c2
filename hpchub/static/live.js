// Brings a page up to date in place: its address is fetched again, and what it marks with data-live replaces what is
// shown.  So the server alone says what a page shows, in one language, with and without scripts.
//
// A marked part may hold others: where its data-key is the same as before only those are compared, so that what a
// person does inside (an open detail, a slider) outlasts it.
import { drawClocks } from "./clock.js";

const RETRY_MS = 3000;
let running = false;
let again = false;

function renew(shown, news) {
  drawClocks(news);
  const parts = shown.dataset.key !== undefined && shown.dataset.key === news.dataset.key;
  // Only what differs: a screen reader reads out every change.
  if (parts || news.innerHTML === shown.innerHTML) return;
  const focused = shown.contains(document.activeElement) ? document.activeElement.id : "";
  if (news.dataset.key !== undefined) shown.dataset.key = news.dataset.key;
  shown.replaceChildren(...news.childNodes);
  if (focused) document.getElementById(focused)?.focus();
}

function take(fresh) {
  document.title = fresh.title;
  const icon = fresh.querySelector("link[rel=icon]");
  document.querySelector("link[rel=icon]").href = icon.href;
  for (const shown of document.querySelectorAll("[data-live]")) {
    // A part that went with the one around it is not there any more.
    const news = shown.isConnected && fresh.querySelector(`[data-live="${CSS.escape(shown.dataset.live)}"]`);
    if (news) renew(shown, news);
  }
  document.dispatchEvent(new CustomEvent("hpchub:fresh"));
}

// Fetches the page; gives false while there is nothing to show, because the hub or the network is away.
async function look() {
  const address = window.location.href;
  let answer;
  try {
    const headers = { "X-XSRFToken": document.querySelector("meta[name=hpchub-xsrf]").content };
    answer = await fetch(address, { headers, redirect: "manual" });
  } catch {
    return false;
  }
  // While the hub restarts the proxy answers in its place.
  if ([502, 503, 504].includes(answer.status)) return false;
  const same = answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
  // The page has another address by now, and what is asked for that comes after this.
  if (window.location.href !== address) return true;
  const here = document.querySelector("[data-page]").dataset.page;
  if (same?.querySelector("[data-page]")?.dataset.page === here) take(same);
  // Another page by now: the notebook, or why there is none.
  else window.location.reload();
  return true;
}

// Brings the page up to date now; what is asked for meanwhile is done after it.
export async function refresh() {
  again = true;
  if (running) return;
  running = true;
  while (again) {
    again = false;
    while (!(await look())) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
  running = false;
}
