// The catalogue: start, stop, dismiss, search; what runs is kept true while the page is open.

import { ask, capital, follow, say } from "./portal.js";
import { renew } from "./renew.js";
import { start, stop } from "./sessions.js";
import { written } from "./times.js";
import "./told.js";

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
  row.querySelector(".state").textContent = capital(session.state);
  row.querySelector("time").dateTime = session.created_at;
  row.querySelector(".reason").textContent = session.failure?.message ?? "";
  const link = row.querySelector("a");
  link.href = `/sessions/${session.id}`;
  link.textContent = failed ? "Details" : "Open";
  const form = row.querySelector("form");
  form.action = `/sessions/${session.id}/stop`;
  form.method = failed ? "post" : "get";
  form.querySelector("button").textContent = failed ? "Dismiss" : "Stop";
  complete(row);
}

/** Write what only a browser knows (the local time), and names that tell rows apart. */
function complete(row) {
  const time = row.querySelector("time");
  time.textContent = written(time.dateTime);
  const name = nameOf(row);
  for (const control of row.querySelectorAll("a, button")) {
    control.setAttribute("aria-label", `${control.textContent} ${name}, since ${time.textContent}`);
  }
}

const nameOf = (row) => row.closest(".application")?.dataset.name ?? "the session";

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
  const start = row.closest(".card").querySelector(".start button");
  (start ?? document.getElementById("content")).focus();
}

function remove(row) {
  passFocusOn(row);
  row.remove();
}

async function refresh() {
  const { items } = await ask("GET", "/sessions");
  const living = new Set(items.map((one) => one.id));
  items.forEach(show);
  for (const row of document.querySelectorAll(".session")) {
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

function optionsOf(form) {
  const { resolution, width, height, startup_file: file } = form.elements;
  const chosen = file?.value ? { startup_file: file.value } : {};
  if (!resolution?.value) return chosen;
  const chosenSize = { custom: `${width.value}x${height.value}`, window: sizeOfSessions() };
  return { ...chosen, resolution: chosenSize[resolution.value] ?? resolution.value };
}

async function begin(form) {
  const card = form.closest(".card");
  const controls = form.querySelector("fieldset");
  const body = { grant_id: form.dataset.grant, options: optionsOf(form) };
  say(card.querySelector("[role=alert]"), "");
  controls.disabled = true;
  try {
    await start(card.dataset.name, body);
  } catch (problem) {
    say(card.querySelector("[role=alert]"), problem.message);
  }
  controls.disabled = false;
  form.querySelector("button").focus();
}

function showCustom(form) {
  const custom = form.querySelector(".custom");
  custom.hidden = form.elements.resolution.value !== "custom";
  for (const input of custom.querySelectorAll("input")) input.disabled = custom.hidden;
}

function filter(search) {
  const wanted = search.value.trim().toLocaleLowerCase();
  const matches = (card) => card.dataset.name.toLocaleLowerCase().includes(wanted);
  for (const card of cards) card.hidden = !matches(card);
  const count = cards.filter(matches).length;
  const sentence = count ? `${count} of ${cards.length}` : "No application has that in its name.";
  document.getElementById("found").textContent = wanted ? sentence : "";
}

function listenToSearch(search) {
  search.addEventListener("input", () => filter(search));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest("input, dialog")) return;
    event.preventDefault();
    search.focus();
  });
  filter(search);
}

for (const form of document.querySelectorAll(".start")) {
  form.addEventListener("submit", (event) => { event.preventDefault(); begin(form); });
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
document.querySelectorAll(".session").forEach(complete);
const search = document.getElementById("search");
if (search) listenToSearch(search);

function hear({ by }) {
  if (by) renew(["messages"]).catch(() => {});
  else refreshSoon();
}

follow("/sessions", { hear, opened: refreshSoon });
