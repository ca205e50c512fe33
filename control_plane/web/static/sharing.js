// Sharing from a session's page: the page of its shares in a dialog, and who is watching in the bar.
// Both are the portal's own page, fetched again: what is said there is said here.

import { adopt } from "./adopt.js";
import { arm } from "./copy.js";
import { say } from "./portal.js";
import { _ } from "./words.js";

const EVERY = 2000; // ms between two looks at who is there
const at = (id) => document.getElementById(id);
const path = `/sessions/${document.body.dataset.id}/share`;
const button = at("share");
const dialog = at("share-dialog");
let timer = 0;

async function fetched(address, options = {}) {
  const answer = await fetch(address, { cache: "no-store", ...options, headers: { Accept: "text/html" } });
  if (new URL(answer.url).pathname === "/login") return location.assign(answer.url);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("sharing");
  if (!fresh) throw new Error(page.querySelector("h1")?.textContent);
  return fresh;
}

/** Do something with the portal's page; when it does not come, say why. */
async function attempt(act) {
  say(at("share-alert"), "");
  try {
    await act();
  } catch (problem) {
    const isOurs = problem instanceof Error && !(problem instanceof TypeError) && problem.message;
    say(at("share-alert"), isOurs ? problem.message : _("The portal does not answer. Try again in a moment."));
  }
}

/** Show the whole page anew. */
function show(fresh) {
  at("sharing").replaceWith(document.adoptNode(fresh));
  arm(at("sharing"));
  count(at("sharing"));
  document.dispatchEvent(new Event("remoteapp:replaced"));
}

function count({ dataset: { shared, watching } }) {
  button.dataset.shared = shared;
  const told = Number(watching) ? _("{count} watching", { count: watching }) : "";
  at("watching").dataset.count = watching;
  if (at("watching").textContent !== told) at("watching").textContent = told;
  button.ariaLabel = told ? `${_("Share")}, ${told}` : _("Share");
}

/** Look who is there, while something is shared or looked at. */
async function look() {
  clearTimeout(timer);
  const wanted = dialog.open || Number(button.dataset.shared) > 0;
  if (wanted && !document.hidden && document.body.dataset.state === "ready") {
    const fresh = await fetched(path).catch(() => null);
    if (fresh) {
      const list = at("shares");
      if (list) {
        adopt(list, fresh.querySelector("#shares"));
        document.dispatchEvent(new Event("remoteapp:replaced"));
      }
      count(fresh);
    }
  }
  timer = setTimeout(look, EVERY);
}

async function open() {
  dialog.showModal();
  await attempt(async () => show(await fetched(path)));
  at("sharing").querySelector("select, a, button")?.focus();
}

async function send(form) {
  const pressed = form.querySelector("button[type=submit]");
  pressed.disabled = true;
  const options = { method: "POST", body: new URLSearchParams(new FormData(form)) };
  await attempt(async () => show(await fetched(form.action, options)));
  pressed.disabled = false;
  const next = [".wrong :is(input, select)", "#link", "[role=status][tabindex]", "#close-share"];
  next.map((one) => dialog.querySelector(one)).find(Boolean).focus();
}

button.addEventListener("click", (event) => { event.preventDefault(); open(); });
at("close-share").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => {
  at("link")?.closest("section").remove(); // it is shown once
  button.focus();
});
dialog.addEventListener("submit", (event) => {
  event.preventDefault();
  send(event.target);
});
look();
