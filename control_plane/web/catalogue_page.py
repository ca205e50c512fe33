"""The catalogue as a page: what one may start, what runs of it, and what others share.

Invariant: it shows what the caller may start and nothing else, and it searches nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from control_plane import catalogue as entries
from control_plane import home_files, sharing
from control_plane.domain import labels
from control_plane.domain.access import Caller
from control_plane.domain.entities import LastStart
from control_plane.domain.options import HEIGHT, LONGEST_FILE, WIDTH
from control_plane.domain.ports import Plane
from control_plane.web import render, told, words
from control_plane.web.forms import Form
from control_plane.web.gate import plane_of
from control_plane.web.schemas import ApplicationAnswer
from control_plane.web.signing_in import signed_in
from control_plane.web.start_form import SIZES, Choice, again, typed
from control_plane.web.templating import render_page

# A catalogue that one sees at a glance needs no search.
_MANY = 5
_LONGEST_ABOUT = 180
_LONGEST_WORDS = 200


@dataclass(frozen=True, slots=True)
class Card:
    """One entry of the catalogue as it is shown.

    `follows`: it takes the size of the window; `browses`: a file of the home can be chosen.
    `text` is what is searched.
    """

    application: ApplicationAnswer
    kind: str
    follows: bool
    browses: bool
    last: LastStart | None
    choice: Choice

    @property
    def facts(self) -> list[str]:
        """What one has to know before a start."""
        return words.facts(self.application)

    @property
    def details(self) -> list[str]:
        """What else it gets."""
        return words.details(self.application)

    @property
    def about(self) -> str:
        """Return the description, or its beginning."""
        whole = self.application.description
        if len(whole) <= _LONGEST_ABOUT:
            return whole
        return f"{whole[:_LONGEST_ABOUT].rsplit(maxsplit=1)[0]}…"

    @property
    def text(self) -> str:
        """What is searched, in lower case."""
        one = self.application
        return f"{one.display_name} {one.category} {one.description}".casefold()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the catalogue is to be seen: words, each somewhere in it, and a category."""

    words: str = ""
    category: str = ""

    def shows(self, card: Card) -> bool:
        """Whether a card is seen."""
        fits = self.category in ("", card.application.category)
        return fits and all(word in card.text for word in self.words.casefold().split())

    def within(self, category: str) -> str:
        """Return the way to a category, with the same words."""
        asked = {"q": self.words, "category": category}
        query = urlencode({name: value for name, value in asked.items() if value})
        return f"/?{query}" if query else "/"


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
    plane, caller, asked = plane_of(request), signed_in(request), request.query_params
    cards = _cards(plane, caller, _typed(asked, refusal))
    known = {card.application.grant_id for card in cards}
    running = plane.access.sessions_of(caller.user.name)
    context = {
        "cards": cards,
        "categories": _categories(cards),
        "many": len(cards) > _MANY,
        "wanted": Wanted(asked.get("q", "")[:_LONGEST_WORDS], asked.get("category", "")),
        "others": render.sessions(plane, [one for one in running if one.grant_id not in known]),
        "shared": sharing.shared_with(plane, caller),
        "admins": sorted(plane.site.admins),
        "sizes": SIZES,
        "width": WIDTH,
        "height": HEIGHT,
        "longest_file": LONGEST_FILE,
        "announcement": entries.announcement(plane),
        "unread": told.unread(request, running),
        "done": asked.get("done", ""),
        "refusal": refusal,
    }
    return render_page(request, "catalogue.html", context, refusal.status if refusal else 200)


def _typed(asked: Mapping[str, str], refusal: Refusal | None) -> Mapping[str, Choice]:
    """Return what stands in the form of a grant already: it was refused, or a file was chosen."""
    if refusal:
        return {refusal.grant_id: typed(refusal.form.values)}
    return {asked["for"]: typed(asked)} if "for" in asked else {}


def _categories(cards: Sequence[Card]) -> list[str]:
    """Return the categories to choose from; none where all are of one."""
    found = {card.application.category for card in cards}
    return sorted(found - {""}, key=str.casefold) if len(found) > 1 else []


def _cards(plane: Plane, caller: Caller, typed_now: Mapping[str, Choice]) -> list[Card]:
    started = plane.records.last_starts(caller.user.name)
    found = []
    for entry in entries.entries(plane, caller.user):
        last = started.get(entry.grant.id)
        choice = typed_now.get(entry.grant.id) or again(last)
        found.append(_card(plane, caller, entry, last, choice))
    return sorted(found, key=_place)


def _place(card: Card) -> tuple[bool, float]:
    """Order cards: what runs, what was started lately, and the others as they were, by name."""
    at = card.last.at.timestamp() if card.last else 0.0
    return not card.application.sessions, -at


def _card(
    plane: Plane, caller: Caller, entry: entries.Entry, last: LastStart | None, choice: Choice
) -> Card:
    one = render.application(plane, entry, caller.user.name)
    follows = entry.image is None or labels.kind(entry.image) == "contract"
    browses = home_files.offered(entry.image, entry.policy)
    return Card(one, words.KINDS[one.type], follows, browses, last, choice)
