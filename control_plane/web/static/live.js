// Keeps sections of a page true while it is open. An element with `data-live` and an id is fetched
// again from the page's own address when something is told at the address that `data-live` holds,
// or every `data-every` seconds, and takes over what is new: row by row, where the rows have an id
// or a `data-key`. What has the focus, is chosen or open stays, and so does a form that somebody has
// begun to fill in. A section that has changed tells it by the event `remoteapp:replaced`.

import { adopt } from "./adopt.js";

const LEAST = 1000; // ms between two fetches
const LONGEST = 30000; // ms of rest when something is away

const sections = () => [...document.querySelectorAll("[data-live]")];
const known = new Map(); // a section's id, and the portal's own words of it

let wanted = false;
let working = false;
let over = false;
let timer = 0;

/** Fetch soon: at once after a rest, else when the rest is over; many wishes make one fetch. */
async function refreshSoon() {
  wanted = true;
  if (working) return;
  working = true;
  for (let pause = LEAST; wanted && !over && !document.hidden;) {
    wanted = false;
    try {
      await refresh();
      pause = LEAST;
    } catch {
      wanted = true;
      pause = Math.min(pause * 2, LONGEST);
    }
    await new Promise((done) => setTimeout(done, pause));
  }
  working = false;
  plan();
}

/** Look again after the shortest of the sections' spans. */
function plan() {
  clearTimeout(timer);
  const spans = sections().map((one) => Number(one.dataset.every)).filter((one) => one > 0);
  if (spans.length && !document.hidden && !over) {
    timer = setTimeout(refreshSoon, Math.max(0, 1000 * Math.min(...spans) - LEAST));
  }
}

async function refresh() {
  const answer = await fetch(location.href, { cache: "no-store", headers: { Accept: "text/html" } });
  if (answer.redirected || answer.status === 401) {
    return leave(() => location.assign(answer.redirected ? answer.url : "/login"));
  }
  // It is gone, or not this visitor's any more: the portal's own page says so.
  if ([403, 404].includes(answer.status)) return leave(() => location.reload());
  if (!answer.ok) throw new Error(`The portal answered ${answer.status}.`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const section of sections()) show(section, page.getElementById(section.id));
}

function show(section, fresh) {
  if (!fresh || known.get(section.id) === fresh.outerHTML) return;
  known.set(section.id, fresh.outerHTML);
  const held = document.activeElement;
  if (!adopt(section, fresh)) return;
  if (held !== document.activeElement) passFocusOn(held, section);
  section.dispatchEvent(new CustomEvent("remoteapp:replaced", { bubbles: true }));
}

/** What had the focus was moved, or has gone: the keyboard goes on there or from the section. */
function passFocusOn(held, section) {
  if (!held.isConnected) section.tabIndex = -1;
  (held.isConnected ? held : section).focus({ preventScroll: true });
}

function leave(go) {
  over = true;
  clearTimeout(timer);
  go();
}

/** Hear what is told at an address, while the page can be seen; begin with a look of its own. */
function follow(path) {
  let source = null;
  let again = 0;
  let pause = LEAST;
  const close = () => { clearTimeout(again); source?.close(); source = null; };
  const open = () => {
    close();
    if (document.hidden || over) return;
    source = new EventSource(path);
    source.addEventListener("open", () => { pause = LEAST; refreshSoon(); });
    source.addEventListener("state", refreshSoon);
    source.addEventListener("message", refreshSoon);
    // A browser gives up for good on an answer such as 503; and the sign-in may have ended.
    source.addEventListener("error", () => {
      close();
      again = setTimeout(open, pause * (0.5 + Math.random()));
      pause = Math.min(pause * 2, LONGEST);
      refreshSoon();
    });
  };
  document.addEventListener("visibilitychange", open);
  open();
}

const paths = new Set(sections().map((one) => one.dataset.live).filter(Boolean));
paths.forEach(follow);
document.addEventListener("visibilitychange", () => {
  if (sections().length && !paths.size) refreshSoon();
});
plan();
