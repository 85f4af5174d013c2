// Draws the server's <time> elements again: clocks in the reader's zone, ages as they grow.
const language = document.documentElement.lang;
// As on the server: the day before the month, and 24 hours.
const locale = language === "en" ? "en-GB" : language;
const SHORT = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const LONG = { day: "numeric", month: "short", ...SHORT };
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const relative = new Intl.RelativeTimeFormat(locale);

function age(moment) {
  const seconds = Math.max(Math.round((Date.now() - moment) / 1000), 1);
  const [unit, size] = UNITS.find(([, size]) => seconds >= size);
  return relative.format(-Math.floor(seconds / size), unit);
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function drawClocks(root) {
  for (const element of root.querySelectorAll("time[data-clock]")) {
    const moment = new Date(element.dateTime);
    const today = moment.toDateString() === new Date().toDateString();
    write(element, moment.toLocaleString(locale, today ? SHORT : LONG));
  }
  for (const element of root.querySelectorAll("time[data-age]")) write(element, age(new Date(element.dateTime)));
}

setInterval(() => drawClocks(document), 5000);
