"""The pages for people who are signed in: catalogue, session.

Invariant: a page shows what the caller may see and nothing else.
"""

import json
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from control_plane import catalogue as entries
from control_plane import sessions
from control_plane.domain import labels
from control_plane.domain.access import Caller
from control_plane.domain.options import HEIGHT, LONGEST_FILE, WIDTH
from control_plane.domain.ports import Plane
from control_plane.web import render, words
from control_plane.web.gate import plane_of
from control_plane.web.schemas import ApplicationAnswer, SessionAnswer
from control_plane.web.signing_in import signed_in
from control_plane.web.templating import render_page

_RESOLUTIONS = ("1280x800", "1600x900", "1920x1080", "2560x1440", "3840x2160")


@dataclass(frozen=True, slots=True)
class Card:
    """One entry of the catalogue as it is shown; `follows`: it takes the size of the window."""

    application: ApplicationAnswer
    kind: str
    facts: list[str]
    follows: bool


async def catalogue(request: Request) -> Response:
    """GET /: what one may start, and what runs."""
    plane, caller = plane_of(request), signed_in(request)
    cards = await run_in_threadpool(_cards, plane, caller)
    shown = {card.application.grant_id for card in cards}
    running = plane.access.sessions_of(caller.user.name)
    context = {
        "cards": cards,
        "others": render.sessions(plane, [one for one in running if one.grant_id not in shown]),
        "admins": sorted(plane.site.admins),
        "resolutions": _RESOLUTIONS,
        "width": WIDTH,
        "height": HEIGHT,
        "longest_file": LONGEST_FILE,
        "announcement": await run_in_threadpool(entries.announcement, plane),
    }
    return render_page(request, "catalogue.html", context)


async def session(request: Request) -> Response:
    """GET /sessions/{id}: its progress, then the application itself; 404 unless it is one's own."""
    plane, caller = plane_of(request), signed_in(request)
    found = await run_in_threadpool(sessions.mine, plane, caller, request.path_params["id"])
    shown: SessionAnswer = render.session(plane, found)
    context = {
        "session": shown,
        "has_container": bool(found.container_id),
        "path": f"{labels.base_path(found.owner, found.id)}/",
        "again": json.dumps({"grant_id": found.grant_id, "options": dict(found.options)}),
        "age": max(0, int((plane.clock() - found.created_at).total_seconds())),
    }
    return render_page(request, "session.html", context)


def _cards(plane: Plane, caller: Caller) -> list[Card]:
    found = [_card(plane, caller, one) for one in entries.entries(plane, caller.user)]
    # What runs comes first: on a small screen it would lie below everything else.
    return sorted(found, key=lambda card: not card.application.sessions)


def _card(plane: Plane, caller: Caller, entry: entries.Entry) -> Card:
    one = render.application(plane, entry, caller.user.name)
    follows = entry.image is None or labels.kind(entry.image) == "contract"
    return Card(one, words.KINDS[one.type], words.facts(one), follows)
