// Takes over what is new in a part of a page, and leaves all else as the visitor has it.

const FIELDS = "input, textarea, select";
const NOT_TYPED = "[type=checkbox], [type=radio], [type=submit], [type=button], [type=file]";
const VISITORS = { details: "open", dialog: "open" };

/** Make `old` say what `fresh` says; returns whether anything changed. */
export function adopt(old, fresh) {
  if (old.isEqualNode(fresh) || isBeingFilledIn(old) || isSameMoment(old, fresh)) return false;
  const changed = adoptAttributes(old, fresh);
  return adoptChildren(old, fresh) || changed;
}

/** Whether somebody has begun to fill in that form, or types in that field. */
function isBeingFilledIn(element) {
  const field = document.activeElement;
  const types = element.contains(field) && field.matches(FIELDS) && !field.matches(NOT_TYPED);
  if (element.localName !== "form") return types && element === field;
  return types || [...element.querySelectorAll(FIELDS)].some(isAltered);
}

function isAltered(field) {
  if (!field.options) return field.value !== field.defaultValue || field.checked !== field.defaultChecked;
  const chosen = [...field.options].findIndex((one) => one.defaultSelected);
  return field.selectedIndex !== Math.max(0, chosen);
}

/** A page writes moments in the visitor's own way. */
function isSameMoment(old, fresh) {
  return old.localName === "time" && old.dateTime !== "" && old.dateTime === fresh.dateTime;
}

function adoptAttributes(old, fresh) {
  let changed = false;
  for (const name of new Set([...old.getAttributeNames(), ...fresh.getAttributeNames()])) {
    const value = fresh.getAttribute(name);
    if (name === VISITORS[old.localName] || value === old.getAttribute(name)) continue;
    if (value === null) old.removeAttribute(name);
    else old.setAttribute(name, value);
    changed = true;
  }
  return changed;
}

/** Nodes with a key meet the one of that key, others the next of their kind. */
function adoptChildren(old, fresh) {
  const keyed = new Map([...old.children].map((one) => [keyOf(one), one]));
  const wanted = new Set([...fresh.children].map(keyOf));
  let changed = false;
  let place = old.firstChild;
  const drop = () => {
    const gone = place;
    place = place.nextSibling;
    gone.remove();
    changed = true;
  };
  const stays = (node) => keyOf(node) !== "" && wanted.has(keyOf(node));
  for (const node of fresh.childNodes) {
    const key = keyOf(node);
    const same = key ? keyed.get(key) : null;
    // What goes is taken out first: what stays is not moved then, and keeps the focus.
    while (place && place !== same && !stays(place) && (same || keyOf(place))) drop();
    const meets = same ?? (!key && isLike(place, node) ? place : null);
    if (meets && meets === place) {
      place = place.nextSibling;
    } else {
      old.insertBefore(meets ?? document.importNode(node, true), place);
      changed = true;
    }
    if (meets) changed = adoptNode(meets, node) || changed;
  }
  while (place) drop();
  return changed;
}

function adoptNode(old, fresh) {
  if (old.nodeType === Node.ELEMENT_NODE) return adopt(old, fresh);
  if (old.data === fresh.data) return false;
  old.data = fresh.data;
  return true;
}

const keyOf = (node) => node?.dataset?.key || node?.id || "";

const isLike = (old, fresh) => Boolean(old) && !keyOf(old) && old.nodeName === fresh.nodeName;
