"""The two small pages on an applications' origin by which the portal's frame gets there.

Invariant: they lead to a session's own path on their own origin and nowhere else, only the portal
may frame them, and their one script is let by for its nonce. nginx passes them on the origins of
applications alone: `/.remoteapp/arrive` and `/.remoteapp/enter`.
"""

import html
import json
import re
import secrets
from urllib.parse import unquote_plus

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from control_plane import entering
from control_plane.domain import labels
from control_plane.domain.ports import Plane, Site
from control_plane.errors import ControlPlaneError, NotFoundError
from control_plane.web import gate, render
from control_plane.web.gate import COOKIE, plane_of, require_own_origin

_SESSION_PATH = re.compile(r"/user/[A-Za-z0-9._~@%+-]+/containers/[0-9a-f]{32}/", re.ASCII)
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<noscript><meta http-equiv="refresh" content="0; url={path}"></noscript>
<p><a href="{path}">{title}</a></p>
<script nonce="{nonce}">
if (parent !== window) parent.postMessage({{remoteapp: "arrived"}}, {portal});
location.replace({target});
</script>
"""
_CLOSED = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<p>{title} <a href="{address}" target="_top">{hint}</a></p>
"""


async def arrive(request: Request) -> Response:
    """GET /.remoteapp/arrive?to=<session path>: tells the portal that its frame got here."""
    plane, wanted = plane_of(request), request.query_params.get("to", "")
    if plane.site.origins.mode == "domain" or not _SESSION_PATH.fullmatch(wanted):
        return render.problem(plane, NotFoundError("There is no such session."))
    return _on(plane.site, wanted)


async def enter(request: Request) -> Response:
    """POST /.remoteapp/enter with `ticket`: the same with the entry's cookie; 403 as a page."""
    plane = plane_of(request)
    if plane.site.origins.mode != "domain":
        return render.problem(plane, NotFoundError("There is nothing to enter here."))
    try:
        require_own_origin(request)
        host = request.headers.get("x-remoteapp-host", "")
        entered = entering.enter(plane, await _ticket(request), host)
    except ControlPlaneError as error:
        return _closed(plane, error)
    session = entered.session
    answer = _on(plane.site, f"{labels.base_path(session.owner, session.id)}/")
    answer.set_cookie(COOKIE, entered.cookie, secure=True, httponly=True, samesite="none")
    answer.headers["Set-Cookie"] += "; Partitioned"
    return answer


def _on(site: Site, path: str) -> Response:
    """Return the page that says it is there, and goes on to the session's path."""
    nonce = secrets.token_urlsafe(16)
    page = _PAGE.format(
        title="Open the application",
        path=html.escape(path),
        nonce=nonce,
        portal=json.dumps(site.public_url),
        target=json.dumps(path),
    )
    return _page(site, page, 200, f"'nonce-{nonce}'")


def _closed(plane: Plane, error: ControlPlaneError) -> Response:
    page = _CLOSED.format(
        title=html.escape(error.message),
        hint=html.escape(error.hint or "Back to the portal"),
        address=html.escape(f"{plane.site.public_url}/"),
    )
    return _page(plane.site, page, render.status_of(error), "'none'")


def _page(site: Site, page: str, status: int, scripts: str) -> Response:
    policy = {
        "default-src": "'none'",
        "script-src": scripts,
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": site.public_url,
    }
    text = "; ".join(f"{kind} {from_}" for kind, from_ in policy.items())
    return HTMLResponse(page, status, {"Content-Security-Policy": text})


async def _ticket(request: Request) -> str:
    body = (await gate.read_body(request)).decode("ascii", "replace")
    name, _, value = body.partition("=")
    return unquote_plus(value) if name == "ticket" else ""
