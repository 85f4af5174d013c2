// A page that changes by itself for some time, such as a list with a session that is stopping.
import { refresh } from "./live.js";

const EVERY_MS = 2000;
setInterval(() => {
  if (document.querySelector("[data-changing]")) refresh();
}, EVERY_MS);
