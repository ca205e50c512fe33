"""The catalogue of a hundred applications in a browser: when it is seen, its weight, its calm.

Invariant: the page it is held against is its own HTML, sent by the same nginx from a file, with the
same style sheets, scripts and icons beside it.
"""

import os
import re
import secrets
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path

import docker
import portal as portals
from bench.figures import Figure, ratio
from conftest import CHROMIUM, FLAGS
from playwright.sync_api import Browser, Page, Request, StorageState, sync_playwright
from portal import HELLO, RunningPortal

from control_plane.adapters.accounting_db import PeeweeAccounting
from control_plane.adapters.database import Database
from control_plane.domain.entities import Application, Grant, Grantee, Holdings, Policy
from control_plane.trial.places import CLONE

APPLICATIONS = 100
SETTLED = 1000  # ms
SHIFTS = (Path(__file__).parents[1] / "browser" / "shifts.js").read_text()
PAINT = """() => new Promise((done) => new PerformanceObserver((list) => {
    for (const one of list.getEntries())
        if (one.name === "first-contentful-paint") done(one.startTime / 1000);
}).observe({ type: "paint", buffered: true }))"""
STILL = "/still"
# The same server, so the same TLS and the same connection.
LOCATION = """location ^~ {still}/ {{
    alias {directory}/;
    default_type text/html;
    types {{ text/css css; text/javascript js; image/svg+xml svg; image/png png; }}
    gzip on;
    gzip_comp_level 5;
    gzip_types text/css text/javascript image/svg+xml;
}}
"""
WEIGHED = ("document", "stylesheet", "script")


@dataclass(frozen=True)
class Bench:
    """A portal where alice may start a hundred applications, and a browser that knows her."""

    live: RunningPortal
    browser: Browser
    alice: StorageState

    @contextmanager
    def catalogue(self, path: str = "/") -> Iterator[Page]:
        """Open the catalogue, or what stands in for it, in a browser that has cached nothing."""
        with self.browser.new_context(
            ignore_https_errors=True, base_url=self.live.url, storage_state=self.alice
        ) as context:
            page = context.new_page()
            page.add_init_script(SHIFTS)
            page.goto(path)
            yield page

    def painted(self, path: str) -> float:
        """Return the seconds until something of a page is seen."""
        with self.catalogue(path) as page:
            return float(page.evaluate(PAINT))


def first_paint(runs: int) -> Sequence[Figure]:
    """When the catalogue is first seen, against a file of the same size from the same nginx."""
    with _bench() as bench:
        still = _kept(bench)
        pairs = [(bench.painted("/"), bench.painted(still)) for _ in range(runs + 1)]
    ours, theirs = zip(*pairs[1:], strict=True)
    name = f"first paint of a catalogue of {APPLICATIONS}, against a static page of the same size"
    return [ratio(name, "≤ 2", ours, theirs)]


def weight(runs: int) -> Sequence[Figure]:
    """What a browser loads for the catalogue: HTML, CSS and JavaScript as they pass the wire."""
    del runs
    found: dict[str, int] = dict.fromkeys(WEIGHED, 0)
    with _bench() as bench, bench.catalogue("about:blank") as page:

        def weigh(request: Request) -> None:
            if request.resource_type in WEIGHED:
                found[request.resource_type] += request.sizes()["responseBodySize"]

        page.on("requestfinished", weigh)
        page.goto("/", wait_until="load")
        page.wait_for_timeout(SETTLED)
    name = f"catalogue of {APPLICATIONS}: compressed HTML, CSS and JavaScript, icons apart"
    parts = ", ".join(f"{kind} {size / 1000:.1f} kB" for kind, size in found.items())
    return [Figure(name, "≤ 60 kB", f"{sum(found.values()) / 1000:.1f} kB", parts)]


def shifts(runs: int) -> Sequence[Figure]:
    """How far things move on the catalogue while a session starts and stops elsewhere."""
    del runs
    with _bench() as bench, bench.catalogue() as page:
        row = page.locator(".session")
        session = bench.live.start("alice")
        row.locator("visible=true").first.wait_for()
        bench.live.stop("alice", session["id"])
        row.first.wait_for(state="detached")
        moved = float(page.evaluate("window.shifted"))
    name = "layout shift of the catalogue while states arrive"
    return [Figure(name, "0", f"{moved:.4f}", "a session that starts and stops in another tab")]


@contextmanager
def _bench() -> Iterator[Bench]:
    with ExitStack() as undo:
        live = undo.enter_context(portals.running())
        _grant(live, undo.enter_context(_images()))
        playwright = undo.enter_context(sync_playwright())
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        undo.callback(chromium.close)
        yield Bench(live, chromium, _signed_in(live, chromium))


def _signed_in(live: RunningPortal, chromium: Browser) -> StorageState:
    with chromium.new_context(base_url=live.url, ignore_https_errors=True) as context:
        page = context.new_page()
        page.goto("/login")
        page.get_by_label("Name").fill("alice")
        page.get_by_label("Password").fill(live.password("alice"))
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("/")
        return context.storage_state()


@contextmanager
def _images() -> Iterator[Sequence[str]]:
    """Give the smallest image of ours a name for each application."""
    names = [f"remoteapp-bench/app{number}" for number in range(APPLICATIONS)]
    with closing(docker.from_env()) as engine:
        image = engine.images.get(HELLO)
        try:
            for name in names:
                image.tag(name, "1")
            yield [f"{name}:1" for name in names]
        finally:
            for name in names:
                engine.images.remove(f"{name}:1", noprune=True)


def _grant(live: RunningPortal, images: Sequence[str]) -> None:
    made = [
        Application(
            secrets.token_hex(16),
            image,
            display_name=f"Application {number}",
            description=f"What application number {number} is for, in a sentence of its own.",
            category=f"Category {number % 5}",
        )
        for number, image in enumerate(images)
    ]

    def change(now: Holdings) -> Holdings:
        grants = [
            Grant(secrets.token_hex(16), Grantee("user", "alice"), one, Policy(allow_home=True))
            for one in made
        ]
        return replace(
            now, applications=now.applications + tuple(made), grants=now.grants + tuple(grants)
        )

    database = Database(str(live.portal.places.database))
    PeeweeAccounting(database).rewrite(change)
    database.close()


def _kept(bench: Bench) -> str:
    """Keep the catalogue and all that it loads as files that nginx sends; return its address."""
    places = bench.live.portal.places
    directory = places.run / "still"
    shutil.copytree(CLONE / "control_plane" / "web" / "static", directory / "static")
    with bench.catalogue() as page:
        html = page.request.get("/").text()
        for path in set(re.findall(r'src="(/api/[^"]+)"', html)):
            file = directory / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(page.request.get(path).body())
    text = re.sub(r'(src|href)="/(static|api)/', rf'\1="{STILL}/\2/', html)
    (directory / "catalogue.html").write_text(text)
    for one in (directory, *directory.rglob("*")):
        one.chmod(0o755 if one.is_dir() else 0o644)
    snippet = LOCATION.format(still=STILL, directory=directory)
    (places.nginx / "snippets" / "server-still.conf").write_text(snippet)
    pid = bench.live.portal.nginx_pid
    assert pid
    os.kill(pid, signal.SIGHUP)
    _wait(bench.live, f"{STILL}/catalogue.html")
    return f"{STILL}/catalogue.html"


def _wait(live: RunningPortal, path: str) -> None:
    deadline = time.monotonic() + 10
    while live.guest().get(path).status_code != HTTPStatus.OK:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{path} is not served")
        time.sleep(0.1)
