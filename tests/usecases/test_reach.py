"""An engine that publishes ports, and one on another machine: what they change, what they bar."""

from dataclasses import replace
from datetime import timedelta

import pytest
from adapters.fakes_engine import HELLO, FakeEngine, hello
from adapters.fakes_gateway import FakeGateway
from usecases.conftest import APPLICATION, Clock, caller, grant_of, until

from control_plane import catalogue, lifecycle, sessions
from control_plane.adapters.folders import FoldersElsewhere
from control_plane.domain import cautions
from control_plane.domain.access import Caller
from control_plane.domain.entities import Grantee, Policy, Session, State, User, Volume
from control_plane.domain.ports import Container, Plane
from control_plane.domain.reach import Reach
from control_plane.domain.routes import PUBLISHED, Route
from control_plane.errors import InvalidError

ADDRESS = "192.0.2.20"
ELSEWHERE = Reach(elsewhere=True, published=True)
DATA = Volume("/srv/data", "/data", "ro")


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(published_on=ADDRESS)


@pytest.fixture
def away(plane: Plane) -> Plane:
    """The plane of a portal whose engine is on another machine."""
    return replace(plane, site=replace(plane.site, reach=ELSEWHERE), folders=FoldersElsewhere())


def running(plane: Plane, who: Caller) -> Session:
    begun = sessions.begin(plane, who, grant_of(plane, who.user.name), {}, instead=False)
    until(lambda: plane.access.sessions[begun.id].state is State.READY)
    return plane.access.sessions[begun.id]


def granted(plane: Plane, policy: Policy, kind: str = "virtual") -> tuple[Caller, str]:
    name = "dora" if kind == "system" else "charlie"
    if kind == "system":
        plane.accounting.add_user(User(name, "system"))
    grant = plane.accounting.add_grant(Grantee("user", name), APPLICATION, policy)
    return caller(plane, name), grant.id


def switch(plane: Plane, *, enabled: bool) -> None:
    plane.accounting.change_user("alice", lambda one: replace(one, enabled=enabled))
    lifecycle.refresh(plane)


def test_a_session_is_reached_at_a_port_of_the_one_address(
    plane: Plane, alice: Caller, engine: FakeEngine, gateway: FakeGateway
) -> None:
    session = running(plane, alice)
    assert (session.address, session.port in PUBLISHED) == (ADDRESS, True)
    assert list(gateway.routes) == [Route(session.id, ADDRESS, session.port)]
    spec = engine.specs[session.container_id]
    assert (spec.port, spec.published_port) == (8888, session.port)


def test_ports_go_round_and_are_not_given_again_within_ten_seconds(
    plane: Plane, alice: Caller, clock: Clock
) -> None:
    first = running(plane, alice)
    sessions.ask_to_stop(plane, first, "stopped by alice").result(5)
    plane.records.set_cursor("port", PUBLISHED.index(first.port) - 1)
    second = running(plane, alice)
    assert second.port == first.port + 1
    sessions.ask_to_stop(plane, second, "stopped by alice").result(5)
    plane.records.set_cursor("port", PUBLISHED.index(first.port) - 1)
    clock.ahead = timedelta(seconds=11)
    assert running(plane, alice).port == first.port


def test_after_the_last_port_comes_the_first(plane: Plane, alice: Caller) -> None:
    plane.records.set_cursor("port", len(PUBLISHED) - 1)
    assert running(plane, alice).port == PUBLISHED[0]


def test_what_was_cut_off_comes_back_at_its_port(
    plane: Plane, alice: Caller, gateway: FakeGateway
) -> None:
    session = running(plane, alice)
    plane.records.keep_running({"user:alice"})
    switch(plane, enabled=False)
    until(lambda: plane.access.sessions[session.id].cut_off and not plane.jobs.busy(session.id))
    assert list(gateway.routes) == []
    switch(plane, enabled=True)
    until(lambda: not plane.access.sessions[session.id].cut_off)
    assert list(gateway.routes) == [Route(session.id, ADDRESS, session.port)]


def test_an_adopted_session_has_the_port_that_the_engine_names(
    plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    victim = running(plane, alice)
    labels = engine.found[victim.container_id].labels
    told = {name: value.replace(victim.id, "f" * 32) for name, value in labels.items()}
    engine.found["adopted"] = Container(
        "adopted", running=True, started=True, labels=told, address=ADDRESS, port=29999
    )
    lifecycle.reconcile(plane)
    assert plane.access.sessions["f" * 32].port == 29999


def refused(plane: Plane, who: Caller, grant_id: str) -> tuple[str, str]:
    """Return the field and the reason why a start is refused, which the catalogue shows, too."""
    with pytest.raises(InvalidError) as caught:
        sessions.begin(plane, who, grant_id, {}, instead=False)
    (error,) = caught.value.errors
    shown = {one.grant.id: one for one in catalogue.entries(plane, who.user)}[grant_id]
    assert (shown.available, shown.out_of_reach) == (False, error.message)
    return error.field, error.message


def test_the_home_of_a_system_user_is_not_on_another_machine(away: Plane) -> None:
    dora, grant_id = granted(away, Policy(allow_home=True), "system")
    field, why = refused(away, dora, grant_id)
    assert field == "allow_home"
    assert why.startswith("The engine is on another machine, where the homes of system users")
    grant = next(one for one in away.accounting.grants() if one.id == grant_id)
    away.access.users["dora"] = dora.user
    assert catalogue.refused(away, grant, hello()) == why


def test_a_volume_of_this_machine_is_not_on_another_one(away: Plane) -> None:
    who, grant_id = granted(away, Policy(volumes=(DATA,)))
    assert refused(away, who, grant_id) == (
        "volumes",
        "The engine is on another machine, where the volumes of the policy are not.",
    )
    with pytest.raises(InvalidError, match="A volume is refused") as caught:
        away.folders.resolved(DATA)
    assert caught.value.errors[0].message.endswith("and the engine is on another one")


def test_no_port_is_published_of_what_has_no_way_out(plane: Plane, alice: Caller) -> None:
    published = replace(plane, site=replace(plane.site, reach=Reach(published=True)))
    who, grant_id = granted(published, Policy(network="none"))
    field, why = refused(published, who, grant_id)
    assert (field, "the network must be internet" in why) == ("network", True)
    closed = replace(published.site.limits, network="none")
    by_default = replace(published, site=replace(published.site, limits=closed))
    assert refused(by_default, alice, grant_of(plane, "alice"))[0] == "network"


def test_what_is_a_volume_of_the_engine_is_there(away: Plane, engine: FakeEngine) -> None:
    engine.known[HELLO] = replace(hello(), labels={"maintainer": "somebody"})
    alice = caller(away, "alice")
    assert running(away, alice).state is State.READY
    away.accounting.change_application(APPLICATION, lambda one: replace(one, run_as="root"))
    dora, grant_id = granted(away, Policy(allow_home=True), "system")
    session = sessions.begin(away, dora, grant_id, {}, instead=False)
    until(lambda: away.access.sessions[session.id].state is State.READY)


def test_a_grant_says_what_the_engine_cannot_give(away: Plane) -> None:
    application = away.accounting.applications()[0]
    policy = Policy(allow_home=True, network="none")
    said = cautions.of_policy(policy, application, None, ELSEWHERE)
    assert [one.split(",")[0] for one in said] == [
        "The engine is on another machine",
        "The engine publishes the ports of its containers",
    ]
    assert cautions.of_policy(policy, application, None, Reach()) == []
