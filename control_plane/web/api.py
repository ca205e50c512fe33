"""The endpoints of the HTTP API: each is one use case between parse and render."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import timedelta
from typing import cast

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from control_plane import auth, catalogue, enforcement, sessions, sharing
from control_plane import home_files as files
from control_plane.domain import labels
from control_plane.domain.entities import Image, Session, User
from control_plane.domain.ports import Plane
from control_plane.errors import ImageMissingError, NotFoundError
from control_plane.sharing import Entry
from control_plane.web import render, schemas
from control_plane.web.icons import GENERIC
from control_plane.web.operations import Call
from control_plane.web.paging import part


def me(call: Call) -> Response:
    """GET /me."""
    user = call.caller.user
    return render.answer(
        schemas.MeAnswer(
            name=user.name,
            kind=user.kind,
            groups=list(user.groups),
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
    leave_everywhere(call.plane, call.caller.user)
    return Response(status_code=204)


def leave_everywhere(plane: Plane, user: User) -> None:
    """Sign a user out everywhere; what is open to their sessions is cut."""
    auth.sign_out_everywhere(plane, user)
    enforcement.cut_connections(plane, user.name)


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
    items = [schemas.TokenAnswer.model_validate(one) for one in part(call.query, found)]
    return render.answer(schemas.TokenList(items=items, total=len(found)))


def revoke_token(call: Call) -> Response:
    """DELETE /tokens/{id}."""
    auth.revoke_token(call.plane, call.caller.user, call.path["id"])
    return Response(status_code=204)


def applications(call: Call) -> Response:
    """GET /applications."""
    user = call.caller.user
    found = catalogue.entries(call.plane, user)
    items = [render.application(call.plane, one, user.name) for one in part(call.query, found)]
    return render.answer(schemas.ApplicationList(items=items, total=len(found)))


def icon(call: Call) -> Response:
    """GET /applications/{id}/icon."""
    grant = catalogue.held(call.plane, call.caller.user, call.path["id"])
    try:
        image: Image | None = call.plane.engine.image(grant.application.image)
    except ImageMissingError:
        image = None
    asked = f"?digest={call.query.digest}"
    return picture(image, for_ever=asked == render.icon_version(image))


async def home_files(call: Call) -> Response:
    """GET /applications/{id}/files: a directory of one's home."""
    query = cast("schemas.Directory", call.query)
    told = await run_in_threadpool(files.look, call.plane, call.caller, call.path["id"], query.path)
    listing = await asyncio.wrap_future(told)
    items = [
        schemas.FileAnswer(name=one.name, kind=one.kind, path=listing.path_of(one))
        for one in listing.entries
    ]
    return render.answer(schemas.FileList(path=listing.path, items=items, cut=listing.cut))


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
    if call.query.state == "all":
        since = call.plane.clock() - call.plane.site.limits.keep_ended
        ended = call.plane.records.ended_sessions(call.caller.user.name, since)
        known = {one.id for one in found}
        found = [*found, *(one for one in ended if one.id not in known)]
    seen = [*(Entry(one, "owner") for one in found), *sharing.shared_with(call.plane, call.caller)]
    items = [render.entered(call.plane, one) for one in part(call.query, seen)]
    return render.answer(schemas.SessionList(items=items, total=len(seen)))


def show_session(call: Call) -> Response:
    """GET /sessions/{id}: one's own, or one that is shared with the caller."""
    entry = sharing.seen(call.plane, call.caller, call.path["id"])
    return render.answer(render.entered(call.plane, entry))


def extend_session(call: Call) -> Response:
    """POST /sessions/{id}/extend."""
    body = cast("schemas.Extend", call.body)
    session = sessions.mine(call.plane, call.caller, call.path["id"])
    policy = catalogue.policy_of(call.plane, call.caller.user, session)
    extended = sessions.extend(call.plane, session, policy, body.seconds)
    return render.answer(render.session(call.plane, extended))


def session_log(call: Call) -> Response:
    """GET /sessions/{id}/log: the owner's, and anyone's for an administrator."""
    if "admin:read" in call.caller.scopes:
        session = anyones(call)
    else:
        session = sessions.mine(call.plane, call.caller, call.path["id"])
    return Response(output(call.plane, session, call.query.tail), media_type="text/plain")


def output(plane: Plane, session: Session, tail: int) -> str:
    """Return the last lines of a session's output, or what was kept of it when it failed."""
    kept = session.failure.log_tail if session.failure else ""
    found = plane.engine.log(session.container_id, tail) if session.container_id else ""
    return found or kept


async def stop_session(call: Call) -> Response:
    """DELETE /sessions/{id}: answered when it is gone; a failure is dismissed."""
    session = await run_in_threadpool(sessions.mine, call.plane, call.caller, call.path["id"])
    return await end(call.plane, session, f"stopped by {call.caller.user.name}")


async def end(plane: Plane, session: Session, because: str) -> Response:
    """Answer 204 when a session is gone; a failure is dismissed."""
    return await gone(await run_in_threadpool(sessions.end, plane, session, because))


async def gone(work: Future[None]) -> Response:
    """Answer 204 when that is done, whether or not the client waits for it."""
    await asyncio.shield(asyncio.wrap_future(work))
    return Response(status_code=204)


def anyones(call: Call) -> Session:
    """Return the session of that id, whoever owns it; NotFoundError."""
    session_id = call.path["id"]
    known = call.plane.access.sessions.get(session_id) or call.plane.records.session(session_id)
    if known is None:
        raise NotFoundError("There is no such session.")
    return known


def picture(image: Image | None, *, for_ever: bool = False) -> Response:
    """Return an image's icon, or the one of all that bring none; `for_ever`: it may be kept so."""
    life = "private, max-age=31536000, immutable" if for_ever else "private, max-age=300"
    headers = {"Cache-Control": life, "X-Content-Type-Options": "nosniff"}
    found = labels.icon(image) if image else None
    return Response(found or GENERIC, 200, headers, "image/png")
