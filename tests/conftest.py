"""The machine that the tests run on: an engine, the images, a portal, a browser."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import portal as portals
import pytest
import still_addresses
from playwright.sync_api import Browser, Page, sync_playwright
from portal import RunningPortal
from xdist.scheduler import LoadScopeScheduling

from control_plane.trial import engine
from control_plane.trial.places import CLONE

CHROMIUM = "/usr/bin/chromium"
# Folders in the order of their turn; the rest follows.
FIRST = ("trial", "domain", "usecases", "deploy", "images", "stack", "browser", "portal_pages")
# Files of `deploy` that boot hosts of their own only.
OWN_HOSTS = ("test_preflight.py", "test_remote_engine.py", "test_upgrade.py")
TRIAL = pytest.StashKey[bool]()
TRIAL_SECONDS = 2400
# What the processes of a parallel run tell one another.
TOGETHER = CLONE / "var" / "tests"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def pytest_configure(config: pytest.Config) -> None:
    """Let SIGTERM end the run as Ctrl-C does: what was started is stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    TOGETHER.mkdir(parents=True, exist_ok=True)
    if not hasattr(config, "workerinput"):  # the processes of a parallel run have this
        config.add_cleanup(still_addresses.hold())


class _Together(LoadScopeScheduling):  # type: ignore[misc] # xdist tells no types
    """Keeps in one process what shares something: a file's tests, the trial's, a host's."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder = file.split("/")[1]
        if folder == "deploy" and Path(file).name not in OWN_HOSTS:
            return "trixie" if "trixie" in nodeid else "bookworm"
        return folder if folder == "trial" else file


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Give each process of a parallel run what stays together."""
    return _Together(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the trial first, and what takes long next.

    The trial meets the machine as it was found, perhaps without an engine: the others wait for it,
    once they have done what needs none.
    """
    items.sort(key=lambda item: _turn(item.path))
    config.stash[TRIAL] = any(_folder(item.path) == "trial" for item in items)


def _folder(path: Path) -> str:
    return path.relative_to(Path(__file__).parent).parts[0]


def _turn(path: Path) -> int:
    folder = _folder(path)
    return FIRST.index(folder) if folder in FIRST else len(FIRST)


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Tell the other processes when the trial is over."""
    if _folder(item.path) == "trial" and (nextitem is None or _folder(nextitem.path) != "trial"):
        _trial_over().touch()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Wait in the processes that do not run the trial: it compares the machine before and after."""
    if not item.config.stash[TRIAL] or _folder(item.path) == "trial":
        return
    deadline = time.monotonic() + TRIAL_SECONDS
    while not _trial_over().exists():
        assert time.monotonic() < deadline, "the tests of the trial do not end"
        time.sleep(0.2)


def _trial_over() -> Path:
    """Return the file that says so, one a run."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"one-{os.getpid()}")
    return TOGETHER / f"trial-over-{run}"


@pytest.fixture(scope="session")
def engine_up() -> Iterator[None]:
    """A Docker engine: the one that runs, else one that is stopped when no process needs it."""
    logs = CLONE / "var" / "log"
    logs.mkdir(parents=True, exist_ok=True)
    with (TOGETHER / "engine-users").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        with engine.provided(logs) as ours:
            yield
            fcntl.flock(users, fcntl.LOCK_UN)
            if ours:
                fcntl.flock(users, fcntl.LOCK_EX)


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
