// Files to and from the desktop's folder Downloads: one upload at a time, each with its progress and a way to stop it.
import { ask, mayControl, sentence } from "./access.js";
import { open } from "./bar.js";

const opener = document.getElementById("show-files");
const downloads = document.getElementById("downloads");
const uploads = document.getElementById("uploads");
const drop = document.getElementById("drop");
const chosen = document.getElementById("chosen");
let queue = Promise.resolve();

/** Show what is in Downloads now. */
export async function listFiles() {
  if (!(await mayControl)) return;
  try {
    const { items } = await (await ask("GET", "files")).json();
    document.getElementById("no-files").hidden = items.length > 0;
    replaceDownloads(items.map(download));
  } catch {
    // The connection says that the desktop is away; the list is asked for again when it tells of itself.
  }
}

/** Show these rows; the focus stays with the file that had it, or goes to the panel's button when that is gone. */
function replaceDownloads(rows) {
  const focus = document.activeElement;
  const hadFocus = downloads.contains(focus);
  downloads.replaceChildren(...rows);
  if (!hadFocus) return;
  const same = [...downloads.querySelectorAll("a")].find(({ download: name }) => name === focus.download);
  (same ?? opener).focus({ preventScroll: true });
}

function download({ name, size, modified }) {
  const link = element("a", name);
  link.href = address(name);
  link.download = name;
  const when = new Date(modified);
  const facts = Number.isNaN(when.valueOf()) ? bytes(size) : `${bytes(size)}, ${when.toLocaleString()}`;
  return element("li", link, element("small", facts));
}

function upload(file) {
  const item = element("li", element("span", file.name));
  const progress = element("progress");
  progress.setAttribute("aria-label", `Upload of ${file.name}`);
  const request = new XMLHttpRequest(); // fetch tells nothing of an upload's progress
  let isCancelled = false;
  const cancel = button("Cancel", `Cancel the upload of ${file.name}`, () => {
    isCancelled = true;
    request.abort();
    item.remove();
  });
  item.append(progress, cancel);
  uploads.append(item);
  queue = queue.then(async () => {
    if (isCancelled) return;
    const said = await send(request, file, progress);
    if (!isCancelled) finish(item, said);
  });
}

/** Send one file; return what is to be said of the outcome. */
function send(request, file, progress) {
  return new Promise((tell) => {
    request.upload.onprogress = ({ loaded, total }) => Object.assign(progress, { max: total || 1, value: loaded });
    request.onload = () => tell(outcome(request, file));
    request.onerror = () => tell({ problem: "The connection broke. Try again." });
    request.onabort = () => tell({});
    request.open("PUT", address(file.name));
    request.send(file);
  });
}

function outcome({ status, responseText }, file) {
  if (status !== 201) return { problem: sentence(status, responseText) };
  const { name } = JSON.parse(responseText);
  return { note: name === file.name ? "uploaded" : `uploaded as ${name}` };
}

function finish(item, { note, problem }) {
  const [name] = item.children;
  const remove = button("×", `Forget the upload of ${name.textContent}`, () => item.remove());
  const said = element("small", note ?? problem);
  said.classList.toggle("problem", Boolean(problem));
  item.replaceChildren(name, said, remove);
  if (note) listFiles();
}

/** Upload what was chosen or dropped; a folder arrives as something that cannot be read. */
function uploadAll(files, folders = []) {
  open("files");
  for (const name of folders) {
    const item = element("li", element("span", name));
    uploads.append(item);
    finish(item, { problem: "A folder cannot be uploaded: pack it into one file." });
  }
  for (const file of files) upload(file);
}

function dropped({ items }) {
  const files = [];
  const folders = [];
  for (const item of [...items].filter(({ kind }) => kind === "file")) {
    const entry = item.webkitGetAsEntry?.();
    if (entry?.isDirectory) folders.push(entry.name);
    else files.push(item.getAsFile());
  }
  uploadAll(files, folders);
}

const address = (name) => `files/${encodeURIComponent(name)}`;

function element(tag, ...content) {
  const made = document.createElement(tag);
  made.append(...content);
  return made;
}

function button(text, label, act) {
  const made = element("button", text);
  made.type = "button";
  made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}

function bytes(size) {
  const unit = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(Math.floor(Math.log10(Math.max(size, 1)) / 3), unit.length - 1);
  return `${(size / 1000 ** power).toLocaleString(undefined, { maximumSignificantDigits: 3 })} ${unit[power]}`;
}

document.getElementById("upload").addEventListener("click", () => chosen.click());
chosen.addEventListener("change", () => {
  uploadAll(chosen.files);
  chosen.value = ""; // so that the same file can be chosen again
});
document.getElementById("files").addEventListener("open", listFiles);

mayControl.then((may) => {
  const bringsFiles = ({ dataTransfer }) => may && dataTransfer.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    drop.hidden = false;
  });
  addEventListener("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) drop.hidden = true;
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    drop.hidden = true;
    if (bringsFiles(event)) dropped(event.dataTransfer);
  });
});
