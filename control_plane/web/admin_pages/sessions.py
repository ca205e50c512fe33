"""Everyone's sessions: what they take of the machine, telling their owners something, stopping.

Invariant: no page waits for a measurement: what a session takes is what was counted last. Its
output is read only for somebody who asks for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from control_plane import sharing
from control_plane.domain.entities import Load, Session, State
from control_plane.domain.ports import Plane
from control_plane.errors import ControlPlaneError
from control_plane.web import admin_sessions, api, forms, lists, render
from control_plane.web.admin_pages import entry
from control_plane.web.admin_portal_schemas import SendMessage
from control_plane.web.forms import Field, Form
from control_plane.web.lists import Column

MOST_AT_ONCE = 100
LINES = 200
LIST = "/admin/sessions"
STATES = ("starting", "ready", "stopping", "failed")
FILTERS = ("user", "application", "state")
MESSAGE = (
    Field(
        *("text", "Message", "area"),
        "Whoever has the session open reads it at once.",
        optional=False,
        longest=500,
    ),
)
_CHOSEN = (Field("id", "", "lines"),)


@dataclass(frozen=True, slots=True)
class Row:
    """A session, what it took last (None: not counted yet), the seconds left (None: no end)."""

    session: Session
    load: Load | None
    left: int | None

    @property
    def text(self) -> str:
        """What is searched in."""
        one = self.session
        return f"{one.application} {one.owner} {one.image} {one.id}"


COLUMNS: tuple[Column[Row], ...] = (
    Column("application", "Application", lambda one: one.session.application.casefold()),
    Column("owner", "Owner", lambda one: one.session.owner),
    Column("state", "State", lambda one: STATES.index(one.session.state)),
    Column("since", "Since", lambda one: one.session.created_at),
    Column("cpu", "CPU", lambda one: one.load.cpus if one.load else -1),
    Column("memory", "Memory", lambda one: one.load.memory if one.load else -1),
    Column("left", "Time left", lambda one: inf if one.left is None else one.left),
)


async def listed(request: Request) -> Response:
    """GET /admin/sessions: the newest first."""
    visit = entry.look(request)
    known = list(visit.plane.access.sessions.values())
    known.sort(key=lambda one: one.created_at, reverse=True)
    asked = lists.wanted(request.query_params, *FILTERS)
    rows = [_row(visit.plane, one) for one in known if _is_wanted(asked.more or {}, one)]
    context = {
        "list": lists.listed(asked, rows, COLUMNS, lambda one: one.text),
        "states": STATES,
        "owners": sorted({one.owner for one in known}),
        "applications": sorted({one.application for one in known}),
    }
    return visit.page("admin/sessions.html", context)


async def show(request: Request) -> Response:
    """GET /admin/sessions/{id}?log=1."""
    return await run_in_threadpool(_shown, entry.look(request), Form(MESSAGE))


async def send_message(request: Request) -> Response:
    """POST /admin/sessions/{id}: tell the owner something."""
    visit, form = entry.change(request), await forms.sent(request, MESSAGE)

    def act() -> None:
        body = entry.content_of(SendMessage, form)
        admin_sessions.send_message(replace(visit.call, body=body))

    form = await entry.attempt(visit, form, act)
    if form.refused:
        return await run_in_threadpool(_shown, visit, form)
    return entry.leads_to(f"{LIST}/{visit.named()}", "sent")


async def revoke_share(request: Request) -> Response:
    """POST /admin/sessions/{id}/shares/{share}/revoke: at once; the owner sees that it is gone."""
    visit = entry.change(request)
    form = await entry.attempt(visit, Form(MESSAGE), lambda: _revoke(visit))
    if form.refused:
        return await run_in_threadpool(_shown, visit, form)
    return entry.leads_to(f"{LIST}/{visit.named()}", "revoked")


async def ask(request: Request) -> Response:
    """GET /admin/sessions/stop?id=&id=: what is lost by whom, and one question."""
    visit = entry.look(request)
    ids = QueryParams(request.url.query).getlist("id")
    return visit.page("admin/sessions_stop.html", {"rows": _chosen(visit.plane, ids)}, Form(()))


async def stop(request: Request) -> Response:
    """POST /admin/sessions/stop: begin to stop them; what has ended meanwhile is passed over."""
    visit, form = entry.change(request), await forms.sent(request, _CHOSEN)

    def act() -> None:
        for row in _chosen(visit.plane, form.text("id").split()):
            admin_sessions.begin_to_stop(visit.call, row.session)

    form = await entry.attempt(visit, form, act)
    if form.refused:
        rows = _chosen(visit.plane, form.text("id").split())
        return visit.page("admin/sessions_stop.html", {"rows": rows}, form)
    return RedirectResponse(f"{LIST}?done=stopping", 303)


def _shown(visit: entry.Visit, form: Form) -> Response:
    plane, session = visit.plane, api.anyones(visit.call)
    grants = [*plane.site.demo, plane.accounting.grant(session.grant_id)]
    context = {
        "row": _row(plane, session),
        "one": session,
        "grant": next((one for one in grants if one and one.id == session.grant_id), None),
        "policy": session.policy and render.policy(session.policy),
        "shares": sharing.shares_of_anyones(plane, session.id),
        "may_stop": session.id in plane.access.sessions,
        **_log(visit, session),
    }
    return visit.page("admin/sessions_one.html", context, form)


def _revoke(visit: entry.Visit) -> None:
    session, by = api.anyones(visit.call), visit.actor
    sharing.revoke_anyones(visit.plane, by.name, session.id, visit.named("share"), by.address)


def _log(visit: entry.Visit, session: Session) -> dict[str, object]:
    """Return the last lines where they are asked for, else None; and why they cannot be had."""
    if not visit.request.query_params.get("log"):
        return {"log": None, "log_problem": ""}
    try:
        return {"log": api.output(visit.plane, session, LINES), "log_problem": ""}
    except ControlPlaneError as error:
        return {"log": "", "log_problem": error.message}


def _row(plane: Plane, session: Session) -> Row:
    left = None
    if session.ends_at and session.living:
        left = max(0, int((session.ends_at - plane.clock()).total_seconds()))
    return Row(session, plane.loads.get(session.id), left)


def _is_wanted(more: Mapping[str, str], session: Session) -> bool:
    return (
        more["user"] in ("", session.owner)
        and more["application"] in ("", session.application, session.image)
        and more["state"] in ("", session.state)
    )


def _chosen(plane: Plane, ids: Sequence[str]) -> list[Row]:
    """Return those of these sessions that live or have failed, each once."""
    known = [plane.access.sessions.get(one) for one in dict.fromkeys(ids[:MOST_AT_ONCE])]
    return [_row(plane, one) for one in known if one and one.state is not State.STOPPING]
