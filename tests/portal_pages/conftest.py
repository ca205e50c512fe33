"""A portal with fakes behind it, served to a real browser, full of what hostile people write."""

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from adapters.fakes_engine import FakeEngine, FakeHomes
from adapters.fakes_gateway import FakeGateway
from conftest import CHROMIUM, FLAGS
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, sync_playwright
from portal_pages import alone, hostile
from served import HOST, portal_of, served
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from usecases.conftest import Application200, Clock, opened

from control_plane.domain.ports import Plane
from control_plane.domain.ports import Site as Settled

# What stands in for an application, which nginx would pass on.
APPLICATION = """<!doctype html><html lang="en"><meta name="viewport" content="width=device-width">
<title>An application</title><h1>An application</h1>"""


@dataclass(frozen=True)
class Site:
    """The portal under test; `application` says whether what is started answers."""

    plane: Plane
    url: str
    engine: FakeEngine
    application: Application200
    examples: hostile.Examples


@dataclass
class People:
    """Browsers of people, each signed in through the form once, by name; "" is a guest."""

    site: Site
    browser: Browser
    _open: list[BrowserContext] = field(default_factory=list)
    _signed_in: dict[str, StorageState] = field(default_factory=dict)

    def context(self, name: str = "", *, scripts: bool = True) -> BrowserContext:
        if name and name not in self._signed_in:
            guest = self.context()
            sign_in(guest.new_page(), name)
            self._signed_in[name] = guest.storage_state()
        context = self.browser.new_context(
            base_url=self.site.url,
            ignore_https_errors=True,
            reduced_motion="reduce",
            java_script_enabled=scripts,
            locale="en-GB",
            storage_state=self._signed_in.get(name),
        )
        context.set_default_timeout(10_000)
        self._open.append(context)
        return context

    def page(self, name: str = "", *, scripts: bool = True) -> Page:
        return self.context(name, scripts=scripts).new_page()

    def close(self) -> None:
        while self._open:
            self._open.pop().close()


def sign_in(page: Page, name: str) -> None:
    """Sign in through the form."""
    page.goto("/login")
    page.fill("#name", name)
    page.fill("#password", hostile.password(name))
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("/")


@pytest.fixture(scope="module")
def network() -> Iterator[alone.Network]:
    """A network that nobody else is in."""
    with alone.network() as made:
        yield made


@pytest.fixture(scope="module")
def browser(network: alone.Network) -> Iterator[Browser]:
    """Debian's Chromium, in that network."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=network.entered(CHROMIUM), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def site(network: alone.Network) -> Iterator[Site]:
    """A file's own portal."""
    with ExitStack() as undo:
        loop = undo.enter_context(_running_loop())
        directory = Path(undo.enter_context(tempfile.TemporaryDirectory()))
        root = Path(undo.enter_context(tempfile.TemporaryDirectory(dir="/srv")))
        engine, application = FakeEngine(), Application200()
        parts = (loop, Clock(), engine, FakeGateway(), application, FakeHomes(), root)
        plane = undo.enter_context(opened(directory, *parts))
        url = f"https://{HOST}:{alone.PORT}"
        plane = replace(plane, site=_site(plane.site, url))
        examples = hostile.fill(plane, engine, directory / "home")
        made = _with_applications(portal_of(plane))
        undo.enter_context(served(made, loop, directory, network.listening))
        yield Site(plane, url, engine, application, examples)


@pytest.fixture(scope="module")
def everyone(site: Site, browser: Browser) -> People:
    """Who comes to it."""
    return People(site, browser)


@pytest.fixture
def people(everyone: People) -> Iterator[People]:
    """Who comes to it; their browsers are closed again."""
    yield everyone
    everyone.close()


@contextmanager
def _running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _site(site: Settled, url: str) -> Settled:
    """Return it at that address, with guests; its applications share it, for there is no nginx."""
    return replace(site, public_url=url, face=hostile.FACE, apps_port=0, guests=True)


def _with_applications(portal: ASGIApp) -> ASGIApp:
    """Return the portal with an application at each session's address."""
    page = HTMLResponse(APPLICATION)

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        is_theirs = scope["type"] == "http" and scope["path"].startswith("/user/")
        if scope["type"] == "http" and scope["path"] == "/.remoteapp/arrive":  # as nginx has it
            scope = {**scope, "path": "/internal/arrive"}
        await (page if is_theirs else portal)(scope, receive, send)

    return both
