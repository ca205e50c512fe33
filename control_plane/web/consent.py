"""Whether a visitor agreed to be counted, and what a page may load then.

Invariant: without a setting and a yes of this browser nothing of others is loaded; never where a
password or a token is typed or shown, and never on the pages of administration.
"""

from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from control_plane.web import forms, gate
from control_plane.web.forms import Field
from control_plane.web.next_address import safe_next

COOKIE = "remoteapp-analytics"
_LIFE = timedelta(days=180)
_FIELDS = (Field("choice", ""), Field("next", ""))
_NEVER = ("/login", "/account", "/admin")


@dataclass(frozen=True, slots=True)
class Consent:
    """What a visitor said (`yes`, `no` or nothing yet), and the script that this page may load.

    `asked` is False where the site counts nobody; `is_open` where this page is to ask.
    """

    asked: bool = False
    said: str = ""
    is_open: bool = False
    script: str = ""


def of(request: Request) -> Consent:
    """Return what holds for a page of this request."""
    script = gate.plane_of(request).site.face.analytics
    if not script:
        return Consent()
    cookie = request.cookies.get(COOKIE, "")
    said = cookie if cookie in ("yes", "no") else ""
    countable = _is_countable(request.url.path)
    return Consent(
        asked=True,
        said=said,
        is_open=countable and not said,
        script=script if countable and said == "yes" else "",
    )


async def choose(request: Request) -> Response:
    """POST /analytics {choice, next}: 303 with the cookie; anything but `yes` is a no."""
    gate.require_own_origin(request)
    form = await forms.sent(request, _FIELDS)
    answer = RedirectResponse(safe_next(form.text("next")), 303)
    said, life = "yes" if form.text("choice") == "yes" else "no", int(_LIFE.total_seconds())
    answer.set_cookie(COOKIE, said, life, secure=True, httponly=True, samesite="lax")
    return answer


def _is_countable(path: str) -> bool:
    return not any(path == one or path.startswith(f"{one}/") for one in _NEVER)
