// How a page talks to the portal's API, and to the person in front of it.

import { _ } from "./words.js";

/** An answer that is not a success, with the words that the portal gave. */
export class Problem extends Error {
  constructor(status, body) {
    const fields = (body.errors ?? []).map((one) => `${one.field} ${one.message}.`);
    const told = [body.detail, body.hint, ...fields].filter(Boolean).join(" ");
    super(told || _("The portal answered {status}.", { status }));
    this.status = status;
    this.sessions = body.sessions ?? [];
  }
}

let leaving = false;
addEventListener("beforeunload", () => {
  leaving = true;
  setTimeout(() => { leaving = false; }, 30000); // a download leaves nothing
});

/** Ask the API; returns JSON, text, or null for an empty answer. Throws a Problem. */
export async function ask(method, path, body) {
  const answer = await send(method, path, body);
  if (answer.status === 401) {
    // Whoever has just pressed something, such as "Sign out", is led there and nowhere else.
    if (!leaving) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
    return new Promise(() => {}); // the page is on its way out
  }
  const isJson = /\bjson\b/.test(answer.headers.get("content-type") ?? "");
  const content = isJson ? await answer.json() : await answer.text();
  if (!answer.ok) throw new Problem(answer.status, isJson ? content : {});
  return content || null;
}

const PAUSES = [300, 1000, 3000]; // ms; a network that changes breaks what is under way

async function send(method, path, body) {
  const options = { method };
  if (body) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  // Asked twice, a start would start twice; the others may be.
  for (const pause of method === "POST" ? [0] : [...PAUSES, 0]) {
    try {
      return await fetch(`/api/v1${path}`, options);
    } catch {
      if (pause) await new Promise((done) => setTimeout(done, pause));
    }
  }
  throw new Problem(0, { detail: _("The portal does not answer."), hint: _("Try again in a moment.") });
}

/** Hear what happens to sessions, for as long as the page lives; returns what ends it. */
export function follow(path, { hear, opened = () => {} }) {
  let source, timer, pause = 1000;
  const open = () => {
    source = new EventSource(`/api/v1${path}`);
    source.addEventListener("open", () => { pause = 1000; opened(); });
    source.addEventListener("state", (event) => hear(JSON.parse(event.data), Number(event.lastEventId)));
    // A browser gives up for good on an answer such as 503, so the page itself tries again.
    source.addEventListener("error", () => {
      source.close();
      ask("GET", "/me").catch(() => {}); // leads to the sign-in page when that has ended
      timer = setTimeout(open, pause * (0.5 + Math.random()));
      pause = Math.min(pause * 2, 15000);
    });
  };
  open();
  return () => { clearTimeout(timer); source.close(); };
}

/** Show a sentence in a place that screen readers read out; an empty one takes it away. */
export function say(place, sentence) {
  const line = document.createElement("p");
  line.className = "alert";
  line.textContent = sentence;
  place.replaceChildren(...(sentence ? [line] : []));
}

/** Open a dialog about something of that name; returns the value of the button pressed. */
export function choose(dialog, name) {
  dialog.querySelector("[data-name]").textContent = name;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener("close", () => done(dialog.returnValue), { once: true });
  });
}

/** Write a state as people read it. */
export const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);
