"""The machine that the tests run on: an engine, the images, a portal, a browser."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import portal as portals
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from portal import RunningPortal

from control_plane.trial import engine
from control_plane.trial.places import CLONE

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def pytest_configure() -> None:
    """Let SIGTERM end the run as Ctrl-C does: what was started is stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the trial first: it meets the machine as it was found, perhaps without an engine."""
    trial = Path(__file__).parent / "trial"
    items.sort(key=lambda item: trial not in item.path.parents)


@pytest.fixture(scope="session")
def engine_up() -> Iterator[None]:
    """A Docker engine: the one that runs, else one that is stopped in the end."""
    logs = CLONE / "var" / "log"
    logs.mkdir(parents=True, exist_ok=True)
    with engine.provided(logs):
        yield


@pytest.fixture(scope="session")
def images(engine_up: None) -> None:  # noqa: ARG001 - it has to run
    """The images that `make images` builds, built from the clone."""
    subprocess.run([sys.executable, str(CLONE / "images" / "build")], check=True)


@pytest.fixture(scope="session")
def whole_portal(images: None) -> Iterator[RunningPortal]:  # noqa: ARG001 - they have to be
    """One portal for all tests that do not need their own."""
    with portals.running() as live:
        yield live


@pytest.fixture
def portal(whole_portal: RunningPortal) -> Iterator[RunningPortal]:
    """The portal, whole again after a test that killed a part of it."""
    yield whole_portal
    whole_portal.mend()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. A module's own: its event loop bars others from the main thread."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(portal: RunningPortal, browser: Browser) -> Iterator[Callable[[str], Page]]:
    """Open a page of a browser of one's own; with a name, signed in through the form."""
    with ExitStack() as contexts:

        def opened(name: str = "") -> Page:
            context = browser.new_context(base_url=portal.url, ignore_https_errors=True)
            contexts.callback(context.close)
            page = context.new_page()
            if name:
                page.goto("/login")
                page.get_by_label("Name").fill(portal.sign_in_name(name))
                page.get_by_label("Password").fill(portal.password(name))
                page.get_by_role("button", name="Sign in").click()
                page.wait_for_url("/")
            return page

        yield opened
