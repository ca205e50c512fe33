"""The endpoints of the HTTP API: each is one use case between parse and render."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar, cast

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from control_plane import auth, catalogue, sessions
from control_plane.domain import labels
from control_plane.domain.entities import Image, Session, State
from control_plane.errors import FieldError, InvalidError, NotFoundError
from control_plane.web import render, schemas
from control_plane.web.icons import GENERIC
from control_plane.web.operations import Call

T = TypeVar("T")

LARGEST_PAGE = 500
LONGEST_TAIL = 5000


def me(call: Call) -> Response:
    """GET /me."""
    user = call.caller.user
    return render.answer(
        schemas.MeAnswer(
            name=user.name,
            kind=user.kind,
            groups=[],
            admin=user.admin,
            scopes=sorted(call.caller.scopes),
        )
    )


def change_password(call: Call) -> Response:
    """POST /me/password."""
    body = cast("schemas.ChangePassword", call.body)
    auth.change_password(call.plane, call.caller, body.old, body.new, call.address)
    return Response(status_code=204)


def sign_out_everywhere(call: Call) -> Response:
    """DELETE /me/signins."""
    auth.sign_out_everywhere(call.plane, call.caller.user)
    return Response(status_code=204)


def issue_token(call: Call) -> Response:
    """POST /tokens."""
    body = cast("schemas.IssueToken", call.body)
    life = timedelta(seconds=body.expires_in)
    token, value = auth.issue_token(call.plane, call.caller, body.name, body.scopes, life)
    shown = schemas.TokenAnswer.model_validate(token).model_dump()
    return render.answer(schemas.NewTokenAnswer(**shown, token=value), 201)


def tokens(call: Call) -> Response:
    """GET /tokens."""
    found = auth.tokens_of(call.plane, call.caller.user)
    page, total = _page(call, found)
    items = [schemas.TokenAnswer.model_validate(one) for one in page]
    return render.answer(schemas.TokenList(items=items, total=total))


def revoke_token(call: Call) -> Response:
    """DELETE /tokens/{id}."""
    auth.revoke_token(call.plane, call.caller.user, call.path["id"])
    return Response(status_code=204)


def applications(call: Call) -> Response:
    """GET /applications."""
    page, total = _page(call, catalogue.entries(call.plane, call.caller.user))
    items = [render.application(call.plane, one) for one in page]
    return render.answer(schemas.ApplicationList(items=items, total=total))


def icon(call: Call) -> Response:
    """GET /applications/{id}/icon."""
    grant = call.plane.accounting.grant(call.path["id"])
    if grant is None or grant.user != call.caller.user.name:
        raise NotFoundError("There is no such application for you.")
    image = call.plane.engine.images().get(grant.application.image)
    return _picture(image)


def start_session(call: Call) -> Response:
    """POST /sessions."""
    body = cast("schemas.StartSession", call.body)
    session = sessions.begin(
        call.plane, call.caller, body.grant_id, body.options, instead=body.replace
    )
    location = {"Location": f"/api/v1/sessions/{session.id}"}
    return render.answer(render.session(call.plane, session), 202, location)


def list_sessions(call: Call) -> Response:
    """GET /sessions, as JSON."""
    found: Sequence[Session] = call.plane.access.sessions_of(call.caller.user.name)
    state = call.query.get("state", "living")
    if state not in ("living", "all"):
        problem = FieldError("state", "must be all, or absent")
        raise InvalidError("The query has bad fields.", [problem])
    if state == "all":
        since = call.plane.clock() - call.plane.site.limits.keep_ended
        ended = call.plane.records.ended_sessions(call.caller.user.name, since)
        known = {one.id for one in found}
        found = [*found, *(one for one in ended if one.id not in known)]
    page, total = _page(call, found)
    items = render.sessions(call.plane, page)
    return render.answer(schemas.SessionList(items=items, total=total))


def show_session(call: Call) -> Response:
    """GET /sessions/{id}."""
    session = sessions.mine(call.plane, call.caller, call.path["id"])
    return render.answer(render.session(call.plane, session))


def session_log(call: Call) -> Response:
    """GET /sessions/{id}/log."""
    session = sessions.mine(call.plane, call.caller, call.path["id"])
    tail = _whole_number(call, "tail", 200, LONGEST_TAIL)
    kept = session.failure.log_tail if session.failure else ""
    output = call.plane.engine.log(session.container_id, tail) if session.container_id else ""
    return Response(output or kept, media_type="text/plain")


async def stop_session(call: Call) -> Response:
    """DELETE /sessions/{id}: answered when it is gone; a failure is dismissed."""
    session = await run_in_threadpool(sessions.mine, call.plane, call.caller, call.path["id"])
    if session.state is State.FAILED:
        await run_in_threadpool(sessions.dismiss, call.plane, session)
    elif session.living:
        by = f"stopped by {call.caller.user.name}"
        work = await run_in_threadpool(sessions.ask_to_stop, call.plane, session, by)
        await asyncio.shield(asyncio.wrap_future(work))
    return Response(status_code=204)


def _picture(image: Image | None) -> Response:
    headers = {"Cache-Control": "private, max-age=300", "X-Content-Type-Options": "nosniff"}
    found = labels.icon(image) if image else None
    return Response(found or GENERIC, 200, headers, "image/png")


def _page(call: Call, found: Sequence[T]) -> tuple[Sequence[T], int]:
    offset = _whole_number(call, "offset", 0, 10**9)
    limit = _whole_number(call, "limit", LARGEST_PAGE, LARGEST_PAGE)
    return found[offset : offset + limit], len(found)


def _whole_number(call: Call, name: str, default: int, largest: int) -> int:
    text = call.query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 12 and int(text) <= largest):  # noqa: PLR2004
        problem = FieldError(name, f"must be a whole number from 0 to {largest}")
        raise InvalidError("The query has bad fields.", [problem])
    return int(text)
