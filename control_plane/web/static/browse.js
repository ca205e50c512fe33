// Choosing a file of one's home in a dialog; without scripts a page does the same.

import { ask, say } from "./portal.js";
import { _ } from "./words.js";

const dialog = document.getElementById("files-dialog");
const part = (selector) => dialog.querySelector(selector);
const KINDS = {
  link: _("Link that leads out of your home"),
  other: _("Neither file nor directory"),
};
let grant = "";
let choose = () => {};
let asked = 0; // what comes late of an earlier question is not shown

/** Let somebody choose a file of the home that an application gets; tells `chosen` its path. */
export function browse(id, file, chosen) {
  [grant, choose] = [id, chosen];
  part(".files").replaceChildren();
  part(".steps").replaceChildren();
  dialog.showModal();
  open(directoryOf(file), true);
}

function directoryOf(file) {
  const below = file.replace(/^\/workspace\//, "");
  return below.startsWith("/") || !below.includes("/") ? "" : below.slice(0, below.lastIndexOf("/"));
}

async function open(path, isGuess = false) {
  const mine = ++asked;
  const list = part(".files");
  list.setAttribute("aria-busy", "true");
  say(part("[role=alert]"), "");
  try {
    const found = await ask("GET", `/applications/${grant}/files?path=${encodeURIComponent(path)}`);
    if (mine === asked) show(found);
  } catch (problem) {
    if (mine !== asked) return;
    if (isGuess && path) { open(""); return; }
    say(part("[role=alert]"), problem.message);
  }
  list.setAttribute("aria-busy", "false");
}

function show({ path, items, cut }) {
  const parts = path ? path.split("/") : [];
  const steps = [step(_("Home"), "", !parts.length)];
  parts.forEach((name, at) => {
    steps.push(" / ", step(name, parts.slice(0, at + 1).join("/"), at === parts.length - 1));
  });
  part(".steps").replaceChildren(...steps);
  part(".files").replaceChildren(...items.map(row));
  part(".notice").hidden = !cut;
  if (!items.length) part(".files").append(told(_("There is nothing here yet.")));
  part(".files button, .steps button").focus();
}

function step(name, path, isHere) {
  const button = pressed(name, () => open(path));
  if (isHere) button.setAttribute("aria-current", "page");
  return button;
}

function row({ name, kind, path }) {
  if (!path) return told(name, KINDS[kind] ?? _("Its name cannot be typed, so it cannot be chosen."), kind);
  const line = document.createElement("li");
  const act = kind === "directory" ? () => open(path) : () => { dialog.close(); choose(path); };
  const button = pressed(name, act);
  button.className = kind;
  line.append(button);
  return line;
}

function pressed(name, act) {
  const button = document.createElement("button");
  const text = document.createElement("bdi");
  button.type = "button";
  text.textContent = name;
  button.append(text);
  button.addEventListener("click", act);
  return button;
}

function told(sentence, why = "", kind = "") {
  const line = document.createElement("li");
  const text = document.createElement("bdi");
  const small = document.createElement("small");
  text.textContent = sentence;
  small.textContent = why;
  line.className = `muted ${kind}`;
  line.append(text, " ", small);
  return line;
}

part(".actions button").addEventListener("click", () => dialog.close());
