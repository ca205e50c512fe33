"""The page of one session: progress, the application itself, its end, and what its owner may do.

Invariant: it is there for the owner alone (those it is shared with get what `visits` has); what
changes anything needs the portal's own origin.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from control_plane import catalogue, sessions
from control_plane.domain.access import Caller
from control_plane.domain.entities import Policy, Session, State
from control_plane.domain.ports import Plane
from control_plane.enforcement import WARNING
from control_plane.errors import ControlPlaneError
from control_plane.web import (
    api,
    forms,
    frames,
    gate,
    render,
    schemas,
    share_pages,
    told,
    visits,
    words,
)
from control_plane.web.forms import Field, Form
from control_plane.web.middleware import let_frame
from control_plane.web.signing_in import signed_in
from control_plane.web.templating import render_page

LINES = 200
EXTEND = (Field("seconds", "Seconds", "number"),)


@dataclass(frozen=True, slots=True)
class _Visit:
    """One owner's request about one session; `policy` is its grant's, None where that is gone.

    `told` is the number of the last event that what is shown knows of.
    """

    request: Request
    plane: Plane
    caller: Caller
    session: Session
    policy: Policy | None
    told: int

    @property
    def longest(self) -> int:
        """For how many seconds from now it may be extended; 0: it may not."""
        runs = self.session.state is State.READY and not self.session.cut_off
        if not (runs and self.session.ends_at and self.policy):
            return 0
        return min(self.policy.max_lifetime or 0, schemas.YEAR)

    @property
    def address(self) -> str:
        """The address of the session's page."""
        return f"/sessions/{self.session.id}"


async def show(request: Request) -> Response:
    """GET /sessions/{id}: its progress, then the application itself; another page for visitors."""
    come = visits.of(request)
    if come and come.entry.access != "owner":
        return await run_in_threadpool(visits.shown, come)
    visit = await _visit(request)
    return await run_in_threadpool(_shown, visit, Form(EXTEND))


async def log(request: Request) -> Response:
    """GET /sessions/{id}/log: the last lines of its output."""
    visit = await _visit(request)
    output = await run_in_threadpool(api.output, visit.plane, visit.session, LINES)
    context = {"session": visit.session, "output": output, "lines": LINES}
    return render_page(request, "session_log.html", context)


async def extend(request: Request) -> Response:
    """POST /sessions/{id}/extend: by `seconds`, or for as long as the policy allows."""
    gate.require_own_origin(request)
    visit, form = await _visit(request), await forms.sent(request, EXTEND)
    try:
        await run_in_threadpool(_extend, visit, form)
    except ControlPlaneError as error:
        status = render.status_of(error)
        return await run_in_threadpool(_shown, visit, form.refuse(error), status)
    return _leads_to(visit.address, "extended")


async def _visit(request: Request) -> _Visit:
    plane, caller = gate.plane_of(request), signed_in(request)
    return await run_in_threadpool(_found, request, plane, caller)


def _found(request: Request, plane: Plane, caller: Caller) -> _Visit:
    last = plane.events.latest()  # before the session is read: what is told meanwhile is news
    found = sessions.mine(plane, caller, request.path_params["id"])
    return _Visit(request, plane, caller, found, _policy(plane, caller, found), last)


def _policy(plane: Plane, caller: Caller, session: Session) -> Policy | None:
    try:
        return catalogue.policy_of(plane, caller.user, session)
    except ControlPlaneError:  # what runs is shown without its grant, too
        return None


def _extend(visit: _Visit, form: Form) -> None:
    policy = visit.policy or catalogue.policy_of(visit.plane, visit.caller.user, visit.session)
    wanted = {"seconds": min(policy.max_lifetime or 1, schemas.YEAR)} | form.content()
    asked = gate.checked(schemas.Extend, wanted, "It cannot be extended by that.")
    sessions.extend(visit.plane, visit.session, policy, asked.seconds)


def _shown(visit: _Visit, form: Form, status: int = 200) -> Response:
    plane, session = visit.plane, visit.session
    now = plane.clock()
    minutes = -((now - session.ends_at) // timedelta(minutes=1)) if session.ends_at else None
    frame = frames.of(plane, visit.caller, session)
    icon = f"/api/v1/applications/{session.grant_id}/icon" if visit.policy else ""
    context = {
        "session": render.session(plane, session),
        "state": "apart" if session.cut_off and session.state is State.READY else session.state,
        "has_container": bool(session.container_id),
        "icon": icon or "/static/application.png",
        "frame": frame,
        **share_pages.presence(plane, visit.caller, session),
        "options": session.options,
        "again": json.dumps({"grant_id": session.grant_id, "options": dict(session.options)}),
        "now": now.isoformat(),
        "told_last": visit.told,
        "patience": int(plane.site.limits.start_timeout),
        "allowed": session.policy.max_lifetime if session.policy else 0,
        "longest": visit.longest,
        "warning": int(WARNING.total_seconds()),
        "minutes": minutes,
        "left": words.left(minutes) if minutes is not None else "",
        "unread": told.unread(visit.request, [session]),
        "done": visit.request.query_params.get("done", ""),
        "form": form,
    }
    page = render_page(visit.request, "session.html", context, status)
    return let_frame(page, frame.origin)


def _leads_to(path: str, done: str) -> Response:
    return RedirectResponse(f"{path}?{urlencode({'done': done})}", 303)
