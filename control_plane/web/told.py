"""What administrators told the visitor, on the pages where it is shown until it is dismissed.

Invariant: what was dismissed is remembered by the browser alone, up to a moment.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from control_plane import messages
from control_plane.domain.entities import Session
from control_plane.messages import Message
from control_plane.web import forms
from control_plane.web.forms import Field
from control_plane.web.gate import plane_of, require_own_origin
from control_plane.web.next_address import safe_next
from control_plane.web.signing_in import signed_in

# nginx keeps it from the containers as it keeps every cookie whose name begins so.
COOKIE = "__Host-remoteapp-told"
_LIFE = timedelta(days=30)
_DISMISS = (Field("until", ""), Field("next", "", longest=2048))


def unread(request: Request, sessions: Sequence[Session]) -> list[Message]:
    """Return what was said about these sessions since the visitor dismissed something last."""
    return messages.about(plane_of(request), sessions, _moment(request.cookies.get(COOKIE, "")))


async def dismiss(request: Request) -> Response:
    """POST /messages/dismiss: show nothing any more that was said up to a moment."""
    require_own_origin(request)
    signed_in(request)
    form = await forms.sent(request, _DISMISS)
    answer = RedirectResponse(safe_next(form.text("next")), 303)
    if until := _moment(form.text("until")):
        life = int(_LIFE.total_seconds())
        moment = until.isoformat()
        answer.set_cookie(COOKIE, moment, life, secure=True, httponly=True, samesite="lax")
    return answer


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
