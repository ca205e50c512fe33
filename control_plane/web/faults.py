"""What a visitor is told when something went wrong: a problem for programs, a page for people.

Invariant: nothing of an unforeseen fault leaves the process but the reference to its log entry.
"""

from http import HTTPStatus
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control_plane.errors import ControlPlaneError, NotSignedInError
from control_plane.web import render
from control_plane.web.gate import plane_of
from control_plane.web.templating import render_page, render_plainly

_FOR_PROGRAMS = ("/api/", "/internal/")
_SENTENCES = {
    HTTPStatus.NOT_FOUND: "There is no such page.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not do that.",
}


async def refused(request: Request, error: Exception) -> Response:
    """Answer an error of ours; who is not signed in is led to the sign-in page first."""
    if not isinstance(error, ControlPlaneError):
        raise error
    if _is_for_programs(request):
        return render.problem(plane_of(request), error)
    if isinstance(error, NotSignedInError):
        return to_sign_in(request)
    status = render.status_of(error)
    context = _context(status, error.message, error.hint)
    return render_page(request, "error.html", context, status, render.headers_of(error, status))


async def not_routed(request: Request, error: Exception) -> Response:
    """Answer what no route takes: an unknown path, a wrong method, a form that does not parse."""
    if not isinstance(error, HTTPException):
        raise error
    if _is_for_programs(request):
        return render.http_problem(error)
    status = HTTPStatus(error.status_code)
    context = _context(status, _SENTENCES.get(status, error.detail), "")
    return render_page(request, "error.html", context, status, error.headers)


async def unforeseen(request: Request, error: Exception) -> Response:
    """Answer a fault of ours with the reference under which the log has it."""
    reference = render.fault(request, error)
    if _is_for_programs(request):
        answer = render.fault_problem(reference)
    else:
        hint = f"Tell an administrator this reference: {reference}"
        answer = render_plainly(
            request, "error.html", _context(500, "Something went wrong here.", hint), 500
        )
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


def _context(status: int, sentence: str, hint: str) -> dict[str, object]:
    return {"status": int(status), "sentence": sentence, "hint": hint}
