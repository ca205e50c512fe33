// The catalogue: start, stop, dismiss, search; what runs is kept true while the page is open.

import { browse } from "./browse.js";
import { ask, choose, follow, say } from "./portal.js";
import { renew } from "./renew.js";
import { stop } from "./sessions.js";
import { written } from "./times.js";
import "./told.js";
import { _, stateOf } from "./words.js";

const cards = [...document.querySelectorAll(".application")];
const others = document.getElementById("others");

function placeOf(grant) {
  return document.querySelector(`.sessions[data-grant="${CSS.escape(grant)}"]`)
    ?? others.querySelector(".sessions");
}

function fill(row, session) {
  const failed = session.state === "failed";
  row.dataset.id = session.id;
  row.dataset.state = session.state;
  row.querySelector(".state").textContent = stateOf(session.state);
  row.querySelector("time").dateTime = session.created_at;
  row.querySelector(".reason").textContent = session.failure?.message ?? "";
  const link = row.querySelector("a");
  link.href = `/sessions/${session.id}`;
  link.textContent = failed ? _("Details") : _("Open");
  const form = row.querySelector("form");
  form.action = `/sessions/${session.id}/stop`;
  form.method = failed ? "post" : "get";
  form.querySelector("button").textContent = failed ? _("Dismiss") : _("Stop");
  complete(row);
}

/** Write what only a browser knows (the local time), and names that tell rows apart. */
function complete(row) {
  const time = row.querySelector("time");
  time.textContent = written(time.dateTime);
  const values = { name: nameOf(row), time: time.textContent };
  for (const control of row.querySelectorAll("a, button")) {
    const what = control.textContent;
    control.setAttribute("aria-label", _("{what} {name}, since {time}", { what, ...values }));
  }
}

const nameOf = (row) => row.closest(".application")?.dataset.name ?? _("the session");

function show(session) {
  const place = placeOf(session.grant_id);
  let row = place.querySelector(`[data-id="${CSS.escape(session.id)}"]`);
  if (!row) {
    row = document.getElementById("row").content.firstElementChild.cloneNode(true);
    place.append(row);
  }
  fill(row, session);
}

/** A row that goes, or whose buttons do, leaves the keyboard with what comes next. */
function passFocusOn(row) {
  if (!row.contains(document.activeElement)) return;
  const start = row.closest(".card").querySelector(".start .primary");
  (start ?? document.getElementById("content")).focus();
}

function remove(row) {
  passFocusOn(row);
  row.remove();
}

/** Show what others share, where that has changed. */
function showShared(found) {
  const shown = [...document.querySelectorAll("[data-shared]")].map((row) => `${row.dataset.shared} ${row.dataset.access}`);
  const now = found.map((one) => `${one.id} ${one.access}`);
  if (shown.sort().join() !== now.sort().join()) renew(["shared"]).catch(() => {});
}

async function refresh() {
  const { items: every } = await ask("GET", "/sessions");
  const isShared = ({ access }) => access === "view" || access === "control";
  const items = every.filter((one) => !isShared(one));
  showShared(every.filter(isShared));
  const living = new Set(items.map((one) => one.id));
  items.forEach(show);
  for (const row of document.querySelectorAll(".session[data-id]")) {
    if (!living.has(row.dataset.id)) remove(row);
  }
  others.hidden = !others.querySelector(".session");
}

// Many events in a moment make one question.
let asked = 0;
function refreshSoon() {
  clearTimeout(asked);
  asked = setTimeout(() => refresh().catch(() => {}), 50);
}

async function end(row) {
  const alert = row.closest(".card").querySelector("[role=alert]");
  say(alert, "");
  try {
    if (row.dataset.state === "failed") await ask("DELETE", `/sessions/${row.dataset.id}`);
    else await stop(nameOf(row), row.dataset.id, () => { passFocusOn(row); row.dataset.state = "stopping"; });
  } catch (problem) {
    say(alert, problem.message);
  }
  refreshSoon();
}

// For a desktop that cannot follow the window: what a session's page leaves below its bar, within what may be asked.
function sizeOfSessions() {
  const bar = 44;
  const within = (least, value, most) => Math.min(Math.max(least, Math.floor(value)), most);
  return `${within(320, innerWidth, 7680)}x${within(200, innerHeight - bar, 4320)}`;
}

/** Send the form; where as many run as may, ask first what is to become of them. */
async function begin(form, event) {
  if (event.submitter?.classList.contains("browse")) {
    event.preventDefault();
    const field = form.elements.startup_file;
    browse(form.dataset.grant, field.value, (path) => { field.value = path; field.focus(); });
    return;
  }
  if (form.elements.window) form.elements.window.value = sizeOfSessions();
  const card = form.closest(".card");
  const rows = [...card.querySelectorAll(".session:not([data-state=failed])")];
  if (rows.length < Number(form.dataset.most)) {
    setTimeout(() => hold(form, true)); // after the form was read: pressed twice, it starts once
    return;
  }
  event.preventDefault();
  const choice = await choose(document.getElementById("conflict-dialog"), card.dataset.name);
  if (choice === "open") location.assign(`/sessions/${rows.at(-1).dataset.id}`);
  if (choice === "replace") replace(form);
}

function replace(form) {
  const field = document.createElement("input");
  field.type = "hidden";
  [field.name, field.value] = ["instead", "on"];
  form.append(field);
  form.submit();
}

const hold = (form, held) => { form.querySelector("fieldset").disabled = held; };

function showCustom(form) {
  const isCustom = form.elements.resolution.value === "custom";
  for (const input of form.querySelectorAll(".custom input")) input.disabled = !isCustom;
}

let category = document.querySelector(".chip[aria-current]")?.dataset.category ?? "";
const search = document.getElementById("search");

/** Show what fits the words and the category; each word may stand anywhere. */
function filter() {
  const words = (search?.value ?? "").toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const fits = (card) => (!category || card.dataset.category === category)
    && words.every((word) => card.dataset.text.includes(word));
  for (const card of cards) card.hidden = !fits(card);
  const found = document.getElementById("found");
  const count = cards.filter(fits).length;
  const told = _("{count} of {all}", { count, all: cards.length });
  if (!words.length && !category) found.replaceChildren();
  else found.textContent = count ? told : _("No application fits.");
}

function listenToSearch() {
  search.addEventListener("input", filter);
  search.form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest("input, textarea, select, dialog")) return;
    event.preventDefault();
    search.focus();
  });
}

function choosesCategory(chip) {
  chip.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    document.querySelector(".chip[aria-current]")?.removeAttribute("aria-current");
    chip.setAttribute("aria-current", "true");
    category = chip.dataset.category;
    filter();
  });
}

for (const form of document.querySelectorAll(".start")) {
  form.addEventListener("submit", (event) => begin(form, event));
  if (!form.elements.resolution) continue;
  form.elements.resolution.addEventListener("change", () => showCustom(form));
  showCustom(form); // a reload keeps what was chosen
}
for (const list of document.querySelectorAll(".sessions")) {
  list.addEventListener("submit", (event) => {
    event.preventDefault();
    end(event.target.closest(".session"));
  });
}
// A page that comes back from the browser's memory was left by a start.
addEventListener("pageshow", () => document.querySelectorAll(".start").forEach((form) => hold(form, false)));
document.querySelectorAll(".session[data-id]").forEach(complete);
document.querySelectorAll(".chip").forEach(choosesCategory);
if (search) listenToSearch();
if (search?.value || category) filter();

function hear({ by }) {
  if (by) renew(["messages"]).catch(() => {});
  else refreshSoon();
}

follow("/sessions", { hear, opened: refreshSoon });
// What others do with theirs is not told here.
setInterval(() => document.hidden || refreshSoon(), 10000);
