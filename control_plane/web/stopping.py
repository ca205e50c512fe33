"""Stopping from a page, after one question; dismissing a failure needs none.

Invariant: a session is stopped by its owner alone here, and a second press stops nothing else.
"""

import asyncio

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from control_plane import sessions
from control_plane.domain.entities import Session, State
from control_plane.domain.ports import Plane
from control_plane.web import render
from control_plane.web.gate import plane_of, require_own_origin
from control_plane.web.signing_in import signed_in
from control_plane.web.templating import render_page

# Most are gone by then; the catalogue shows what still stops, and hears of its end.
_PATIENCE = 3.0


async def ask(request: Request) -> Response:
    """GET /sessions/{id}/stop: what stopping does, and one question."""
    plane, session = plane_of(request), await _mine(request)
    keeps = bool(session.policy and session.policy.allow_home)
    context = {"session": render.session(plane, session), "keeps": keeps}
    return render_page(request, "session_stop.html", context)


async def stop(request: Request) -> Response:
    """POST /sessions/{id}/stop: 303 to the catalogue; a failure is dismissed."""
    require_own_origin(request)
    plane, session = plane_of(request), await _mine(request)
    if session.state is State.FAILED:
        await run_in_threadpool(sessions.dismiss, plane, session)
        return RedirectResponse("/?done=dismissed", 303)
    await _stopped(plane, session)
    return RedirectResponse("/?done=stopped", 303)


async def _stopped(plane: Plane, session: Session) -> None:
    because = f"stopped by {session.owner}"
    work = await run_in_threadpool(sessions.ask_to_stop, plane, session, because)
    await asyncio.wait({asyncio.wrap_future(work)}, timeout=_PATIENCE)


async def _mine(request: Request) -> Session:
    plane, caller = plane_of(request), signed_in(request)
    return await run_in_threadpool(sessions.mine, plane, caller, request.path_params["id"])
