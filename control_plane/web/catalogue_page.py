"""The catalogue as a page: what one may start, and what runs of it.

Invariant: it shows what the caller may start and nothing else.
"""

from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from control_plane import catalogue as entries
from control_plane.domain import labels
from control_plane.domain.access import Caller
from control_plane.domain.options import HEIGHT, LONGEST_FILE, WIDTH
from control_plane.domain.ports import Plane
from control_plane.web import render, told, words
from control_plane.web.forms import Form
from control_plane.web.gate import plane_of
from control_plane.web.schemas import ApplicationAnswer
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


@dataclass(frozen=True, slots=True)
class Refusal:
    """A start that was refused: of which grant, and the form with what was wrong."""

    grant_id: str
    form: Form
    status: int


async def show(request: Request) -> Response:
    """GET /: what one may start, and what runs."""
    return await run_in_threadpool(shown, request, None)


def shown(request: Request, refusal: Refusal | None) -> Response:
    """Return the catalogue; after a refused start with what was typed, and what was wrong."""
    plane, caller = plane_of(request), signed_in(request)
    cards = _cards(plane, caller)
    known = {card.application.grant_id for card in cards}
    running = plane.access.sessions_of(caller.user.name)
    context = {
        "cards": cards,
        "others": render.sessions(plane, [one for one in running if one.grant_id not in known]),
        "admins": sorted(plane.site.admins),
        "resolutions": _RESOLUTIONS,
        "width": WIDTH,
        "height": HEIGHT,
        "longest_file": LONGEST_FILE,
        "announcement": entries.announcement(plane),
        "unread": told.unread(request, running),
        "done": request.query_params.get("done", ""),
        "refusal": refusal,
    }
    return render_page(request, "catalogue.html", context, refusal.status if refusal else 200)


def _cards(plane: Plane, caller: Caller) -> list[Card]:
    found = [_card(plane, caller, one) for one in entries.entries(plane, caller.user)]
    # What runs comes first: on a small screen it would lie below everything else.
    return sorted(found, key=lambda card: not card.application.sessions)


def _card(plane: Plane, caller: Caller, entry: entries.Entry) -> Card:
    one = render.application(plane, entry, caller.user.name)
    follows = entry.image is None or labels.kind(entry.image) == "contract"
    return Card(one, words.KINDS[one.type], words.facts(one), follows)
