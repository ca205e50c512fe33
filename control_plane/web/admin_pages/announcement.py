"""What everyone is told above the catalogue, and until when."""

from datetime import UTC, datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from control_plane import administration, catalogue
from control_plane.domain.entities import Announcement
from control_plane.errors import FieldError, InvalidError
from control_plane.web import forms
from control_plane.web.admin_pages import entry
from control_plane.web.forms import Field, Form

FIELDS = (
    Field("text", "Text", "area", optional=False, longest=1000),
    Field("until", "Until", "moment", "Empty: until you take it back."),
)
_PREVIEW = Field("preview", "", "check")


async def show(request: Request) -> Response:
    """GET /admin/announcement."""
    return await run_in_threadpool(_shown, entry.look(request), None)


async def announce(request: Request) -> Response:
    """POST /admin/announcement: tell everyone, or show how it would look; no text takes it back."""
    visit, form = entry.change(request), await forms.sent(request, (*FIELDS, _PREVIEW))
    if form.text("preview") and form.text("text").strip():
        return await run_in_threadpool(_shown, visit, form)

    def act() -> None:
        text = form.text("text").strip()
        told = Announcement(text, _moment(form.text("until"), visit.plane.clock()))
        administration.announce(visit.books, visit.actor, told if text else None)

    form = await entry.attempt(visit, form, act)
    if form.refused:
        return await run_in_threadpool(_shown, visit, form)
    return entry.leads_to(
        "/admin/announcement", "changed" if form.text("text").strip() else "removed"
    )


def _shown(visit: entry.Visit, form: Form | None) -> Response:
    present = visit.plane.records.announcement() if catalogue.announcement(visit.plane) else None
    until = present.until.strftime("%Y-%m-%dT%H:%M") if present and present.until else ""
    content = {"text": present.text if present else "", "until": until}
    context = {"present": present, "preview": form.text("text") if form else ""}
    return visit.page("admin/announcement.html", context, form or forms.filled(FIELDS, content))


def _moment(text: str, now: datetime) -> datetime | None:
    """Return a moment that people wrote, in UTC; None for none. InvalidError."""
    if not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        moment = found if found.tzinfo else found.replace(tzinfo=UTC)
    except ValueError:
        moment = None
    if moment is None or moment <= now:
        problem = "must be a day and a time in the future, such as 2026-03-31T18:00"
        raise InvalidError("Nothing was announced.", [FieldError("until", problem)])
    return moment.astimezone(UTC)
