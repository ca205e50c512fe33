"""Two browsers at once: each sees within two seconds what the other does, without a reload."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect
from portal_pages import hostile
from portal_pages.conftest import People, Site

from control_plane import lifecycle, sessions

SOON = 2000  # ms


def row(page: Page, session: str) -> Locator:
    """Return a session as its owner's catalogue shows it."""
    return page.locator(f".session[data-id='{session}']")


def state_of(page: Page, session: str) -> Locator:
    """Return the state of a session in a list of administration."""
    return page.locator(f"[data-key='{session}'] .state")


@pytest.fixture
def catalogue(people: People) -> Page:
    """Her catalogue, in a tab that nobody touches."""
    page = people.page("alice")
    page.goto("/")
    return page


@pytest.fixture
def administrator(people: People) -> Page:
    """The list of everyone's sessions in an administrator's browser."""
    page = people.page(hostile.ADMIN)
    page.goto("/admin/sessions?user=alice")
    return page


@pytest.fixture
def session(site: Site, catalogue: Page) -> Iterator[str]:
    """What she starts in a second tab, which shows its page."""
    page = catalogue.context.new_page()
    page.goto("/")
    page.locator(".application[data-name='Hello']").get_by_role("button", name="Start").click()
    expect(page.locator("body")).to_have_attribute("data-state", "ready")
    found = str(page.locator("body").get_attribute("data-id"))
    yield found
    left = site.plane.access.sessions.get(found)
    if left and left.living:
        sessions.ask_to_stop(site.plane, left, "the test is over").result(10)
    elif left:
        sessions.dismiss(site.plane, left)


def test_a_start_in_a_second_tab_is_seen(
    catalogue: Page, administrator: Page, session: str
) -> None:
    expect(row(catalogue, session)).to_have_attribute("data-state", "ready", timeout=SOON)
    expect(state_of(administrator, session)).to_have_text("Ready", timeout=SOON)


def test_a_container_that_dies_is_seen(
    site: Site, catalogue: Page, administrator: Page, session: str
) -> None:
    expect(state_of(administrator, session)).to_have_text("Ready")
    container = site.plane.access.sessions[session].container_id
    site.engine.end(container, 1)
    lifecycle.container_ended(site.plane, container)
    expect(row(catalogue, session)).to_have_attribute("data-state", "failed", timeout=SOON)
    expect(state_of(administrator, session)).to_have_text("Failed", timeout=SOON)
    ended = catalogue.context.pages[-1]
    expect(ended.locator("#ended-title")).to_be_visible(timeout=SOON)


def test_an_administrators_stop_is_seen(catalogue: Page, administrator: Page, session: str) -> None:
    administrator.locator(f"[data-key='{session}'] input").check()
    administrator.get_by_role("button", name="Stop the chosen ones").click()
    administrator.get_by_role("button", name="Stop").last.click()
    expect(row(catalogue, session)).to_have_count(0, timeout=SOON)


def test_a_message_of_an_administrator_is_read_at_once(
    catalogue: Page, administrator: Page, session: str
) -> None:
    own = catalogue.context.pages[-1]
    administrator.goto(f"/admin/sessions/{session}")
    administrator.get_by_label("Message").fill(hostile.TAG)
    administrator.get_by_role("button", name="Send the message").click()
    for page in (own, catalogue):
        expect(page.locator("#messages")).to_contain_text(hostile.TAG, timeout=SOON)
        assert page.locator("img[src=x]").count() == 0
