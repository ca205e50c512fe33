"""Who is let through to which session, and who is inside: the forwarder's own memory.

Invariant: every connection that is open is one that would be let in now, or is being ended; an
unknown share, another session, a name that is not let in and a time that is over let nobody in.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from control_plane.domain.forwarding import Passage, Watcher

MOST_OPEN = 8192
MOST_OF_ONE = 256  # connections of one viewer: a page that is full of pictures, not a flood


@dataclass(frozen=True, slots=True)
class Claim:
    """What nginx says of a connection: by which share, into what, a sign-in or token, whose."""

    share_id: str
    session_id: str
    viewer: str
    user: str


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """One connection; `end` cuts it. `watches`: it shows what happens, and is no mere request."""

    claim: Claim
    passage: Passage
    since: datetime
    end: Callable[[], None]
    watches: bool


class Table:
    """The passages, the viewers who are barred, and the connections."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """Begin empty: nobody is let in; `is_told` is set with the first `replace`."""
        self.is_told = asyncio.Event()
        self._clock = clock
        self._passages: dict[str, Passage] = {}
        self._people: dict[str, frozenset[str] | None] = {}
        self._barred: dict[str, datetime] = {}
        self._open: set[Visit] = set()
        self._count: dict[str, int] = {}

    def judged(self, claim: Claim) -> Passage | None:
        """Return the passage that lets this in now; None: nothing does."""
        now = self._clock()
        passage = self._passages.get(claim.share_id)
        if passage is None or passage.session_id != claim.session_id or passage.expires_at <= now:
            return None
        if not claim.viewer or self._is_barred(claim.viewer, now):
            return None
        people = self._people[claim.share_id]
        return passage if people is None or claim.user in people else None

    def is_full(self, viewer: str) -> bool:
        """Whether this viewer, or everybody together, has all the connections there are."""
        return len(self._open) >= MOST_OPEN or self._count.get(viewer, 0) >= MOST_OF_ONE

    @property
    def is_visited(self) -> bool:
        """Whether any connection is open."""
        return bool(self._open)

    def replace(self, passages: Sequence[Passage], barred: Mapping[str, datetime]) -> None:
        """Make these all the passages; who is barred already stays so."""
        self._passages = {one.share_id: one for one in passages}
        self._people = {one.share_id: _names(one) for one in passages}
        for viewer, until in barred.items():
            self._bar(viewer, until)
        self.is_told.set()
        self.review()

    def put(self, passage: Passage) -> None:
        """Add a passage, or put it in place of that of its share."""
        self._passages[passage.share_id] = passage
        self._people[passage.share_id] = _names(passage)
        self.review()

    def drop(self, share_id: str) -> None:
        """Take a passage back."""
        self._passages.pop(share_id, None)
        self._people.pop(share_id, None)
        self.review()

    def bar(self, viewer: str, until: datetime) -> None:
        """Let this viewer in nowhere until then."""
        self._bar(viewer, until)
        self.review()

    def review(self) -> None:
        """End what would not be let in any more, or not the same way; forget what is over."""
        now = self._clock()
        self._barred = {viewer: until for viewer, until in self._barred.items() if until > now}
        for share_id in [one.share_id for one in self._passages.values() if one.expires_at <= now]:
            del self._passages[share_id], self._people[share_id]
        ended = {one for one in self._open if not self._still_holds(one)}
        self._open -= ended  # they are nobody's who watches, while they are let go of
        for visit in ended:
            visit.end()

    @contextmanager
    def visiting(self, visit: Visit) -> Iterator[None]:
        """Count a connection while the block runs."""
        viewer = visit.claim.viewer
        self._open.add(visit)
        self._count[viewer] = self._count.get(viewer, 0) + 1
        try:
            yield
        finally:
            self._open.discard(visit)
            self._count[viewer] -= 1
            if not self._count[viewer]:
                del self._count[viewer]

    def watching(self) -> Sequence[Watcher]:
        """Return who watches now: each viewer of each share once, with the earliest `since`."""
        found: dict[tuple[str, str], Watcher] = {}
        for one in sorted(self._open, key=lambda visit: visit.since):
            claim = one.claim
            if one.watches:
                watcher = Watcher(claim.share_id, claim.viewer, claim.user, one.since)
                found.setdefault((claim.share_id, claim.viewer), watcher)
        return list(found.values())

    def end_all(self) -> None:
        """End every connection."""
        for visit in list(self._open):
            visit.end()

    def _still_holds(self, visit: Visit) -> bool:
        judged = self.judged(visit.claim)
        return judged is not None and _way(judged) == _way(visit.passage)

    def _is_barred(self, viewer: str, now: datetime) -> bool:
        until = self._barred.get(viewer)
        return until is not None and until > now

    def _bar(self, viewer: str, until: datetime) -> None:
        self._barred[viewer] = max(until, self._barred.get(viewer, until))


def _names(passage: Passage) -> frozenset[str] | None:
    return None if passage.people is None else frozenset(passage.people)


def _way(passage: Passage) -> tuple[object, ...]:
    """Return what a connection that is open depends on: how far it may go, and where."""
    return passage.access, passage.type, passage.address, passage.port
