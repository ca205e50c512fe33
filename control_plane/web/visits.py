"""The page of somebody else's session: for whom it is shared with, and for guests.

Invariant: it is there as long as a share holds, and says within a second that it does not any more;
nothing of the session can be changed from it.
"""

import asyncio
from asyncio import Queue
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from control_plane import sharing
from control_plane.domain.access import Caller
from control_plane.domain.entities import Event, Session
from control_plane.domain.jobs import Events
from control_plane.domain.ports import Plane
from control_plane.errors import NotFoundError
from control_plane.sharing import Entry
from control_plane.web import frames, gate
from control_plane.web.middleware import let_frame
from control_plane.web.signing_in import signed_in
from control_plane.web.templating import render_page

_LOOK_AGAIN = 0.25
# A stream ends itself when the process does; cut by the library it would be an error for clients.
_OWN_END = 3.0


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who may enter a session, and how."""

    request: Request
    plane: Plane
    visitor: Caller
    entry: Entry

    @property
    def session(self) -> Session:
        """The session."""
        return self.entry.session

    @property
    def address(self) -> str:
        """The address of the session's page."""
        return f"/sessions/{self.session.id}"


def of(request: Request) -> Visit | None:
    """Return the visit to the session of this address; None where its visitor may not enter."""
    plane, visitor = gate.plane_of(request), gate.visitor(request)
    found = visitor and sharing.entry(plane, visitor, request.path_params["id"])
    return Visit(request, plane, visitor, found) if visitor and found else None


def needed(request: Request) -> Visit:
    """Return the visit; NotFoundError, NotSignedInError."""
    if visit := of(request):
        return visit
    signed_in(request)
    raise NotFoundError("There is no such session.")


def shown(visit: Visit) -> Response:
    """Return the page; where the visitor has to know something first, the page that says it."""
    session = visit.session
    if not visit.entry.knows:
        mine = visit.plane.access.sessions_of(visit.visitor.user.name)
        context = {"session": session, "running": [one for one in mine if one.living]}
        return render_page(visit.request, "session_open.html", context)
    frame = frames.of(visit.plane, visit.visitor, session)
    context = {"session": session, "access": visit.entry.access, "frame": frame}
    return let_frame(render_page(visit.request, "session_visit.html", context), frame.origin)


async def open_it(request: Request) -> Response:
    """POST /sessions/{id}/open: the visitor knows whose application that is."""
    gate.require_own_origin(request)
    visit = needed(request)
    await run_in_threadpool(sharing.accept, visit.plane, visit.visitor, visit.session.id)
    return RedirectResponse(visit.address, 303)


async def tab(request: Request) -> Response:
    """GET /sessions/{id}/tab: into the application in this tab, by a form where it takes one."""
    visit = needed(request)
    frame = frames.of(visit.plane, visit.visitor, visit.session)
    if not visit.entry.knows or (visit.plane.site.origins.mode == "domain" and not frame.ticket):
        return RedirectResponse(visit.address, 303)
    if not frame.ticket:
        return RedirectResponse(frame.tab, 303)
    context = {"session": visit.session, "frame": frame}
    return let_frame(render_page(request, "session_tab.html", context), frame.origin)


async def told(request: Request) -> Response:
    """GET /sessions/{id}/told: events that end with `gone`, when it is closed to the visitor."""
    visit = needed(request)
    events = visit.plane.events
    return EventSourceResponse(
        _until_closed(request, events, events.subscribe(visit.visitor.person)),
        ping=15,
        headers={"X-Accel-Buffering": "no"},
        shutdown_grace_period=_OWN_END,
    )


async def _until_closed(
    request: Request, events: Events, queue: Queue[Event | None]
) -> AsyncIterator[ServerSentEvent]:
    try:
        while of(request):
            try:
                async with asyncio.timeout(_LOOK_AGAIN):
                    if await queue.get() is None:
                        return
            except TimeoutError:
                continue
        yield ServerSentEvent(data="{}", event="gone")
    finally:
        events.unsubscribe(queue)
