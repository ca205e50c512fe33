"""Sharing while pages are open, in Chromium: what one presses, and what others see at once."""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from adapters.fakes_forwarder import FakeForwarder
from playwright.sync_api import Browser, Page, Route, expect
from served import Served, portal_of, served
from usecases.conftest import grant_of, until

from control_plane import sessions, sharing
from control_plane.domain.access import Caller
from control_plane.domain.entities import Policy, Session
from control_plane.domain.ports import Plane

SOON = 1_000  # ms within which the page says that it is over
APPLICATION = "<title>Inside</title><h1>The application</h1>"
# What the applications' own origin answers first; its port is 8444, where nothing listens.
ARRIVAL = """<script>parent.postMessage({{ remoteapp: "arrived" }}, "{portal}");
location.replace("{to}");</script>"""
FROM_APPLICATIONS = re.compile("^https://localhost:8444/")
Opening = Callable[..., Page]


@pytest.fixture
def place(plane: Plane, loop: asyncio.AbstractEventLoop, tmp_path: Path) -> Iterator[Served]:
    """The portal, which lets in guests."""
    with served(portal_of(plane), loop, tmp_path) as made:
        site = replace(plane.site, public_url=made.url, guests=True)
        object.__setattr__(plane, "site", site)
        yield made


@pytest.fixture
def opening(browser: Browser, place: Served) -> Iterator[Opening]:
    """Return who opens a page, signed in with a name; `reach` is whether applications answer."""

    def answer(route: Route) -> None:
        _, is_arrival, wanted = route.request.url.partition("/arrive?to=")
        page = ARRIVAL.format(portal=place.url, to=wanted) if is_arrival else APPLICATION
        route.fulfill(content_type="text/html", body=page)

    with ExitStack() as contexts:

        def opened(name: str = "", *, reach: bool = True) -> Page:
            context = browser.new_context(base_url=place.url, ignore_https_errors=True)
            contexts.callback(context.close)
            if reach:
                context.route(FROM_APPLICATIONS, answer)
            if name:
                form: dict[str, str | float | bool] = {
                    "name": name,
                    "password": f"{name}'s password",
                }
                headers = {"Origin": place.url}
                context.request.post("/login", form=form, headers=headers, max_redirects=0)
            return context.new_page()

        yield opened


@pytest.fixture
def desktop(plane: Plane, alice: Caller, place: Served) -> Session:
    """A desktop of alice's that is ready."""
    assert place
    plane.accounting.change_grant(grant_of(plane, "alice"), lambda _: Policy(share="control"))
    begun = sessions.begin(plane, alice, grant_of(plane, "alice"), {}, instead=False)
    until(lambda: plane.access.sessions[begun.id].ready_at)
    made = replace(plane.access.sessions[begun.id], type="vncapp")
    plane.records.save_session(made)
    plane.access.put(made)
    return made


def entered(page: Page) -> None:
    """Wait for the application in its frame."""
    expect(page.frame_locator("#application").locator("h1")).to_have_text("The application")


def test_a_link_is_made_in_the_dialog_a_guest_comes_and_is_out_at_once_when_it_is_taken_back(
    opening: Opening, plane: Plane, desktop: Session
) -> None:
    hers = opening("alice")
    hers.goto(f"/sessions/{desktop.id}")
    entered(hers)
    hers.get_by_role("button", name="Share").click()
    dialog = hers.locator("#share-dialog")
    expect(dialog).to_contain_text("Nobody but you.")
    dialog.get_by_label("With").select_option("link")
    expect(dialog.get_by_label("Name")).to_be_hidden()
    dialog.get_by_role("button", name="Share it").click()
    link = dialog.locator("#link")
    expect(link).to_be_focused()

    guest = opening()
    guest.goto(str(link.text_content()))
    expect(guest.get_by_label("What stands behind the #")).to_be_hidden()
    guest.get_by_label("Your name").fill("Ann")
    guest.get_by_role("button", name="Come in as a guest").click()
    entered(guest)
    expect(guest.locator(".whose")).to_have_text("Shared by alice: you look on.")

    (share,) = plane.access.shares_of(desktop.id)
    (signin,) = [one for one in plane.access.signins.values() if one.kind == "guest"]
    assert isinstance(plane.forwarder, FakeForwarder)
    plane.forwarder.connect(share.id, signin.id, signin.user)
    sharing.keep(plane)
    expect(dialog).to_contain_text("Ann is watching, since")
    dialog.get_by_role("button", name="Close").click()
    expect(hers.locator("#watching")).to_have_text("1 watching")
    expect(hers.locator("#link")).to_have_count(0)

    hers.get_by_role("button", name="Share").click()
    dialog.get_by_role("button", name="Take it back").click()
    over = guest.get_by_role("heading", name="Hello is not open to you any more")
    expect(over).to_be_focused(timeout=SOON)
    expect(guest.locator("#application")).to_have_count(0)
    expect(dialog).to_contain_text("Nobody but you.")
    expect(hers.locator("#watching")).to_be_empty()
    entered(hers)


def test_a_user_follows_a_link_over_the_sign_in_page(
    opening: Opening, plane: Plane, desktop: Session
) -> None:
    hers = opening("alice")
    hers.goto(f"/sessions/{desktop.id}/share")
    hers.get_by_label("With").select_option("link")
    hers.get_by_role("button", name="Share it").click()
    link = str(hers.locator("#link").text_content())
    page = opening()
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    page.goto(link)
    page.get_by_role("link", name="Sign in").click()
    page.locator("#name").fill("charlie")
    page.locator("#password").fill("charlie's password")
    page.get_by_role("button", name="Sign in").click()
    entered(page)
    secret = link.partition("#")[2]
    assert [one for one in seen if secret in one.partition("#")[0]] == []
    page.goto("/")
    expect(page.locator("#shared")).to_contain_text("Hello of alice")
    (share,) = plane.access.shares_of(desktop.id)
    hers.locator("#shares").get_by_role("button", name="Take it back").click()
    assert share.id not in plane.access.shares


def test_what_does_not_report_in_is_said_to_be_missing_with_a_way_out(
    opening: Opening, desktop: Session
) -> None:
    page = opening("alice", reach=False)
    page.clock.install()
    page.goto(f"/sessions/{desktop.id}")
    expect(page.locator("#application")).to_be_attached()
    expect(page.locator("#missed")).to_be_hidden()
    page.clock.fast_forward(5_100)
    missed = page.locator("#missed")
    expect(missed).to_be_visible()
    expect(missed).to_contain_text("Your browser may not trust the certificate of that address")
    expect(missed).to_contain_text("may not let port 8444 through")
    way = missed.get_by_role("link", name="Open it in a tab of its own").get_attribute("href")
    assert way == f"https://localhost:8444/user/alice/containers/{desktop.id}/"
