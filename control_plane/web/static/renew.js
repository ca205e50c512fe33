// Parts of a page, its title and its data as the portal has them now.

import { adopt } from "./adopt.js";
import { Problem } from "./portal.js";

/** Fetch the page again and take over these parts (by id), its title and its body's data. Throws a Problem. */
export async function renew(ids) {
  const next = await fetched();
  document.title = next.title;
  Object.assign(document.body.dataset, next.body.dataset);
  for (const id of ids) adopt(document.getElementById(id), next.getElementById(id));
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
