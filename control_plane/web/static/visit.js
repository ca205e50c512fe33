// A session of somebody else's: the application in its frame, until it is closed to this visitor.

import { drop, enter, showBar } from "./frame.js";

const page = document.body;
const LEAST = 300; // ms between two tries to hear from the portal
let pause = LEAST;
let source = null;

function end() {
  source.close();
  drop();
  page.dataset.state = "stopped";
  showBar(true);
  document.getElementById("ended-title").focus();
}

/** Hear when it is closed. While the portal is away, the application stays. */
function follow() {
  source = new EventSource(`/sessions/${page.dataset.id}/told`);
  source.addEventListener("open", () => { pause = LEAST; });
  source.addEventListener("gone", end);
  source.addEventListener("error", async () => {
    source.close();
    const answer = await fetch(location.pathname, { method: "HEAD", cache: "no-store" }).catch(() => null);
    if (answer && (answer.redirected || answer.status === 404)) return end();
    setTimeout(follow, pause * (0.5 + Math.random()));
    pause = Math.min(pause * 2, 15000);
  });
}

enter();
follow();
