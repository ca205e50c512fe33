"""What the forwarder is told of the shares: which of them hold now, and whom they let in.

Invariant: what it was told is never newer than records and memory, and never older than what it
was told before.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from control_plane import auth
from control_plane.domain.entities import Session, Share, ShareAccess, State
from control_plane.domain.forwarding import Passage, Watcher
from control_plane.domain.ports import Plane
from control_plane.errors import ForwarderUnavailableError

log = logging.getLogger(__name__)

# Whoever holds it waits for the forwarder, for a second at most.
_PATIENCE = 0.5
_FURTHER: Mapping[str, int] = {"none": 0, "view": 1, "control": 2}


@dataclass(frozen=True, slots=True)
class Onlooker:
    """Who watches now, as the owner is told, and since when."""

    name: str
    since: datetime


def holds(session: Session | None, one: Share, now: datetime) -> bool:
    """Whether a share lets anybody in now."""
    if session is None or session.state is not State.READY or session.cut_off:
        return False
    return now < one.expires_at and is_allowed(session, one.access)


def is_allowed(session: Session, access: ShareAccess) -> bool:
    """Whether the session's policy, as it is now, lets it be shared so far."""
    return _FURTHER[access] <= _FURTHER[session.policy.share if session.policy else "none"]


def tell(plane: Plane) -> None:
    """Make the forwarder know what holds now, and end those whose sign-in or token has ended."""
    try:
        with _telling(plane):
            plane.forwarder.replace(_passages(plane))
            plane.access.watchers = tuple(_left(plane)) if plane.access.shares else ()
    except ForwarderUnavailableError:
        plane.access.watchers = None
        raise


def hand_over(plane: Plane, one: Share) -> None:
    """Tell the forwarder of a share at once; `keep` does it again where that fails."""
    try:
        with _telling(plane):
            for passage in _passages(plane, lambda other: other.id == one.id):
                plane.forwarder.put(passage)
    except ForwarderUnavailableError as error:
        log.warning("share not handed over yet share=%s error=%s", one.id, error)


def take_back(plane: Plane, several: Sequence[Share]) -> None:
    """End what goes on by shares that records and memory have forgotten.

    ForwarderUnavailableError says what that means for those who are in.
    """
    try:
        with _telling(plane):
            for one in several:
                plane.forwarder.drop(one.id)
    except ForwarderUnavailableError as error:
        raise ForwarderUnavailableError(
            "The share is revoked and lets nobody in any more, but the forwarder does not answer: "
            "who was in stays in until it does.",
            "Ask an administrator to look after remoteapp-forwarder.service.",
        ) from error


def watching(plane: Plane) -> Mapping[str, tuple[Onlooker, ...]] | None:
    """Return who watches by each share, the longest first; None while nobody says.

    From memory: pages ask often, and a forwarder that hangs must not hold them.
    """
    watchers = plane.access.watchers
    if watchers is None:
        return None
    found: defaultdict[str, tuple[Onlooker, ...]] = defaultdict(tuple)
    for one in sorted(watchers, key=lambda watcher: (watcher.since, watcher.viewer)):
        found[one.share_id] += (Onlooker(_name(plane, one), one.since),)
    return found


def _left(plane: Plane) -> Iterator[Watcher]:
    """Yield who watches, but for those whose sign-in or token has ended: these are cut."""
    for one in plane.forwarder.watching():
        if auth.is_in(plane, one.viewer):
            yield one
        else:
            plane.forwarder.cut(one.viewer)


@contextmanager
def _telling(plane: Plane) -> Iterator[None]:
    """Hold what keeps an older look at the shares from being told after a newer one."""
    if not plane.access.telling.acquire(timeout=_PATIENCE):
        raise ForwarderUnavailableError("The forwarder does not answer.")
    try:
        yield
    finally:
        plane.access.telling.release()


def _passages(plane: Plane, wanted: Callable[[Share], bool] = lambda _: True) -> list[Passage]:
    now, shares = plane.clock(), [one for one in list(plane.access.shares.values()) if wanted(one)]
    # Users and sign-ins may be many thousands: each is looked at once.
    members = _members(plane, {one.name for one in shares if one.kind == "group"})
    entered = auth.who_entered(plane) if any(one.kind == "link" for one in shares) else {}
    found = []
    for one in shares:
        session = plane.access.sessions.get(one.session_id)
        if session and holds(session, one, now):
            people = _people(plane, one, {"group": members, "link": entered})
            found.append(_passage(session, one, people))
    return sorted(found, key=lambda passage: passage.share_id)


def _passage(session: Session, one: Share, people: tuple[str, ...]) -> Passage:
    return Passage(
        share_id=one.id,
        session_id=session.id,
        owner=session.owner,
        access=one.access,
        type=session.type,
        address=session.address,
        port=session.port,
        expires_at=one.expires_at,
        people=people,
    )


def _people(
    plane: Plane, one: Share, several: Mapping[str, Mapping[str, set[str]]]
) -> tuple[str, ...]:
    """Return the names that a share lets in now; `several` has those of groups and of links."""
    if one.kind == "user":
        names = {one.name} if auth.is_let_in(plane, one.name) else set()
    elif one.kind == "group":
        names = several["group"].get(one.name, set())
    else:
        guests = {f"{auth.GUEST_PREFIX}{one.id}"} if plane.site.guests else set()
        names = several["link"].get(one.id, set()) | guests
    return tuple(sorted(names - {one.owner}))


def _members(plane: Plane, groups: Collection[str]) -> Mapping[str, set[str]]:
    """Return those of each of these groups who are let in here."""
    found = defaultdict[str, set[str]](set)
    for user in list(plane.access.users.values()) if groups else ():
        for name in set(user.groups) & set(groups):
            if auth.is_let_in(plane, user.name):
                found[name] |= {user.name}
    return found


def _name(plane: Plane, watcher: Watcher) -> str:
    signin = plane.access.signins.get(watcher.viewer)
    return (signin and signin.display) or watcher.user
