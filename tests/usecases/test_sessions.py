"""Starting and stopping, with an engine in memory."""

from concurrent.futures import wait
from dataclasses import replace

import pytest
from adapters.fakes_engine import HELLO, FakeEngine
from adapters.fakes_gateway import FakeGateway
from usecases.conftest import Application200, grant_of, until

from control_plane import catalogue, sessions
from control_plane.domain.access import Caller
from control_plane.domain.containers import HomeMount
from control_plane.domain.entities import Policy, Session, State
from control_plane.domain.ports import Plane
from control_plane.domain.routes import Route
from control_plane.errors import (
    ConflictError,
    EngineUnavailableError,
    ImageMissingError,
    InvalidError,
    NotFoundError,
    StartError,
)


def begin(plane: Plane, caller: Caller, *, instead: bool = False) -> Session:
    return sessions.begin(plane, caller, grant_of(plane, "alice"), {}, instead=instead)


def ready(plane: Plane, session: Session) -> Session:
    until(lambda: plane.access.sessions[session.id].state is State.READY)
    return plane.access.sessions[session.id]


def gone(engine: FakeEngine, gateway: FakeGateway) -> bool:
    return not engine.found and not gateway.routes


def test_a_start_records_runs_waits_and_publishes(
    plane: Plane, alice: Caller, engine: FakeEngine, gateway: FakeGateway
) -> None:
    session = ready(plane, begin(plane, alice))
    assert list(gateway.routes) == [Route(session.id, session.address, 8888)]
    assert plane.records.session(session.id) == session
    assert engine.specs[session.container_id].environment["URL_ID"] == session.id


def test_the_ready_path_is_the_session_path_with_its_end_slash(
    plane: Plane, alice: Caller, application: Application200
) -> None:
    session = ready(plane, begin(plane, alice))
    assert application.asked[0] == f"{session.address}:8888/user/alice/containers/{session.id}/"


def test_a_stop_leaves_no_container_and_no_route_and_a_line_in_the_ledger(
    plane: Plane, alice: Caller, engine: FakeEngine, gateway: FakeGateway
) -> None:
    session = ready(plane, begin(plane, alice))
    sessions.ask_to_stop(plane, session, "stopped by alice").result(5)
    assert gone(engine, gateway)
    assert session.id not in plane.access.sessions
    ended = plane.records.session(session.id)
    assert ended
    assert (ended.state, ended.ends_because) == (State.STOPPED, "stopped by alice")
    assert [row.session_id for row in plane.records.usage()] == [session.id]


def test_from_the_request_to_stop_on_nobody_is_let_in(plane: Plane, alice: Caller) -> None:
    session = ready(plane, begin(plane, alice))
    work = sessions.ask_to_stop(plane, session, "stopped by alice")
    current = plane.access.sessions.get(session.id)
    assert current is None or current.state is State.STOPPING
    work.result(5)


def test_an_application_that_exits_at_once_fails_with_its_last_lines(
    plane: Plane,
    alice: Caller,
    engine: FakeEngine,
    gateway: FakeGateway,
    application: Application200,
) -> None:
    application.ready = False
    session = begin(plane, alice)
    until(lambda: engine.found)
    container = next(iter(engine.found))
    engine.end(container, 3)
    plane.jobs.ended(container)
    until(lambda: plane.access.sessions[session.id].state is State.FAILED)
    failure = plane.access.sessions[session.id].failure
    assert failure
    assert (failure.code, failure.log_tail) == ("exited", "line\nline\n")
    assert gone(engine, gateway)


def test_one_that_never_answers_fails_after_the_time_limit(
    plane: Plane,
    alice: Caller,
    engine: FakeEngine,
    gateway: FakeGateway,
    application: Application200,
) -> None:
    application.ready = False
    limits = replace(plane.site.limits, start_timeout=0.2)
    hasty = replace(plane, site=replace(plane.site, limits=limits))
    session = begin(hasty, alice)
    until(lambda: plane.access.sessions[session.id].state is State.FAILED)
    failure = plane.access.sessions[session.id].failure
    assert failure
    assert failure.code == "not-ready"
    assert gone(engine, gateway)


def test_an_engine_that_goes_away_in_the_middle_fails_the_start(
    plane: Plane, alice: Caller, engine: FakeEngine, application: Application200
) -> None:
    application.ready = False
    session = begin(plane, alice)
    until(lambda: engine.found)
    engine.away = True
    container = next(iter(engine.found))
    plane.jobs.ended(container)
    until(lambda: plane.access.sessions[session.id].state is State.FAILED)
    assert plane.access.sessions[session.id].failure


def test_an_engine_that_is_away_at_the_start_is_said_at_once(
    plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    engine.away = True
    with pytest.raises(EngineUnavailableError):
        begin(plane, alice)
    assert plane.access.sessions == {}


def test_a_missing_image_is_said_at_once(plane: Plane, alice: Caller, engine: FakeEngine) -> None:
    engine.known.clear()
    with pytest.raises(ImageMissingError, match=HELLO):
        begin(plane, alice)
    assert plane.access.sessions == {}


def test_an_image_made_for_simphony_remote_starts_as_root_with_nothing_of_the_hosts(
    plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    older = {"eu.simphony-project.docker.ui_name": "Old"}
    engine.known[HELLO] = replace(engine.known[HELLO], labels=older)
    grant = grant_of(plane, "alice")
    plane.accounting.change_grant(grant, lambda _: Policy(allow_home=True))
    spec = engine.specs[ready(plane, begin(plane, alice)).container_id]
    assert (spec.as_root, spec.home_directory) == (True, "")
    assert spec.home == HomeMount("remoteapp-unit-apart-70000", is_volume=True)


def test_an_image_whose_labels_nobody_can_read_is_refused_with_the_reason(
    plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    odd = {**engine.known[HELLO].labels, "eu.simphony-project.docker.contract": "7"}
    engine.known[HELLO] = replace(engine.known[HELLO], labels=odd)
    (entry,) = catalogue.entries(plane, alice.user)
    assert (entry.available, entry.unfit) == (
        False,
        "Its contract version is 7; this portal knows 1.",
    )
    with pytest.raises(StartError, match="contract version is 7") as refused:
        begin(plane, alice)
    assert (refused.value.code, plane.access.sessions) == ("image-unfit", {})


def test_an_image_that_knows_nothing_of_us_runs_as_the_user(
    plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    engine.known[HELLO] = replace(engine.known[HELLO], labels={})
    session = ready(plane, begin(plane, alice))
    spec = engine.specs[session.container_id]
    assert (session.type, session.port, spec.uid) == ("webapp", 8888, 70000)


def test_somebody_elses_grant_is_as_unknown_as_one_that_is_not_there(
    plane: Plane, charlie: Caller
) -> None:
    for grant in (grant_of(plane, "alice"), "f" * 32, "../../etc"):
        with pytest.raises(NotFoundError):
            sessions.begin(plane, charlie, grant, {}, instead=False)


def test_an_option_that_the_image_does_not_declare_is_refused(plane: Plane, alice: Caller) -> None:
    with pytest.raises(InvalidError) as caught:
        sessions.begin(
            plane,
            alice,
            grant_of(plane, "alice"),
            {"resolution": "800x600", "startup_file": "/x"},
            instead=False,
        )
    assert [one.field for one in caught.value.errors] == [
        "options.resolution",
        "options.startup_file",
    ]


def test_a_second_start_is_a_conflict_that_shows_the_running_one(
    plane: Plane, alice: Caller
) -> None:
    session = ready(plane, begin(plane, alice))
    with pytest.raises(ConflictError) as caught:
        begin(plane, alice)
    assert [one.id for one in caught.value.details if isinstance(one, Session)] == [session.id]


def test_what_is_stopping_counts_until_it_is_gone(
    plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    engine.deaf = True
    session = ready(plane, begin(plane, alice))
    stopping = sessions.ask_to_stop(plane, session, "stopped by alice")
    with pytest.raises(ConflictError):
        begin(plane, alice)
    stopping.result(5)
    ready(plane, begin(plane, alice))


def test_a_stop_that_comes_too_late_changes_nothing(plane: Plane, alice: Caller) -> None:
    session = ready(plane, begin(plane, alice))
    sessions.ask_to_stop(plane, session, "stopped by alice").result(5)
    sessions.ask_to_stop(plane, session, "stopped once more").result(5)
    ended = plane.records.session(session.id)
    assert ended
    assert ended.ends_because == "stopped by alice"


def test_replace_stops_the_oldest_before_the_new_one_runs(
    plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    first = ready(plane, begin(plane, alice))
    second = ready(plane, begin(plane, alice, instead=True))
    assert list(engine.found) == [second.container_id]
    ended = plane.records.session(first.id)
    assert ended
    assert ended.ends_because == "replaced by a new session"


def test_a_stop_in_the_middle_of_a_start_ends_as_stopped_not_failed(
    plane: Plane,
    alice: Caller,
    engine: FakeEngine,
    gateway: FakeGateway,
    application: Application200,
) -> None:
    application.ready = False
    session = begin(plane, alice)
    until(lambda: engine.found)
    sessions.ask_to_stop(plane, session, "stopped by alice").result(5)
    ended = plane.records.session(session.id)
    assert ended
    assert ended.state is State.STOPPED
    assert gone(engine, gateway)


def test_two_stops_at_once_end_it_once(plane: Plane, alice: Caller) -> None:
    session = ready(plane, begin(plane, alice))
    both = [sessions.ask_to_stop(plane, session, "stopped by alice") for _ in range(2)]
    assert not wait(both, 5).not_done
    assert len(plane.records.usage()) == 1


def test_addresses_go_round_and_are_not_given_again_at_once(plane: Plane, alice: Caller) -> None:
    seen = []
    for _ in range(3):
        session = ready(plane, begin(plane, alice))
        seen.append(session.address)
        sessions.ask_to_stop(plane, session, "stopped by alice").result(5)
    assert len(set(seen)) == 3


def test_a_dismissed_failure_leaves_the_list(
    plane: Plane, alice: Caller, engine: FakeEngine, application: Application200
) -> None:
    application.ready = False
    session = begin(plane, alice)
    until(lambda: engine.found)
    plane.jobs.ended(next(iter(engine.found)))
    until(lambda: plane.access.sessions[session.id].state is State.FAILED)
    sessions.dismiss(plane, plane.access.sessions[session.id])
    assert plane.access.sessions_of("alice") == []
