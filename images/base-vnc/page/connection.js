// The connection to the desktop: it follows the window's size, and comes back by itself until the session has ended.
// It tells `desktop`: "connected", "disconnected", "over", and "clipboard" with the text that was copied.
import RFB from "@novnc/core/rfb.js";
import { mayControl } from "./access.js";
import { isFramed } from "./frame.js";
import { settings } from "./settings.js";

export const desktop = new EventTarget();
export let rfb;

const screen = document.getElementById("screen");
const status = document.getElementById("status");
const ENDED = "This session has ended.";
const address = new URL("websockify", location.href);
address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
let failures = 0;
let lastPicture;

/** Asks for more or fewer pixels than the page has by the chosen density; scaleViewport draws them over the whole page. */
class Desktop extends RFB {
  _requestRemoteResize() {
    this.asks = true;
    super._requestRemoteResize();
    this.asks = false;
  }

  _screenSize() {
    const { w, h } = super._screenSize();
    const density = this.asks ? settings.density : 1;
    return { w: Math.floor(w * density), h: Math.floor(h * density) }; // whole: else noVNC asks again for ever
  }
}

export function connect() {
  rfb = new Desktop(screen, address.href, { shared: true, wsProtocols: ["binary"] });
  rfb.viewOnly = true; // until it is known to be more: nothing a viewer does may reach the desktop, not even a size
  rfb.scaleViewport = true; // for a desktop of a fixed size too, which refuses to be resized
  rfb.background = "transparent";
  applySettings();
  rfb.addEventListener("connect", connected);
  rfb.addEventListener("disconnect", disconnected);
  rfb.addEventListener("clipboard", ({ detail }) => tell("clipboard", detail.text));
  control(rfb);
}

async function control(connection) {
  if (!(await mayControl)) return;
  connection.viewOnly = false;
  connection.resizeSession = true;
}

/** Show the picture as the settings have it now. */
export function applySettings() {
  rfb.qualityLevel = settings.quality;
  rfb.compressionLevel = settings.compression;
  if (rfb.resizeSession) rfb.resizeSession = true; // asks for the size anew
}

/** Give the keyboard to the desktop. */
export function focusDesktop() {
  rfb.focus({ preventScroll: true });
}

function tell(what, detail) {
  desktop.dispatchEvent(new CustomEvent(what, { detail }));
}

function connected() {
  failures = 0;
  status.textContent = "";
  lastPicture?.remove();
  lastPicture = screen.querySelector("canvas");
  lastPicture.setAttribute("aria-label", "Desktop");
  // Keys held while the focus leaves would stay held: noVNC lets go of them only when the whole window loses it.
  lastPicture.addEventListener("blur", () => dispatchEvent(new Event("blur")));
  if (document.activeElement === document.body) focusDesktop();
  tell("connected");
}

async function disconnected() {
  status.textContent = "Disconnected. Connecting again…";
  if (lastPicture) {
    lastPicture.className = "last-picture";
    document.body.prepend(lastPicture);
  }
  tell("disconnected");
  const reason = await endOfSession();
  if (reason) {
    status.textContent = reason;
    if (reason === ENDED && !isFramed) status.append(wayBack());
    tell("over");
    return;
  }
  failures += 1;
  setTimeout(connect, Math.min(250 * 2 ** failures, 5000));
}

function wayBack() {
  const link = document.createElement("a");
  link.href = "/";
  link.textContent = "Back to the applications";
  return link;
}

// A WebSocket does not say why it was refused; the same address asked over HTTP does.
async function endOfSession() {
  try {
    const answer = await fetch("./", { method: "HEAD", redirect: "manual", cache: "no-store" });
    if (answer.status === 404) return ENDED;
    if (answer.status === 401 || answer.type === "opaqueredirect") return "You are signed out. Sign in to come back to this session.";
  } catch {
    // The network is away: it may return.
  }
  return "";
}

// Who comes back to the page wants to type, unless something else of it has the focus, or is about to get it by Tab.
addEventListener("focus", () => setTimeout(() => {
  if (document.activeElement === document.body) focusDesktop();
}));
