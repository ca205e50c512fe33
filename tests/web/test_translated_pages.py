"""Every page in another language: what is the portal's own is in it, what people wrote is not."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import wording
from adapters.fakes_engine import FakeEngine
from portal_pages import addresses, hostile
from served import portal_of
from starlette.testclient import TestClient

from control_plane.domain.ports import Plane

ORIGIN = {"Origin": "https://portal.test"}
READ = {"aria-label", "alt", "title", "placeholder", "data-done"}
ASIDE = {"code", "kbd", "pre", "script", "style", "textarea", "option", "del", "ins"}
VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "path", "rect", "wbr"}
# A sentence has one of these; what the hostile cast writes, and German, has none.
ENGLISH = re.compile(
    r"\b(?:and|are|by|for|has|have|is|it|its|may|not|of|or|the|this|to|with|you|your)\b",
    re.IGNORECASE,
)
LABEL = re.compile(r"[A-Z][a-z]+(?: [a-z]+){0,3}…?")
# Words of the cast, of the portal's name, and names of languages in themselves.
NAMES = {"Remoteapp", "English", "Deutsch", "Hello"}


class Words(HTMLParser):
    """Collects what a page says in its own language: text and attributes that are read out."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.said: set[str] = set()
        self._open: list[tuple[str, bool]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        aside = self._aside or tag in ASIDE or (tag != "html" and found.get("lang") == "en")
        if tag not in VOID:
            self._open.append((tag, aside))
        if not aside:
            self.said |= {_plain(found[name]) for name in READ & found.keys()}

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not self._aside:
            self.said.add(_plain(data))

    @property
    def _aside(self) -> bool:
        return bool(self._open) and self._open[-1][1]


def _plain(text: str | None) -> str:
    return " ".join((text or "").split()).rstrip(":")


@pytest.fixture
def filled(plane: Plane, engine: FakeEngine, tmp_path: Path) -> hostile.Examples:
    return hostile.fill(plane, engine, tmp_path / "home")


@pytest.mark.parametrize(
    "name", [hostile.ADMIN, hostile.SCIENTIST], ids=["administrator", "scientist"]
)
def test_nothing_of_the_portals_own_stays_in_english(
    name: str, plane: Plane, filled: hostile.Examples
) -> None:
    with TestClient(portal_of(plane), base_url="https://portal.test", headers=ORIGIN) as client:
        left = {"/login": _left(client, "/login")}
        client.post("/login", data={"name": name, "password": hostile.password(name), "next": "/"})
        found = [one for some in addresses.examples(filled, name).values() for one in some]
        left |= {
            one: _left(client, one)
            for one in found
            if name == hostile.ADMIN or not one.startswith("/admin")
        }
    assert {one: words for one, words in left.items() if words} == {}


def _left(client: TestClient, address: str) -> list[str]:
    """Return what a page says in English, in whole or in part, where it is to speak German."""
    english, german = (
        Words(client.get(address, headers={"Accept-Language": tag}).text).said
        for tag in ("en", "de")
    )
    labels = {one for one in english & german if LABEL.fullmatch(one)}
    return sorted({one for one in german if ENGLISH.search(one)} | labels - _same())


def _same() -> set[str]:
    """Return what is the same in German."""
    (file,) = wording.translations()
    catalogue = wording.read(file)
    return NAMES | {str(one.id) for one in catalogue if one.id == one.string}
