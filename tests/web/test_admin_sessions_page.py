"""Everyone's sessions as administrators see them: without scripts, and live in two browsers."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from adapters.fakes_engine import FakeEngine
from playwright.sync_api import Browser, Page, expect
from served import Served, portal_of, served
from starlette.testclient import TestClient
from usecases.conftest import Clock, grant_of, until

from control_plane import sessions, usage
from control_plane.domain.access import Caller
from control_plane.domain.entities import Sample, Session, State
from control_plane.domain.ports import Plane
from control_plane.errors import StartError

ORIGIN = {"Origin": "https://portal.test"}
LIST = "/admin/sessions"
UNKNOWN = "0" * 32
WITHIN_TWO_SECONDS = 2000


def begun(plane: Plane, name: str) -> Session:
    """Start what somebody was granted first; return it when it is ready."""
    caller = Caller(plane.access.users[name], frozenset())
    session = sessions.begin(plane, caller, grant_of(plane, name), {}, instead=False)
    until(lambda: plane.access.sessions[session.id].ready_at)
    until(lambda: not plane.jobs.busy(session.id))
    return plane.access.sessions[session.id]


def failed(plane: Plane, name: str) -> Session:
    session = begun(plane, name)
    sessions.fail(plane, session, StartError("exited", "It ended <by itself>."), "the tail")
    return plane.access.sessions[session.id]


def shown(admin: TestClient, query: str = "") -> list[str]:
    """Return the owners of the list's rows."""
    return re.findall(r'<td><a href="/admin/users/(\w+)">', admin.get(f"{LIST}{query}").text)


def text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).replace("&nbsp;", " ")


def test_everyones_sessions_are_searched_filtered_and_sorted(
    admin: TestClient, plane: Plane
) -> None:
    assert "Nothing runs just now." in admin.get(LIST).text
    begun(plane, "alice")
    failed(plane, "bob")
    assert shown(admin) == ["bob", "alice"]
    assert shown(admin, "?sort=owner") == ["alice", "bob"]
    assert shown(admin, "?sort=-state") == ["bob", "alice"]
    assert shown(admin, "?q=HELLO+ali") == ["alice"]
    assert shown(admin, "?user=bob") == ["bob"]
    assert shown(admin, "?application=Hello&state=ready") == ["alice"]
    assert "No session is like that just now." in admin.get(f"{LIST}?state=starting").text


def test_the_list_shows_what_was_counted_last_and_asks_the_engine_nothing(
    admin: TestClient, plane: Plane, engine: FakeEngine, clock: Clock
) -> None:
    session = begun(plane, "alice")
    assert text(admin.get(LIST).text).count("not counted yet") == 2
    usage.sample_all(plane)
    clock.ahead += timedelta(seconds=30)
    engine.samples[session.container_id] = Sample(0.01 + 15, 64 * 1024**2)
    usage.sample_all(plane)
    engine.away = True
    seen = text(admin.get(LIST).text)
    assert "50 % of 100 %" in seen
    assert "64 MiB of 256 MiB" in seen
    assert "no end" in seen
    engine.away = False
    sessions.ask_to_stop(plane, session, "enough").result(5)
    assert plane.loads == {}


def test_a_session_shows_whose_it_is_under_which_grant_and_where(
    admin: TestClient, plane: Plane
) -> None:
    session = begun(plane, "alice")
    page = admin.get(f"{LIST}/{session.id}").text
    assert f'href="/admin/grants/{session.grant_id}">to this user alone' in page
    for told in (session.id, session.container_id, f"{session.address}:8888", session.image):
        assert f"<code>{told}</code>" in page
    assert admin.get(f"{LIST}/{UNKNOWN}").status_code == 404


def test_the_output_is_read_only_for_who_asks_for_it(
    admin: TestClient, plane: Plane, engine: FakeEngine
) -> None:
    session = begun(plane, "alice")
    address = f"{LIST}/{session.id}"
    engine.away = True
    assert "Show the last lines" in admin.get(address).text
    assert "The container engine does not answer." in admin.get(f"{address}?log=1").text
    engine.away = False
    assert "line\nline\n</pre>" in admin.get(f"{address}?log=1").text
    over = failed(plane, "bob")
    engine.remove(over.container_id)
    page = admin.get(f"{LIST}/{over.id}?log=1").text
    assert "It ended &lt;by itself&gt;." in page
    assert "the tail</pre>" in page


def test_the_owner_is_told_something(admin: TestClient, plane: Plane) -> None:
    session = begun(plane, "alice")
    address, before = f"{LIST}/{session.id}", plane.events.latest()
    refused = admin.post(address, data={"text": "x" * 501})
    assert refused.status_code == 422
    assert "x" * 501 in refused.text
    sent = admin.post(address, data={"text": "Save your work."})
    assert (sent.status_code, sent.headers["location"]) == (303, f"{address}?done=sent")
    (event,) = plane.events.since(before) or ()
    assert (event.session, event.message) == (session.id, "Save your work.")
    assert (
        admin.post(address, data={"text": "x"}, headers={"Origin": "https://evil.test"}).status_code
        == 403
    )


def test_several_sessions_are_stopped_after_one_question(admin: TestClient, plane: Plane) -> None:
    one, other = begun(plane, "alice"), failed(plane, "bob")
    question = f"{LIST}/stop?id={one.id}&id={other.id}&id={UNKNOWN}"
    page = text(admin.get(question).text)
    assert "Stop these 2 sessions?" in page
    assert "Hello of alice, since" in page
    assert "The files in the home stay." in page
    assert "Hello of bob has failed" in page
    answer = admin.post(f"{LIST}/stop", data={"id": [one.id, other.id, UNKNOWN]})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{LIST}?done=stopping")
    until(lambda: not plane.access.sessions)
    ended = plane.records.session(one.id)
    assert ended
    assert ended.ends_because == "stopped by the administrator admin"
    assert ended.state is State.STOPPED
    acts = plane.records.audit(action="session-stop")
    assert {(act.actor, act.target) for act in acts} == {("admin", one.id), ("admin", other.id)}
    assert "There is nothing to stop" in admin.get(question).text


def test_nobody_else_sees_or_stops_anyones_session(plane: Plane) -> None:
    with TestClient(
        portal_of(plane), base_url="https://portal.test", follow_redirects=False
    ) as client:
        form = {"name": "charlie", "password": "charlie's password", "next": "/"}
        client.post("/login", data=form, headers=ORIGIN)
        session = begun(plane, "alice")
        for path in (LIST, f"{LIST}/{session.id}", f"{LIST}/stop?id={session.id}"):
            assert client.get(path).status_code == 403
        stop = client.post(f"{LIST}/stop", data={"id": session.id}, headers=ORIGIN)
        assert stop.status_code == 403
        assert plane.access.sessions[session.id].state is State.READY


# In two browsers.


@pytest.fixture
def place(
    plane: Plane,
    boss: None,  # noqa: ARG001 - it has to exist
    loop: asyncio.AbstractEventLoop,
    tmp_path: Path,
) -> Iterator[Served]:
    with served(portal_of(plane), loop, tmp_path) as made:
        object.__setattr__(plane, "site", replace(plane.site, public_url=made.url))
        yield made


def page_of(browser: Browser, place: Served) -> Page:
    context = browser.new_context(base_url=place.url, ignore_https_errors=True)
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill("admin's password")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("/")
    return page


def test_one_administrator_sees_what_another_stops_within_two_seconds(
    browser: Browser, place: Served, plane: Plane
) -> None:
    one, other = page_of(browser, place), page_of(browser, place)
    with other.expect_response("**/admin/events"):
        other.goto(LIST)
    expect(other.get_by_text("Nothing runs just now.")).to_be_visible()
    session = begun(plane, "alice")
    row = other.get_by_role("link", name="Hello of alice")
    expect(row).to_be_visible(timeout=WITHIN_TWO_SECONDS)
    one.goto(f"{LIST}/{session.id}")
    one.get_by_role("link", name="Stop it…").click()
    one.get_by_role("button", name="Stop the session").click()
    expect(row).to_be_hidden(timeout=WITHIN_TWO_SECONDS)
    expect(one.get_by_text("What you chose is being stopped.")).to_be_visible()
    for page in (one, other):
        page.context.close()


def test_chosen_sessions_stay_chosen_while_others_come(
    browser: Browser, place: Served, plane: Plane
) -> None:
    session = begun(plane, "alice")
    page = page_of(browser, place)
    with page.expect_response("**/admin/events"):
        page.goto(LIST)
    page.get_by_label("Choose Hello of alice").check()
    begun(plane, "bob")
    expect(page.get_by_label("Choose Hello of bob")).to_be_visible(timeout=WITHIN_TWO_SECONDS)
    page.get_by_role("button", name="Stop the chosen ones…").click()
    page.wait_for_url(f"**{LIST}/stop?id={session.id}")
    page.context.close()
