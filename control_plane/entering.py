"""How a browser that is signed in at the portal enters a session on that session's own host.

Invariant: a ticket lets in once, within seconds, one sign-in to one session; the entry that it
becomes is worth nothing on any other host, the portal's included, and nothing without its sign-in.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from itsdangerous import BadSignature, URLSafeSerializer

from control_plane import auth
from control_plane.domain.access import Caller
from control_plane.domain.entities import Session
from control_plane.domain.ports import Plane
from control_plane.errors import ForbiddenError

TICKET_LIFE = timedelta(seconds=30)
_REFUSED = "This way into the application has expired, or was taken before."


@dataclass(frozen=True, slots=True)
class Entered:
    """A ticket that was taken: the session, and the value of the cookie that lets in from now."""

    session: Session
    cookie: str


def ticket(plane: Plane, caller: Caller, session: Session) -> str:
    """Return what lets this browser into that session once, within half a minute.

    It goes into a form's body, never into an address. It is forgotten when the process ends.
    """
    now, nonce = plane.clock(), secrets.token_urlsafe(16)
    for old, ends in list(plane.access.tickets.items()):
        if ends <= now:
            plane.access.tickets.pop(old, None)
    plane.access.tickets[nonce] = now + TICKET_LIFE
    return _signer(plane, "ticket").dumps([nonce, caller.signin_id, session.id])


def enter(plane: Plane, value: str, host: str) -> Entered:
    """Take a ticket at the host it was brought to; ForbiddenError."""
    nonce, signin_id, session_id = _read(plane, "ticket", value, 3) or ("", "", "")
    ends = plane.access.tickets.get(nonce)
    session = plane.access.sessions.get(session_id)
    if not (ends and session) or not plane.site.origins.is_home(host, session_id):
        raise ForbiddenError(_REFUSED, "Open it from the portal again.")
    is_first = plane.access.tickets.pop(nonce, None) is not None
    if not is_first or ends <= plane.clock() or auth.by_signin(plane, signin_id) is None:
        raise ForbiddenError(_REFUSED, "Open it from the portal again.")
    return Entered(session, _signer(plane, "entry").dumps([signin_id, session_id]))


def by_entry(plane: Plane, value: str, session_id: str) -> Caller | None:
    """Return whose entry into that session this cookie is."""
    found = _read(plane, "entry", value, 2)
    if not found or found[1] != session_id:
        return None
    return auth.by_signin(plane, found[0])


def _read(plane: Plane, salt: str, value: str, length: int) -> tuple[str, ...] | None:
    try:
        found = _signer(plane, salt).loads(value)
    except BadSignature:
        return None
    fits = isinstance(found, list) and len(found) == length
    return tuple(str(one) for one in found) if fits else None


def _signer(plane: Plane, salt: str) -> URLSafeSerializer:
    return URLSafeSerializer(plane.site.secret, salt=salt)
