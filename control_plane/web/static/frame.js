// The application in its frame: entered, given the keyboard, and missed when it does not report in.
// The first page of its origin says that it is there, to this page alone; what cannot be reached or
// is not trusted says nothing.

import { renew } from "./renew.js";

const PATIENCE = 5000; // ms until the visitor is told that it does not report in
const page = document.body;
const at = (id) => document.getElementById(id);
const { origin } = at("frame").dataset;
const isSame = origin === location.origin;
let frame = null;
let arrived = false;
let failures = 0;
let waiting = 0;
let trying = 0;

/** Load the application, afresh or for the first time. */
export async function enter({ again = false } = {}) {
  if (!frame) {
    frame = at("frame").content.firstElementChild.cloneNode(true);
    at("content").append(frame);
    frame.addEventListener("load", loaded);
  }
  arrived = false;
  clearTimeout(waiting);
  waiting = setTimeout(() => miss(true), PATIENCE);
  const ticket = at("entry");
  if (!ticket) frame.src = frame.dataset.src;
  else {
    if (again) await renew(["entering"]).catch(() => {}); // a ticket is taken once
    ticket.submit();
  }
}

/** Give the keyboard to the application. */
export function hold() {
  if (frame && !document.querySelector("dialog[open]")) frame.focus();
}

/** Whether there is an application on the page, in sight or not. */
export const isEntered = () => Boolean(frame);

/** Take the application off the page. */
export function drop() {
  clearTimeout(waiting);
  clearTimeout(trying);
  frame?.remove();
  frame = null;
  miss(false);
}

function loaded() {
  if (!frame.src && !at("entry")) return; // the empty page that every frame begins with
  hold();
  clearTimeout(trying);
  if (isSame) listen();
  // The browser's own error page, since the network failed while it loaded.
  else if (!arrived) trying = setTimeout(() => arrived || tryAgain(), 1000);
}

function listen() {
  try {
    frame.contentWindow.addEventListener("keydown", leadBack, true);
  } catch {
    tryAgain();
  }
}

function tryAgain() {
  if (failures++ < 5) trying = setTimeout(() => enter({ again: true }), 500 * failures);
}

/** Say that it does not report in, or no more. */
function miss(missed) {
  page.classList.toggle("missed", missed);
}

addEventListener("message", (event) => {
  if (!frame || event.origin !== origin || event.source !== frame.contentWindow) return;
  if (event.data?.remoteapp === "arrived") {
    arrived = true;
    failures = 0;
    clearTimeout(waiting);
    miss(false);
  }
  // A desktop of ours tells of the chord itself where this page may not listen.
  if (event.data?.remoteapp === "bar") showWayBack();
});

export function showBar(shown) {
  page.classList.toggle("without-bar", !shown);
}

function showWayBack() {
  showBar(true);
  at("back").focus();
}

/** A desktop takes every key, Tab too; one chord is kept as the way back to the bar. */
function leadBack(event) {
  if (event.key !== "Home" || !event.ctrlKey || !event.altKey) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  showWayBack();
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
  if (full) hold();
});

at("full-screen").addEventListener("click", toggleFullScreen);
at("hide-bar").addEventListener("click", () => { showBar(false); hold(); });
at("show-bar").addEventListener("click", () => { showBar(true); at("hide-bar").focus(); });
at("enter-again").addEventListener("click", () => { failures = 0; miss(false); enter({ again: true }); });
page.classList.add("with-scripts");
