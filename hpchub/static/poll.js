// A page that changes by itself for some time, such as a list with a session that is stopping.
import { refresh } from "./live.js";

// What many people have open at once changes more seldom: data-changing="3" is each third time.
const EVERY_MS = 2000;
let turn = 0;
setInterval(() => {
  turn += 1;
  const changing = document.querySelector("[data-changing]");
  if (changing && turn % (Number(changing.dataset.changing) || 1) === 0) refresh();
}, EVERY_MS);
