"""What every answer of the portal carries, and the language it is in.

Invariant: no inline script or style runs on a page of ours, and nobody frames it.
"""

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control_plane.web import language

SOURCES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "frame-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
BARRED = (
    *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "hid"),
    *("magnetometer", "microphone", "midi", "payment", "serial", "usb", "xr-spatial-tracking"),
)
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{kind} {from_}" for kind, from_ in SOURCES.items()),
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: with that, browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # No page of ours needs them, and so no frame in one gets them.
    "Permissions-Policy": ", ".join(f"{one}=()" for one in BARRED),
}


def widen(answer: Response, wider: Mapping[str, str]) -> None:
    """Let a page load from one more source of some kinds: `{"frame-src": "https://…"}`."""
    said = answer.headers.get("Content-Security-Policy", HEADERS["Content-Security-Policy"])
    sources = dict(one.split(" ", 1) for one in said.split("; "))
    for kind, source in wider.items():
        sources[kind] += f" {source}"
    text = "; ".join(f"{kind} {from_}" for kind, from_ in sources.items())
    answer.headers["Content-Security-Policy"] = text


def let_frame(answer: Response, origin: str) -> Response:
    """Let a page frame another origin of ours, and send it forms that say where they come from."""
    widen(answer, dict.fromkeys(("frame-src", "form-action"), origin))
    # With `same-origin` a form that goes elsewhere would say `Origin: null`.
    answer.headers["Referrer-Policy"] = "strict-origin"
    return answer


class Headers:
    """Adds the headers; answers that nothing may keep say so."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through, with headers on the answer's start."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", _keeping(scope["path"]))
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class Languages:
    """Lets what is answered be said in the visitor's language."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the language, then pass everything through."""
        if scope["type"] == "http":
            language.listen(HTTPConnection(scope))
        await self._app(scope, receive, send)


def _keeping(path: str) -> str:
    """Assets are everybody's, asked for again after ten minutes; all else is one's own."""
    return "public, max-age=600" if path.startswith("/static/") else "no-store"
