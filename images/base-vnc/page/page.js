// One desktop that fills the window: connects, follows the window's size, carries the clipboard, and comes back by itself.
import RFB from "@novnc/core/rfb.js";

const screen = document.getElementById("screen");
const status = document.getElementById("status");
const address = new URL("websockify", location.href);
address.protocol = location.protocol === "https:" ? "wss:" : "ws:";

let rfb;
let failures = 0;
let clipboard = "";

function connect() {
  rfb = new RFB(screen, address.href, { shared: true, wsProtocols: ["binary"] });
  rfb.resizeSession = true;
  rfb.scaleViewport = true; // for a desktop of a fixed size, which refuses to be resized
  rfb.background = "transparent";
  rfb.addEventListener("connect", connected);
  rfb.addEventListener("disconnect", disconnected);
  rfb.addEventListener("clipboard", (event) => copyToBrowser(event.detail.text));
}

function connected() {
  failures = 0;
  status.textContent = "";
  rfb.focus();
  copyToDesktop();
}

async function disconnected() {
  status.textContent = "Disconnected. Connecting again…";
  const reason = await endOfSession();
  if (reason) {
    status.textContent = reason;
    return;
  }
  failures += 1;
  setTimeout(connect, Math.min(250 * 2 ** failures, 5000));
}

// A WebSocket does not say why it was refused; the same address asked over HTTP does.
async function endOfSession() {
  try {
    const answer = await fetch("./", { method: "HEAD", redirect: "manual", cache: "no-store" });
    if (answer.status === 404) return "This session has ended.";
    if (answer.status === 401 || answer.type === "opaqueredirect") return "You are signed out. Sign in to come back to this session.";
  } catch {
    // The network is away: it may return.
  }
  return "";
}

async function copyToBrowser(text) {
  clipboard = text;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // The browser does not allow it, or not without focus: the desktop keeps its text.
  }
}

async function copyToDesktop() {
  try {
    const text = await navigator.clipboard.readText();
    if (text && text !== clipboard) rfb.clipboardPasteFrom(text);
    clipboard = text;
  } catch {
    // As above.
  }
}

// A reader of the page who comes back to it wants to type, and to paste what was copied elsewhere.
addEventListener("focus", () => {
  rfb.focus();
  copyToDesktop();
});
connect();
