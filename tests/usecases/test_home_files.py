"""A look into one's home: one a user at a time, and left alone by who mends drift."""

import threading
from dataclasses import dataclass, field, replace

import pytest
from adapters.fakes_engine import HELLO, FakeEngine
from usecases.conftest import grant_of, until

from control_plane import home_files, lifecycle
from control_plane.domain.access import Caller
from control_plane.domain.entities import Policy
from control_plane.domain.files import Found, Listing, Look
from control_plane.domain.labels import RUN
from control_plane.domain.ports import Container, Plane
from control_plane.errors import EngineUnavailableError, InvalidError, NotFoundError

STARTUP = "eu.simphony-project.docker.env.startupdata"


@dataclass
class SlowFiles:
    """Looks last until the test lets them go; each has a container meanwhile."""

    engine: FakeEngine
    go_on: threading.Event = field(default_factory=threading.Event)
    looks: list[Look] = field(default_factory=list)

    def listed(self, look: Look) -> Listing:
        self.looks.append(look)
        label = {RUN + "url_id": look.key}
        self.engine.found[look.key] = Container(
            look.key, running=True, started=True, labels=label, address=""
        )
        assert self.go_on.wait(5)
        if look.path == "away":
            raise EngineUnavailableError("The container engine does not answer.")
        assert self.engine.found.pop(look.key, None), "its container was removed meanwhile"
        return Listing(look.path, (Found("file", "file"),))


@pytest.fixture
def slow(engine: FakeEngine) -> SlowFiles:
    return SlowFiles(engine)


@pytest.fixture
def looked(plane: Plane, engine: FakeEngine, slow: SlowFiles) -> Plane:
    """A plane whose looks last, where alice may look into her home."""
    engine.known[HELLO] = replace(
        engine.known[HELLO], labels={**engine.known[HELLO].labels, STARTUP: ""}
    )
    whole = Policy(allow_home=True, allow_startup_data=True)
    plane.accounting.change_grant(grant_of(plane, "alice"), lambda _: whole)
    return replace(plane, files=slow)


def test_one_user_looks_once_at_a_time(looked: Plane, slow: SlowFiles, alice: Caller) -> None:
    grant = grant_of(looked, "alice")
    first = home_files.look(looked, alice, grant, "a")
    second = home_files.look(looked, alice, grant, "/workspace/b/")
    until(lambda: slow.looks)
    assert [one.path for one in slow.looks] == ["a"]
    assert not second.done()
    slow.go_on.set()
    assert (first.result(5).path, second.result(5).path) == ("a", "b")
    assert [one.path for one in slow.looks] == ["a", "b"]


def test_a_look_under_way_is_no_drift_and_what_it_left_is(
    looked: Plane, slow: SlowFiles, engine: FakeEngine, alice: Caller
) -> None:
    told = home_files.look(looked, alice, grant_of(looked, "alice"), "")
    until(lambda: engine.found)
    assert lifecycle.reconcile(looked) == 0
    slow.go_on.set()
    assert told.result(5).entries == (Found("file", "file"),)
    until(lambda: not looked.jobs.busy("look-70000"))
    left = Container("x", running=True, started=True, labels={RUN + "url_id": "k"}, address="")
    engine.found["x"] = left
    assert lifecycle.reconcile(looked) == 1
    assert engine.found == {}


def test_what_goes_wrong_with_a_look_is_told(looked: Plane, slow: SlowFiles, alice: Caller) -> None:
    slow.go_on.set()
    told = home_files.look(looked, alice, grant_of(looked, "alice"), "away")
    with pytest.raises(EngineUnavailableError):
        told.result(5)


def test_a_look_is_as_the_user_into_the_users_own_home(
    looked: Plane, slow: SlowFiles, alice: Caller
) -> None:
    slow.go_on.set()
    home_files.look(looked, alice, grant_of(looked, "alice"), "").result(5)
    (look,) = slow.looks
    assert (look.person.uid, look.home.source) == (70000, "remoteapp-unit-home-70000")
    assert look.image == "sha256:hello"


def test_a_home_is_looked_into_where_it_is_granted_only(
    looked: Plane, slow: SlowFiles, alice: Caller, charlie: Caller
) -> None:
    grant = grant_of(looked, "alice")
    with pytest.raises(NotFoundError):
        home_files.look(looked, charlie, grant, "")
    with pytest.raises(InvalidError):
        home_files.look(looked, alice, grant, "../..")
    looked.accounting.change_grant(grant, lambda _: Policy(allow_startup_data=True))
    with pytest.raises(NotFoundError, match="opens no file"):
        home_files.look(looked, alice, grant, "")
    assert slow.looks == []
