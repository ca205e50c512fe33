// Starting and stopping, as every page does it.

import { ask, choose } from "./portal.js";

/** Start, and go to the session's page; when one runs already, ask what to do. Throws a Problem. */
export async function start(name, body) {
  try {
    const session = await ask("POST", "/sessions", body);
    location.assign(`/sessions/${session.id}`);
  } catch (problem) {
    const same = (problem.sessions ?? []).filter((one) => one.grant_id === body.grant_id);
    if (!same.length) throw problem;
    const choice = await choose(document.getElementById("conflict-dialog"), name);
    if (choice === "open") location.assign(`/sessions/${same.at(-1).id}`);
    if (choice === "replace") await start(name, { ...body, replace: true });
  }
}

/** Stop after a confirmation; returns whether it was stopped. Throws a Problem. */
export async function stop(name, id, asked = () => {}) {
  const choice = await choose(document.getElementById("stop-dialog"), name);
  if (choice !== "stop") return false;
  asked();
  await ask("DELETE", `/sessions/${id}`);
  return true;
}
