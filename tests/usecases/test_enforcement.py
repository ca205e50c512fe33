"""What runs follows what may run."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from adapters.fakes_engine import FakeEngine, FakeHomes
from adapters.fakes_gateway import FakeGateway
from usecases.conftest import APPLICATION, Clock, grant_of, until

from control_plane import auth, catalogue, enforcement, lifecycle, sessions
from control_plane.domain.access import Caller
from control_plane.domain.entities import (
    Application,
    Grant,
    Grantee,
    Group,
    HomeTask,
    Policy,
    Session,
    State,
    User,
    Volume,
)
from control_plane.domain.jobs import Job
from control_plane.domain.ports import Plane
from control_plane.domain.routes import Route
from control_plane.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError

ALICE, EVERYONE, LAB = Grantee("user", "alice"), Grantee("everyone"), Grantee("group", "lab")


def running(plane: Plane, caller: Caller, grant_id: str) -> Session:
    session = sessions.begin(plane, caller, grant_id, {}, instead=False)
    until(lambda: plane.access.sessions[session.id].state is State.READY)
    until(lambda: not plane.jobs.busy(session.id))
    return plane.access.sessions[session.id]


def ended(plane: Plane, session: Session) -> str:
    """Return why a session ended, once it has."""
    until(lambda: session.id not in plane.access.sessions)
    record = plane.records.session(session.id)
    assert record
    return record.ends_because


def settled(plane: Plane, session: Session) -> Session:
    until(lambda: not plane.jobs.busy(session.id))
    return plane.access.sessions[session.id]


def granted(plane: Plane, grantee: Grantee, **fields: object) -> str:
    return plane.accounting.add_grant(grantee, APPLICATION, replace(Policy(), **fields)).id  # type: ignore[arg-type] # fields by name


def with_policy(plane: Plane, grant_id: str, **fields: object) -> None:
    change: Callable[[Grant], Policy] = lambda grant: replace(grant.policy, **fields)  # type: ignore[arg-type]  # noqa: E731 - mypy reads its type
    plane.accounting.change_grant(grant_id, change)
    lifecycle.refresh(plane)


def disabled(plane: Plane, name: str, *, enabled: bool = False) -> None:
    plane.accounting.change_user(name, lambda user: replace(user, enabled=enabled))
    lifecycle.refresh(plane)


def test_a_grant_to_a_group_is_its_members_and_ends_with_the_membership(
    plane: Plane, charlie: Caller
) -> None:
    plane.accounting.add_group(Group("lab"))
    grant_id = granted(plane, LAB)
    with pytest.raises(NotFoundError):
        catalogue.startable(plane, charlie.user, grant_id)
    plane.accounting.change_group("lab", lambda group: replace(group, members=("charlie",)))
    assert [entry.grant.id for entry in catalogue.entries(plane, charlie.user)] == [grant_id]
    session = running(plane, charlie, grant_id)
    plane.accounting.change_group("lab", lambda group: replace(group, members=()))
    lifecycle.refresh(plane)
    assert ended(plane, session) == "the grant was revoked"


def test_a_grant_to_everyone_is_every_known_users_and_no_strangers(
    plane: Plane, charlie: Caller
) -> None:
    grant_id = granted(plane, EVERYONE)
    assert catalogue.startable(plane, charlie.user, grant_id)[0].grant.id == grant_id
    assert catalogue.entries(plane, User("dora", "system")) == []


def test_what_the_settings_grant_is_everyones_who_has_an_identity(plane: Plane) -> None:
    demo = Grant("d" * 32, EVERYONE, Application("e" * 32, "remoteapp/hello:latest"), Policy())
    site = replace(plane, site=replace(plane.site, demo=(demo,)))
    dora = Caller(User("dora", "system"), frozenset())
    session = running(site, dora, demo.id)
    lifecycle.refresh(site)
    assert settled(site, session).state is State.READY
    stranger = User("guest", "virtual")
    assert catalogue.entries(site, stranger) == []
    with pytest.raises(NotFoundError):
        catalogue.startable(site, stranger, demo.id)


def test_what_the_settings_grant_ends_with_the_user_whom_the_host_does_not_know(
    plane: Plane, alice: Caller
) -> None:
    demo = Grant("d" * 32, EVERYONE, Application("e" * 32, "remoteapp/hello:latest"), Policy())
    site = replace(plane, site=replace(plane.site, demo=(demo,)))
    session = running(site, alice, demo.id)
    plane.accounting.remove_user("alice")
    lifecycle.refresh(site)
    assert ended(site, session) == "the grant was revoked"


def test_a_disabled_user_starts_nothing_and_what_runs_ends(plane: Plane, alice: Caller) -> None:
    session = running(plane, alice, grant_of(plane, "alice"))
    disabled(plane, "alice")
    assert ended(plane, session) == "the account was disabled"
    with pytest.raises(ForbiddenError):
        sessions.begin(plane, alice, grant_of(plane, "alice"), {}, instead=False)


def test_what_is_kept_running_computes_on_cut_off_and_is_connected_again_at_a_new_address(
    plane: Plane, alice: Caller, engine: FakeEngine, gateway: FakeGateway
) -> None:
    session = running(plane, alice, grant_of(plane, "alice"))
    plane.records.keep_running({"user:alice"})
    disabled(plane, "alice")
    cut = settled(plane, session)
    assert (cut.state, cut.cut_off, list(gateway.routes)) == (State.READY, True, [])
    assert [(one.running, one.address) for one in engine.containers()] == [(True, "")]
    disabled(plane, "alice", enabled=True)
    until(lambda: not plane.access.sessions[session.id].cut_off)
    again = settled(plane, session)
    assert again.address != session.address
    assert engine.containers()[0].address == again.address
    assert list(gateway.routes) == [Route(session.id, again.address, session.port)]
    assert not plane.records.kept_running()


def test_what_is_open_is_cut_by_a_new_address_and_computes_on(
    plane: Plane, alice: Caller, engine: FakeEngine, gateway: FakeGateway
) -> None:
    session = running(plane, alice, grant_of(plane, "alice"))
    enforcement.cut_connections(plane, "alice")
    until(lambda: plane.access.sessions[session.id].address != session.address)
    until(lambda: not plane.access.sessions[session.id].cut_off)
    again = settled(plane, session)
    assert (again.state, again.grant_id) == (State.READY, session.grant_id)
    assert [(one.running, one.address) for one in engine.containers()] == [(True, again.address)]
    assert list(gateway.routes) == [Route(session.id, again.address, session.port)]


def test_what_is_open_is_cut_where_another_process_ends_the_last_way_in(
    plane: Plane, alice: Caller, charlie: Caller
) -> None:
    session = running(plane, alice, grant_of(plane, "alice"))
    other = running(plane, charlie, granted(plane, Grantee("user", "charlie")))
    for name in ("alice", "alice", "charlie"):
        auth.sign_in(plane, auth.Proof(name, f"{name}'s password", "10.0.0.1"))
    first, second, _ = plane.access.signins
    plane.records.end_signin(first)
    lifecycle.refresh(plane)
    assert settled(plane, session).address == session.address
    plane.records.end_signin(second)
    lifecycle.refresh(plane)
    until(lambda: plane.access.sessions[session.id].address != session.address)
    until(lambda: not plane.access.sessions[session.id].cut_off)
    assert settled(plane, session).state is State.READY
    assert settled(plane, other).address == other.address


def test_what_is_kept_running_comes_back_under_a_new_grant_of_the_same_application(
    plane: Plane, alice: Caller
) -> None:
    grant_id = grant_of(plane, "alice")
    session = running(plane, alice, grant_id)
    plane.records.keep_running({f"grant:{grant_id}"})
    plane.accounting.remove_grants({grant_id})
    lifecycle.refresh(plane)
    assert settled(plane, session).cut_off
    granted(plane, ALICE)  # without the home that the session has
    lifecycle.refresh(plane)
    assert settled(plane, session).cut_off
    new = granted(plane, ALICE, allow_home=True)
    plane.accounting.remove_grants({one.id for one in plane.accounting.grants_of("alice")} - {new})
    lifecycle.refresh(plane)
    until(lambda: not plane.access.sessions[session.id].cut_off)
    assert settled(plane, session).grant_id == new


def test_one_that_still_starts_is_not_kept_running(
    plane: Plane, alice: Caller, application: object
) -> None:
    application.ready = False  # type: ignore[attr-defined] # the fake's
    session = sessions.begin(plane, alice, grant_of(plane, "alice"), {}, instead=False)
    plane.records.keep_running({"user:alice"})
    disabled(plane, "alice")
    assert ended(plane, session) == "the account was disabled"


def test_a_cut_that_was_interrupted_is_finished_by_reconcile(
    plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    session = running(plane, alice, grant_of(plane, "alice"))
    sessions.change(plane, session, "Cut off.", cut_off=True)
    assert lifecycle.reconcile(plane) > 0
    settled(plane, session)
    assert engine.containers()[0].address == ""
    assert lifecycle.reconcile(plane) == 0


def test_what_a_policy_takes_away_ends_what_has_it(plane: Plane, alice: Caller) -> None:
    grant_id = grant_of(plane, "alice")
    session = running(plane, alice, grant_id)
    with_policy(plane, grant_id, allow_home=False)
    assert ended(plane, session) == "the policy does not allow the home any more"


def test_new_limits_are_put_on_what_runs(plane: Plane, alice: Caller, engine: FakeEngine) -> None:
    grant_id = grant_of(plane, "alice")
    session = running(plane, alice, grant_id)
    with_policy(plane, grant_id, memory=300 * 1024**2, pids=77)
    policy = settled(plane, session).policy
    spec = engine.specs[session.container_id]
    assert (spec.memory, spec.cpus, spec.pids) == (300 * 1024**2, 1, 77)
    assert policy
    assert (policy.memory, policy.pids) == (300 * 1024**2, 77)


def test_a_session_ends_at_its_time_and_warns_ten_minutes_before(
    plane: Plane, alice: Caller, clock: Clock
) -> None:
    grant_id = granted(plane, ALICE, max_lifetime=3600)
    session = running(plane, alice, grant_id)
    told = plane.events.latest()
    enforcement.keep_time(plane)
    assert plane.events.latest() == told
    clock.ahead = timedelta(seconds=3600 - 590)
    enforcement.keep_time(plane)
    enforcement.keep_time(plane)
    assert [event.message for event in plane.events.since(told) or ()] == ["It ends in 10 min."]
    clock.ahead = timedelta(seconds=3601)
    enforcement.keep_time(plane)
    assert ended(plane, session) == "its time was over"


def test_a_session_is_extended_up_to_its_lifetime_from_now(
    plane: Plane, alice: Caller, clock: Clock
) -> None:
    grant_id = granted(plane, ALICE, max_lifetime=3600)
    session = running(plane, alice, grant_id)
    policy = catalogue.policy_of(plane, alice.user, session)
    assert session.ends_at
    same = sessions.extend(plane, session, policy, 1800)
    assert same.ends_at
    assert timedelta() <= same.ends_at - session.ends_at < timedelta(seconds=5)
    clock.ahead = timedelta(minutes=30)
    assert sessions.extend(plane, session, policy, 60).ends_at == same.ends_at + timedelta(
        seconds=60
    )
    longer = sessions.extend(plane, session, policy, 10**6).ends_at
    assert longer
    assert timedelta(minutes=59) < longer - plane.clock() <= timedelta(hours=1)


def test_what_has_no_end_cannot_be_extended(plane: Plane, alice: Caller) -> None:
    session = running(plane, alice, grant_of(plane, "alice"))
    with pytest.raises(ConflictError):
        sessions.extend(plane, session, catalogue.policy_of(plane, alice.user, session), 60)


def test_a_shorter_lifetime_never_ends_a_session_without_a_warning(
    plane: Plane, alice: Caller, clock: Clock
) -> None:
    grant_id = grant_of(plane, "alice")
    session = running(plane, alice, grant_id)
    clock.ahead = timedelta(hours=2)
    with_policy(plane, grant_id, max_lifetime=60)
    ends_at = settled(plane, session).ends_at
    assert ends_at
    assert timedelta(minutes=9) < ends_at - plane.clock() <= timedelta(minutes=10)


def test_a_volume_is_mounted_from_where_its_links_lead(
    plane: Plane, alice: Caller, engine: FakeEngine, root: Path
) -> None:
    (root / "data").mkdir()
    (root / "link").symlink_to(root / "data")
    volume = Volume(str(root / "link"), "/data", "ro")
    session = running(plane, alice, granted(plane, ALICE, volumes=(volume,)))
    mounted = engine.specs[session.container_id].volumes
    assert mounted == (Volume(str(root / "data"), "/data", "ro"),)
    lifecycle.refresh(plane)
    assert settled(plane, session).state is State.READY


def test_a_volume_that_the_host_refuses_is_listed_and_not_startable(
    plane: Plane, alice: Caller, tmp_path: Path
) -> None:
    volume = Volume(str(tmp_path), "/data", "rw")
    grant_id = granted(plane, ALICE, volumes=(volume,))
    found = {entry.grant.id: entry for entry in catalogue.entries(plane, alice.user)}
    assert not found[grant_id].available
    assert "does not lie under one of [volumes] roots" in found[grant_id].problem
    with pytest.raises(InvalidError):
        sessions.begin(plane, alice, grant_id, {}, instead=False)
    assert not plane.access.sessions


def test_the_licence_reaches_the_container_and_no_record(
    plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    session = running(plane, alice, granted(plane, ALICE, app_license="L-42"))
    assert engine.specs[session.container_id].environment["APP_LICENSE"] == "L-42"
    record = plane.records.session(session.id)
    assert record
    assert record.policy
    assert record.policy.app_license == ""


def test_a_session_without_network_gets_an_address_of_the_closed_half(
    plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    session = running(plane, alice, granted(plane, ALICE, network="none"))
    assert session.address.startswith(engine.range_of("none").rsplit(".", 2)[0])
    assert engine.specs[session.container_id].network == "none"


@pytest.mark.parametrize("action", ["archive", "delete"])
def test_a_home_is_settled_once_nothing_uses_it(
    plane: Plane, alice: Caller, homes: FakeHomes, action: str
) -> None:
    volume, apart = "remoteapp-unit-home-70000", "remoteapp-unit-apart-70000"
    homes.found |= {volume: b"what alice had", apart: b"what older images kept"}
    task = HomeTask(volume, "alice", action, "admin", plane.clock())  # type: ignore[arg-type] # one of its words
    plane.records.add_home_task(task)
    session = running(plane, alice, grant_of(plane, "alice"))
    sessions.ask_to_stop(plane, session, "stopped").result(5)
    enforcement.settle_homes(plane)
    assert homes.exists(volume)  # its user is still there
    session = running(plane, alice, grant_of(plane, "alice"))
    plane.accounting.remove_user("alice")
    enforcement.settle_homes(plane)
    assert homes.exists(volume)
    sessions.ask_to_stop(plane, session, "the user left").result(5)
    enforcement.settle_homes(plane)
    assert not homes.found
    assert not plane.records.home_tasks()
    kept = sorted(one.read_bytes() for one in plane.site.archives.glob("alice-*.tar.gz"))
    wanted = [b"what alice had", b"what older images kept"]
    assert kept == (wanted if action == "archive" else [])
    (act,) = plane.records.audit(action=f"home-{action}")
    assert (act.actor, act.target) == ("admin", "alice")


@pytest.mark.parametrize("cut", [False, True])
def test_what_was_kept_of_an_account_does_not_keep_what_a_later_revocation_ends(
    plane: Plane, alice: Caller, *, cut: bool
) -> None:
    session = running(plane, alice, grant_of(plane, "alice"))
    plane.records.keep_running({"user:alice"})  # with nothing to connect again it stays noted
    if cut:
        disabled(plane, "alice")
        assert settled(plane, session).cut_off
    plane.accounting.remove_grants({session.grant_id})
    disabled(plane, "alice", enabled=True)
    assert ended(plane, session) == "the grant was revoked"


def test_what_was_kept_of_a_grant_ends_when_its_account_is_disabled(
    plane: Plane, alice: Caller
) -> None:
    session = running(plane, alice, grant_of(plane, "alice"))
    plane.records.keep_running({f"grant:{session.grant_id}"})
    plane.accounting.remove_grants({session.grant_id})
    lifecycle.refresh(plane)
    assert settled(plane, session).cut_off
    disabled(plane, "alice")
    assert ended(plane, session) == "the account was disabled"


def test_one_who_is_let_in_again_takes_nothing_from_the_others_of_a_kept_grant(
    plane: Plane, alice: Caller, charlie: Caller
) -> None:
    everyones = granted(plane, EVERYONE)
    hers, his = running(plane, alice, everyones), running(plane, charlie, everyones)
    plane.records.keep_running({f"grant:{everyones}"})
    plane.accounting.remove_grants({everyones})
    plane.accounting.remove_grants({grant_of(plane, "alice")})
    lifecycle.refresh(plane)
    assert settled(plane, hers).cut_off
    assert settled(plane, his).cut_off
    granted(plane, ALICE)
    lifecycle.refresh(plane)
    until(lambda: not plane.access.sessions[hers.id].cut_off)
    settled(plane, hers)
    lifecycle.refresh(plane)
    assert settled(plane, his).cut_off
    granted(plane, Grantee("user", "charlie"))
    lifecycle.refresh(plane)
    until(lambda: not plane.access.sessions[his.id].cut_off)
    settled(plane, his)
    assert not plane.records.kept_running()


def waiting(held: threading.Event) -> Job:
    """Return a job that is under way until the event."""
    held.wait(5)
    return
    yield  # a job without a wait


def test_what_is_let_in_while_it_is_being_cut_off_is_connected_again(
    plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    session = running(plane, alice, grant_of(plane, "alice"))
    plane.records.keep_running({"user:alice"})
    held = threading.Event()
    plane.jobs.submit(session.id, waiting(held))
    disabled(plane, "alice")
    disabled(plane, "alice", enabled=True)
    held.set()
    assert not settled(plane, session).cut_off
    assert engine.containers()[0].address


def test_nothing_is_noted_for_what_does_not_run_any_more(plane: Plane, alice: Caller) -> None:
    session = running(plane, alice, grant_of(plane, "alice"))
    plane.records.keep_running({"user:alice", "grant:" + "0" * 32})
    enforcement.forget_kept(plane)
    assert plane.records.kept_running() == {"user:alice"}
    sessions.ask_to_stop(plane, session, "stopped").result(5)
    enforcement.forget_kept(plane)
    assert plane.records.kept_running() == frozenset()


def test_a_home_that_cannot_be_settled_is_told_of_and_keeps_no_other_waiting(
    plane: Plane, homes: FakeHomes
) -> None:
    for user in ("erin", "frank"):
        homes.found[f"home-{user}"] = b"what they had"
        task = HomeTask(f"home-{user}", user, "archive", "admin", plane.clock())
        plane.records.add_home_task(task)
    homes.full = "home-erin"
    assert list(enforcement.settle_homes(plane)) == ["home-erin"]
    assert list(homes.found) == ["home-erin"]
    homes.full = ""
    assert enforcement.settle_homes(plane) == {}
    assert homes.found == {}


def test_an_adopted_session_gets_the_limits_and_the_end_of_its_grant(
    plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    grant_id = granted(plane, ALICE, memory=64 * 1024**2, max_lifetime=7200)
    session = running(plane, alice, grant_id)
    sessions.change(plane, session, "Its record was lost.", policy=None, ends_at=None)
    lifecycle.refresh(plane)
    found = settled(plane, session)
    assert found.policy
    assert (found.policy.memory, found.policy.max_lifetime) == (64 * 1024**2, 7200)
    assert found.ends_at
    assert found.ready_at
    assert found.ends_at - found.ready_at == timedelta(hours=2)
    assert engine.specs[session.container_id].memory == 64 * 1024**2
