"""Every page of the portal, full of hostile text, as everyone sees it: legible, whole and safe.

A picture of each page in both themes, on a phone and on a desk, is left in var/pictures.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from portal_pages import addresses, hostile
from portal_pages.conftest import People, Site
from portal_pages.looking import OF_A_THEME, Look, Theme
from served import portal_of
from starlette.testclient import TestClient

PHONE, DESK, WALL = 360, 1440, 3840
LOOKS: Sequence[tuple[Theme, int]] = (
    ("light", DESK),
    ("dark", DESK),
    ("light", PHONE),
    ("dark", PHONE),
)
# Who looks at what; everyone else is led to the sign-in page, or refused.
ROLES = {"guest": "", "scientist": hostile.SCIENTIST, "administrator": hostile.ADMIN}
MISSING = 404


@pytest.fixture
def look(site: Site, people: People, role: str) -> Look:
    """A look of somebody in that role."""
    return Look(people.page(ROLES[role]), site.url)


def of_role(site: Site, role: str) -> Iterator[tuple[str, str]]:
    """Yield route and address of what somebody in that role may look at."""
    visitor = ROLES[role] or hostile.SCIENTIST
    for route, found in addresses.examples(site.examples, visitor).items():
        is_open, is_admins = route in addresses.OPEN, route.startswith("/admin")
        if route and is_open != (role == "guest"):
            continue
        if is_admins and role != "administrator":
            continue
        yield from ((route, one) for one in found)


def status_of(route: str) -> int:
    return 200 if route else MISSING


def test_every_route_that_is_a_page_has_an_example(site: Site) -> None:
    known = set(addresses.examples(site.examples)) - {""}
    assert known == set(addresses.routes()) - addresses.NO_PAGES


@pytest.mark.parametrize("role", ROLES)
def test_every_page_is_accessible_fits_and_lets_no_text_run(
    site: Site, look: Look, role: str
) -> None:
    seen = Counter[str]()
    for route, address in of_role(site, role):
        seen[route] += 1
        name = f"{role}-{word(route)}-{seen[route]}"
        look.open(address, status_of(route))
        look.page.evaluate(AXE_SCRIPT)
        for theme, width in LOOKS:
            with look.theme(theme, width):
                if theme == "light":
                    look.check("wide")
                    look.axe()
                else:
                    look.axe(OF_A_THEME)
                look.picture(f"{name}-{theme}-{width}")
        with look.theme("light", WALL, forced="active"):
            look.check("wide")
            look.check("unbounded")
        look.check("harmed")
    assert not look.complaints, "\n".join(look.complaints)


def word(route: str) -> str:
    """Return what a picture of it is called."""
    return re.sub(r"[^a-z]+", "-", route.lower()).strip("-") or "home"


@pytest.mark.parametrize("role", ROLES)
def test_every_page_is_walked_by_keyboard_and_shows_where_one_is(
    site: Site, look: Look, role: str
) -> None:
    look.size(DESK)
    for route, address in of_role(site, role):
        look.open(address, status_of(route))
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
