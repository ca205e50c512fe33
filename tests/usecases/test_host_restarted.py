"""A restart of the host ends what ran on it, and nobody is told that it failed."""

from dataclasses import replace
from pathlib import Path

import pytest
from adapters.fakes_engine import FakeEngine
from adapters.fakes_gateway import FakeGateway
from starlette.testclient import TestClient
from usecases.conftest import grant_of, until

from control_plane import lifecycle, sessions
from control_plane.domain.access import Access, Caller
from control_plane.domain.entities import Session, State
from control_plane.domain.ports import Plane
from control_plane.web import app, lifespan


def running(plane: Plane, caller: Caller) -> Session:
    session = sessions.begin(plane, caller, grant_of(plane, "alice"), {}, instead=False)
    until(lambda: plane.access.sessions[session.id].state is State.READY)
    until(lambda: not plane.jobs.busy(session.id))
    return plane.access.sessions[session.id]


def next_process(plane: Plane) -> Plane:
    after = replace(plane, access=Access())
    lifecycle.load(after)
    return after


def ended(plane: Plane, session: Session) -> tuple[State, str, bool]:
    found = plane.records.session(session.id)
    assert found
    return found.state, found.ends_because, found.ended_at is not None


@pytest.mark.parametrize("status", [0, 137, 255])
@pytest.mark.parametrize("state", [State.READY, State.STARTING])
def test_what_ended_with_the_host_is_stopped_and_can_be_started_again(  # noqa: PLR0913, PLR0917 - pytest gives what it names
    plane: Plane,
    alice: Caller,
    engine: FakeEngine,
    gateway: FakeGateway,
    state: State,
    status: int,
) -> None:
    session = replace(running(plane, alice), state=state)
    plane.records.save_session(session)
    engine.end(session.container_id, status)
    after = next_process(plane)
    lifecycle.reconcile(after, host_restarted=True)
    assert ended(plane, session) == (State.STOPPED, "host restarted", True)
    assert (engine.found, gateway.routes, after.access.sessions) == ({}, set(), {})
    row = plane.records.usage_of(session.id)
    assert row
    assert row.reason == "host restarted"
    assert running(after, alice).state is State.READY


def test_a_container_that_is_gone_altogether_ended_with_the_host_too(
    plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    session = running(plane, alice)
    engine.found.clear()
    lifecycle.reconcile(next_process(plane), host_restarted=True)
    assert ended(plane, session) == (State.STOPPED, "host restarted", True)


def test_what_runs_in_spite_of_the_restart_runs_on(
    plane: Plane, alice: Caller, gateway: FakeGateway
) -> None:
    session = running(plane, alice)
    after = next_process(plane)
    lifecycle.reconcile(after, host_restarted=True)
    assert after.access.sessions[session.id] == session
    assert [one.session_id for one in gateway.routes] == [session.id]


def test_a_stop_that_was_under_way_keeps_its_own_reason(
    plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    session = running(plane, alice)
    stopping = replace(session, state=State.STOPPING, ends_because="stopped by alice")
    plane.records.save_session(stopping)
    engine.end(session.container_id, 137)
    lifecycle.reconcile(next_process(plane), host_restarted=True)
    assert ended(plane, session) == (State.STOPPED, "stopped by alice", True)
    assert engine.found == {}


def test_those_who_follow_the_session_are_told(
    plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    session = running(plane, alice)
    engine.end(session.container_id, 255)
    before = plane.events.latest()
    lifecycle.reconcile(next_process(plane), host_restarted=True)
    told = plane.events.since(before)
    assert told
    assert [(one.state, one.message) for one in told] == [
        (State.STOPPED, "The host restarted. Start it again.")
    ]


def serving(plane: Plane, marker: Path) -> TestClient:
    """Return the service with all that it does in the background."""
    after = replace(plane, access=Access())
    return TestClient(app.create(lifespan.of(lambda _: after, marker)))


@pytest.mark.parametrize(
    ("has_marker", "end"),
    [
        (False, (State.STOPPED, "host restarted")),
        (True, (State.FAILED, "The application ended by itself with status 137.")),
    ],
)
def test_the_service_knows_by_its_marker_whether_the_host_restarted(  # noqa: PLR0913, PLR0917 - pytest gives what it names
    plane: Plane,
    alice: Caller,
    engine: FakeEngine,
    tmp_path: Path,
    has_marker: bool,  # noqa: FBT001 - pytest gives it
    end: tuple[State, str],
) -> None:
    session = running(plane, alice)
    engine.end(session.container_id, 137)
    engine.ended.clear()  # nobody was there to hear of it
    marker = tmp_path / "booted"
    if has_marker:
        marker.touch()
    with serving(plane, marker):
        until(lambda: ended(plane, session)[:2] == end)
        until(marker.exists)


def test_while_the_engine_is_away_the_restart_is_not_forgotten(
    plane: Plane, engine: FakeEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    marker, engine.away = tmp_path / "booted", True
    with serving(plane, marker):
        until(lambda: "work=_mending" in caplog.text)
    assert not marker.exists()


@pytest.mark.parametrize(("present", "restarted"), [("", False), ("run", True), ("run/x", False)])
def test_without_a_place_for_the_marker_nothing_is_known_of_a_restart(
    tmp_path: Path, present: str, *, restarted: bool
) -> None:
    if present:
        (tmp_path / present).mkdir(parents=True)
    assert lifespan.has_host_restarted(tmp_path / "run" / "x") is restarted
