"""Making records, memory, containers and routes agree again."""

from dataclasses import replace
from datetime import timedelta

import pytest
from adapters.fakes_engine import HELLO, FakeEngine
from adapters.fakes_gateway import FakeGateway
from usecases.conftest import Application200, grant_of, until

from control_plane import administration, auth, lifecycle, sessions
from control_plane.domain.access import Access, Caller
from control_plane.domain.entities import Session, State, User
from control_plane.domain.ports import Container, Plane
from control_plane.domain.roles import Actor
from control_plane.domain.routes import Route


def begin(plane: Plane, caller: Caller) -> Session:
    return sessions.begin(plane, caller, grant_of(plane, "alice"), {}, instead=False)


def running(plane: Plane, caller: Caller) -> Session:
    session = begin(plane, caller)
    until(lambda: plane.access.sessions[session.id].state is State.READY)
    until(lambda: not plane.jobs.busy(session.id))
    return plane.access.sessions[session.id]


def restarted(plane: Plane, gateway: FakeGateway) -> Plane:
    """Return the plane as the next process has it: the memory is empty but for the records."""
    gateway.routes.clear()
    after = replace(plane, access=Access())
    lifecycle.load(after)
    return after


def test_nothing_to_mend_mends_nothing(plane: Plane, alice: Caller) -> None:
    running(plane, alice)
    assert lifecycle.reconcile(plane) == 0


def test_the_next_process_knows_what_runs_and_makes_its_routes(
    plane: Plane, alice: Caller, gateway: FakeGateway
) -> None:
    session = running(plane, alice)
    after = restarted(plane, gateway)
    assert lifecycle.reconcile(after) == 1
    assert list(gateway.routes) == [Route(session.id, session.address, session.port)]
    assert after.access.sessions[session.id] == session
    assert lifecycle.reconcile(after) == 0


def test_a_start_whose_container_lives_is_continued(
    plane: Plane, alice: Caller, gateway: FakeGateway
) -> None:
    session = running(plane, alice)
    plane.records.save_session(
        replace(session, state=State.STARTING, ready_at=None, container_id="")
    )
    after = restarted(plane, gateway)
    lifecycle.reconcile(after)
    until(lambda: after.access.sessions[session.id].state is State.READY)
    assert after.access.sessions[session.id].container_id == session.container_id
    assert [route.session_id for route in gateway.routes] == [session.id]


def test_a_start_whose_container_ended_meanwhile_fails_at_once(
    plane: Plane, alice: Caller, engine: FakeEngine, gateway: FakeGateway
) -> None:
    session = running(plane, alice)
    plane.records.save_session(replace(session, state=State.STARTING))
    engine.end(session.container_id, 0)
    after = restarted(plane, gateway)
    lifecycle.reconcile(after)
    until(lambda: after.access.sessions[session.id].state is State.FAILED)
    failure = after.access.sessions[session.id].failure
    assert failure
    assert failure.code == "exited"


@pytest.mark.parametrize("change", ["revoked", "disabled"])
def test_what_is_not_granted_any_more_ends(
    plane: Plane, alice: Caller, engine: FakeEngine, change: str
) -> None:
    session = running(plane, alice)
    if change == "revoked":
        plane.accounting.remove_grants({session.grant_id})
    else:
        plane.accounting.change_user("alice", lambda user: replace(user, enabled=False))
    lifecycle.refresh(plane)
    until(lambda: session.id not in plane.access.sessions)
    assert engine.found == {}


def test_a_start_without_a_container_fails_with_a_reason(
    plane: Plane, alice: Caller, engine: FakeEngine, gateway: FakeGateway
) -> None:
    session = running(plane, alice)
    plane.records.save_session(replace(session, state=State.STARTING))
    engine.found.clear()
    after = restarted(plane, gateway)
    lifecycle.reconcile(after)
    failure = after.access.sessions[session.id].failure
    assert failure
    assert failure.code == "interrupted"


def test_a_container_that_was_made_and_never_started_is_removed(
    plane: Plane, alice: Caller, engine: FakeEngine, gateway: FakeGateway
) -> None:
    session = running(plane, alice)
    plane.records.save_session(replace(session, state=State.STARTING))
    half = replace(engine.found[session.container_id], running=False, started=False)
    engine.found[session.container_id] = half
    after = restarted(plane, gateway)
    lifecycle.reconcile(after)
    assert engine.found == {}
    assert after.access.sessions[session.id].state is State.FAILED


def test_a_stop_that_was_interrupted_is_finished(
    plane: Plane, alice: Caller, engine: FakeEngine, gateway: FakeGateway
) -> None:
    session = running(plane, alice)
    plane.records.save_session(replace(session, state=State.STOPPING))
    after = restarted(plane, gateway)
    lifecycle.reconcile(after)
    until(lambda: session.id not in after.access.sessions)
    assert engine.found == {}


def test_a_stop_whose_container_is_gone_already_is_closed(
    plane: Plane, alice: Caller, engine: FakeEngine, gateway: FakeGateway
) -> None:
    session = running(plane, alice)
    plane.records.save_session(replace(session, state=State.STOPPING))
    engine.found.clear()
    after = restarted(plane, gateway)
    lifecycle.reconcile(after)
    ended = plane.records.session(session.id)
    assert ended
    assert ended.state is State.STOPPED


def test_a_session_that_only_its_labels_tell_of_is_adopted(
    plane: Plane, alice: Caller, engine: FakeEngine, gateway: FakeGateway
) -> None:
    session = running(plane, alice)
    labels = engine.found[session.container_id].labels
    sessions.ask_to_stop(plane, session, "stopped by alice").result(5)
    lost = session.id[:-1] + ("0" if session.id[-1] != "0" else "1")
    told = {name: value.replace(session.id, lost) for name, value in labels.items()}
    engine.found["adopted"] = Container(
        "adopted", running=True, started=True, labels=told, address=session.address
    )
    lifecycle.reconcile(plane)
    until(lambda: plane.access.sessions[lost].state is State.READY)
    adopted = plane.access.sessions[lost]
    assert (adopted.owner, adopted.image, adopted.container_id) == ("alice", HELLO, "adopted")
    assert adopted.created_at == session.created_at
    assert [route.session_id for route in gateway.routes] == [lost]


@pytest.mark.parametrize("address", ["10.213.0.99", ""])
def test_labels_lead_nobody_to_an_address_that_the_container_has_not(
    plane: Plane, alice: Caller, engine: FakeEngine, address: str
) -> None:
    victim = running(plane, alice)
    labels = engine.found[victim.container_id].labels
    forged = "f" * 32
    told = {name: value.replace(victim.id, forged) for name, value in labels.items()}
    engine.found["forged"] = Container(
        "forged", running=True, started=True, labels=told, address=address
    )
    lifecycle.reconcile(plane)
    found = plane.access.sessions.get(forged)
    assert (found.address if found else "") == address
    assert ("forged" in engine.found) == bool(address)


def test_a_container_of_a_session_that_ended_is_removed(
    plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    session = running(plane, alice)
    left = engine.found[session.container_id]
    sessions.ask_to_stop(plane, session, "stopped by alice").result(5)
    engine.found[left.id] = left
    lifecycle.reconcile(plane)
    assert engine.found == {}


def test_a_container_of_ours_whose_labels_make_no_session_is_removed(
    plane: Plane, engine: FakeEngine
) -> None:
    engine.found["odd"] = Container("odd", running=True, started=True, labels={}, address="")
    lifecycle.reconcile(plane)
    assert engine.found == {}
    assert plane.access.sessions == {}


def test_a_session_under_way_is_never_touched(
    plane: Plane, alice: Caller, engine: FakeEngine, application: Application200
) -> None:
    application.ready = False
    session = begin(plane, alice)
    until(lambda: engine.found)
    lifecycle.reconcile(plane)
    assert plane.access.sessions[session.id].state is State.STARTING
    application.ready = True
    until(lambda: plane.access.sessions[session.id].state is State.READY)


def test_an_application_that_is_closed_ends_its_session(
    plane: Plane, alice: Caller, engine: FakeEngine, gateway: FakeGateway
) -> None:
    session = running(plane, alice)
    engine.end(session.container_id, 0)
    lifecycle.container_ended(plane, session.container_id)
    until(lambda: session.id not in plane.access.sessions)
    ended = plane.records.session(session.id)
    assert ended
    assert (ended.state, ended.ends_because) == (State.STOPPED, "The application was closed.")
    assert not gateway.routes


def test_an_application_that_crashes_shows_its_status_and_output(
    plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    session = running(plane, alice)
    engine.end(session.container_id, 139)
    lifecycle.container_ended(plane, session.container_id)
    until(lambda: plane.access.sessions[session.id].state is State.FAILED)
    failure = plane.access.sessions[session.id].failure
    assert failure
    assert "139" in failure.message
    assert failure.log_tail == "line\nline\n"


def test_an_end_that_is_told_twice_keeps_its_first_reason(
    plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    session = running(plane, alice)
    engine.end(session.container_id, 139)
    with plane.access.lock:  # no notice is dealt with before both are there
        lifecycle.container_ended(plane, session.container_id)
        lifecycle.container_ended(plane, session.container_id)
    until(lambda: not plane.jobs.busy(session.id))
    ended = plane.access.sessions[session.id]
    assert ended.failure
    assert "139" in ended.failure.message


def test_an_end_that_nobody_told_of_is_found_by_reconcile(
    plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    session = running(plane, alice)
    engine.end(session.container_id, 0)
    lifecycle.reconcile(plane)
    until(lambda: session.id not in plane.access.sessions)


def test_other_processes_changes_reach_the_memory(plane: Plane) -> None:
    lifecycle.load(plane)
    plane.accounting.change_user("alice", lambda user: replace(user, enabled=False))
    lifecycle.refresh(plane)
    assert not plane.access.users["alice"].enabled


def test_the_failures_of_a_former_user_are_not_the_next_ones(
    plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    session = running(plane, alice)
    engine.end(session.container_id, 139)
    lifecycle.container_ended(plane, session.container_id)
    until(lambda: not plane.jobs.busy(session.id))
    lifecycle.refresh(plane)
    assert [one.id for one in plane.access.sessions_of("alice")] == [session.id]
    root, alice_anew = Actor("root"), User("alice", "virtual")
    administration.remove_user(
        plane.books, root, "alice", home=None, keep_running=False, dry_run=False
    )
    administration.create_user(plane.books, root, alice_anew, None)
    lifecycle.refresh(plane)
    assert plane.access.sessions_of("alice") == []


def test_a_token_outlives_the_account_of_nobody_but_the_hosts_people(
    plane: Plane, alice: Caller
) -> None:
    plane = replace(plane, site=replace(plane.site, admins=frozenset({"alice"})))
    dora = Caller(User("dora", "system"), alice.scopes)
    tokens = [
        auth.issue_token(plane, one, "x", ["admin:write"], timedelta(days=1))[1]
        for one in (alice, dora)
    ]
    plane.accounting.remove_user("alice")  # as a file of accounting does it, which knows no tokens
    lifecycle.refresh(plane)
    found = [auth.by_token(plane, one) for one in tokens]
    assert [one and one.user for one in found] == [None, User("dora", "system")]
