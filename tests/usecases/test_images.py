"""The image library: what there is, who uses it, and what the audit log says of each act."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from adapters.fakes_engine import HELLO, FakeEngine, FakeLibrary, hello
from usecases.conftest import APPLICATION, grant_of, until

from control_plane import images, sessions
from control_plane.domain.access import Caller
from control_plane.domain.entities import Application, State
from control_plane.domain.ports import Plane
from control_plane.domain.roles import Actor
from control_plane.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    TooLargeError,
)

ADMIN = Actor("admin", "192.0.2.7")
SMALL = "registry.test/small:1"


@pytest.fixture
def library(engine: FakeEngine) -> FakeLibrary:
    small = replace(hello(), id="sha256:small", name=SMALL)
    return FakeLibrary(engine, registry={SMALL: small})


@pytest.fixture
def stocked(plane: Plane, library: FakeLibrary) -> Plane:
    return replace(plane, image_library=library)


def acts(plane: Plane) -> list[tuple[str, str, str]]:
    """Return what was done of images, oldest first."""
    rows = plane.records.audit(actor="admin")
    assert {one.address for one in rows} <= {"192.0.2.7"}
    return [(one.action, one.target, one.detail) for one in reversed(rows)]


def test_an_image_is_listed_with_who_runs_it_and_what_names_it(
    stocked: Plane, alice: Caller, engine: FakeEngine
) -> None:
    same = "remoteapp/hello:also"
    engine.known[same] = replace(hello(), name=same)
    session = sessions.begin(stocked, alice, grant_of(stocked, "alice"), {}, instead=False)
    until(lambda: stocked.access.sessions[session.id].state is State.READY)
    listed = {one.image.name: one for one in images.listed(stocked)}
    assert [one.id for one in listed[HELLO].sessions] == [session.id]
    assert [one.id for one in listed[same].sessions] == [session.id]
    assert [one.id for one in listed[HELLO].applications] == [APPLICATION]
    assert listed[same].applications == ()


def test_an_application_may_leave_out_the_tag(stocked: Plane) -> None:
    without = Application("b" * 32, "registry.test:5000/hello")
    stocked.accounting.add_application(without)
    image = replace(hello(), id="sha256:other", name="registry.test:5000/hello:latest")
    _engine(stocked).known[image.name] = image
    listed = {one.image.name: one for one in images.listed(stocked)}
    assert listed[image.name].applications == (without,)
    assert images.of_name(stocked, without.image) == [listed[image.name]]


def test_a_pull_tells_its_steps_and_is_audited(stocked: Plane) -> None:
    steps = list(images.pull(stocked, ADMIN, SMALL))
    assert [one.status for one in steps][:1] == ["Downloading"]
    assert acts(stocked) == [("image-pull", SMALL, "")]
    (row,) = stocked.records.audit(actor="admin")
    assert row.after == {"id": "sha256:small"}
    assert [one.image.name for one in images.of_name(stocked, SMALL)] == [SMALL]


def test_a_pull_that_fails_or_is_broken_off_is_audited_as_such(stocked: Plane) -> None:
    with pytest.raises(ConflictError):
        images.pull(stocked, ADMIN, "registry.test/none:1")
    steps = images.pull(stocked, ADMIN, SMALL)
    next(steps)
    steps.close()
    failed = "failed: The image registry.test/none:1 could not be pulled: manifest unknown"
    assert acts(stocked) == [
        ("image-pull", "registry.test/none:1", failed),
        ("image-pull", SMALL, "broken off"),
    ]
    assert SMALL not in _engine(stocked).known


def test_what_was_typed_and_is_no_reference_stands_nowhere(stocked: Plane) -> None:
    with pytest.raises(InvalidError):
        images.pull(stocked, ADMIN, "user:secret@registry.test/x")
    assert acts(stocked) == []


def test_an_archive_is_taken_in_and_each_name_audited(stocked: Plane) -> None:
    pieces = iter([b"archive\n", b"a/b:1\n", b"a/c:1"])
    assert images.upload(stocked, ADMIN, pieces, 100) == ["a/b:1", "a/c:1"]
    assert acts(stocked) == [("image-upload", "a/b:1", ""), ("image-upload", "a/c:1", "")]


def test_what_has_just_these_names_is_told(stocked: Plane) -> None:
    images.upload(stocked, ADMIN, iter([b"archive\na/b:latest\na/c:1"]), 100)
    _engine(stocked).known["a/c:2"] = replace(_engine(stocked).known["a/c:1"], name="a/c:2")
    found = images.named(stocked, ["a/c:1", "a/b", "a/none:1"])
    assert [one.image.name for one in found] == ["a/b:latest", "a/c:1"]


def test_an_archive_over_its_bound_is_read_no_further(stocked: Plane) -> None:
    read = []

    def pieces() -> Iterator[bytes]:
        for number in range(1000):
            read.append(number)
            yield b"x" * 10

    with pytest.raises(TooLargeError, match="larger than 100 bytes"):
        images.upload(stocked, ADMIN, pieces(), 100)
    assert len(read) == 11
    assert acts(stocked) == [("image-upload", "", "failed: The archive is larger than 100 bytes.")]


def test_an_archive_of_exactly_the_bound_is_taken(stocked: Plane) -> None:
    content = b"archive\na/b:1"
    assert images.upload(stocked, ADMIN, iter([content]), len(content)) == ["a/b:1"]


def test_an_image_that_a_session_uses_stays_and_the_session_is_named(
    stocked: Plane, alice: Caller
) -> None:
    session = sessions.begin(stocked, alice, grant_of(stocked, "alice"), {}, instead=False)
    until(lambda: stocked.access.sessions[session.id].state is State.READY)
    with pytest.raises(ConflictError, match="in use by 1 sessions") as caught:
        images.remove(stocked, ADMIN, HELLO)
    assert [getattr(one, "id", "") for one in caught.value.details] == [session.id]
    assert acts(stocked) == []
    sessions.ask_to_stop(stocked, stocked.access.sessions[session.id], "a test").result(5)
    assert images.remove(stocked, ADMIN, HELLO).image.name == HELLO


def test_an_image_is_removed_whatever_names_it_in_the_catalogue(stocked: Plane) -> None:
    removed = images.remove(stocked, ADMIN, HELLO.removesuffix(":latest"))
    assert [one.id for one in removed.applications] == [APPLICATION]
    assert images.listed(stocked) == []
    assert acts(stocked) == [("image-remove", HELLO, "")]
    (row,) = stocked.records.audit(actor="admin")
    assert row.before == {"id": "sha256:hello", "size": 88_000_000}


@pytest.mark.parametrize("name", ["no/such:1", "", "sha256:hello", "Upper", "x" * 300])
def test_an_unknown_image_is_not_found(stocked: Plane, name: str) -> None:
    with pytest.raises(NotFoundError):
        images.remove(stocked, ADMIN, name)
    assert acts(stocked) == []


def test_who_may_only_look_changes_nothing(stocked: Plane) -> None:
    looker = Actor("bob", scopes=frozenset({"admin:read"}))
    for call in (
        lambda: images.pull(stocked, looker, SMALL),
        lambda: images.upload(stocked, looker, iter([b""]), 1),
        lambda: images.remove(stocked, looker, HELLO),
    ):
        with pytest.raises(ForbiddenError, match="admin:write"):
            call()
    assert [one.image.name for one in images.listed(stocked)] == [HELLO]


def _engine(plane: Plane) -> FakeEngine:
    assert isinstance(plane.engine, FakeEngine)
    return plane.engine
