// One session: its progress, the application in a frame, its log, its end.

import { ask, capital, follow, say } from "./portal.js";
import { start, stop } from "./sessions.js";

const page = document.body;
const { id, name, path } = page.dataset;
const at = (element) => document.getElementById(element);
const frame = at("application");
const alert = at("alert");
const title = document.title;
const arrived = performance.now() - 1000 * Number(page.dataset.age);
let leaving = false;
let failures = 0;

function show(state) {
  page.dataset.state = state;
  document.querySelector(".bar .state").textContent = capital(state);
  document.title = state === "ready" ? title : `${capital(state)}: ${title}`;
  if (state === "ready") enter();
  else if (state !== "starting") leave(state);
}

function enter() {
  frame.addEventListener("load", hold);
  if (frame.getAttribute("src")) hold();
  else frame.src = path;
}

/** Give the keyboard to the application. */
function hold() {
  if (!document.querySelector("dialog[open]")) frame.focus();
  try {
    frame.contentWindow.addEventListener("keydown", leadBack, true);
    failures = 0;
  } catch {
    // Not ours: the browser's own error page, since the network failed while it loaded.
    if (failures++ < 5) setTimeout(() => { frame.src = path; }, 500 * failures);
  }
}

async function leave(state) {
  const words = { stopping: "is stopping", stopped: "has ended", failed: "has failed" };
  frame.remove();
  showBar(true);
  at("ended-title").textContent = `${name} ${words[state]}`;
  at("again").disabled = state === "stopping";
  if (state === "stopping") return;
  unfollow();
  if (!at("ended").contains(document.activeElement)) at("ended-title").focus();
  try {
    explain(await ask("GET", `/sessions/${id}`));
  } catch (problem) {
    say(alert, problem.message);
  }
}

function explain({ failure, ends_because: because }) {
  at("reason").textContent = failure?.message ?? capital(because);
  at("tail").textContent = failure?.log_tail ?? "";
  at("tail-box").hidden = !failure?.log_tail;
}

function addStep(sentence, seconds) {
  const plain = (text) => text.trim().replace(/\.$/, "");
  const told = [...at("steps").children].map((step) => plain(step.firstElementChild.textContent));
  if (told.includes(plain(sentence))) return; // a stream that begins anew tells the present again
  const step = at("steps").lastElementChild.cloneNode(true);
  step.firstElementChild.textContent = sentence;
  step.lastElementChild.textContent = `${seconds.toFixed(1)} s`;
  at("steps").append(step);
}

function hear({ state, message, at: time }) {
  if (leaving && state === "stopped") return; // by one's own wish: the catalogue comes next
  const seconds = (Date.parse(time) - Date.parse(page.dataset.created)) / 1000;
  if (state === "starting") addStep(message, Math.max(0, seconds));
  if (state !== page.dataset.state) show(state);
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
    show((await ask("GET", `/sessions/${id}`)).state);
    throw problem;
  }
}

async function readLog() {
  const log = at("log");
  log.textContent ||= "Reading…";
  try {
    log.textContent = (await ask("GET", `/sessions/${id}/log?tail=200`)) ?? "It has written nothing yet.";
  } catch (problem) {
    log.textContent = problem.message;
  }
  log.scrollTop = log.scrollHeight;
}

function showBar(shown) {
  page.classList.toggle("without-bar", !shown);
}

function toggleFullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen();
}

document.addEventListener("fullscreenchange", () => {
  const full = Boolean(document.fullscreenElement);
  showBar(!full);
  // Escape belongs to the desktop then; held down it still leaves the full screen.
  if (full) navigator.keyboard?.lock?.().catch(() => {});
  else navigator.keyboard?.unlock?.();
  if (full) frame.focus();
});

/** A desktop takes every key, Tab too; one chord is kept as the way back to the bar. */
function leadBack(event) {
  if (event.key !== "Home" || !event.ctrlKey || !event.altKey) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  showBar(true);
  at("back").focus();
}

at("stop").addEventListener("click", () => attempt(at("stop"), end));
at("again").addEventListener("click", () =>
  attempt(at("again"), () => start(name, JSON.parse(page.dataset.again))));
at("full-screen").addEventListener("click", toggleFullScreen);
at("hide-bar").addEventListener("click", () => { showBar(false); frame.focus(); });
at("show-bar").addEventListener("click", () => { showBar(true); at("hide-bar").focus(); });
at("show-log").addEventListener("click", () => { at("log-dialog").showModal(); readLog(); });
at("refresh-log").addEventListener("click", readLog);
at("close-log").addEventListener("click", () => at("log-dialog").close());

setInterval(() => {
  at("seconds").textContent = Math.floor((performance.now() - arrived) / 1000);
}, 500);
const unfollow = follow(`/sessions/${id}/events`, { hear });
show(page.dataset.state);
