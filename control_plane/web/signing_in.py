"""The pages by which people sign in and out, and get a token for a program of theirs.

Invariant: what changes anything here needs the portal's own origin, or what this very browser was
given when it set out for a provider; nobody is led out of the portal afterwards.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, cast

from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from control_plane import auth, signing_in
from control_plane.domain.access import Caller
from control_plane.domain.entities import Source
from control_plane.domain.names import shown
from control_plane.domain.ports import Plane
from control_plane.errors import (
    ControlPlaneError,
    ForbiddenError,
    NotSignedInError,
    TooManyError,
)
from control_plane.web import render, schemas
from control_plane.web.gate import (
    COOKIE,
    client_address,
    cookie_caller,
    plane_of,
    proved,
    require_own_origin,
    visitor,
)
from control_plane.web.next_address import safe_next
from control_plane.web.templating import render_page

T = TypeVar("T")

SIGN_IN_PAGE = "/login"
# nginx keeps it from the containers as it keeps every cookie whose name begins so.
ASKING_COOKIE = f"{COOKIE}-asking"
TOKEN_SCOPES = ("sessions:read", "sessions:write", "shares:write")
ADMIN_SCOPES = ("admin:read", "admin:write")
_TOKEN_LIFE = timedelta(seconds=schemas.MONTH)
_FIELDS = 3
_LONGEST_FIELD = 8 * 1024
_LONGEST_NAME_SHOWN = 200
_LONGEST_TOKEN_NAME = 100


class SigninMethods(BaseModel):
    """How people sign in here: by a form for name and password, and by providers elsewhere."""

    password: bool
    providers: list[str]


@dataclass(frozen=True, slots=True)
class SignInForm:
    """What was typed, but for the password's use: shown again after a refusal."""

    name: str = ""
    password: str = ""
    next: str = "/"


async def methods(request: Request) -> Response:
    """GET /api/v1/signin-methods: for everyone."""
    plane = plane_of(request)
    found = [source for source, _ in _providers(plane)]
    return render.answer(SigninMethods(password=signing_in.takes_passwords(plane), providers=found))


async def login(request: Request) -> Response:
    """GET /login."""
    wanted = safe_next(request.query_params.get("next", ""))
    if cookie_caller(request):
        return RedirectResponse(wanted, 303)
    return _page(request, SignInForm(next=wanted))


async def sign_in(request: Request) -> Response:
    """POST /login: 303 with the cookie; 401 or 429 with the form and a sentence."""
    require_own_origin(request)
    form = await _form(request)
    proof = auth.Proof(form.name, form.password, client_address(request))
    try:
        value = await proved(request, lambda: auth.sign_in(plane_of(request), proof))
    except (NotSignedInError, TooManyError) as error:
        return _page(request, form, error)
    return _entered(value, form.next)


async def sign_out(request: Request) -> Response:
    """POST /logout."""
    require_own_origin(request)
    if caller := visitor(request):
        await run_in_threadpool(auth.sign_out, plane_of(request), caller.signin_id)
    return forget_cookie(RedirectResponse(f"{SIGN_IN_PAGE}?done=out", 303))


async def set_out(request: Request) -> Response:
    """GET /login/{source}: on to the provider; the sign-in page with a sentence if it is away."""
    plane, source = plane_of(request), _source(request)
    wanted = safe_next(request.query_params.get("next", ""))
    if cookie_caller(request):
        return RedirectResponse(wanted, 303)
    try:
        address, kept = await _beside(request, lambda: signing_in.set_out(plane, source, wanted))
    except ControlPlaneError as error:
        return _page(request, SignInForm(next=wanted), error)
    answer = RedirectResponse(address, 303)
    life = int(signing_in.ASKING_LIFE.total_seconds())
    answer.set_cookie(ASKING_COOKIE, kept, life, secure=True, httponly=True, samesite="lax")
    return answer


async def come_back(request: Request) -> Response:
    """GET /login/{source}/callback: 303 with the cookie, or the sign-in page with a sentence."""
    plane, asked = plane_of(request), request.query_params
    returned = signing_in.Return(
        source=_source(request),
        kept=request.cookies.get(ASKING_COOKIE, ""),
        state=asked.get("state", ""),
        code=asked.get("code", ""),
        address=client_address(request),
    )
    try:
        value, wanted = await _beside(request, lambda: auth.sign_in_from_elsewhere(plane, returned))
    except ControlPlaneError as error:
        return _without_asking(_page(request, SignInForm(), error))
    return _entered(value, safe_next(wanted))


async def ask_for_token(request: Request) -> Response:
    """GET /login/token?name=&admin=: whether a program on that machine is to get a token."""
    caller, admin = signed_in(request), _is_to_administer(request)
    name = _token_name(request.query_params.get("name", ""))
    if admin and not caller.scopes.issuperset(ADMIN_SCOPES):
        raise ForbiddenError(
            f"{name} asks to administer this portal, and you are no administrator.",
            "Ask for a token without --admin.",
        )
    return render_page(request, "token.html", {"name": name, "admin": admin, "token": ""})


async def give_token(request: Request) -> Response:
    """POST /login/token?admin=: the token, once; ForbiddenError for more than the user may do."""
    require_own_origin(request)
    plane, caller, admin = plane_of(request), signed_in(request), _is_to_administer(request)
    name = _token_name((await _form(request)).name)
    scopes = TOKEN_SCOPES + ADMIN_SCOPES if admin else TOKEN_SCOPES
    _, value = await run_in_threadpool(auth.issue_token, plane, caller, name, scopes, _TOKEN_LIFE)
    return render_page(request, "token.html", {"name": name, "admin": admin, "token": value})


def signed_in(request: Request) -> Caller:
    """Return who is signed in; NotSignedInError leads to the sign-in page and back."""
    caller = cookie_caller(request)
    if caller is None:
        raise NotSignedInError("Nobody is signed in.")
    return caller


def remember_cookie(answer: Response, value: str) -> Response:
    """Let the browser keep what lets its visitor in."""
    life = int(auth.SIGNIN_LIFE.total_seconds())
    answer.set_cookie(COOKIE, value, life, secure=True, httponly=True, samesite="lax")
    # Where one host has set too many cookies, Chromium gives the others up first.
    answer.headers["Set-Cookie"] += "; Priority=High"
    return answer


def forget_cookie(answer: Response) -> Response:
    """Let the browser forget that somebody was signed in."""
    answer.delete_cookie(COOKIE, secure=True, httponly=True, samesite="lax")
    return answer


def _source(request: Request) -> Source:
    return cast("Source", request.path_params["source"])


def _is_to_administer(request: Request) -> bool:
    return request.query_params.get("admin") == "1"


def _token_name(asked: str) -> str:
    return shown(asked.strip() or "a program", _LONGEST_TOKEN_NAME - 1)


def _providers(plane: Plane) -> list[tuple[str, str]]:
    """Return the providers as pairs of source and label, in the order of the settings."""
    found = [one for one in plane.site.methods if one in ("oidc", "github")]
    return [(one, plane.providers[one].label) for one in found]


async def _beside(request: Request, ask: Callable[[], T]) -> T:
    """Ask a provider; one that hangs holds few threads, and none of those that passwords need."""
    async with cast("asyncio.Semaphore", request.app.state.asking_providers):
        return await run_in_threadpool(ask)


async def _form(request: Request) -> SignInForm:
    # Only as our own page sends it: a multipart part could name any codec for its text.
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return SignInForm()
    async with request.form(max_fields=_FIELDS, max_part_size=_LONGEST_FIELD) as fields:
        name, password, wanted = (str(fields.get(key, "")) for key in ("name", "password", "next"))
    return SignInForm(name, password, safe_next(wanted))


def _entered(value: str, wanted: str) -> Response:
    return _without_asking(remember_cookie(RedirectResponse(wanted, 303), value))


def _without_asking(answer: Response) -> Response:
    answer.delete_cookie(ASKING_COOKIE, secure=True, httponly=True, samesite="lax")
    return answer


def _page(request: Request, form: SignInForm, error: ControlPlaneError | None = None) -> Response:
    plane, status = plane_of(request), render.status_of(error) if error else 200
    context = {
        "name": form.name[:_LONGEST_NAME_SHOWN],
        "next": form.next,
        "problem": f"{error.message} {error.hint}".strip() if error else "",
        "done": "" if error else request.query_params.get("done", ""),
        "takes_passwords": signing_in.takes_passwords(plane),
        "providers": _providers(plane),
    }
    headers = render.headers_of(error, status) if error else None
    return render_page(request, "login.html", context, status, headers)
