"""The page of a session.

Invariant: a page shows what the caller may see and nothing else.
"""

import json

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from control_plane import sessions
from control_plane.domain import labels
from control_plane.web import render
from control_plane.web.gate import plane_of
from control_plane.web.schemas import SessionAnswer
from control_plane.web.signing_in import signed_in
from control_plane.web.templating import render_page


async def session(request: Request) -> Response:
    """GET /sessions/{id}: its progress, then the application itself; 404 unless it is one's own."""
    plane, caller = plane_of(request), signed_in(request)
    found = await run_in_threadpool(sessions.mine, plane, caller, request.path_params["id"])
    shown: SessionAnswer = render.session(plane, found)
    context = {
        "session": shown,
        "has_container": bool(found.container_id),
        "path": f"{labels.base_path(found.owner, found.id)}/",
        "again": json.dumps({"grant_id": found.grant_id, "options": dict(found.options)}),
        "age": max(0, int((plane.clock() - found.created_at).total_seconds())),
    }
    return render_page(request, "session.html", context)
