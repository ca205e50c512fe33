"""The endpoints of administration for what runs: look, stop, tell.

Invariant: an administrator enters nobody's session here; every act stands in the audit log.
"""

from concurrent.futures import Future
from typing import cast

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from control_plane import acts, messages, sessions, sharing
from control_plane.domain.entities import Session
from control_plane.web import admin_portal_schemas as schemas
from control_plane.web import api, render
from control_plane.web.operations import Call
from control_plane.web.paging import part


def everyones_sessions(call: Call) -> Response:
    """GET /admin/sessions: the living ones and the failures, the oldest first."""
    wanted = cast("schemas.AdminSessionFilter", call.query)
    known = list(call.plane.access.sessions.values())
    known.sort(key=lambda one: one.created_at)
    found = [one for one in known if _is_wanted(wanted, one)]
    items = [_session(call, one) for one in part(wanted, found)]
    return render.answer(schemas.AdminSessionList(items=items, total=len(found)))


def show_anyones_session(call: Call) -> Response:
    """GET /admin/sessions/{id}."""
    return render.answer(_session(call, api.anyones(call)))


async def stop_anyones_session(call: Call) -> Response:
    """DELETE /admin/sessions/{id}: answered when it is gone; a failure is dismissed."""
    session = await run_in_threadpool(api.anyones, call)
    return await api.gone(await run_in_threadpool(begin_to_stop, call, session))


def begin_to_stop(call: Call, session: Session) -> Future[None]:
    """Stop anyone's session, or dismiss a failure; done when it is gone."""
    _note(call, "session-stop", session, f"of {session.owner}")
    because = f"stopped by the administrator {call.actor.name}"
    return sessions.end(call.plane, session, because)


def send_message(call: Call) -> Response:
    """POST /admin/sessions/{id}/message: shown to the owner while the session lives."""
    text = cast("schemas.SendMessage", call.body).text
    messages.send(call.plane, call.actor, api.anyones(call), text)
    return Response(status_code=204)


def _is_wanted(wanted: schemas.AdminSessionFilter, session: Session) -> bool:
    of_user = wanted.user in ("", session.owner)
    of_application = wanted.application in ("", session.application, session.image)
    return of_user and of_application and wanted.state in (None, session.state.value)


def _session(call: Call, session: Session) -> schemas.AdminSessionAnswer:
    own = session.owner == call.caller.user.name
    entry = sharing.entry(call.plane, call.caller, session.id)
    access = "owner" if own else entry.access if entry else "none"
    shown = render.session(call.plane, session, access)
    return schemas.AdminSessionAnswer(
        **shown.model_dump(),
        image=session.image,
        options=dict(session.options),
        policy=render.policy(session.policy) if session.policy else None,
    )


def _note(call: Call, action: str, session: Session, detail: str) -> None:
    acts.note(call.plane.books, call.actor, action, session.id, detail=detail)
