// One clipboard for the desktop and for the device. Browsers differ in what they allow: writing without a gesture (Chromium),
// within one (Firefox, Safari), reading once permitted (Chromium), reading when the person pastes (all). Each is used where it
// works, and the panel shows and takes the text where nothing does.
import { mayControl } from "./access.js";
import { desktop, rfb } from "./connection.js";

const panel = document.getElementById("clipboard");
const text = document.getElementById("text");
const copied = document.getElementById("copied");
const allow = document.getElementById("allow");
const INSERT = 0xff63;
const PASTE_PATIENCE = 100; // ms until a browser that does not tell of a paste is taken not to
let common = ""; // what both sides have
let waiting = null; // what the browser has not taken from the desktop yet
let pasting;

async function copyToDevice() {
  const wanted = waiting;
  try {
    await navigator.clipboard.writeText(wanted);
    if (waiting === wanted) waiting = null;
  } catch {
    // Not without a gesture, or without the focus: the next gesture tries again.
  }
}

function copyToDesktop(wanted) {
  if (wanted === "" || wanted === common) return;
  common = text.value = wanted;
  waiting = null;
  rfb.clipboardPasteFrom(wanted);
}

async function readDevice() {
  copyToDesktop(await navigator.clipboard.readText());
}

/** Read the device's clipboard if that asks no question. */
async function readIfAllowed() {
  const permission = await readingPermission();
  allow.hidden = permission !== "prompt";
  if (permission === "granted") await readDevice().catch(() => {}); // the page has lost the focus again
}

async function readingPermission() {
  try {
    return (await navigator.permissions.query({ name: "clipboard-read" })).state;
  } catch {
    return "unknown"; // Firefox and Safari ask at each reading, so only a paste is read
  }
}

desktop.addEventListener("clipboard", async ({ detail }) => {
  if (!(await mayControl)) return; // a viewer's clipboard is not the owner's to fill
  common = waiting = text.value = detail;
  copied.textContent = "";
  copyToDevice();
});
desktop.addEventListener("connected", () => {
  common = ""; // it may be another desktop by now
  readIfAllowed();
});
addEventListener("focus", readIfAllowed);
addEventListener("blur", ({ isTrusted }) => {
  if (isTrusted) waiting = null; // what is copied elsewhere from now on is newer
});
for (const gesture of ["pointerup", "keydown", "keyup"]) {
  addEventListener(gesture, () => waiting !== null && copyToDevice(), true);
}

function isPaste({ key, ctrlKey, shiftKey, altKey, metaKey }) {
  if (altKey || metaKey) return false;
  return ctrlKey ? key === "v" || key === "V" : shiftKey && key === "Insert";
}

// noVNC would swallow these keys; left to the browser, they make it tell the page what is on the device's clipboard.
addEventListener("keydown", (event) => {
  if (event.target.tagName !== "CANVAS" || !isPaste(event)) return;
  event.stopImmediatePropagation();
  const { key, code } = event;
  const press = () => rfb.sendKey(key === "Insert" ? INSERT : key.codePointAt(0), code);
  pasting = { press, timer: setTimeout(press, PASTE_PATIENCE) };
}, true);
addEventListener("paste", (event) => {
  if (!pasting) return;
  event.preventDefault();
  clearTimeout(pasting.timer);
  copyToDesktop(event.clipboardData.getData("text/plain"));
  pasting.press();
  pasting = undefined;
});

panel.addEventListener("open", () => {
  text.focus();
  text.select();
});
text.addEventListener("input", () => copyToDesktop(text.value));
allow.addEventListener("click", () => readDevice().catch(() => {}).finally(readIfAllowed));
document.getElementById("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(text.value);
  } catch {
    text.select();
    document.execCommand("copy"); // where the newer way is barred; it needs the gesture that this is
  }
  copied.textContent = "Copied";
});
