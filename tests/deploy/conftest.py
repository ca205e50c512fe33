"""Provisioned hosts, one a release of Debian, for all tests that leave them as they found them."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from conftest import CHROMIUM, FLAGS
from deploy import hosts, spare
from deploy.people import HELLO, TERMINAL, Site
from playwright.sync_api import Page, sync_playwright

from control_plane.trial.places import CLONE

Pages = Callable[[Site, str], Page]


@pytest.fixture(scope="session")
def host_images(engine_up: None) -> None:  # noqa: ARG001 - it has to run
    """The images that the hosts' engines are given."""
    build = [sys.executable, str(CLONE / "images" / "build"), "hello", "terminal"]
    subprocess.run(build, check=True)


@contextmanager
def provisioned(name: str, release: str) -> Iterator[Site]:
    """Boot a host and make it a portal, with the cast and their applications."""
    with installed(name, release) as site:
        site.furnish()
        yield site


@contextmanager
def installed(name: str, release: str, *tags: str) -> Iterator[Site]:
    """Boot a host and make it a portal that nobody may use yet; `tags` name the only roles."""
    with hosts.running(name, release) as host:
        play = host.playbook("site.yml", *(("--tags", ",".join(tags)) if tags else ()))
        print(f"\nsite.yml on a fresh {release}: {play.seconds:.0f} s")  # noqa: T201 - a figure
        host.load(HELLO, TERMINAL)
        yield Site(host)


@pytest.fixture(scope="session")
def bookworm(host_images: None) -> Iterator[Site]:  # noqa: ARG001 - they have to be
    """A portal on Debian 12."""
    with provisioned("bookworm", "bookworm") as site:
        yield site


@pytest.fixture(scope="session")
def trixie(host_images: None) -> Iterator[Site]:  # noqa: ARG001 - they have to be
    """A portal on Debian 13."""
    with provisioned("trixie", "trixie") as site:
        yield site


@pytest.fixture(scope="session")
def second(host_images: None) -> Iterator[spare.Spare]:  # noqa: ARG001 - they have to be
    """A host that serves something else, too, and is a portal of the first one's name."""
    with spare.provisioned("bookworm") as found:
        yield found


@pytest.fixture(params=["bookworm", pytest.param("trixie", marks=pytest.mark.variant)])
def either(request: pytest.FixtureRequest) -> Site:
    """Each of the two, one after the other."""
    site: Site = request.getfixturevalue(request.param)
    return site


@pytest.fixture
def signed_in() -> Iterator[Pages]:
    """Open a browser that finds the host by its name, signed in through the form.

    What the visitor runs in the end is stopped.
    """
    with ExitStack() as undo:
        playwright = undo.enter_context(sync_playwright())

        def opened(site: Site, name: str) -> Page:
            undo.callback(site.stop_all, name)
            finds = f"--host-resolver-rules=MAP {site.host.fqdn} {site.host.address}"
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, finds])
            undo.callback(browser.close)
            page = browser.new_page(base_url=site.host.url, ignore_https_errors=True)
            page.goto("/login")
            page.get_by_label("Name").fill(name)
            page.get_by_label("Password").fill(site.password(name))
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url("/")
            return page

        yield opened
