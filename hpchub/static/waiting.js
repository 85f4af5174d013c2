// The waiting page: each event of the session's stream is a reason to look again.
import { refresh } from "./live.js";

const SILENCE_MS = 10000;
const AGAIN_MS = 2000;
const page = document.querySelector("[data-progress-url]");
let stream;
let silence;

function heard(event) {
  clearTimeout(silence);
  silence = setTimeout(listen, SILENCE_MS);
  const news = JSON.parse(event.data);
  if (news.ready) tell(page.dataset.readyText);
  else if (news.failed) tell(page.dataset.failedText);
  if (news.ready || news.failed) leave();
  else refresh();
}

// The proxy may hold a stream open whose hub has died, so silence is answered by a new stream, which begins with the
// present state.
function listen() {
  stream?.close();
  stream = new EventSource(page.dataset.progressUrl);
  stream.onmessage = heard;
  // A broken connection is opened again by the browser, a refused one is not.
  stream.onerror = () => {
    if (stream.readyState === EventSource.CLOSED) leave();
  };
  clearTimeout(silence);
  silence = setTimeout(listen, SILENCE_MS);
}

function leave() {
  stream.close();
  clearTimeout(silence);
  refresh();
  // Still here: the hub is not there, or not yet where its event says.
  silence = setTimeout(listen, AGAIN_MS);
}

const wish = document.getElementById("hpchub-notify");

function tell(text) {
  if (wish?.getAttribute("aria-pressed") === "true" && document.hidden) {
    new Notification(document.title, { body: text, icon: page.dataset.icon, tag: page.dataset.progressUrl });
  }
}

// Browsers let a page ask only after a click; without a secure connection there is no Notification at all.
if (wish && "Notification" in window && Notification.permission !== "denied") {
  wish.hidden = false;
  wish.addEventListener("click", async () => {
    const wanted = wish.getAttribute("aria-pressed") !== "true";
    const allowed = wanted && (await Notification.requestPermission()) === "granted";
    wish.setAttribute("aria-pressed", String(allowed));
    document.getElementById("hpchub-notify-refused").hidden = !wanted || allowed;
  });
}

listen();
