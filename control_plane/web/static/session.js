// One session: its progress, the application in a frame, its time, its log, its end.

import { drop, enter, hold, isEntered, showBar } from "./frame.js";
import { ask, follow, say } from "./portal.js";
import { renew } from "./renew.js";
import "./sharing.js";
import { start, stop } from "./sessions.js";
import { keepTime } from "./time_left.js";
import "./told.js";
import { _ } from "./words.js";

const page = document.body;
const { id, name } = page.dataset;
const at = (element) => document.getElementById(element);
const alert = at("alert");
const offset = Date.parse(page.dataset.now) - Date.now(); // by how much the portal's clock is ahead
const now = () => Date.now() + offset;
const STEPS = { "Starting.": _("Starting."), "The container runs.": _("The container runs.") };
const THEN = { "The container runs.": _("The application gets ready…") };
// What of the page the portal writes anew whenever something has happened.
const PARTS = ["state", "time", "messages", "warning", "ended", "entering"];
let leaving = false;
let isOld = false; // what the frame shows is of an address that is closed

function show() {
  const { state } = page.dataset;
  if (state === "ready") open();
  else if (state !== "starting") leave(state);
}

function open() {
  if (isEntered() && !isOld) hold();
  else enter();
  isOld = false;
}

function leave(state) {
  showBar(true);
  isOld = true;
  if (state === "apart") return;
  drop();
  if (state === "stopping") return;
  unfollow();
  if (!at("ended").contains(document.activeElement)) at("ended-title").focus();
}

function addStep(message, seconds) {
  const sentence = STEPS[message] ?? message;
  at("doing").textContent = THEN[message] ?? at("doing").textContent;
  const steps = at("steps");
  const plain = (text) => text.trim().replace(/\.$/, "");
  const told = [...steps.children].map((step) => plain(step.firstElementChild.textContent));
  if (told.includes(plain(sentence))) return; // a stream that begins anew tells the present again
  const step = steps.lastElementChild.cloneNode(true);
  step.firstElementChild.textContent = sentence;
  step.lastElementChild.textContent = `${seconds.toFixed(1)} s`;
  steps.append(step);
}

function hear({ state, message, by, at: time }, number) {
  if (leaving && state === "stopped") return; // by one's own wish: the catalogue comes next
  const seconds = (Date.parse(time) - Date.parse(page.dataset.created)) / 1000;
  if (state === "starting" && !by) addStep(message, Math.max(0, seconds));
  else if (number > Number(page.dataset.told)) look(); // a stream begins with what the page shows
}

let looking = Promise.resolve();

/** Show the page as the portal has it now; one look after the other. */
function look() {
  looking = looking.then(lookNow).catch((problem) => say(alert, problem.message));
  return looking;
}

async function lookNow() {
  const before = page.dataset.state;
  await renew(PARTS);
  count();
  if (page.dataset.state !== before) show();
}

/** Run something; what goes wrong with it is told on the page. */
async function attempt(button, act) {
  say(alert, "");
  button.disabled = true;
  try {
    await act();
  } catch (problem) {
    say(alert, problem.message);
  }
  button.disabled = false;
}

async function end() {
  try {
    if (await stop(name, id, () => { leaving = true; })) location.assign("/");
  } catch (problem) {
    leaving = false;
    await look();
    throw problem;
  }
}

async function extend() {
  await ask("POST", `/sessions/${id}/extend`, { seconds: Number(page.dataset.longest) });
  await look();
  at("warning-said").textContent = _("It was extended: {left}.", { left: at("left-text")?.textContent });
  hold();
}

async function readLog() {
  const log = at("log");
  log.textContent ||= _("Reading…");
  try {
    log.textContent = (await ask("GET", `/sessions/${id}/log?tail=200`)) ?? _("It has written nothing yet.");
  } catch (problem) {
    log.textContent = problem.message;
  }
  log.scrollTop = log.scrollHeight;
}

const startAgain = () => start(name, JSON.parse(page.dataset.again));

// What the forms do without scripts, done here without leaving the page.
document.addEventListener("submit", (event) => {
  const form = event.target;
  const act = form.matches(".extend") ? extend : form.matches("#restart") ? startAgain : null;
  if (!act) return;
  event.preventDefault();
  attempt(form.querySelector("button"), act);
});
at("stop").addEventListener("click", (event) => { event.preventDefault(); attempt(at("stop"), end); });
at("show-log").addEventListener("click", (event) => {
  event.preventDefault();
  at("log-dialog").showModal();
  readLog();
});
at("refresh-log").addEventListener("click", readLog);
at("close-log").addEventListener("click", () => at("log-dialog").close());

setInterval(() => {
  at("seconds").textContent = Math.floor((now() - Date.parse(page.dataset.created)) / 1000);
}, 500);
const count = keepTime(now);
const unfollow = follow(`/sessions/${id}/events`, { hear });
show();
