"""The endpoints of the HTTP API that are about sharing."""

from datetime import timedelta
from typing import cast

from starlette.responses import Response

from control_plane import sharing
from control_plane.domain.entities import Share, ShareKind
from control_plane.domain.ports import Plane
from control_plane.errors import FieldError, InvalidError
from control_plane.passages import Onlooker
from control_plane.sharing import Wanted
from control_plane.web import render
from control_plane.web import share_schemas as schemas
from control_plane.web.operations import Call
from control_plane.web.paging import part


def share_session(call: Call) -> Response:
    """POST /sessions/{id}/shares."""
    wanted = _wanted(cast("schemas.ShareSession", call.body))
    made, secret = sharing.share(call.plane, call.caller, call.path["id"], wanted, call.address)
    shown = _answer(made, ()).model_dump()
    address = address_of(call.plane, made, secret)
    location = {"Location": f"/api/v1/sessions/{made.session_id}/shares/{made.id}"}
    return render.answer(schemas.NewShareAnswer(**shown, url=address), 201, location)


def shares(call: Call) -> Response:
    """GET /sessions/{id}/shares."""
    found = sharing.shares_of(call.plane, call.caller, call.path["id"])
    items = [_answer(one.share, one.watching) for one in part(call.query, found)]
    return render.answer(schemas.ShareList(items=items, total=len(found)))


def revoke_share(call: Call) -> Response:
    """DELETE /sessions/{id}/shares/{share}: answered when nobody is in by it any more."""
    path = call.path
    sharing.revoke(call.plane, call.caller, path["id"], path["share"], call.address)
    return Response(status_code=204)


def address_of(plane: Plane, share: Share, secret: str) -> str:
    """Return where those go whom a share lets in; a link's secret is never sent to a server."""
    if share.kind == "link":
        return f"{plane.site.public_url}/share/{share.id}#{secret}"
    return f"{plane.site.public_url}/sessions/{share.session_id}"


def _wanted(body: schemas.ShareSession) -> Wanted:
    named: list[tuple[ShareKind, str]] = []
    if body.user is not None:
        named.append(("user", body.user))
    if body.group is not None:
        named.append(("group", body.group))
    if body.link:
        named.append(("link", ""))
    if len(named) != 1:
        problem = FieldError("user", "say one of user, group, or link: true")
        raise InvalidError("It was not shared.", [problem])
    ((kind, name),) = named
    return Wanted(kind, name, body.access, timedelta(seconds=body.expires_in))


def _answer(share: Share, watching: tuple[Onlooker, ...] | None) -> schemas.ShareAnswer:
    names = [schemas.OnlookerAnswer.model_validate(one) for one in watching or ()]
    return schemas.ShareAnswer(
        id=share.id,
        user=share.name if share.kind == "user" else None,
        group=share.name if share.kind == "group" else None,
        link=share.kind == "link",
        access=share.access,
        created_at=share.created_at,
        expires_at=share.expires_at,
        watching=None if watching is None else names,
    )
