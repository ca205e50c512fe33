// A link to something shared: its secret stands behind the #, which no browser sends. It is posted.
// On the way over the sign-in page it is kept in this tab alone.

const part = document.getElementById("share");
const form = part.querySelector("form");
const key = `share ${part.dataset.id}`;
const secret = location.hash.slice(1) || sessionStorage.getItem(key) || "";

function fill() {
  form.elements.secret.value = secret;
  document.getElementById("by-hand").hidden = true;
  // The secret was tried: what is refused is not tried again by itself.
  if (!("goesOn" in part.dataset)) return;
  sessionStorage.removeItem(key);
  form.submit();
}

const incomplete = document.getElementById("incomplete");
if (secret) {
  sessionStorage.setItem(key, secret);
  if (form) fill();
} else if (incomplete) incomplete.hidden = false;
