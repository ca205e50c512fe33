"""Coming in by a link that somebody gave: as a user of the portal, or as a guest.

Invariant: the secret is in no address and no log: it stands behind the `#`, and a script or the
visitor's own hand puts it into the form. Nothing is told of what is shared before it was right.
"""

import re

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from control_plane import sharing
from control_plane.errors import ControlPlaneError, NotFoundError, NotSignedInError
from control_plane.web import forms, gate, render
from control_plane.web.forms import Field, Form
from control_plane.web.signing_in import remember_cookie
from control_plane.web.templating import render_page

_SHARE = re.compile(r"[0-9a-f]{32}", re.ASCII)
SECRET = Field("secret", "What stands behind the #", optional=False, fill="off")
DISPLAY = Field(
    *("display", "Your name"),
    hint="The owner sees it beside what you watch.",
    optional=False,
    longest=60,
    fill="nickname",
)


async def show(request: Request) -> Response:
    """GET /share/{share}: for everyone; its script posts the secret."""
    return _page(request, Form(_fields(request)))


async def enter(request: Request) -> Response:
    """POST /share/{share}: 303 to the session, with a cookie for a new guest; else the form."""
    gate.require_own_origin(request)
    plane, visitor = gate.plane_of(request), gate.visitor(request)
    form = await forms.sent(request, _fields(request))
    share_id, address = _share_id(request), gate.client_address(request)
    secret, display = form.text("secret").strip(), form.text("display")
    try:
        cookie = await run_in_threadpool(
            sharing.enter, plane, share_id, secret, visitor, display, address
        )
    except NotSignedInError as error:
        return _page(request, form.refuse(error), 403)
    except ControlPlaneError as error:
        return _page(request, form.refuse(error), render.status_of(error))
    session_id = plane.access.shares[share_id].session_id
    answer = RedirectResponse(f"/sessions/{session_id}", 303)
    return remember_cookie(answer, cookie) if cookie else answer


def _fields(request: Request) -> tuple[Field, ...]:
    return (SECRET,) if gate.cookie_caller(request) else (SECRET, DISPLAY)


def _share_id(request: Request) -> str:
    """Return the share's id as the address has it; NotFoundError where it cannot be one."""
    found = str(request.path_params["share"])
    if not _SHARE.fullmatch(found):
        raise NotFoundError("This link leads nowhere.", "Ask for a new one.")
    return found


def _page(request: Request, form: Form, status: int = 200) -> Response:
    context = {
        "share_id": _share_id(request),
        "guests": gate.plane_of(request).site.guests,
        "form": form,
    }
    return render_page(request, "share.html", context, status)
