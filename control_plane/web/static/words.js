// The sentences of scripts in the visitor's language: English is the source and needs no words.

const block = document.getElementById("words");
const words = new Map(Object.entries(block ? JSON.parse(block.textContent) : {}));

/** Return a sentence in the visitor's language; `{name}` in it becomes what `values` has for it. */
export function _(text, values = {}) {
  const template = words.get(text) ?? text;
  return template.replace(/\{(\w+)\}/g, (gap, name) => values[name] ?? gap);
}

/** Return how a session's state is shown. */
export function stateOf(state) {
  const known = {
    starting: _("Starting"),
    ready: _("Ready"),
    stopping: _("Stopping"),
    stopped: _("Stopped"),
    failed: _("Failed"),
  };
  return known[state] ?? state;
}
