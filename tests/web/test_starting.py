"""Starting and stopping by forms, as a browser without scripts does it."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from adapters.fakes_engine import HELLO, FakeEngine
from served import portal_of
from starlette.testclient import TestClient
from usecases.conftest import APPLICATION, Application200, grant_of, until

from control_plane import sessions
from control_plane.domain.access import Caller
from control_plane.domain.entities import Grantee, Policy, Session, State
from control_plane.domain.ports import Plane
from control_plane.errors import StartError

ORIGIN = {"Origin": "https://portal.test"}
LABEL = "eu.simphony-project.docker.env."


@pytest.fixture
def browser(plane: Plane, engine: FakeEngine) -> Iterator[TestClient]:
    """Alice's browser; her application takes a size and a file."""
    names = ("x11-width", "x11-height", "x11-depth", "startupdata")
    declared = {**engine.known[HELLO].labels, **{LABEL + name: "" for name in names}}
    engine.known[HELLO] = replace(engine.known[HELLO], labels=declared)
    grant = plane.accounting.grants_of("alice")[0]
    whole = Policy(allow_home=True, allow_startup_data=True)
    plane.accounting.change_grant(grant.id, lambda _: whole)
    with TestClient(
        portal_of(plane), base_url="https://portal.test", follow_redirects=False
    ) as client:
        form = {"name": "alice", "password": "alice's password", "next": "/"}
        assert client.post("/login", data=form, headers=ORIGIN).status_code == 303
        client.headers.update(ORIGIN)
        yield client


@pytest.fixture
def address(plane: Plane) -> str:
    """Where alice's application is started."""
    return f"/applications/{grant_of(plane, 'alice')}/start"


def running(plane: Plane) -> list[Session]:
    return [one for one in plane.access.sessions_of("alice") if one.living]


def alert(page: str) -> str:
    found = re.search(r'<p class="alert">(.*?)</p>', page)
    return found[1] if found else ""


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ({}, {}),
        ({"resolution": "", "startup_file": ""}, {}),
        ({"resolution": "1280x800"}, {"resolution": "1280x800"}),
        (
            {"resolution": "custom", "width": "1000 ", "height": "700"},
            {"resolution": "1000x700"},
        ),
        ({"resolution": "window", "window": "1432x856"}, {"resolution": "1432x856"}),
        ({"resolution": "window", "window": ""}, {}),
        ({"resolution": "1280x800", "window": "1x1"}, {"resolution": "1280x800"}),
        ({"startup_file": " a b.py"}, {"startup_file": " a b.py"}),
    ],
)
def test_a_form_starts_with_what_it_chooses_and_leads_to_the_session(
    browser: TestClient, plane: Plane, address: str, form: dict[str, str], options: dict[str, str]
) -> None:
    answer = browser.post(address, data=form)
    (session,) = running(plane)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sessions/{session.id}")
    assert session.options == options


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"resolution": "custom", "width": "1", "height": "700"}, "must lie within"),
        ({"resolution": "<b>"}, "must be WIDTHxHEIGHT"),
        ({"startup_file": "a\nb"}, "printable characters"),
    ],
)
def test_what_does_not_fit_is_said_at_its_card_and_starts_nothing(
    browser: TestClient, plane: Plane, address: str, form: dict[str, str], said: str
) -> None:
    answer = browser.post(address, data=form)
    assert answer.status_code == 422
    assert said in alert(answer.text)
    assert "<b>" not in answer.text
    assert running(plane) == []


def test_a_start_that_the_engine_refuses_is_said_at_its_card(
    browser: TestClient, engine: FakeEngine, address: str
) -> None:
    engine.known.clear()
    answer = browser.post(address)
    assert answer.status_code == 409
    assert "is not on this machine" in alert(answer.text)


def test_what_runs_already_is_opened_or_replaced_after_a_question(
    browser: TestClient, plane: Plane, address: str
) -> None:
    browser.post(address)
    (first,) = running(plane)
    answer = browser.post(address, data={"resolution": "1280x800", "startup_file": '"<x>.py'})
    assert answer.status_code == 409
    assert "Hello is running already" in answer.text
    assert f'href="/sessions/{first.id}"' in answer.text
    kept = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', answer.text))
    assert kept == {"resolution": "1280x800", "startup_file": "&#34;&lt;x&gt;.py"}
    assert running(plane) == [plane.access.sessions[first.id]]
    again = browser.post(address, data={"resolution": "1280x800", "instead": "on"})
    second = next(one for one in running(plane) if one.id != first.id)
    assert (again.status_code, again.headers["location"]) == (303, f"/sessions/{second.id}")
    until(lambda: first.id not in plane.access.sessions)


def test_several_sessions_of_one_application_run_where_the_policy_allows(
    browser: TestClient, plane: Plane, address: str
) -> None:
    grant = address.split("/")[2]
    plane.accounting.change_grant(grant, lambda one: replace(one.policy, max_sessions=2))
    assert [browser.post(address).status_code for _ in range(3)] == [303, 303, 409]
    asked = browser.post(address).text
    assert "Stop the oldest and start afresh" in asked
    assert asked.count('class="session"') == 2


def test_too_much_of_everything_is_said_with_what_runs(
    browser: TestClient, plane: Plane, address: str
) -> None:
    many = Policy(max_sessions=9)
    other = plane.accounting.add_grant(Grantee("user", "alice"), APPLICATION, many).id
    for _ in range(3):
        assert browser.post(f"/applications/{other}/start").status_code == 303
    answer = browser.post(address)
    assert answer.status_code == 409
    assert "Too much runs already" in answer.text
    assert answer.text.count('class="session"') == 3
    assert "afresh" not in answer.text


@pytest.mark.parametrize("origin", ["null", "https://evil.test"])
def test_no_form_of_another_site_starts_or_stops_anything(
    browser: TestClient, plane: Plane, address: str, origin: str
) -> None:
    assert browser.post(address, headers={"Origin": origin}).status_code == 403
    browser.post(address)
    (session,) = running(plane)
    path = f"/sessions/{session.id}/stop"
    assert browser.post(path, headers={"Origin": origin}).status_code == 403
    assert running(plane)[0].state is not State.STOPPING


def test_what_is_not_yours_can_neither_be_started_nor_stopped(
    browser: TestClient, plane: Plane, charlie: Caller
) -> None:
    theirs = plane.accounting.add_grant(Grantee("user", "charlie"), APPLICATION, Policy()).id
    assert browser.post(f"/applications/{theirs}/start").status_code == 404
    session = sessions.begin(plane, charlie, theirs, {}, instead=False)
    for method in ("GET", "POST"):
        assert browser.request(method, f"/sessions/{session.id}/stop").status_code == 404


def test_whoever_had_to_sign_in_before_a_start_comes_to_the_catalogue(
    browser: TestClient, address: str
) -> None:
    assert browser.get(address).headers["location"] == "/"
    browser.cookies.clear()
    assert browser.post(address).headers["location"] == f"/login?next={address}"


def test_a_session_is_stopped_after_one_question(
    browser: TestClient, plane: Plane, address: str
) -> None:
    browser.post(address)
    (session,) = running(plane)
    path = f"/sessions/{session.id}/stop"
    asked = browser.get(path)
    assert "Stop Hello?" in asked.text
    assert "The files in your home stay." in asked.text
    answer = browser.post(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?done=stopped")
    until(lambda: session.id not in plane.access.sessions)
    ended = plane.records.session(session.id)
    assert ended
    assert (ended.state, ended.ends_because) == (State.STOPPED, "stopped by alice")
    assert "Hello has ended" in browser.get(path).text
    assert browser.post(path).status_code == 303


def test_a_failure_is_dismissed_by_one_press(
    browser: TestClient, plane: Plane, address: str, application: Application200
) -> None:
    application.ready = False
    browser.post(address)
    (session,) = running(plane)
    sessions.fail(plane, session, StartError("exited", "It ended."), "")
    row = re.search(r'<form action="(/sessions/\w+/stop)" method="post">', browser.get("/").text)
    assert row
    assert browser.post(row[1]).headers["location"] == "/?done=dismissed"
    assert session.id not in plane.access.sessions
