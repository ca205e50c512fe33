// An archive of images goes to the portal as it is, and the page shows how far it is.

import { Problem, say } from "./portal.js";
import { _ } from "./words.js";

const form = document.getElementById("archive");
const controls = form.querySelector("fieldset");
const bar = form.querySelector("progress");
const status = form.querySelector("[role=status]");
const alert = form.querySelector("[role=alert]");
const breakOff = form.querySelector(".sending button");
const longest = Number(form.dataset.longest);

/** Send a file; returns the answer. Throws a Problem. */
function send(file, tell) {
  const request = new XMLHttpRequest();
  breakOff.onclick = () => request.abort();
  return new Promise((done, fail) => {
    request.open("POST", "/api/v1/admin/images/archive");
    request.setRequestHeader("Content-Type", "application/x-tar");
    request.upload.addEventListener("progress", (event) => tell(event.loaded / event.total));
    request.addEventListener("load", () => (request.status === 201 ? done() : fail(problemOf(request))));
    request.addEventListener("error", () => fail(new Problem(0, { detail: _("The upload broke off. Try again.") })));
    request.addEventListener("abort", () => fail(new Problem(0, { detail: _("The upload was broken off; nothing of it is kept.") })));
    request.send(file);
  });
}

function problemOf(request) {
  try {
    return new Problem(request.status, JSON.parse(request.responseText));
  } catch {
    return new Problem(request.status, {});
  }
}

function tell(part) {
  const percent = Math.floor(100 * part);
  bar.value = percent;
  status.textContent = part < 1
    ? _("Sent: {percent} %", { percent })
    : _("All is sent; the images are being taken in.");
}

/** Whoever leaves the page breaks the upload off: the browser asks first. */
const warn = (event) => event.preventDefault();

function show(sending) {
  controls.disabled = sending;
  bar.hidden = breakOff.hidden = !sending;
  (sending ? addEventListener : removeEventListener)("beforeunload", warn);
}

async function upload(file) {
  say(alert, "");
  if (file.size > longest) return say(alert, _("This file is too large."));
  tell(0);
  show(true);
  breakOff.focus();
  try {
    await send(file, tell);
    show(false);
    location.assign("/admin/images?done=uploaded");
  } catch (problem) {
    show(false);
    status.textContent = "";
    if (problem.status === 401) return location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
    say(alert, problem.message);
    form.elements.file.focus();
  }
}

controls.disabled = false;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  upload(form.elements.file.files[0]);
});
