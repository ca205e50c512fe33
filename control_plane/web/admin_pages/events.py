"""What happens to sessions, for the pages of administration that are kept true while open."""

from starlette.requests import Request
from starlette.responses import Response

from control_plane.web import streams
from control_plane.web.admin_pages import entry


async def followed(request: Request) -> Response:
    """GET /admin/events: an event for each change of anybody's session, for administrators."""
    return streams.everyones_events(entry.look(request).call)
