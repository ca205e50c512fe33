import RFB from "@novnc/core/rfb.js";

const asked = new URLSearchParams(location.search);
const folder = location.pathname.replace(/[^/]*$/, "");
const scheme = location.protocol === "https:" ? "wss:" : "ws:";
const address = `${scheme}//${location.host}${folder}websockify`;
const rfb = new RFB(document.getElementById("screen"), address, { shared: true });
rfb.viewOnly = asked.get("view_only") === "true";
rfb.scaleViewport = asked.get("resize") === "scale";
rfb.addEventListener("connect", () => {
  document.body.dataset.state = "connected";
  rfb.focus();
});
rfb.addEventListener("disconnect", () => { document.body.dataset.state = "disconnected"; });
