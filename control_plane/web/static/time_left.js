// How long a session may run yet: counted down in its bar, and warned of before its end.

import { _ } from "./words.js";

const page = document.body;
const at = (id) => document.getElementById(id);
const SPOKEN = [10, 5, 2, 1]; // minutes; a screen reader is told at these alone
const LAST = 2; // minutes before the end at which a warning that was closed comes back
let closed = "";

/** Count down from now on; `now` returns the portal's time in ms. Returns what does it at once. */
export function keepTime(now) {
  const tick = () => count((Date.parse(page.dataset.ends) - now()) / 1000);
  at("over").addEventListener("click", (event) => {
    if (event.target.closest("#hide-warning")) close();
  });
  setInterval(tick, 1000);
  tick();
  return tick;
}

function count(seconds) {
  const counts = page.dataset.state === "ready" && !isNaN(seconds);
  const near = counts && seconds <= Number(page.dataset.warning);
  const minutes = Math.ceil(seconds / 60);
  if (counts) write(at("left-text"), left(minutes));
  warn(near, minutes);
}

function warn(near, minutes) {
  const warning = at("warning");
  const phase = `${page.dataset.ends} ${minutes <= LAST}`;
  warning.dataset.phase = phase;
  page.classList.toggle("ends-soon", near);
  warning.hidden = !near || closed === phase;
  write(at("warning-text"), near ? sentence(minutes) : "");
  speak(near ? SPOKEN.findLast((one) => minutes <= one) ?? SPOKEN[0] : "");
}

function sentence(minutes) {
  const words = { name: page.dataset.name, minutes };
  return minutes > 1
    ? _("{name} ends in {minutes} min. What is not saved in it is lost then.", words)
    : _("{name} ends in less than a minute. What is not saved in it is lost then.", words);
}

function speak(step) {
  const said = at("warning-said");
  if (said.dataset.step === String(step)) return;
  said.dataset.step = step;
  said.textContent = at("warning-text").textContent;
}

function close() {
  closed = at("warning").dataset.phase;
  at("warning").hidden = true;
  at("application").focus();
}

function left(minutes) {
  const hours = Math.floor(minutes / 60);
  if (hours >= 24) return _("{days} d {hours} h left", { days: Math.floor(hours / 24), hours: hours % 24 });
  if (hours) return _("{hours} h {minutes} min left", { hours, minutes: minutes % 60 });
  if (minutes > 1) return _("{minutes} min left", { minutes });
  return minutes === 1 ? _("Less than a minute left") : _("Its time is over");
}

/** Write a text where it is another: what stays is neither drawn nor read again. */
function write(place, text) {
  if (place && place.textContent !== text) place.textContent = text;
}
