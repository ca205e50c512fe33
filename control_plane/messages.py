"""What administrators tell those whose applications run.

Invariant: a message stands in the audit log before anybody is told of it, and is shown for no
longer than its session lives.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from control_plane import acts
from control_plane.domain.entities import Session
from control_plane.domain.ports import Plane
from control_plane.domain.roles import Actor
from control_plane.errors import ConflictError

LONGEST = 500
_ACTION = "session-message"
_MOST = 20


@dataclass(frozen=True, slots=True)
class Message:
    """What an administrator said about a session, and when."""

    session: Session
    text: str
    by: str
    at: datetime


def send(plane: Plane, actor: Actor, session: Session, text: str) -> None:
    """Tell a session's owner something; ConflictError when it has ended."""
    if not session.living:
        raise ConflictError("This session has ended: nobody would read it.")
    acts.note(plane.books, actor, _ACTION, session.id, detail=text)
    plane.events.tell(session, text, by=actor.name)


def about(plane: Plane, sessions: Sequence[Session], after: datetime | None) -> list[Message]:
    """Return what was said about those of these sessions that live, the oldest first."""
    found = [one for session in sessions if session.living for one in _about(plane, session, after)]
    return sorted(found, key=lambda one: one.at)


def _about(plane: Plane, session: Session, after: datetime | None) -> list[Message]:
    rows = plane.records.audit(action=_ACTION, target=session.id, since=after, limit=_MOST)
    told = [row for row in rows if after is None or row.at > after]
    return [Message(session, row.detail, row.actor, row.at) for row in told]
