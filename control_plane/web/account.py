"""One's own account: who one is, the password, tokens, and where one is signed in.

Invariant: everyone sees and changes their own alone; a token's value is shown once, in the answer
to its making.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from control_plane import auth, newcomers
from control_plane.domain.access import Caller
from control_plane.domain.entities import Person, SignIn, Token
from control_plane.domain.ports import Plane
from control_plane.errors import (
    ConflictError,
    ControlPlaneError,
    FieldError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
)
from control_plane.web import api, forms, gate, schemas
from control_plane.web.forms import Field, Form
from control_plane.web.signing_in import SIGN_IN_PAGE, forget_cookie, signed_in
from control_plane.web.templating import render_page

PASSWORD = tuple(
    Field(name, label, "password", hint, optional=False, longest=1024, fill=fill)
    for name, label, hint, fill in (
        ("old", "Present password", "", "current-password"),
        ("new", "New password", "At least 8 characters.", "new-password"),
        ("again", "New password, once more", "", "new-password"),
    )
)
SCOPES = (
    ("sessions:read", "See your applications and sessions"),
    ("sessions:write", "Start, enter and stop applications"),
    ("shares:write", "Share what you run, and take it back"),
    ("admin:read", "See the administration"),
    ("admin:write", "Change the administration"),
)
_DAY = 24 * 3600
LIVES = (
    (str(_DAY), "A day"),
    (str(7 * _DAY), "A week"),
    (str(30 * _DAY), "30 days"),
    (str(90 * _DAY), "90 days"),
    (str(365 * _DAY), "A year"),
)
_PRESET = {"expires_in": str(schemas.MONTH), "sessions:read": True, "sessions:write": True}


@dataclass(frozen=True, slots=True)
class About:
    """Who one is, as the page tells it; `person` is None where `nobody` says why.

    `no_password` says why there is none to be changed here.
    """

    source: str
    person: Person | None
    nobody: str
    no_password: str
    is_stranger: bool


async def show(request: Request) -> Response:
    """GET /account."""
    return await _page(request, signed_in(request))


async def change_password(request: Request) -> Response:
    """POST /account/password: 303, or 422 with the form; other browsers are signed out."""
    gate.require_own_origin(request)
    plane, caller = gate.plane_of(request), signed_in(request)
    form = await forms.sent(request, PASSWORD)
    try:
        body = _new_password(form)
        address = gate.client_address(request)
        await gate.proved(
            request, lambda: auth.change_password(plane, caller, body.old, body.new, address)
        )
    except (ConflictError, InvalidError) as error:
        return await _page(request, caller, password=form.refuse(error))
    return RedirectResponse("/account?done=password", 303)


async def issue_token(request: Request) -> Response:
    """POST /account/tokens: the token, shown once; 422 with the form."""
    gate.require_own_origin(request)
    plane, caller = gate.plane_of(request), signed_in(request)
    form = await forms.sent(request, _token_fields(caller))
    try:
        token, value = await run_in_threadpool(_issued, plane, caller, form)
    except (ForbiddenError, InvalidError) as error:
        return await _page(request, caller, token=form.refuse(error))
    return render_page(request, "account_token.html", {"token": token, "value": value})


async def leaving_token(request: Request) -> Response:
    """GET /account/tokens/{id}/remove: what stops working, before it does."""
    token = _token(gate.plane_of(request), signed_in(request), request.path_params["id"])
    return render_page(request, "account_revoke.html", {"token": token, "scopes": dict(SCOPES)})


async def revoke_token(request: Request) -> Response:
    """POST /account/tokens/{id}/remove."""
    gate.require_own_origin(request)
    plane, caller = gate.plane_of(request), signed_in(request)
    await run_in_threadpool(auth.revoke_token, plane, caller.user, request.path_params["id"])
    return RedirectResponse("/account?done=revoked", 303)


async def leaving_everywhere(request: Request) -> Response:
    """GET /account/sign-out: what ends, before it does."""
    plane, caller = gate.plane_of(request), signed_in(request)
    context = {
        "signins": _signins(plane, caller),
        "tokens": auth.tokens_of(plane, caller.user),
        "sessions": plane.access.sessions_of(caller.user.name),
    }
    return render_page(request, "account_sign_out.html", context)


async def sign_out_everywhere(request: Request) -> Response:
    """POST /account/sign-out: 303 to the sign-in page."""
    gate.require_own_origin(request)
    caller = signed_in(request)
    await run_in_threadpool(api.leave_everywhere, gate.plane_of(request), caller.user)
    return forget_cookie(RedirectResponse(f"{SIGN_IN_PAGE}?done=everywhere", 303))


async def _page(
    request: Request, caller: Caller, password: Form | None = None, token: Form | None = None
) -> Response:
    plane = gate.plane_of(request)
    about = await run_in_threadpool(_about, plane, caller)
    context = {
        "about": about,
        "done": request.query_params.get("done", ""),
        "password": password or Form(PASSWORD),
        "token": token or forms.filled(_token_fields(caller), _PRESET),
        "tokens": auth.tokens_of(plane, caller.user),
        "scopes": dict(SCOPES),
        "signins": _signins(plane, caller),
        "here": caller.signin_id,
    }
    return render_page(request, "account.html", context, 422 if password or token else 200)


def _about(plane: Plane, caller: Caller) -> About:
    user = caller.user
    signin = plane.access.signins.get(caller.signin_id)
    person, nobody = _or_why_not(lambda: auth.person_of(plane, user))
    _, no_password = _or_why_not(lambda: auth.require_own_password(plane, user))
    return About(
        source=signin.source if signin else "",
        person=person,
        nobody=nobody,
        no_password=no_password,
        is_stranger=newcomers.is_stranger(user),
    )


def _or_why_not(ask: Callable[[], Person | None]) -> tuple[Person | None, str]:
    try:
        return ask(), ""
    except ControlPlaneError as error:
        return None, f"{error.message} {error.hint}".strip()


def _new_password(form: Form) -> schemas.ChangePassword:
    content = form.content()
    again = content.pop("again", "")
    body = gate.checked(schemas.ChangePassword, content, "The password was not changed.")
    if again != body.new:
        problem = FieldError("again", "is not the same as the new password")
        raise InvalidError("The password was not changed.", [problem])
    return body


def _token_fields(caller: Caller) -> tuple[Field, ...]:
    """Return the form of a token: nobody gives away a scope that they do not hold."""
    held = [(scope, label) for scope, label in SCOPES if scope in caller.scopes]
    return (
        Field("name", "Name", hint="What it is for, such as laptop.", optional=False, longest=100),
        *(Field(scope, label, "check") for scope, label in held),
        Field("expires_in", "It holds for", "choice", choices=LIVES, optional=False),
    )


def _issued(plane: Plane, caller: Caller, form: Form) -> tuple[Token, str]:
    content = {
        "name": form.text("name").strip(),
        "scopes": [scope for scope, _ in SCOPES if form.text(scope)],
        "expires_in": _seconds(form.text("expires_in")),
    }
    if not content["scopes"]:
        problem = FieldError(SCOPES[0][0], "choose at least one thing that the token may do")
        raise InvalidError("No token was made.", [problem])
    body = gate.checked(schemas.IssueToken, content, "No token was made.")
    life = timedelta(seconds=body.expires_in)
    return auth.issue_token(plane, caller, body.name, body.scopes, life)


def _seconds(text: str) -> object:
    return int(text) if text.isascii() and text.isdecimal() else text


def _token(plane: Plane, caller: Caller, token_id: str) -> Token:
    mine = auth.tokens_of(plane, caller.user)
    found = next((one for one in mine if one.id == token_id), None)
    if found is None:
        raise NotFoundError("There is no such token.", "It may have been revoked already.")
    return found


def _signins(plane: Plane, caller: Caller) -> list[SignIn]:
    """Return where the user is signed in, the latest first."""
    now = plane.clock()
    every = list(plane.access.signins.values())
    mine = [one for one in every if one.user == caller.user.name and one.expires_at > now]
    return sorted(mine, key=lambda one: one.created_at, reverse=True)
