"""Sharing in real browsers: a guest watches a desktop until it is taken back; a web application."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import FrameLocator, Locator, Page, expect
from portal import HELLO, TERMINAL, RunningPortal

SLOW = 30_000  # ms for a desktop to come up
SOON = 1_000  # ms within which it is over
Open = Callable[..., Page]


@pytest.fixture
def started(portal: RunningPortal) -> Iterator[Callable[[str, str], str]]:
    """Start an application for alice that she may share so far; return the session's id."""
    api, granted = portal.api("alice"), []

    def start(image: str, share: str) -> str:
        words = ("app", "grant", image, "alice", "--allow-home", "--share", share)
        granted.append((image, share))
        answer = api.post("/api/v1/sessions", json={"grant_id": portal.remoteappdb(*words)})
        assert answer.status_code == 202, answer.text
        return str(portal.wait_for(api, answer.json()["id"], "ready")["id"])

    yield start
    portal.stop_all()
    for image, share in granted:
        words = ("app", "revoke", image, "alice", "--allow-home", "--share", share)
        portal.remoteappdb(*words)


class Sockets:
    """When a page's connections for pictures were made and ended."""

    def __init__(self, page: Page) -> None:
        self.open = 0
        self.ended = 0
        page.on("websocket", self._note)

    def _note(self, one: Any) -> None:
        self.open += 1
        one.on("close", lambda _: setattr(self, "ended", self.ended + 1))


def desktop_of(page: Page) -> FrameLocator:
    """Wait for a desktop in the frame of a page."""
    frame = page.frame_locator("#application")
    expect(frame.locator("canvas")).to_be_visible(timeout=SLOW)
    expect(frame.locator("#status")).to_be_hidden(timeout=SLOW)
    return frame


def shared_by_link(page: Page) -> tuple[Locator, str]:
    """Share in the dialog; return that and the link."""
    page.get_by_role("button", name="Share").click()
    dialog = page.locator("#share-dialog")
    dialog.get_by_label("With").select_option("link")
    dialog.get_by_role("button", name="Share it").click()
    return dialog, str(dialog.locator("#link").text_content())


def test_a_guest_watches_a_desktop_until_it_is_taken_back_and_the_owner_notices_nothing(
    started: Callable[[str, str], str], open_page: Open
) -> None:
    session_id = started(TERMINAL, "view")
    hers, guest = open_page("alice"), open_page()
    own, theirs = Sockets(hers), Sockets(guest)
    hers.goto(f"/sessions/{session_id}")
    desktop_of(hers)
    dialog, link = shared_by_link(hers)
    guest.goto(link)
    guest.get_by_label("Your name").fill("Ann")
    guest.get_by_role("button", name="Come in as a guest").click()
    expect(guest.locator(".whose")).to_have_text("Shared by alice: you look on.")
    desktop_of(guest)
    expect(dialog).to_contain_text("Ann is watching, since")
    expect(hers.locator("#watching")).to_have_text("1 watching")

    begun = time.monotonic()
    dialog.get_by_role("button", name="Take it back").click()
    over = guest.get_by_role("heading", name="Terminal is not open to you any more")
    expect(over).to_be_visible(timeout=SOON)
    assert time.monotonic() - begun < 1.5  # with what a browser takes to press a button
    expect(guest.locator("#application")).to_have_count(0)
    expect(dialog).to_contain_text("Nobody but you.")
    assert (own.open, own.ended) == (1, 0)
    assert (theirs.open, theirs.ended) == (1, 1)
    guest.goto(f"/sessions/{session_id}")
    expect(guest).to_have_url(re.compile("/login"))


def test_a_web_application_of_another_says_first_whose_it_is(
    portal: RunningPortal, started: Callable[[str, str], str], open_page: Open
) -> None:
    session_id = started(HELLO, "control")
    body = {"user": "bob", "access": "control"}
    answer = portal.client("alice").post(f"/api/v1/sessions/{session_id}/shares", json=body)
    assert answer.status_code == 201, answer.text
    his = open_page("bob")
    shared = his.locator("#shared")
    expect(shared).to_contain_text("Hello of alice")
    shared.get_by_role("link", name="Open Hello of alice").click()
    expect(his.get_by_role("heading", name="Open Hello of alice?")).to_be_visible()
    expect(his.locator("iframe")).to_have_count(0)
    his.get_by_role("button", name="Open it").click()
    expect(his.locator(".whose")).to_have_text("Shared by alice: you use it.")
    expect(his.frame_locator("#application").locator("h1")).to_be_visible(timeout=SLOW)
