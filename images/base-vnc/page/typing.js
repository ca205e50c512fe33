// The on-screen keyboard of touch devices: it types into a field that nobody sees, and what changes in it is typed again in
// the desktop. Such keyboards do not tell keys; they replace words while one types.
import Keyboard from "@novnc/core/input/keyboard.js";
import keysyms from "@novnc/core/input/keysymdef.js";
import { desktop, focusDesktop, rfb } from "./connection.js";

const field = document.getElementById("typed");
const button = document.getElementById("type");
const BACKSPACE = [0xff08, "Backspace"];
const RETURN = [0xff0d, "Enter"];
const GROUND = "_".repeat(64); // something must be there for Backspace to remove
let before = [];

function reset() {
  field.value = GROUND;
  field.setSelectionRange(GROUND.length, GROUND.length);
  before = [...GROUND];
}

function typed(event) {
  const now = [...field.value];
  let same = 0;
  while (same < before.length && before[same] === now[same]) same += 1;
  for (let i = same; i < before.length; i += 1) rfb.sendKey(...BACKSPACE);
  for (const character of now.slice(same)) {
    rfb.sendKey(...(character === "\n" ? RETURN : [keysyms.lookup(character.codePointAt(0))]));
  }
  before = now;
  if (!event.isComposing) reset(); // in the middle of a word it would confuse the keyboard
}

const keyboard = new Keyboard(field); // for the keys that even such keyboards tell: Enter, arrows, those of a real one
keyboard.onkeyevent = (keysym, code, down) => rfb.sendKey(keysym, code, down);
keyboard.grab();
field.addEventListener("input", typed);
field.addEventListener("compositionend", reset);

field.addEventListener("focus", () => {
  reset();
  button.setAttribute("aria-pressed", "true");
});
field.addEventListener("blur", () => {
  button.setAttribute("aria-pressed", "false");
  dispatchEvent(new Event("blur")); // as in connection.js
});
button.addEventListener("click", () => (document.activeElement === field ? focusDesktop() : field.focus()));
button.hidden = !matchMedia("(any-pointer: coarse)").matches;

// To lose the focus would close the keyboard: the desktop and the buttons are touched without taking it.
function keepOpen() {
  rfb.focusOnClick = document.activeElement !== field;
}
field.addEventListener("focus", keepOpen);
field.addEventListener("blur", keepOpen);
desktop.addEventListener("connected", keepOpen);
addEventListener("mousedown", (event) => {
  if (document.activeElement === field && !event.target.matches("input, select, textarea")) event.preventDefault();
}, true);
