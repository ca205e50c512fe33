"""A session's page while it is open, in Chromium: what it says by itself, and what one presses."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from adapters.fakes_engine import FakeEngine
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from served import Served, portal_of, served
from usecases.conftest import Application200, grant_of

from control_plane import lifecycle, messages, sessions
from control_plane.domain.access import Caller
from control_plane.domain.entities import Policy, Session
from control_plane.domain.ports import Plane
from control_plane.domain.roles import Actor

ADMIN = Actor("admin", "192.0.2.1", frozenset())
HOURS = 8 * 3600
SOON = 2_000  # ms in which whatever happens is to be seen
FROM_CONTAINERS = re.compile("/containers/")
APPLICATION = "<title>Inside</title><h1>The application</h1><input autofocus>"
# What the applications' own origin answers first.
ARRIVAL = """<noscript><meta http-equiv="refresh" content="0; url={to}"></noscript>
<script>parent.postMessage({{ remoteapp: "arrived" }}, "*"); location.replace("{to}");</script>"""
Open = Callable[..., Page]


@pytest.fixture
def place(plane: Plane, loop: asyncio.AbstractEventLoop, tmp_path: Path) -> Iterator[Served]:
    """The portal; what alice starts there has an end, and may run twice."""
    policy = Policy(max_lifetime=HOURS, max_sessions=2)
    plane.accounting.change_grant(grant_of(plane, "alice"), lambda _: policy)
    with served(portal_of(plane), loop, tmp_path) as made:
        limits = replace(plane.site.limits, start_timeout=60)
        site = replace(plane.site, public_url=made.url, limits=limits)
        object.__setattr__(plane, "site", site)
        yield made


@pytest.fixture
def context(browser: Browser, place: Served) -> Iterator[BrowserContext]:
    """A browser in which alice is signed in; every container answers with one page."""
    made = browser.new_context(base_url=place.url, ignore_https_errors=True)
    made.route(FROM_CONTAINERS, answer)
    sign_in(made, place)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def starting(plane: Plane, place: Served, alice: Caller, application: Application200) -> Session:
    """A session that waits for its application."""
    assert place
    application.ready = False
    return sessions.begin(plane, alice, grant_of(plane, "alice"), {}, instead=False)


@pytest.fixture
def ready(plane: Plane, starting: Session, application: Application200) -> Session:
    """A session that is ready."""
    application.ready = True
    return when_ready(plane, starting)


def answer(route: Route) -> None:
    _, is_arrival, wanted = route.request.url.partition("/arrive?to=")
    page = ARRIVAL.format(to=wanted) if is_arrival else APPLICATION
    route.fulfill(content_type="text/html", body=page)


def sign_in(context: BrowserContext, place: Served) -> None:
    form: dict[str, str | float | bool] = {"name": "alice", "password": "alice's password"}
    headers = {"Origin": place.url}
    context.request.post("/login", form=form, headers=headers, max_redirects=0)


def when_ready(plane: Plane, session: Session) -> Session:
    deadline = time.monotonic() + 20
    while not plane.access.sessions[session.id].ready_at:
        assert time.monotonic() < deadline, "it does not become ready"
        time.sleep(0.01)
    return plane.access.sessions[session.id]


def entered(page: Page, session: Session) -> None:
    """Open a session's page; return when its application has the keyboard."""
    page.goto(f"/sessions/{session.id}")
    expect(page.frame_locator("#application").locator("h1")).to_have_text("The application")
    expect(page.locator("#application")).to_be_focused()


def test_a_start_is_told_as_it_goes_on_and_ends_in_the_application(
    page: Page, starting: Session, application: Application200
) -> None:
    page.goto(f"/sessions/{starting.id}")
    expect(page.locator("#steps li")).to_have_text([re.compile("Starting."), re.compile("runs.")])
    expect(page.locator("#doing")).to_have_text("The application gets ready…")
    expect(page.locator("#seconds")).not_to_have_text("0")
    expect(page).to_have_title(re.compile("^Starting: Hello "))
    application.ready = True
    expect(page.locator("#application")).to_be_focused(timeout=10_000)
    expect(page).to_have_title(re.compile("^Hello "))
    expect(page.locator("#state")).to_have_text("Ready")
    expect(page.locator("#left-text")).to_have_text("8 h 0 min left")
    icon = page.locator("link[rel=icon]").get_attribute("href")
    assert icon == f"/api/v1/applications/{starting.grant_id}/icon"


def test_what_an_administrator_stops_is_seen_to_end(
    page: Page, plane: Plane, ready: Session
) -> None:
    entered(page, ready)
    sessions.ask_to_stop(plane, ready, "stopped by the administrator admin")
    heading = page.get_by_role("heading", name="Hello has ended")
    expect(heading).to_be_focused(timeout=SOON)
    expect(page.locator("#reason")).to_have_text("Stopped by the administrator admin")
    expect(page.locator("#application")).to_have_count(0)
    page.get_by_role("button", name="Start again").click()
    page.wait_for_url(lambda url: not url.endswith(ready.id))


def test_a_container_that_dies_is_seen_to_and_its_output_read(
    page: Page, plane: Plane, engine: FakeEngine, ready: Session
) -> None:
    entered(page, ready)
    engine.end(ready.container_id, 137)
    lifecycle.container_ended(plane, ready.container_id)
    expect(page.get_by_role("heading", name="Hello has failed")).to_be_focused(timeout=SOON)
    expect(page.locator("#reason")).to_contain_text("ended by itself with status 137")
    expect(page.locator("#tail")).to_contain_text("line")
    page.get_by_role("button", name="Dismiss").click()
    page.wait_for_url("/?done=dismissed")


def test_who_may_not_enter_any_more_sees_it_and_enters_again_when_he_may(
    page: Page, plane: Plane, ready: Session
) -> None:
    entered(page, ready)
    sessions.change(plane, ready, "Nobody can enter.", cut_off=True)
    expect(page.get_by_role("heading", name="Nobody can enter Hello now")).to_be_visible()
    expect(page.locator("#application")).to_be_hidden()
    sessions.change(plane, ready, "Ready.", cut_off=False)
    expect(page.locator("#application")).to_be_focused()


def test_the_time_that_is_left_is_counted_warned_of_and_extended(
    page: Page, plane: Plane, ready: Session
) -> None:
    page.clock.install()
    entered(page, ready)
    expect(page.locator("#left-text")).to_have_text(re.compile("^(8 h 0|7 h 59) min left$"))
    expect(page.locator("#warning")).to_be_hidden()
    page.clock.fast_forward("07:54:30")
    expect(page.locator("#left-text")).to_have_text("6 min left")
    warning = page.locator("#warning-text")
    expect(warning).to_have_text("Hello ends in 6 min. What is not saved in it is lost then.")
    said = page.locator("#warning-said")
    expect(said).to_contain_text("Hello ends in 6 min.")
    page.clock.fast_forward("30")
    page.clock.run_for(1000)
    expect(warning).to_contain_text("in 5 min.")
    expect(said).to_contain_text("in 5 min.")
    page.clock.fast_forward("01:00")
    expect(warning).to_contain_text("in 4 min.")
    expect(said).to_contain_text("in 5 min.")  # read aloud at five and at two, not in between
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#warning")).to_be_hidden()
    page.clock.fast_forward("02:30")
    expect(page.locator("#warning")).to_be_visible()
    sessions.change(plane, ready, "Its time was changed.", ends_at=ready.ready_at)
    before = plane.access.sessions[ready.id].ends_at
    page.locator("#warning").get_by_role("button", name="Extend to 8 h from now").click()
    expect(page.locator("#application")).to_be_focused()
    after = plane.access.sessions[ready.id].ends_at
    assert before
    assert after
    assert round((after - before).total_seconds()) == HOURS


def test_the_bar_tells_why_it_ends_and_extends(page: Page, plane: Plane, ready: Session) -> None:
    entered(page, ready)
    page.locator("#left").click()
    panel = page.locator("#time-told")
    expect(panel).to_contain_text("It may run for 8 h at a time, as it was granted to you.")
    ends_at = plane.access.sessions[ready.id].ends_at
    panel.get_by_role("button", name="Extend to 8 h from now").click()
    expect(page.locator("#warning-said")).to_contain_text("It was extended")
    expect(page.locator("#application")).to_be_focused()
    later = plane.access.sessions[ready.id].ends_at
    assert ends_at
    assert later
    assert later > ends_at


def test_what_an_administrator_says_appears_and_is_dismissed_for_good(
    page: Page, context: BrowserContext, plane: Plane, ready: Session
) -> None:
    catalogue = context.new_page()
    catalogue.goto("/")
    entered(page, ready)
    expect(catalogue.locator(".session")).to_have_count(1)
    messages.send(plane, ADMIN, ready, "We restart <b>at six</b>.")
    for one in (page, catalogue):
        expect(one.locator("#messages")).to_contain_text("We restart <b>at six</b>.", timeout=SOON)
    page.locator("#messages").get_by_role("button", name="Dismiss").click()
    expect(page.locator("#messages li")).to_have_count(0)
    expect(page.locator("#application")).to_be_focused()
    catalogue.reload()
    expect(catalogue.locator(".session")).to_have_count(1)
    expect(catalogue.locator("#messages li")).to_have_count(0)


def test_the_log_is_read_and_the_bar_hidden_and_shown(page: Page, ready: Session) -> None:
    entered(page, ready)
    page.get_by_role("button", name="Log").click()
    expect(page.locator("#log")).to_contain_text("line")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Hide this bar").click()
    expect(page.locator("#application")).to_be_focused()
    expect(page.locator(".bar")).to_be_hidden()
    page.get_by_role("button", name="Show the bar").click()
    expect(page.locator("#hide-bar")).to_be_focused()
    page.locator("#back").click()
    page.wait_for_url("/")
    expect(page.locator(".session")).to_have_count(1)


def test_without_scripts_every_state_is_shown_and_everything_can_be_done(
    browser: Browser, place: Served, plane: Plane, starting: Session, application: Application200
) -> None:
    context = browser.new_context(
        base_url=place.url, ignore_https_errors=True, java_script_enabled=False
    )
    context.route(FROM_CONTAINERS, answer)
    sign_in(context, place)
    page = context.new_page()
    page.goto(f"/sessions/{starting.id}")
    looks = page.locator("#progress noscript p").first
    expect(looks).to_have_text("This page looks again every three seconds.")
    expect(looks).to_be_visible()
    expect(page.get_by_role("link", name="its own address")).to_be_visible()
    application.ready = True
    when_ready(plane, starting)
    expect(page.locator("#state")).to_have_text("Ready", timeout=10_000)
    expect(page.frame_locator("#application").locator("h1")).to_have_text("The application")
    expect(page.get_by_role("button", name="Full screen")).to_be_hidden()
    page.get_by_role("button", name="Log").click()
    expect(page.get_by_role("heading", name="Log of Hello")).to_be_visible()
    page.get_by_role("link", name="Back to the session").click()
    page.locator("#left").click()
    page.locator("#time-told").get_by_role("button", name="Extend to 8 h from now").click()
    expect(page.locator("#done")).to_contain_text("It runs until")
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Stop it").click()
    page.wait_for_url("/?done=stopped")
    context.close()
