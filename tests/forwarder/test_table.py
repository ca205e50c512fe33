"""Who is let in, and who is ended when."""

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from control_plane.domain.forwarding import Passage, Watcher
from control_plane.forwarder.table import MOST_OF_ONE, Claim, Table, Visit

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PASSAGE = Passage(
    share_id="5" * 32,
    session_id="a" * 32,
    owner="alice",
    access="view",
    type="vncapp",
    address="10.213.0.2",
    port=8888,
    expires_at=NOON + timedelta(hours=1),
    people=("bob",),
)
BOB = Claim(PASSAGE.share_id, PASSAGE.session_id, "bobs-sign-in", "bob")


@dataclass
class Clock:
    """A clock that stands until it is set."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Door:
    """The table, and the viewers whose connections it has ended."""

    clock: Clock = field(default_factory=Clock)
    ended: list[str] = field(default_factory=list)
    inside: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.table = Table(self.clock)
        self.table.put(PASSAGE)

    def enter(self, claim: Claim = BOB, *, watches: bool = True) -> None:
        passage = self.table.judged(claim)
        assert passage
        end = partial(self.ended.append, claim.viewer)
        visit = Visit(claim, passage, self.clock.now, end, watches)
        self.inside.enter_context(self.table.visiting(visit))


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.mark.parametrize(
    "claim",
    [
        replace(BOB, share_id="6" * 32),
        replace(BOB, session_id="b" * 32),
        replace(BOB, user="charlie"),
        replace(BOB, user=""),
        replace(BOB, viewer=""),
    ],
    ids=["unknown share", "another session", "another name", "no name", "no sign-in"],
)
def test_nobody_else_is_let_in(door: Door, claim: Claim) -> None:
    assert (door.table.judged(BOB), door.table.judged(claim)) == (PASSAGE, None)


def test_without_names_whoever_nginx_says_is_let_in(door: Door) -> None:
    anybody = replace(PASSAGE, people=None)
    door.table.put(anybody)
    assert door.table.judged(replace(BOB, user="guest:1")) == anybody


def test_a_time_that_is_over_lets_nobody_in_and_ends_who_is(door: Door) -> None:
    door.enter()
    door.clock.now = PASSAGE.expires_at
    assert door.table.judged(BOB) is None
    door.table.review()
    assert door.ended == ["bobs-sign-in"]


def test_a_moment_before_nobody_is_ended(door: Door) -> None:
    door.enter()
    door.clock.now = PASSAGE.expires_at - timedelta(milliseconds=1)
    door.table.review()
    assert (door.ended, door.table.judged(BOB)) == ([], PASSAGE)


def test_a_share_that_is_dropped_ends_at_once_and_no_other_does(door: Door) -> None:
    other = replace(PASSAGE, share_id="6" * 32)
    door.table.put(other)
    door.enter()
    door.enter(replace(BOB, share_id=other.share_id, viewer="another"))
    door.table.drop(PASSAGE.share_id)
    assert (door.ended, door.table.judged(BOB)) == (["bobs-sign-in"], None)
    door.table.drop("unknown")


def test_a_viewer_who_is_barred_is_ended_everywhere_until_the_day_is_over(door: Door) -> None:
    door.enter()
    door.table.bar(BOB.viewer, NOON + timedelta(minutes=5))
    assert (door.ended, door.table.judged(BOB)) == (["bobs-sign-in"], None)
    door.table.replace([PASSAGE], {})
    assert door.table.judged(BOB) is None
    assert door.table.judged(replace(BOB, viewer="signed in again")) == PASSAGE
    door.clock.now = NOON + timedelta(minutes=5)
    door.table.review()
    assert door.table.judged(BOB) == PASSAGE


@pytest.mark.parametrize(
    "change",
    [
        {"access": "control"},
        {"address": "10.213.0.3"},
        {"port": 8889},
        {"session_id": "b" * 32},
        {"people": ("charlie",)},
        {"expires_at": NOON},
    ],
    ids=lambda change: next(iter(change)),
)
def test_who_would_not_be_let_in_the_same_way_any_more_is_ended(
    door: Door, change: dict[str, Any]
) -> None:
    door.enter()
    door.table.replace([replace(PASSAGE, **change)], {})
    assert door.ended == ["bobs-sign-in"]


def test_a_later_end_and_more_people_end_nobody(door: Door) -> None:
    door.enter()
    later = replace(PASSAGE, expires_at=NOON + timedelta(days=1), people=("bob", "charlie"))
    door.table.put(later)
    door.table.replace([later], {})
    assert door.ended == []


def test_who_watches_is_each_viewer_of_each_share_once_since_the_first_connection(
    door: Door,
) -> None:
    door.enter(watches=False)
    assert door.table.watching() == []
    door.enter()
    door.clock.now += timedelta(minutes=1)
    door.enter()
    assert door.table.watching() == [Watcher(PASSAGE.share_id, "bobs-sign-in", "bob", NOON)]


def test_one_viewer_has_so_many_connections_and_no_more(door: Door) -> None:
    for _ in range(MOST_OF_ONE):
        assert not door.table.is_full(BOB.viewer)
        door.enter()
    assert (door.table.is_full(BOB.viewer), door.table.is_full("another")) == (True, False)
