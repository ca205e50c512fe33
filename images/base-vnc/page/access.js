// Whether this visitor may use the desktop or only look on: the server, not the page, refuses the files to a viewer.

const PATIENCE = 3000; // ms; a viewer is refused at once, but the list may have to wait for a slow home

/** Resolves to false for a viewer. Without an answer it is true: the server decides about each wish again. */
export const mayControl = fetch("files", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) }).then(
  ({ status }) => status !== 403,
  () => true,
);

mayControl.then((may) => document.body.classList.toggle("looks-on", !may));

/** Ask for something; return the answer, or throw an Error with the sentence that says why not. */
export async function ask(method, path) {
  const answer = await fetch(path, { method, cache: "no-store" });
  if (!answer.ok) throw new Error(sentence(answer.status, await answer.text()));
  return answer;
}

/** Return what is to be said of a refusal: its detail, where it has one. */
export function sentence(status, body) {
  try {
    const { detail, title } = JSON.parse(body);
    if (detail || title) return detail || title;
  } catch {
    // Not from the desktop: something on the way refused.
  }
  return `The server refused (${status}).`;
}
