"""Looking into one's home for a file to open, without scripts.

Invariant: whatever goes wrong, the way back keeps what was chosen, and a path can be typed there.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from control_plane import catalogue, home_files
from control_plane.domain import files
from control_plane.domain.containers import WORKSPACE
from control_plane.domain.files import Listing
from control_plane.errors import ControlPlaneError, InvalidError
from control_plane.web import render
from control_plane.web.gate import plane_of
from control_plane.web.signing_in import signed_in
from control_plane.web.start_form import KEPT
from control_plane.web.templating import render_page


@dataclass(frozen=True, slots=True)
class Ways:
    """The links of the page: each keeps what was chosen in the start form."""

    grant_id: str
    kept: Mapping[str, str]

    def into(self, path: str) -> str:
        """Return the way into a directory."""
        return f"?{urlencode({**self.kept, 'path': path})}"

    def back(self, file: str = "") -> str:
        """Return the way back to the catalogue, with a file if one was chosen."""
        chosen = {**self.kept, "for": self.grant_id} | ({"startup_file": file} if file else {})
        return f"/?{urlencode(chosen)}#application-{self.grant_id}"


async def show(request: Request) -> Response:
    """GET /applications/{grant_id}/files?path=: a directory, or a sentence on why not."""
    plane, caller = plane_of(request), signed_in(request)
    grant_id, asked = request.path_params["grant_id"], request.query_params
    await run_in_threadpool(catalogue.held, plane, caller.user, grant_id)
    path = asked["path"] if "path" in asked else _beside(asked.get("startup_file", ""))
    listing, error = Listing("", ()), None
    try:
        told = await run_in_threadpool(home_files.look, plane, caller, grant_id, path)
        listing = await asyncio.wrap_future(told)
    except ControlPlaneError as refused:
        error = refused
    kept = {name: asked[name] for name in KEPT if asked.get(name)}
    context = {
        "ways": Ways(grant_id, kept),
        "listing": listing,
        "steps": _steps(listing.path),
        "error": error,
    }
    return render_page(
        request, "home_files.html", context, render.status_of(error) if error else 200
    )


def _beside(file: str) -> str:
    """Return the directory of what is typed already; the home where that is none."""
    if file.startswith("/") and not file.startswith(f"{WORKSPACE}/"):
        return ""
    try:
        return files.checked_path(file).rpartition("/")[0]
    except InvalidError:
        return ""


def _steps(path: str) -> list[tuple[str, str]]:
    """Return name and path of every directory on the way down."""
    parts = path.split("/") if path else []
    return [(part, "/".join(parts[: at + 1])) for at, part in enumerate(parts)]
