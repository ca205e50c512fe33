// What the desktop tells of itself: that its application has ended, what its user has to know, that Downloads has changed.
import { ask, mayControl } from "./access.js";
import { close } from "./bar.js";
import { desktop, focusDesktop } from "./connection.js";
import { listFiles } from "./files.js";

const ended = document.getElementById("ended");
const endedText = document.getElementById("ended-text");
const again = document.getElementById("again");
const restart = document.getElementById("restart");
const notices = document.getElementById("notices");
const dismissed = new Set();
let stream;
let files;
let state = "running";

function listen() {
  if (stream && stream.readyState !== EventSource.CLOSED) return;
  stream = new EventSource("events");
  stream.onmessage = ({ data }) => hear(JSON.parse(data));
}

function hear(told) {
  if (told.application !== state) showApplication(told);
  showNotices(told.notices);
  if (files !== told.files) listFiles();
  files = told.files;
}

async function showApplication({ application, status }) {
  state = application;
  restart.hidden = state !== "ended";
  endedText.textContent = status ? `The application has ended with status ${status}.` : "The application has ended.";
  if (state === "ended") return offer();
  const hadFocus = ended.contains(document.activeElement);
  ended.hidden = true;
  if (hadFocus) focusDesktop();
}

async function offer() {
  ended.hidden = false;
  if (await mayControl) again.focus();
}

function showNotices(sentences) {
  const shown = sentences.filter((sentence) => !dismissed.has(sentence));
  const now = [...notices.children].map((item) => item.dataset.sentence);
  if (JSON.stringify(shown) === JSON.stringify(now)) return; // said again, it would be read out again
  notices.replaceChildren(...shown.map(notice));
}

function notice(sentence) {
  const item = document.createElement("li");
  item.dataset.sentence = sentence;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "×";
  button.setAttribute("aria-label", `Dismiss: ${sentence}`);
  button.addEventListener("click", () => {
    dismissed.add(sentence);
    item.remove();
    focusDesktop();
  });
  item.append(sentence, button);
  return item;
}

async function startAgain() {
  try {
    await ask("POST", "application"); // that it runs, the stream tells; one that ends at once is offered still
  } catch (problem) {
    endedText.textContent = problem.message;
    ended.hidden = false;
  }
}

again.addEventListener("click", startAgain);
restart.addEventListener("click", () => {
  close();
  focusDesktop();
  startAgain();
});
document.getElementById("leave").addEventListener("click", () => {
  ended.hidden = true;
  focusDesktop();
});
desktop.addEventListener("connected", listen);
desktop.addEventListener("over", () => stream?.close());
