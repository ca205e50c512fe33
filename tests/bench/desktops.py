"""Our terminal desktop against one of the old kind: start, memory, bytes and CPU, size.

Invariant: both run through the same portal, as equals: the same xterm on a screen of the same size,
shown in the same Chromium, and the older image without the slow start that the tests give it.
"""

import hashlib
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import docker
import portal as portals
from bench.figures import Figure, ratio
from bench.memory import pss
from conftest import CHROMIUM, FLAGS
from playwright.sync_api import Browser, BrowserContext, ViewportSize, sync_playwright
from portal import TERMINAL, RunningPortal
from stack.older import OLDER, application, built, granted

SCREEN = "1024x768"
SETTLED, IDLE = 10, 60
LINES, PAUSE = 400, 0.04
# Whether xterm's ground fills the top of the screen and a prompt stands on it: both start it with
# the same two colours.
PAINTED = """() => {
    const page = document.querySelector("#application")?.contentDocument;
    const canvas = page?.querySelector("canvas");
    if (!canvas?.width || !canvas.height) return false;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, 120);
    const is = (at, colour) => colour.every((one, n) => Math.abs(data[at + n] - one) < 12);
    let ground = 0, text = 0;
    for (let at = 0; at < data.length; at += 4) {
        if (is(at, [29, 33, 38])) ground += 1;
        else if (is(at, [230, 232, 234])) text += 1;
    }
    return ground > data.length / 8 && text > 30;
}"""


@dataclass(frozen=True)
class Used:
    """What a container has used since its start: CPU-seconds, and bytes that it sent."""

    cpu: float
    sent: float

    def __sub__(self, before: "Used") -> "Used":
        """Return what was used since then."""
        return Used(self.cpu - before.cpu, self.sent - before.sent)


@dataclass(frozen=True)
class Desktop:
    """A desktop that somebody looks at; `seconds` went by until it was painted."""

    container: Any
    seconds: float

    def memory(self) -> float:
        """Return the PSS of all its processes in MB."""
        return sum(pss(int(row[0])) for row in self.container.top(ps_args="-eo pid")["Processes"])

    def used(self) -> Used:
        found = self.container.stats(stream=False)
        sent = sum(one["tx_bytes"] for one in found["networks"].values())
        return Used(found["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9, sent)

    def scrolled(self) -> Used:
        """Let lines run through the terminal at an even pace; return what that took."""
        before = self.used()
        words = ["docker", "exec", "-i", self.container.id, "sh", "-c", "exec cat > /dev/pts/0"]
        with subprocess.Popen(words, stdin=subprocess.PIPE, text=True) as terminal:
            for number in range(LINES):
                text = hashlib.sha256(str(number).encode()).hexdigest()
                print(f"{number:4} {text}", end="\r\n", file=terminal.stdin, flush=True)
                time.sleep(PAUSE)
        time.sleep(1)
        return self.used() - before


@dataclass(frozen=True)
class Bench:
    """A portal where alice may start both, and a browser that she is signed in with."""

    live: RunningPortal
    api: docker.DockerClient
    browser: BrowserContext

    @contextmanager
    def shown(self, image: str) -> Iterator[Desktop]:
        """Start a desktop and look at it until the block ends."""
        alice, page = self.live.api("alice"), self.browser.new_page()
        options = {"resolution": SCREEN}
        body = {"grant_id": self.live.grants["alice", image], "options": options}
        begun = time.perf_counter()
        made = alice.post("/api/v1/sessions", json=body).raise_for_status().json()
        page.goto(f"/sessions/{made['id']}", wait_until="commit")
        page.wait_for_function(PAINTED, polling=20, timeout=60_000)
        seconds = time.perf_counter() - begun
        name = f"remoteapp-{self.live.realm}-{made['id']}"
        yield Desktop(self.api.containers.get(name), seconds)
        page.close()
        self.live.stop("alice", made["id"])

    def start(self, image: str) -> float:
        """Return the seconds from the start to the first picture of the terminal."""
        with self.shown(image) as desktop:
            return desktop.seconds


def starts(runs: int) -> Sequence[Figure]:
    """Start both in turn; the first of each warms up."""
    with _bench() as bench:
        pairs = [(bench.start(TERMINAL), bench.start(OLDER)) for _ in range(max(3, runs // 3) + 1)]
    ours, theirs = zip(*pairs[1:], strict=True)
    name = "start to the first picture of a terminal desktop, against one of the old kind"
    return [ratio(name, "≤ 0.5", ours, theirs)]


def looked_at(runs: int) -> Sequence[Figure]:
    """Let both be idle in a browser, then scroll."""
    del runs
    with _bench() as bench, bench.shown(TERMINAL) as ours, bench.shown(OLDER) as theirs:
        time.sleep(SETTLED)
        memory = ours.memory(), theirs.memory()
        before = ours.used(), theirs.used()
        time.sleep(IDLE)
        idle = ours.used() - before[0], theirs.used() - before[1]
        scrolled = ours.scrolled(), theirs.scrolled()
        sizes = [bench.api.images.get(image).attrs["Size"] / 1e6 for image in (TERMINAL, OLDER)]
    scroll = f"{LINES} lines scrolling in {LINES * PAUSE:.0f} s"
    return [
        _against("memory of an idle desktop with one client (PSS)", "≤ 0.5", memory, "MB"),
        _beside("bytes sent in an idle minute", [one.sent for one in idle], "B"),
        _beside("CPU-seconds of an idle minute", [one.cpu for one in idle], "s"),
        _against(f"bytes of {scroll}", "-", [one.sent / 1e6 for one in scrolled], "MB"),
        _against(f"CPU-seconds of {scroll}", "-", [one.cpu for one in scrolled], "s"),
        _against("size of the image", "-", sizes, "MB"),
    ]


@contextmanager
def _bench() -> Iterator[Bench]:
    built(OLDER)
    with (
        portals.running(settings={"engine": {"start_timeout": 60}}) as live,
        application(live, OLDER, "--env", "OLDER_DELAY=0"),
        granted(live, OLDER, "alice", "--allow-home"),
        closing(docker.from_env()) as api,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as chromium,
    ):
        live.api("alice").event_hooks = {}  # the judge of the tests takes its time
        yield Bench(live, api, _signed_in(live, chromium))


def _signed_in(live: RunningPortal, chromium: Browser) -> BrowserContext:
    window = ViewportSize(width=1200, height=900)  # larger than the screen, so nothing is scaled
    browser = chromium.new_context(base_url=live.url, ignore_https_errors=True, viewport=window)
    page = browser.new_page()
    page.goto("/login")
    page.get_by_label("Name").fill("alice")
    page.get_by_label("Password").fill(live.password("alice"))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("/")
    page.close()
    return browser


def _against(name: str, reach: str, pair: Sequence[float], unit: str) -> Figure:
    ours, theirs = pair
    return Figure(name, reach, f"{ours / theirs:.2f}", f"{ours:.3g} {unit} : {theirs:.3g} {unit}")


def _beside(name: str, pair: Sequence[float], unit: str) -> Figure:
    ours, theirs = pair
    return Figure(name, "near 0", f"{ours:.3g} {unit}", f"{theirs:.3g} {unit} of the old kind")
