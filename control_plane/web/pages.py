"""The pages for people: sign-in, catalogue, session.

Invariant: a page shows what the caller may see and nothing else; what changes anything needs the
portal's own origin.
"""

import json
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from control_plane import auth, sessions
from control_plane import catalogue as entries
from control_plane.domain import labels
from control_plane.domain.access import Caller
from control_plane.domain.options import HEIGHT, WIDTH
from control_plane.domain.ports import Plane
from control_plane.errors import ControlPlaneError, NotSignedInError, TooManyError
from control_plane.web import render, words
from control_plane.web.gate import (
    COOKIE,
    client_address,
    cookie_caller,
    plane_of,
    proved,
    require_own_origin,
)
from control_plane.web.next_address import safe_next
from control_plane.web.schemas import ApplicationAnswer, SessionAnswer
from control_plane.web.templating import render_page

_FIELDS = 3
_LONGEST_FIELD = 8 * 1024
_LONGEST_NAME_SHOWN = 200
_RESOLUTIONS = ("1280x800", "1600x900", "1920x1080", "2560x1440", "3840x2160")


@dataclass(frozen=True, slots=True)
class Card:
    """One entry of the catalogue as it is shown."""

    application: ApplicationAnswer
    kind: str
    facts: list[str]


@dataclass(frozen=True, slots=True)
class SignInForm:
    """What was typed, but for the password's use: shown again after a refusal."""

    name: str = ""
    password: str = ""
    next: str = "/"


async def login(request: Request) -> Response:
    """GET /login."""
    wanted = safe_next(request.query_params.get("next", ""))
    if cookie_caller(request):
        return RedirectResponse(wanted, 303)
    return _sign_in_page(request, SignInForm(next=wanted))


async def sign_in(request: Request) -> Response:
    """POST /login: 303 with the cookie; 401 or 429 with the form and a sentence."""
    require_own_origin(request)
    form = await _form(request)
    proof = auth.Proof(form.name, form.password, client_address(request))
    try:
        value = await proved(request, lambda: auth.sign_in(plane_of(request), proof))
    except (NotSignedInError, TooManyError) as error:
        return _sign_in_page(request, form, error)
    answer = RedirectResponse(form.next, 303)
    life = int(auth.SIGNIN_LIFE.total_seconds())
    answer.set_cookie(COOKIE, value, life, secure=True, httponly=True, samesite="lax")
    return answer


async def sign_out(request: Request) -> Response:
    """POST /logout."""
    require_own_origin(request)
    if caller := cookie_caller(request):
        await run_in_threadpool(auth.sign_out, plane_of(request), caller.signin_id)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, secure=True, httponly=True, samesite="lax")
    return answer


async def catalogue(request: Request) -> Response:
    """GET /: what one may start, and what runs."""
    plane, caller = plane_of(request), _signed_in(request)
    cards = await run_in_threadpool(_cards, plane, caller)
    shown = {card.application.grant_id for card in cards}
    running = plane.access.sessions_of(caller.user.name)
    context = {
        "cards": cards,
        "others": render.sessions(plane, [one for one in running if one.grant_id not in shown]),
        "admins": sorted(plane.site.admins),
        "resolutions": _RESOLUTIONS,
        "width": WIDTH,
        "height": HEIGHT,
    }
    return render_page(request, "catalogue.html", context)


async def session(request: Request) -> Response:
    """GET /sessions/{id}: its progress, then the application itself; 404 unless it is one's own."""
    plane, caller = plane_of(request), _signed_in(request)
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


def _signed_in(request: Request) -> Caller:
    caller = cookie_caller(request)
    if caller is None:
        raise NotSignedInError("Nobody is signed in.")
    return caller


def _cards(plane: Plane, caller: Caller) -> list[Card]:
    found = [render.application(plane, one) for one in entries.entries(plane, caller.user)]
    # What runs comes first: on a small screen it would lie below everything else.
    found.sort(key=lambda one: not one.sessions)
    return [Card(one, words.KINDS[one.type], words.facts(one.policy)) for one in found]


async def _form(request: Request) -> SignInForm:
    # Only as our own page sends it: a multipart part could name any codec for its text.
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return SignInForm()
    async with request.form(max_fields=_FIELDS, max_part_size=_LONGEST_FIELD) as fields:
        name, password, wanted = (str(fields.get(key, "")) for key in ("name", "password", "next"))
    return SignInForm(name, password, safe_next(wanted))


def _sign_in_page(
    request: Request, form: SignInForm, error: ControlPlaneError | None = None
) -> Response:
    status = render.status_of(error) if error else 200
    context = {
        "name": form.name[:_LONGEST_NAME_SHOWN],
        "next": form.next,
        "problem": f"{error.message} {error.hint}".strip() if error else "",
    }
    headers = render.headers_of(error, status) if error else None
    return render_page(request, "login.html", context, status, headers)
