"""What a visitor is told when something went wrong: a problem for programs, a page for people.

Invariant: nothing of an unforeseen fault leaves the process but the reference to its log entry.
"""

from http import HTTPStatus
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control_plane.errors import ControlPlaneError, NotSignedInError, TooManyError
from control_plane.web import render
from control_plane.web.gate import plane_of
from control_plane.web.next_address import safe_next
from control_plane.web.templating import render_page, render_plainly

_FOR_PROGRAMS = ("/api/", "/internal/")
_SENTENCES = {
    HTTPStatus.BAD_REQUEST: "What your browser sent could not be read.",
    HTTPStatus.NOT_FOUND: "There is no such page.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not do that.",
}
# What to do, where the error itself does not say.
_ADVICE = {
    HTTPStatus.BAD_REQUEST: "Go back, load the page again, and try once more.",
    HTTPStatus.FORBIDDEN: "Ask an administrator of this portal if you think that you should.",
    HTTPStatus.NOT_FOUND: "The address may be mistyped, or what was there has ended.",
    HTTPStatus.METHOD_NOT_ALLOWED: "Use the buttons of the page that you came from.",
    HTTPStatus.CONFLICT: "Go back and look at how things stand now.",
    HTTPStatus.PRECONDITION_FAILED: "Go back and look at how things stand now.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Go back and put it right.",
    HTTPStatus.TOO_MANY_REQUESTS: "Wait and try again.",
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        "Try again. If it stays so, tell an administrator this reference: the log has it, too."
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: "What runs goes on. Try again in a moment.",
}
# What may be over when the same is asked again.
_PASSING = (429, 500, 503)


async def refused(request: Request, error: Exception) -> Response:
    """Answer an error of ours; who is not signed in is led to the sign-in page first."""
    if not isinstance(error, ControlPlaneError):
        raise error
    if _is_for_programs(request):
        return render.problem(plane_of(request), error)
    if isinstance(error, NotSignedInError):
        return to_sign_in(request)
    status = render.status_of(error)
    context = _context(request, status, error.message, error.hint)
    if isinstance(error, TooManyError):
        context["minutes"] = -(-error.retry_after // 60)
    return render_page(request, "error.html", context, status, render.headers_of(error, status))


async def not_routed(request: Request, error: Exception) -> Response:
    """Answer what no route takes: an unknown path, a wrong method, a form that does not parse."""
    if not isinstance(error, HTTPException):
        raise error
    if _is_for_programs(request):
        return render.http_problem(error)
    status = HTTPStatus(error.status_code)
    context = _context(request, status, _SENTENCES.get(status, error.detail))
    return render_page(request, "error.html", context, status, error.headers)


async def unforeseen(request: Request, error: Exception) -> Response:
    """Answer a fault of ours with the reference under which the log has it."""
    reference = render.fault(request, error)
    if _is_for_programs(request):
        answer = render.fault_problem(reference)
    else:
        context = _context(request, 500, "Something went wrong here.")
        answer = render_plainly(request, "error.html", context | {"reference": reference}, 500)
    return answer


class Faults:
    """Answers what nobody foresaw itself: raised further, it would cost the server its connection.

    nginx keeps connections to us, so somebody else's request would fail with this one.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through; answer 500 where nothing was answered yet."""
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            response = await unforeseen(Request(scope, receive), error)
            await response(scope, receive, send)


def to_sign_in(request: Request) -> Response:
    """Lead to the sign-in page, which leads back here."""
    query = f"?{request.url.query}" if request.url.query else ""
    here = quote(f"{request.url.path}{query}", safe="/")
    return RedirectResponse("/login" if here == "/" else f"/login?next={here}", 303)


def _is_for_programs(request: Request) -> bool:
    return request.url.path.startswith(_FOR_PROGRAMS)


def _context(request: Request, status: int, sentence: str, hint: str = "") -> dict[str, object]:
    return {
        "status": int(status),
        "sentence": sentence,
        "hint": hint or _ADVICE.get(HTTPStatus(status), ""),
        "reference": "",
        "minutes": 0,
        "back": _came_from(request),
        # A form would be sent again by a link as a question only.
        "again": request.url.path
        if request.method in ("GET", "HEAD") and status in _PASSING
        else "",
    }


def _came_from(request: Request) -> str:
    """Return the page of this portal that led here; empty where there is none but this."""
    own = plane_of(request).site.public_url
    referer = request.headers.get("referer", "")
    path = safe_next(referer.removeprefix(own)) if referer.startswith(f"{own}/") else ""
    return "" if path in ("/", request.url.path) else path
