"""The page on which an owner shares a session: with whom, how far, until when, and back again.

Invariant: a link's secret is shown in the answer to its making alone; what is taken back takes one
press.
"""

from dataclasses import replace
from datetime import timedelta
from typing import cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from control_plane import passages, sessions, sharing
from control_plane.domain.access import Caller
from control_plane.domain.entities import Session, ShareAccess, ShareKind, State
from control_plane.domain.ports import Plane
from control_plane.errors import ControlPlaneError, FieldError, InvalidError
from control_plane.web import forms, gate, render, shares
from control_plane.web.forms import Field, Form
from control_plane.web.signing_in import signed_in
from control_plane.web.templating import render_page

_DAY = int(sharing.DEFAULT_LIFE.total_seconds())
LIVES = (
    (str(3600), "An hour"),
    (str(_DAY), "A day"),
    (str(7 * _DAY), "A week"),
    (str(30 * _DAY), "30 days"),
)
EVERY: tuple[ShareAccess, ...] = ("view", "control")
FIELDS = (
    Field(
        *("kind", "With", "choice"),
        choices=(("user", "A user"), ("group", "A group"), ("link", "Whoever has a link")),
        optional=False,
    ),
    Field("name", "Name"),
    Field(
        *("access", "Access", "choice"),
        choices=(("view", "Look on and change nothing"), ("control", "Use it as you do")),
        optional=False,
    ),
    Field("expires_in", "It ends after", "choice", choices=LIVES, optional=False),
)
_PRESET = {"kind": "user", "access": "view", "expires_in": str(_DAY)}
_REFUSED = "It was not shared."


async def show(request: Request) -> Response:
    """GET /sessions/{id}/share: who has access, who is there now, and the form for one more."""
    return await run_in_threadpool(_shown, request, signed_in(request))


async def share(request: Request) -> Response:
    """POST /sessions/{id}/share: the page, with the link where one was made; 422 with the form."""
    gate.require_own_origin(request)
    plane, caller = gate.plane_of(request), signed_in(request)
    session = await run_in_threadpool(sessions.mine, plane, caller, request.path_params["id"])
    form = await forms.sent(request, _fields(session))
    address = gate.client_address(request)
    try:
        wanted = _wanted(form)
        made, secret = await run_in_threadpool(
            sharing.share, plane, caller, session.id, wanted, address
        )
    except ControlPlaneError as error:
        form, status = form.refuse(_at_its_field(error)), render.status_of(error)
        return await run_in_threadpool(_shown, request, caller, form, status)
    if not secret:
        return RedirectResponse(f"/sessions/{session.id}/share?done=shared", 303)
    link = shares.address_of(plane, made, secret)
    return await run_in_threadpool(_shown, request, caller, link=link)


async def revoke(request: Request) -> Response:
    """POST /sessions/{id}/share/{share}/revoke: at once, and without a question."""
    gate.require_own_origin(request)
    plane, caller, path = gate.plane_of(request), signed_in(request), request.path_params
    address = gate.client_address(request)
    try:
        await run_in_threadpool(sharing.revoke, plane, caller, path["id"], path["share"], address)
    except ControlPlaneError as error:
        form, status = Form(()).refuse(error), render.status_of(error)
        return await run_in_threadpool(_shown, request, caller, form, status)
    return RedirectResponse(f"/sessions/{path['id']}/share?done=revoked", 303)


def why_not(session: Session) -> str:
    """Return why a session cannot be shared; empty where it can."""
    if session.state not in (State.STARTING, State.READY) or session.cut_off:
        return "Only what runs can be shared."
    if allowed(session):
        return ""
    if session.type == "webapp" and passages.is_allowed(session, "view"):
        return (
            "Your grant lets others only look on, and a web application cannot be shared so: "
            "whoever is in it uses it. Ask an administrator for more."
        )
    return f"Your grant of {session.application} does not let you share it. Ask an administrator."


def allowed(session: Session) -> tuple[ShareAccess, ...]:
    """Return how far a session may be shared; nothing where it may not be."""
    policy = tuple(one for one in EVERY if passages.is_allowed(session, one))
    return tuple(one for one in policy if one == "control" or session.type != "webapp")


def presence(plane: Plane, caller: Caller, session: Session) -> dict[str, int]:
    """Return how often a session is shared, and how many are there now."""
    if not plane.access.shares_of(session.id):
        return {"shared": 0, "watching": 0}
    found = sharing.shares_of(plane, caller, session.id)
    return {"shared": len(found), "watching": sum(len(one.watching or ()) for one in found)}


def _shown(
    request: Request, caller: Caller, form: Form | None = None, status: int = 200, link: str = ""
) -> Response:
    plane = gate.plane_of(request)
    session = sessions.mine(plane, caller, request.path_params["id"])
    found = sharing.shares_of(plane, caller, session.id)
    context = {
        "session": session,
        "shares": found,
        "watching": sum(len(one.watching or ()) for one in found),
        "away": any(one.watching is None for one in found),
        "allowed": allowed(session),
        "refusal": why_not(session),
        "guests": plane.site.guests,
        "problem": form,
        "form": form if form and form.fields else forms.filled(_fields(session), _PRESET),
        "link": link,
        "done": request.query_params.get("done", ""),
    }
    return render_page(request, "session_share.html", context, status)


def _fields(session: Session) -> tuple[Field, ...]:
    """Return the form, which offers no more access than the policy and the application do."""
    may = allowed(session)
    return tuple(
        replace(one, choices=[pair for pair in one.choices if pair[0] in may])
        if one.name == "access"
        else one
        for one in FIELDS
    )


def _wanted(form: Form) -> sharing.Wanted:
    """Return what the form asks for; InvalidError where it was not made on our page."""
    chosen = {one.name: form.text(one.name) for one in form.fields}
    wrong = [
        FieldError(one.name, "is none of the choices")
        for one in form.fields
        if one.choices and chosen[one.name] not in dict(one.choices)
    ]
    if wrong:
        raise InvalidError(_REFUSED, wrong)
    return sharing.Wanted(
        cast("ShareKind", chosen["kind"]),
        "" if chosen["kind"] == "link" else chosen["name"].strip(),
        cast("ShareAccess", chosen["access"]),
        timedelta(seconds=int(chosen["expires_in"])),
    )


def _at_its_field(error: ControlPlaneError) -> ControlPlaneError:
    """Return the error with complaints about whom to let in at the name's field."""
    if not isinstance(error, InvalidError):
        return error
    whom = ("user", "group")
    moved = [replace(one, field="name") if one.field in whom else one for one in error.errors]
    return InvalidError(error.message, moved)
