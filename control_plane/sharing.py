"""Sharing: an owner lets others into a session, exactly as far as said, until it is taken back.

Invariant: whether a share holds is asked anew each time, from memory; a change goes to the records
first, then to memory, then to the forwarder.
"""

import hashlib
import hmac
import logging
import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from control_plane import auth, passages, sessions, usage
from control_plane.domain.access import Caller
from control_plane.domain.entities import Session, Share, ShareAccess, ShareKind, State
from control_plane.domain.ports import Plane
from control_plane.errors import (
    ConflictError,
    FieldError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotSignedInError,
)
from control_plane.newcomers import is_stranger
from control_plane.passages import Onlooker

log = logging.getLogger(__name__)

DEFAULT_LIFE = timedelta(days=1)
LONGEST_LIFE = timedelta(days=30)
MOST_SHARES = 50
GUEST = "Guest"
CHANGED = "Who may enter was changed."
_LONGEST_DISPLAY = 60
_ENTER = "sessions:read"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom to let in, how far, and for how long."""

    kind: ShareKind
    name: str
    access: ShareAccess
    life: timedelta = DEFAULT_LIFE


@dataclass(frozen=True, slots=True)
class Entry:
    """How someone may enter a session; `share` is None for its owner.

    `knows` is False for a browser that must first be told whose web application it is, because
    its scripts can reach the sessions of whoever opens it.
    """

    session: Session
    access: Literal["owner", "control", "view"]
    share: Share | None = None
    knows: bool = True


@dataclass(frozen=True, slots=True)
class Shared:
    """A share as its owner sees it; `watching` is None while the forwarder does not say."""

    share: Share
    watching: tuple[Onlooker, ...] | None


def entry(plane: Plane, caller: Caller, session_id: str) -> Entry | None:
    """Return how the caller may enter a session; None where they may not."""
    session = plane.access.sessions.get(session_id)
    if session is None or not (caller.guest_of or _ENTER in caller.scopes):
        return None
    if session.owner == caller.user.name and not is_stranger(caller.user):
        return Entry(session, "owner")
    return _by_share(plane, caller, session, plane.access.shares_of(session_id))


def seen(plane: Plane, caller: Caller, session_id: str) -> Entry:
    """Return a session that the caller may look at; NotFoundError for any other.

    That is one's own, be it ended, or another's while it may be entered.
    """
    found = entry(plane, caller, session_id)
    return found or Entry(sessions.mine(plane, caller, session_id), "owner")


def is_told(plane: Plane, caller: Caller, session_id: str) -> bool:
    """Whether a session is shared with the caller, though it may not be entered just now."""
    session, now = plane.access.sessions.get(session_id), plane.clock()
    if session is None:
        return False
    return any(
        now < one.expires_at
        and passages.is_allowed(session, one.access)
        and _is_for(plane, one, caller)
        for one in plane.access.shares_of(session_id)
    )


def shared_with(plane: Plane, caller: Caller) -> list[Entry]:
    """Return the sessions of others that the caller may enter, oldest first."""
    if not (caller.guest_of or _ENTER in caller.scopes):
        return []
    found = []
    for session_id, shares in _by_session(plane).items():
        session = plane.access.sessions.get(session_id)
        if session and session.owner != caller.user.name:
            found.append(_by_share(plane, caller, session, shares))
    return sorted(filter(None, found), key=lambda one: (one.session.created_at, one.session.id))


def share(
    plane: Plane, caller: Caller, session_id: str, wanted: Wanted, address: str = ""
) -> tuple[Share, str]:
    """Let someone into the caller's session; return also the secret of a link.

    A user or a group is let in once: a second share takes the place of the first.
    """
    sessions.mine(plane, caller, session_id)
    _check(plane, caller, wanted)
    secret = secrets.token_urlsafe(32) if wanted.kind == "link" else ""
    with plane.access.lock:
        session = _shareable(plane, session_id, wanted)
        before = plane.access.shares_of(session_id)
        former = [one for one in before if secret == "" and _same(one, wanted)]
        if len(before) - len(former) >= MOST_SHARES:
            raise ConflictError(f"It is shared {len(before)} times.", "Revoke a share first.")
        for one in former:
            _forget(plane, one)
        made = _made(plane, session, wanted, secret)
        plane.records.add_share(made)
        plane.access.shares[made.id] = made
        plane.events.tell(session, CHANGED)
    usage.note_act(plane, caller.user.name, "share", session_id, address, after=_told(made))
    if former:
        passages.take_back(plane, former)
    passages.hand_over(plane, made)
    return made, secret


def shares_of(plane: Plane, caller: Caller, session_id: str) -> list[Shared]:
    """Return who else may enter the caller's session, and who of them watches now."""
    sessions.mine(plane, caller, session_id)
    return shares_of_anyones(plane, session_id)


def shares_of_anyones(plane: Plane, session_id: str) -> list[Shared]:
    """Return who else may enter a session, for those who may ask of anybody's."""
    now = plane.clock()
    found = [one for one in plane.access.shares_of(session_id) if now < one.expires_at]
    watching = passages.watching(plane) if found else {}
    return [Shared(one, None if watching is None else watching[one.id]) for one in found]


def revoke(plane: Plane, caller: Caller, session_id: str, share_id: str, address: str = "") -> None:
    """Take a share back: nobody is in by it when this returns.

    ForwarderUnavailableError: it is taken back, and who was in may be so until the forwarder
    answers.
    """
    sessions.mine(plane, caller, session_id)
    revoke_anyones(plane, caller.user.name, session_id, share_id, address)


def revoke_anyones(plane: Plane, by: str, session_id: str, share_id: str, address: str) -> None:
    """Take back a share of anybody's, for `by` who may."""
    with plane.access.lock:
        found = plane.access.shares.get(share_id)
        if found is None or found.session_id != session_id:
            raise NotFoundError("There is no such share.")
        _forget(plane, found)
        if session := plane.access.sessions.get(session_id):
            plane.events.tell(session, CHANGED)
    try:
        passages.take_back(plane, [found])
    finally:
        usage.note_act(plane, by, "share-revoke", session_id, address, before=_told(found))


def enter(  # noqa: PLR0913, PLR0917 - the link's two parts, and who comes from where
    plane: Plane, share_id: str, secret: str, visitor: Caller | None, display: str, address: str
) -> str | None:
    """Let a visitor in by a link; return the cookie's value of a new guest.

    NotFoundError where the link does not hold, NotSignedInError where guests are not let in.
    """
    name = _display(display)
    with plane.access.lock:
        found = _opened(plane, share_id, secret)
        if visitor and visitor.user.name in (found.owner, f"{auth.GUEST_PREFIX}{found.id}"):
            return None
        is_guest = visitor is None or bool(visitor.guest_of)
        if is_guest and not plane.site.guests:
            raise NotSignedInError("This portal has no guests.", "Sign in, and open it again.")
        cookie = None
        if visitor and not is_guest:
            auth.note_entered(plane, visitor, found.id)
        else:
            cookie = auth.let_guest_in(plane, found, name, address, instead_of=visitor)
    actor = visitor.user.name if visitor and not is_guest else f"{auth.GUEST_PREFIX}{found.id}"
    detail = name if is_guest else ""
    usage.note_act(plane, actor, "share-enter", found.session_id, address, detail=detail)
    passages.hand_over(plane, found)
    return cookie


def accept(plane: Plane, caller: Caller, session_id: str) -> None:
    """Note that a visitor was told whose application that is; NotFoundError."""
    found = entry(plane, caller, session_id)
    if found is None:
        raise NotFoundError("There is no such session.")
    if not found.knows:
        auth.note_entered(plane, caller, session_id)


def keep(plane: Plane) -> None:
    """Take back what is over, and tell the forwarder what holds now."""
    _forget_over(plane)
    passages.tell(plane)


def forget_unknown(plane: Plane) -> None:
    """Forget the shares of users and groups that are gone: the next of that name is another."""
    for one in list(plane.access.shares.values()):
        if one.kind != "link" and not _is_known(plane, one):
            with plane.access.lock:
                _forget(plane, one)


def _by_share(
    plane: Plane, caller: Caller, session: Session, shares: Sequence[Share]
) -> Entry | None:
    now = plane.clock()
    holding = [
        one for one in shares if passages.holds(session, one, now) and _is_for(plane, one, caller)
    ]
    if not holding:
        return None
    best = max(holding, key=lambda one: one.access == "control")
    return Entry(session, best.access, best, _knows(plane, caller, session))


def _is_for(plane: Plane, one: Share, caller: Caller) -> bool:
    if caller.guest_of:
        return caller.guest_of == one.id and plane.site.guests
    if one.kind == "link":
        return one.id in auth.entered(plane, caller)
    if is_stranger(caller.user):
        return False
    return one.name == caller.user.name if one.kind == "user" else one.name in caller.user.groups


def _knows(plane: Plane, caller: Caller, session: Session) -> bool:
    if session.type != "webapp" or plane.site.origins.mode == "domain":
        return True
    if caller.token_id or caller.guest_of:  # neither has sessions that scripts could reach
        return True
    return session.id in auth.entered(plane, caller)


def _by_session(plane: Plane) -> Mapping[str, Sequence[Share]]:
    found: defaultdict[str, list[Share]] = defaultdict(list)
    for one in list(plane.access.shares.values()):
        found[one.session_id].append(one)
    return found


def _check(plane: Plane, caller: Caller, wanted: Wanted) -> None:
    """Raise InvalidError that names each field that is wrong whatever the session is."""
    errors = []
    if not timedelta(0) < wanted.life <= LONGEST_LIFE:
        most = int(LONGEST_LIFE.total_seconds())
        errors.append(FieldError("expires_in", f"must be 1 to {most} seconds"))
    if problem := _problem(plane, caller, wanted):
        errors.append(FieldError(wanted.kind, problem))
    if errors:
        raise InvalidError("It was not shared.", errors)


def _problem(plane: Plane, caller: Caller, wanted: Wanted) -> str:
    if wanted.kind == "link":
        return ""
    if wanted.kind == "group":
        return "" if plane.accounting.group(wanted.name) else "is no group here"
    if wanted.name == caller.user.name:
        return "is yourself"
    return "" if auth.may_sign_in(plane, wanted.name) else "is nobody who may sign in here"


def _is_known(plane: Plane, one: Share) -> bool:
    if one.kind == "group":
        return plane.accounting.group(one.name) is not None
    return plane.access.user(one.name) is not None or plane.host.person(one.name) is not None


def _shareable(plane: Plane, session_id: str, wanted: Wanted) -> Session:
    session = plane.access.sessions.get(session_id)
    if session is None or session.state not in (State.STARTING, State.READY) or session.cut_off:
        raise ConflictError("Only what runs can be shared.", "Start it again.")
    if session.type == "webapp" and wanted.access == "view":
        problem = FieldError("access", "must be control: a web application cannot be only viewed")
        raise InvalidError("It was not shared.", [problem])
    if not passages.is_allowed(session, wanted.access):
        hint = "Ask an administrator for a grant that allows it."
        raise ForbiddenError(f"You may not share this with access {wanted.access}.", hint)
    return session


def _same(one: Share, wanted: Wanted) -> bool:
    return (one.kind, one.name) == (wanted.kind, wanted.name)


def _made(plane: Plane, session: Session, wanted: Wanted, secret: str) -> Share:
    now = plane.clock()
    return Share(
        id=secrets.token_hex(16),
        session_id=session.id,
        owner=session.owner,
        kind=wanted.kind,
        name=wanted.name if wanted.kind != "link" else "",
        access=wanted.access,
        created_at=now,
        expires_at=now + wanted.life,
        digest=_digest(secret) if secret else "",
    )


def _told(one: Share) -> Mapping[str, object]:
    """Return what the audit log is told of a share."""
    return {
        "id": one.id,
        one.kind: one.name or True,
        "access": one.access,
        "expires_at": one.expires_at.isoformat(),
    }


def _opened(plane: Plane, share_id: str, secret: str) -> Share:
    found = plane.access.shares.get(share_id)
    session = plane.access.sessions.get(found.session_id) if found else None
    # Compared whether or not there is such a link: how long it takes tells nothing.
    is_right = hmac.compare_digest(found.digest if found else "", _digest(secret))
    if not (found and session and is_right and _may_open(session, found, plane.clock())):
        raise NotFoundError("This link leads nowhere.", "Ask for a new one.")
    return found


def _may_open(session: Session, one: Share, now: datetime) -> bool:
    """Whether a link may be entered; what still starts is waited for inside."""
    waits = replace(session, state=State.READY) if session.state is State.STARTING else session
    return passages.holds(waits, one, now)


def _display(words: str) -> str:
    name = " ".join(words.split()) or GUEST
    if len(name) > _LONGEST_DISPLAY or not name.isprintable():
        problem = f"must be at most {_LONGEST_DISPLAY} characters that can be seen"
        raise InvalidError("You were not let in.", [FieldError("display", problem)])
    return name


def _forget(plane: Plane, one: Share) -> None:
    """Remove a share and its guests from records and memory; the caller holds the lock."""
    plane.records.remove_shares([one.id])
    auth.forget_guests(plane, one.id)
    plane.access.shares.pop(one.id, None)


def _forget_over(plane: Plane) -> None:
    """Forget what has expired, and the shares of sessions that have ended."""
    now = plane.clock()
    for one in list(plane.access.shares.values()):
        with plane.access.lock:
            session = plane.access.sessions.get(one.session_id)
            if now >= one.expires_at or session is None or not session.living:
                _forget(plane, one)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
