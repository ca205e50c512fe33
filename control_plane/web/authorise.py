"""What nginx asks before it lets a request through to a session.

Invariant: answered from memory by the five headers that form nginx's cache key, nothing else;
never waits for a thread, a disk or the engine.
"""

from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from control_plane import auth
from control_plane.domain.access import Caller
from control_plane.domain.entities import Session, State
from control_plane.domain.ports import Plane
from control_plane.errors import NotFoundError, NotSignedInError, UnavailableError
from control_plane.web import render
from control_plane.web.gate import plane_of

_ENTER = "sessions:read"


@dataclass(frozen=True, slots=True)
class Decision:
    """Who asks (None: nobody) and which session they may see (None: none)."""

    caller: Caller | None
    session: Session | None


async def authorise(request: Request) -> Response:
    """GET /internal/authorise: 204, 401 or 403; anything else nginx would turn into a 500."""
    decision = decide(request)
    if decision.caller is None:
        return Response(status_code=401)
    session = decision.session
    if session is None or not _is_open(session):
        return Response(status_code=403)
    headers = {
        "X-Remoteapp-User": quote(session.owner, safe="@"),
        "X-Remoteapp-Access": "owner",
    }
    if session.state is State.READY:
        headers["X-Remoteapp-Target"] = f"{session.address}:{session.port}"
        if session.strip_path:
            headers["X-Remoteapp-Strip"] = "1"
    else:
        headers["X-Accel-Expires"] = "0"
    return Response(status_code=204, headers=headers)


async def away(request: Request) -> Response:
    """GET /internal/away: why a session could not be reached, for people or for programs."""
    plane, decision = plane_of(request), decide(request)
    if decision.caller is None:
        return render.problem(plane, NotSignedInError("Nobody is signed in."))
    session = decision.session
    if session is None or not _is_open(session):
        return render.problem(plane, NotFoundError("There is no such session."))
    if request.headers.get("x-remoteapp-browser") == "1" and session.state is State.STARTING:
        return RedirectResponse(f"/sessions/{session.id}", 302)
    word = "is starting" if session.state is State.STARTING else "does not answer"
    return render.problem(plane, UnavailableError(f"The application {word}.", "Try again soon."))


def decide(request: Request) -> Decision:
    """Judge by the five headers alone."""
    plane, headers = plane_of(request), request.headers
    caller = _caller(plane, headers.get("x-remoteapp-token"), headers.get("x-remoteapp-signin"))
    if caller is None or headers.get("x-remoteapp-host") != urlsplit(plane.site.public_url).netloc:
        return Decision(caller, None)
    owner = unquote(headers.get("x-remoteapp-owner", ""))
    session = plane.access.owned(headers.get("x-remoteapp-session", ""), owner)
    allowed = session and owner == caller.user.name and _ENTER in caller.scopes
    return Decision(caller, session if allowed else None)


def _is_open(session: Session) -> bool:
    return session.state in (State.STARTING, State.READY) and not session.cut_off


def _caller(plane: Plane, token: str | None, signin: str | None) -> Caller | None:
    if token:
        return auth.by_token(plane, token)
    return auth.by_cookie(plane, signin) if signin else None
