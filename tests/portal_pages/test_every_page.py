"""Every page of the portal, full of hostile text, as everyone sees it: legible, whole and safe.

A picture of each page in both themes, on a phone and on a desk, is left in var/pictures.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest
from portal_pages import addresses, hostile
from portal_pages.conftest import People, Site
from portal_pages.looking import OF_A_THEME, OF_A_WIDTH, Look, Theme
from served import portal_of
from starlette.testclient import TestClient

PHONE, DESK, WALL = 360, 1440, 3840
# What axe is asked in each: all once, then what a width or a theme can change.
LOOKS: Sequence[tuple[Theme, int, Sequence[str]]] = (
    ("light", DESK, ()),
    ("light", PHONE, OF_A_WIDTH),
    ("dark", PHONE, OF_A_THEME),
    ("dark", DESK, OF_A_THEME),
)
MISSING = 404


@dataclass(frozen=True)
class Part:
    """A part of the portal, by how its routes begin, and who looks at it, in which looks."""

    visitor: str
    beginnings: Sequence[str]
    looks: Sequence[tuple[Theme, int, Sequence[str]]] = LOOKS


PARTS: Mapping[str, Part] = {
    "guest": Part("", addresses.OPEN),
    "scientist": Part(hostile.SCIENTIST, ("", "/login/token")),
    # Of a scientist's pages an administrator's differ in the head alone.
    "administrator": Part(hostile.ADMIN, ("", "/login/token"), LOOKS[:2]),
    "people": Part(hostile.ADMIN, ("/admin/users", "/admin/groups")),
    "things": Part(hostile.ADMIN, ("/admin/applications", "/admin/grants", "/admin/images")),
    "events": Part(hostile.ADMIN, ("/admin",)),
}


@pytest.fixture
def look(site: Site, people: People, part: str) -> Look:
    """A look of whoever sees that part."""
    return Look(people.page(PARTS[part].visitor), site.url)


def of_part(site: Site, part: str) -> Iterator[tuple[str, str, int]]:
    """Yield route, address and status of what there is in a part."""
    visitor = PARTS[part].visitor or hostile.SCIENTIST
    for route, found in addresses.examples(site.examples, visitor).items():
        if part in _parts(route):
            yield from ((route, one, 200 if route else MISSING) for one in found)


def _parts(route: str) -> set[str]:
    """Return the parts that a route is in: those of its longest beginning."""
    fits = {
        name: max((len(one) for one in part.beginnings if route.startswith(one)), default=-1)
        for name, part in PARTS.items()
    }
    # The page that says that there is none is everyone's.
    return {name for name in fits if not route or fits[name] == max(fits.values())}


def test_every_route_that_is_a_page_has_an_example(site: Site) -> None:
    known = set(addresses.examples(site.examples)) - {""}
    assert known == set(addresses.routes()) - addresses.NO_PAGES


@pytest.mark.parametrize("part", PARTS)
def test_every_page_is_accessible_fits_and_lets_no_text_run(
    site: Site, look: Look, part: str
) -> None:
    seen = Counter[str]()
    for route, address, status in of_part(site, part):
        seen[route] += 1
        look.open(address, status)
        look.load_axe()
        for theme, width, rules in PARTS[part].looks:
            with look.theme(theme, width):
                look.check("wide")
                look.axe(rules)
                look.picture(f"{part}-{word(route)}-{seen[route]}-{theme}-{width}")
        with look.theme("light", WALL, forced="active"):
            look.check("wide")
            look.check("unbounded")
        look.check("harmed")
    assert not look.complaints, "\n".join(look.complaints)


@pytest.mark.parametrize("part", PARTS)
def test_every_page_is_walked_by_keyboard_and_shows_where_one_is(
    site: Site, look: Look, part: str
) -> None:
    look.size(DESK)
    for route, address, status in of_part(site, part):
        look.open(address, status)
        look.tab_through()
        if not route.startswith("/sessions"):
            look.page.locator("a.skip").press("Enter")
            if look.page.evaluate("document.activeElement.id") != "content":
                look.complain(["the skip link leads nowhere"])
    assert not look.complaints, "\n".join(look.complaints)


def test_guests_are_led_to_the_sign_in_page_and_scientists_do_not_administer(site: Site) -> None:
    found = addresses.examples(site.examples)
    closed = [one for route in set(found) - {"", *addresses.OPEN} for one in found[route]]
    with TestClient(portal_of(site.plane), base_url=site.url, follow_redirects=False) as client:
        for address in closed:
            answer = client.get(address)
            assert answer.status_code == 303, address
            assert answer.headers["location"].startswith("/login"), address
        form = {"name": hostile.SCIENTIST, "password": hostile.password(hostile.SCIENTIST)}
        assert client.post("/login", data=form, headers={"Origin": site.url}).status_code == 303
        for address in closed:
            wanted = 403 if address.startswith("/admin") else 200
            assert client.get(address).status_code == wanted, address


def word(route: str) -> str:
    """Return what a picture of it is called."""
    return re.sub(r"[^a-z]+", "-", route.lower()).strip("-") or ("home" if route else "nowhere")
