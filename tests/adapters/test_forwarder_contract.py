"""What every forwarder does: the process behind its client, and the fake of unit tests."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest
from adapters.fakes_forwarder import FakeForwarder
from forwarder.running import (
    SHARE,
    Desktop,
    Forwarding,
    desktop,
    forwarding,
    now,
    passage,
    websocket,
)
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from control_plane.adapters.forwarder_client import ForwarderClient
from control_plane.domain.forwarding import Forwarder, Passage
from control_plane.errors import ForwarderUnavailableError


class Place(Protocol):
    """A forwarder, and what stands around it."""

    passage: Passage

    @property
    def forwarder(self) -> Forwarder:
        """What is tested."""

    def connect(self, share_id: str, viewer: str, user: str) -> bool:
        """Open a connection as nginx would; whether it was let through. It stays."""

    def restart(self) -> None:
        """End it and start it again: it knows nothing any more."""

    def silence(self) -> None:
        """Make it as good as away."""


@dataclass
class Fake:
    """The fake."""

    passage: Passage = field(default_factory=lambda: passage("10.213.0.2:8888"))
    forwarder: FakeForwarder = field(default_factory=lambda: FakeForwarder(now))

    def connect(self, share_id: str, viewer: str, user: str) -> bool:
        return self.forwarder.connect(share_id, viewer, user)

    def restart(self) -> None:
        self.forwarder.restart()

    def silence(self) -> None:
        self.forwarder.away = True


@dataclass
class Real:
    """The process."""

    process: Forwarding
    desktop: Desktop
    undo: ExitStack

    def __post_init__(self) -> None:
        self.forwarder = self.process.client
        self.passage = passage(self.desktop.target)

    def connect(self, share_id: str, viewer: str, user: str) -> bool:
        with suppress(InvalidHandshake, ConnectionClosed):
            opening = websocket(self.process.public, share=share_id, viewer=viewer, user=user)
            one = self.undo.enter_context(opening)
            return bool(one.recv(timeout=10))
        return False

    def restart(self) -> None:
        self.process.restart()

    def silence(self) -> None:
        self.process.process.kill()
        self.forwarder = ForwarderClient(self.process.control, now, seconds=0.2)


@pytest.fixture(params=["fake", "process"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "fake":
        yield Fake()
        return
    with tempfile.TemporaryDirectory(prefix="remoteapp-forwarder-") as made, ExitStack() as undo:
        process = undo.enter_context(forwarding(Path(made)))
        real = Real(process, undo.enter_context(desktop()), undo)
        real.forwarder.replace([])
        yield real


def watching(place: Place) -> list[tuple[str, str, str]]:
    return [(one.share_id, one.viewer, one.user) for one in place.forwarder.watching()]


def test_nobody_is_let_in_by_nothing(place: Place) -> None:
    place.forwarder.replace([])
    assert not place.connect(SHARE, "bobs", "bob")
    assert watching(place) == []


def test_who_is_named_watches_and_nobody_else(place: Place) -> None:
    place.forwarder.replace([place.passage])
    before = now()
    assert place.connect(SHARE, "bobs", "bob")
    assert not place.connect(SHARE, "charlies", "charlie")
    assert not place.connect("6" * 32, "bobs", "bob")
    assert watching(place) == [(SHARE, "bobs", "bob")]
    assert before <= since(place) <= now()


def since(place: Place) -> datetime:
    (one,) = place.forwarder.watching()
    return one.since


def test_one_more_passage_leaves_the_others(place: Place) -> None:
    place.forwarder.replace([place.passage])
    assert place.connect(SHARE, "bobs", "bob")
    place.forwarder.put(replace(place.passage, share_id="6" * 32, people=None))
    assert place.connect("6" * 32, "guests", "guest:6")
    assert sorted(watching(place)) == [(SHARE, "bobs", "bob"), ("6" * 32, "guests", "guest:6")]


def test_what_is_dropped_has_ended(place: Place) -> None:
    place.forwarder.put(place.passage)
    assert place.connect(SHARE, "bobs", "bob")
    place.forwarder.drop(SHARE)
    assert watching(place) == []
    assert not place.connect(SHARE, "bobs", "bob")
    place.forwarder.drop("unknown")


def test_what_is_not_among_all_of_them_has_ended(place: Place) -> None:
    place.forwarder.replace([place.passage])
    assert place.connect(SHARE, "bobs", "bob")
    place.forwarder.replace([place.passage])
    assert watching(place) == [(SHARE, "bobs", "bob")]
    place.forwarder.replace([replace(place.passage, people=("charlie",))])
    assert watching(place) == []
    place.forwarder.replace([])
    assert not place.connect(SHARE, "charlies", "charlie")


def test_a_viewer_who_is_cut_is_in_nowhere(place: Place) -> None:
    place.forwarder.replace([place.passage])
    assert place.connect(SHARE, "bobs", "bob")
    place.forwarder.cut("bobs")
    assert watching(place) == []
    place.forwarder.replace([place.passage])
    assert not place.connect(SHARE, "bobs", "bob")
    assert place.connect(SHARE, "bobs-other", "bob")


def test_a_passage_that_is_over_lets_nobody_in(place: Place) -> None:
    place.forwarder.put(replace(place.passage, expires_at=now() - timedelta(seconds=1)))
    assert not place.connect(SHARE, "bobs", "bob")


def test_one_that_has_restarted_is_told_again(place: Place) -> None:
    place.forwarder.replace([place.passage])
    place.restart()
    assert watching(place) == []
    place.forwarder.replace([place.passage])
    assert place.connect(SHARE, "bobs", "bob")


def test_one_that_is_away_says_so_whatever_it_is_asked(place: Place) -> None:
    place.silence()
    for ask in (
        lambda: place.forwarder.replace([place.passage]),
        lambda: place.forwarder.put(place.passage),
        lambda: place.forwarder.drop(SHARE),
        lambda: place.forwarder.cut("bobs"),
        place.forwarder.watching,
        place.forwarder.check,
    ):
        with pytest.raises(ForwarderUnavailableError):
            ask()
