// Keys that a browser, a window manager or an on-screen keyboard keeps for itself: pressed once, together, or held down.
import { desktop, focusDesktop, rfb } from "./connection.js";

const panel = document.getElementById("keys");
const CONTROL = [0xffe3, "ControlLeft"];
const ALT = [0xffe9, "AltLeft"];
const HELD = { Ctrl: CONTROL, Alt: ALT, Shift: [0xffe1, "ShiftLeft"], Win: [0xffeb, "MetaLeft"] };
const TAB = [0xff09, "Tab"];
const DELETE = [0xffff, "Delete"];
const PRESSED = {
  Esc: [[0xff1b, "Escape"]],
  Tab: [TAB],
  Win: [HELD.Win],
  Del: [DELETE],
  Home: [[0xff50, "Home"]],
  End: [[0xff57, "End"]],
  "Page up": [[0xff55, "PageUp"]],
  "Page down": [[0xff56, "PageDown"]],
  "←": [[0xff51, "ArrowLeft"]],
  "↑": [[0xff52, "ArrowUp"]],
  "↓": [[0xff54, "ArrowDown"]],
  "→": [[0xff53, "ArrowRight"]],
};
const TOGETHER = {
  "Ctrl Alt Del": [CONTROL, ALT, DELETE],
  "Alt Tab": [ALT, TAB],
  "Alt F4": [ALT, [0xffc1, "F4"]],
};
const FUNCTIONS = Object.fromEntries(
  Array.from({ length: 12 }, (_, i) => [`F${i + 1}`, [[0xffbe + i, `F${i + 1}`]]]),
);
const SPOKEN = { "←": "Left", "↑": "Up", "↓": "Down", "→": "Right" };

function press(keys) {
  for (const key of keys) rfb.sendKey(...key, true);
  for (const key of keys.toReversed()) rfb.sendKey(...key, false);
  for (const button of heldButtons()) toggle(button); // as on a keyboard: held for the one key that follows
}

function toggle(button) {
  const isHeld = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(isHeld));
  rfb.sendKey(...HELD[button.textContent], isHeld);
}

const heldButtons = () => [...panel.querySelectorAll("[aria-pressed=true]")];

function group(label, names, act, isHeld = false) {
  const row = document.createElement("p");
  row.className = "row";
  row.setAttribute("role", "group");
  row.setAttribute("aria-label", label);
  for (const name of names) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    if (name in SPOKEN) button.setAttribute("aria-label", SPOKEN[name]);
    if (isHeld) button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => act(button, name));
    row.append(button);
  }
  const heading = document.createElement("h2");
  heading.textContent = label;
  panel.append(heading, row);
}

group("Hold", Object.keys(HELD), toggle, true);
group("Press", Object.keys(PRESSED), (_, name) => press(PRESSED[name]));
group("Together", Object.keys(TOGETHER), (_, name) => press(TOGETHER[name]));
group("Functions", Object.keys(FUNCTIONS), (_, name) => press(FUNCTIONS[name]));

// Pressed by a finger or a mouse, they leave the focus to the on-screen keyboard, or give it to the desktop.
panel.addEventListener("mousedown", (event) => {
  event.preventDefault();
  if (document.activeElement.id !== "typed") focusDesktop();
});
panel.addEventListener("close", () => heldButtons().forEach(toggle));
desktop.addEventListener("disconnected", () => {
  for (const button of heldButtons()) button.setAttribute("aria-pressed", "false");
});
