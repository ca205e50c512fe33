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

from control_plane import auth, sessions
from control_plane.domain.entities import Event, Session
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
    owner = call.caller.user.name
    queue = call.plane.events.subscribe()
    mine = call.plane.access.sessions_of(owner)
    return _stream(call, queue, mine, lambda event: event.owner == owner)


async def session_events(call: Call) -> Response:
    """GET /sessions/{id}/events: the session's state now, then each change."""
    events = call.plane.events
    # Before the session is read: nothing is told between its state and the first wait.
    queue = events.subscribe()
    try:
        session = await run_in_threadpool(sessions.mine, call.plane, call.caller, call.path["id"])
    except BaseException:
        events.unsubscribe(queue)
        raise
    return _stream(call, queue, [session], lambda event: event.session == session.id)


def everyones_events(call: Call) -> Response:
    """Tell what happens to anybody's session from now on; the caller holds admin:read."""
    return _stream(call, call.plane.events.subscribe(), (), lambda _: True, "admin:read")


def _stream(
    call: Call,
    queue: Queue[Event | None],
    now: Sequence[Session],
    wanted: Callable[[Event], bool],
    scope: str = "",
) -> Response:
    told = _told(call, queue, _first(call, now, wanted), wanted, scope)
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
    wanted: Callable[[Event], bool],
    scope: str,
) -> AsyncIterator[ServerSentEvent]:
    try:
        shown = 0
        for event in first:
            shown = event.id
            yield _server_sent(event)
        while auth.still_in(call.plane, call.caller, scope):
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
