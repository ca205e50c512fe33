"""The language that a browser is to have from now on, whatever it asks for."""

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from control_plane.web import forms, gate, language
from control_plane.web.forms import Field
from control_plane.web.next_address import safe_next

_LIFE = timedelta(days=365)
_FIELDS = (Field("language", ""), Field("next", ""))


async def choose(request: Request) -> Response:
    """POST /language {language, next}: 303 with the cookie; without it for none that there is."""
    gate.require_own_origin(request)
    form = await forms.sent(request, _FIELDS)
    answer = RedirectResponse(safe_next(form.text("next")), 303)
    chosen = form.text("language")
    life = int(_LIFE.total_seconds()) if chosen in language.languages() else 0
    answer.set_cookie(
        language.COOKIE, chosen if life else "", life, secure=True, httponly=True, samesite="lax"
    )
    return answer
