"""What nginx asks before it lets a request through to a session.

Invariant: answered from memory by the five headers that form nginx's cache key, nothing else;
never waits for a thread, a disk or the engine. Host, session, owner and target are looked up
together: a session is open on its own origin alone, to a cookie that is worth something there.
"""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from control_plane import auth, entering, sharing
from control_plane.domain.access import Caller
from control_plane.domain.entities import Session, State
from control_plane.domain.ports import Plane
from control_plane.errors import NotFoundError, NotSignedInError, UnavailableError
from control_plane.sharing import Entry
from control_plane.web import render
from control_plane.web.gate import plane_of


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks for which session, where; `owner` is empty off the session's path."""

    host: str
    owner: str
    session_id: str
    signin: str
    token: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What is answered; with 204 also to whom, and how they may enter."""

    status: Literal[204, 401, 403]
    viewer: str = ""
    user: str = ""
    entry: Entry | None = None


async def authorise(request: Request) -> Response:
    """GET /internal/authorise: 204, 401 or 403; anything else nginx would turn into a 500."""
    decision = decide(request)
    entry = decision.entry
    if entry is None:
        return Response(status_code=decision.status)
    headers = {
        "X-Remoteapp-User": quote(decision.user, safe="@:"),
        "X-Remoteapp-Access": entry.access,
    }
    if entry.share:
        headers |= {"X-Remoteapp-Share": entry.share.id, "X-Remoteapp-Viewer": decision.viewer}
    return Response(status_code=204, headers=headers | _way(entry))


async def away(request: Request) -> Response:
    """GET /internal/away: why a session could not be reached, for people or for programs."""
    plane, decision = plane_of(request), decide(request)
    entry = decision.entry
    if decision.status == 401:  # noqa: PLR2004 - the status that says so
        return render.problem(plane, NotSignedInError("Nobody is signed in."))
    if entry is None:
        return render.problem(plane, NotFoundError("There is no such session."))
    starts = entry.session.state is State.STARTING
    if request.headers.get("x-remoteapp-browser") == "1" and (starts or not entry.knows):
        return RedirectResponse(f"{plane.site.public_url}/sessions/{entry.session.id}", 302)
    if not entry.knows:
        return render.problem(plane, NotFoundError("There is no such session."))
    word = "is starting" if starts else "does not answer"
    return render.problem(plane, UnavailableError(f"The application {word}.", "Try again soon."))


def decide(request: Request) -> Decision:
    """Judge by the five headers alone."""
    plane, asked = plane_of(request), _asked(request.headers)
    if not _is_place(plane, asked):
        return Decision(403)
    caller = _caller(plane, asked)
    if caller is None:
        return Decision(401)
    entry = sharing.entry(plane, caller, asked.session_id)
    if entry is None or not (_is_open(entry.session) and _is_path(plane, asked, entry.session)):
        return Decision(403)
    return Decision(204, caller.viewer, caller.user.name, entry)


def _asked(headers: Headers) -> Question:
    return Question(
        host=headers.get("x-remoteapp-host", ""),
        owner=unquote(headers.get("x-remoteapp-owner", "")),
        session_id=headers.get("x-remoteapp-session", ""),
        signin=headers.get("x-remoteapp-signin", ""),
        token=headers.get("x-remoteapp-token", ""),
    )


def _is_place(plane: Plane, asked: Question) -> bool:
    """Whether the session lives on that host; with a token the portal's own will do, too."""
    origins = plane.site.origins
    at_portal = bool(asked.token) and origins.is_portal(asked.host)
    return at_portal or origins.is_home(asked.host, asked.session_id)


def _is_path(plane: Plane, asked: Question, session: Session) -> bool:
    """Whether that is the session's path, or any other where its whole host is its own."""
    if asked.owner:
        return asked.owner == session.owner
    return session.strip_path and plane.site.origins.mode == "domain"


def _caller(plane: Plane, asked: Question) -> Caller | None:
    if asked.token:
        return auth.by_token(plane, asked.token)
    if plane.site.origins.mode == "domain":
        return entering.by_entry(plane, asked.signin, asked.session_id)
    return auth.visitor_by_cookie(plane, asked.signin)


def _is_open(session: Session) -> bool:
    return session.state in (State.STARTING, State.READY) and not session.cut_off


def _way(entry: Entry) -> dict[str, str]:
    """Return where nginx leads them; nowhere, and asked anew each time, while that may change."""
    session = entry.session
    if session.state is not State.READY or not entry.knows:
        return {"X-Accel-Expires": "0"}
    target = {"X-Remoteapp-Target": f"{session.address}:{session.port}"}
    return target | ({"X-Remoteapp-Strip": "1"} if session.strip_path else {})
