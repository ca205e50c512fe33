"""Server-sent events: what happens to sessions, told while it happens.

Invariant: a stream ends within five seconds of its caller's sign-in or token, and of the right to
it; one that is not read is ended too, and never kept in memory.
"""

import asyncio
import re
from asyncio import Queue
from collections.abc import AsyncIterator, Callable, Sequence

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from control_plane import auth, sharing
from control_plane.domain.entities import Event, Session, State
from control_plane.web import api, schemas
from control_plane.web.operations import Call

_LOOK_AGAIN = 5.0
# A stream ends itself when the process does; cut by the library it would be an error for clients.
_OWN_END = 3.0
_EVENT_ID = re.compile(r"[0-9]{1,20}", re.ASCII)
_STREAM = "text/event-stream"


async def list_or_stream(call: Call) -> Response:
    """GET /sessions: a list, or a stream of all my sessions where the client accepts one."""
    if _STREAM not in call.headers.get("accept", ""):
        return await run_in_threadpool(api.list_sessions, call)
    queue = call.plane.events.subscribe(call.caller.person)
    mine = call.plane.access.sessions_of(call.caller.user.name)
    others = [one.session for one in sharing.shared_with(call.plane, call.caller)]
    return _stream(call, queue, [*mine, *others], _Concerned(call))


async def session_events(call: Call) -> Response:
    """GET /sessions/{id}/events: the session's state now, then each change."""
    events = call.plane.events
    # Before the session is read: nothing is told between its state and the first wait.
    queue = events.subscribe(call.caller.person)
    try:
        entry = await run_in_threadpool(sharing.seen, call.plane, call.caller, call.path["id"])
    except BaseException:
        events.unsubscribe(queue)
        raise
    return _stream(call, queue, [entry.session], _Concerned(call, entry.session))


def everyones_events(call: Call) -> Response:
    """Tell what happens to anybody's session from now on; the caller holds admin:read."""
    queue = call.plane.events.subscribe(call.caller.person)
    return _stream(call, queue, (), _Everything())


class _Everything:
    """What an administrator is told."""

    scope = "admin:read"

    def __call__(self, event: Event) -> bool:
        """Tell everything."""
        del event
        return True

    def goes_on(self) -> bool:
        """Whether the right to it goes on, beside the scope."""
        return True


class _Concerned:
    """What someone is told: of their own sessions, and of those shared with them, to their end."""

    scope = ""

    def __init__(self, call: Call, only: Session | None = None) -> None:
        """Tell of one session alone where it is given."""
        self._call, self._only = call, only
        self._known = {only.id} if only else set()

    def __call__(self, event: Event) -> bool:
        """Whether this is told: what is revoked is told of no more, what has ended once."""
        if self._only and event.session != self._only.id:
            return False
        if event.owner == self._call.caller.user.name:
            return True
        if event.by:  # what an administrator tells the owner
            return False
        if sharing.is_told(self._call.plane, self._call.caller, event.session):
            self._known.add(event.session)
            return True
        is_over = event.session not in self._call.plane.access.sessions
        was_known = event.session in self._known
        if not is_over or event.state in (State.STOPPED, State.FAILED):
            self._known.discard(event.session)
        return was_known and is_over

    def goes_on(self) -> bool:
        """Whether the session that it is about may still be looked at, or its end is to be told."""
        only, call = self._only, self._call
        if only is None or only.owner == call.caller.user.name:
            return True
        if only.id not in call.plane.access.sessions:
            return only.id in self._known
        return sharing.is_told(call.plane, call.caller, only.id)


def _stream(
    call: Call,
    queue: Queue[Event | None],
    now: Sequence[Session],
    wanted: _Everything | _Concerned,
) -> Response:
    told = _told(call, queue, _first(call, now, wanted), wanted)
    return EventSourceResponse(
        told,
        ping=15,
        headers={"X-Accel-Buffering": "no"},
        shutdown_grace_period=_OWN_END,
    )


async def _told(
    call: Call,
    queue: Queue[Event | None],
    first: list[Event],
    wanted: _Everything | _Concerned,
) -> AsyncIterator[ServerSentEvent]:
    try:
        shown = 0
        for event in first:
            shown = event.id
            yield _server_sent(event)
        while auth.still_in(call.plane, call.caller, wanted.scope) and wanted.goes_on():
            try:
                async with asyncio.timeout(_LOOK_AGAIN):
                    told = await queue.get()
            except TimeoutError:
                continue
            if told is None:
                return
            if wanted(told) and told.id > shown:
                yield _server_sent(told)
    finally:
        call.plane.events.unsubscribe(queue)


def _first(call: Call, now: Sequence[Session], wanted: Callable[[Event], bool]) -> list[Event]:
    asked = call.headers.get("last-event-id", "")
    last = int(asked) if _EVENT_ID.fullmatch(asked) else None
    missed = call.plane.events.since(last)
    if missed is not None:
        return [event for event in missed if wanted(event)]
    return [_present(call, session) for session in now]


def _present(call: Call, session: Session) -> Event:
    message = session.failure.message if session.failure else session.state.value.capitalize()
    latest = call.plane.events.latest()
    return Event(latest, session.id, session.owner, session.state, message, call.plane.clock())


def _server_sent(event: Event) -> ServerSentEvent:
    data = schemas.StateEvent(
        session=event.session,
        state=event.state.value,
        message=event.message,
        at=event.at,
        by=event.by or None,
    )
    told = data.model_dump_json(exclude_none=True)
    return ServerSentEvent(data=told, event="state", id=str(event.id))
