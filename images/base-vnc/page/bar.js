// The bar of tools: a tab at the top edge opens it, Ctrl Alt End does from anywhere, Escape and a click beside it close it.
import { focusDesktop } from "./connection.js";
import { isFramed } from "./frame.js";

const tab = document.getElementById("tab");
const bar = document.getElementById("bar");
const fullScreen = document.getElementById("full-screen");
const panels = [...bar.querySelectorAll("section")];
const opener = (panel) => document.getElementById(`show-${panel.id}`);

/** Open the bar, and the panel with this id, or no panel. */
export function open(id = "") {
  bar.hidden = false;
  tab.setAttribute("aria-expanded", "true");
  for (const panel of panels) {
    const shown = panel.id === id;
    opener(panel).setAttribute("aria-expanded", String(shown));
    if (panel.hidden !== shown) continue;
    panel.hidden = !shown;
    panel.dispatchEvent(new Event(shown ? "open" : "close"));
  }
}

export function close() {
  open();
  bar.hidden = true;
  tab.setAttribute("aria-expanded", "false");
}

function leave() {
  close();
  focusDesktop();
}

function enter() {
  open();
  [...bar.querySelectorAll("button")].find((button) => button.checkVisibility()).focus();
}

function stepBack() {
  const panel = panels.find((one) => !one.hidden);
  if (!panel) return leave();
  open();
  opener(panel).focus();
}

for (const panel of panels) {
  opener(panel).addEventListener("click", () => open(panel.hidden ? panel.id : ""));
}
tab.addEventListener("click", ({ detail }) => (detail === 0 ? enter() : open())); // 0: by the keyboard, whose focus follows
document.getElementById("close").addEventListener("click", leave);
// The body has the focus when what had it is gone, such as a finished upload's button.
addEventListener("keydown", ({ key }) => {
  const focus = document.activeElement;
  if (key === "Escape" && !bar.hidden && (focus === document.body || bar.contains(focus))) stepBack();
});
// Special keys are wanted together with the desktop, so their panel stays.
document.getElementById("screen").addEventListener("pointerdown", () => {
  if (document.getElementById("keys").hidden) close();
}, true);

// In a frame, Ctrl Alt Home is the portal's, which may not listen here and is told; in a tab of its own the page
// answers it like Ctrl Alt End.
addEventListener("keydown", (event) => {
  if (!["End", "Home"].includes(event.key) || !event.ctrlKey || !event.altKey) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (event.key === "Home" && isFramed) parent.postMessage({ remoteapp: "bar" }, "*");
  else enter();
}, true);

fullScreen.hidden = isFramed || !document.fullscreenEnabled;
fullScreen.addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen();
});
document.addEventListener("fullscreenchange", () => {
  const isFull = Boolean(document.fullscreenElement);
  fullScreen.setAttribute("aria-pressed", String(isFull));
  // Alt Tab, the Windows key and Escape belong to the desktop then; Escape held down still leaves.
  if (isFull) navigator.keyboard?.lock?.().catch(() => {});
  else navigator.keyboard?.unlock?.();
  if (isFull) leave();
});
