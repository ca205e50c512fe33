"""The endpoints of administration for the portal as a whole: figures, and what everyone is told."""

from collections import Counter
from typing import cast

from starlette.responses import Response

from control_plane import administration
from control_plane.domain.entities import Announcement
from control_plane.errors import FieldError, InvalidError, NotFoundError
from control_plane.web import admin_portal_schemas as schemas
from control_plane.web import render
from control_plane.web.operations import Call


def stats(call: Call) -> Response:
    """GET /admin/stats."""
    accounting = call.plane.accounting
    states = Counter(one.state.value for one in list(call.plane.access.sessions.values()))
    counts = {name: states[name] for name in schemas.SessionCounts.model_fields}
    return render.answer(
        schemas.StatsAnswer(
            users=len(accounting.users()),
            groups=len(accounting.groups()),
            applications=len(accounting.applications()),
            grants=len(accounting.grants()),
            sessions=schemas.SessionCounts(**counts),
        )
    )


def announcement(call: Call) -> Response:
    """GET /admin/announcement."""
    return render.answer(schemas.AnnouncementAnswer.model_validate(_present(call)))


def announce(call: Call) -> Response:
    """PUT /admin/announcement."""
    body = cast("schemas.Announce", call.body)
    if body.until and body.until <= call.plane.clock():
        problem = FieldError("until", "must lie in the future")
        raise InvalidError("The body has bad fields.", [problem])
    told = Announcement(body.text, body.until)
    administration.announce(call.plane.books, call.actor, told)
    return render.answer(schemas.AnnouncementAnswer.model_validate(told))


def take_back_announcement(call: Call) -> Response:
    """DELETE /admin/announcement."""
    _present(call)
    administration.announce(call.plane.books, call.actor, None)
    return Response(status_code=204)


def _present(call: Call) -> Announcement:
    told = call.plane.records.announcement()
    if told is None or (told.until and told.until <= call.plane.clock()):
        raise NotFoundError("Nothing is announced.")
    return told
