// Parts of a page as the portal has them now, put in the place of what is shown.

import { Problem } from "./portal.js";

/** Fetch the page again and take over these parts (by id), its title and its body's data. Throws a Problem. */
export async function renew(ids) {
  const next = await fetched();
  document.title = next.title;
  Object.assign(document.body.dataset, next.body.dataset);
  for (const id of ids) replace(document.getElementById(id), next.getElementById(id));
  document.dispatchEvent(new Event("remoteapp:replaced"));
}

async function fetched() {
  const answer = await fetch(location.pathname).catch(() => null);
  if (!answer) throw new Problem(0, { detail: "The portal does not answer.", hint: "Try again in a moment." });
  if (new URL(answer.url).pathname !== location.pathname) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
    return new Promise(() => {}); // the page is on its way out
  }
  if (!answer.ok) throw new Problem(answer.status, {});
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function replace(part, next) {
  part.hidden = next.hidden;
  if (bare(part) === bare(next)) return; // what is unchanged is not read aloud again
  const focused = part.contains(document.activeElement) && document.activeElement;
  part.replaceChildren(...next.childNodes);
  if (!focused) return;
  const again = focused.id && document.getElementById(focused.id);
  (again || part.querySelector("button, a") || document.getElementById("content")).focus();
}

/** What a part says but for its times, which are written in the visitor's zone here. */
function bare(part) {
  const copy = part.cloneNode(true);
  for (const time of copy.querySelectorAll("time")) time.replaceWith(time.dateTime);
  return copy.innerHTML;
}
