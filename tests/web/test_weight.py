"""What a browser has to load for a large catalogue, as nginx compresses it."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from posixpath import dirname, join, normpath

import pytest
from adapters.fakes_engine import FakeEngine, hello
from served import portal_of
from starlette.testclient import TestClient
from web.conftest import ORIGIN

from control_plane.domain.entities import Application, Grantee, Policy
from control_plane.domain.labels import IMAGE
from control_plane.domain.ports import Plane

APPLICATIONS = 100
MOST = 60_000
NGINX = Path(__file__).parents[2] / "nginx" / "snippets" / "portal-pages.conf.j2"
# Icons apart: a browser keeps them by their digest.
LOADED = re.compile(r'<(?:script[^>]*? src|link rel="(?:stylesheet|modulepreload)" href)="([^"]+)"')
IMPORTED = re.compile(r'^import\b[^"]*"(\.[^"]+)";', re.MULTILINE)
KINDS = ("Simulation", "Analysis", "Notebooks", "Pictures", "Teaching")
VERBS = ("Computes", "Draws", "Compares", "Looks for", "Records")
THINGS = ("flows round a body", "spectra", "molecules", "series in time", "maps of the sky")
DESKTOP = {
    f"{IMAGE}{name}": ""
    for name in ("env.x11-width", "env.x11-height", "env.x11-depth", "env.startupdata")
}


@pytest.fixture
def alice(plane: Plane, engine: FakeEngine) -> Iterator[TestClient]:
    """A browser of somebody who may start a hundred applications."""
    for number in range(APPLICATIONS):
        one = _application(number)
        labels = {**hello().labels, f"{IMAGE}type": "vncapp", **DESKTOP}
        engine.known[one.image] = replace(
            hello(), id=f"sha256:{number}", name=one.image, labels=labels
        )
        plane.accounting.add_application(one)
        policy = Policy(allow_home=True, allow_startup_data=True, max_lifetime=3600 * (number + 1))
        plane.accounting.add_grant(Grantee("user", "alice"), one.id, policy)
    with TestClient(portal_of(plane), base_url=ORIGIN) as client:
        form = {"name": "alice", "password": "alice's password", "next": "/"}
        assert client.post("/login", data=form, headers={"Origin": ORIGIN}).status_code == 200
        yield client


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_catalogue_of_a_hundred_applications_is_light(alice: TestClient, language: str) -> None:
    page = alice.get("/", headers={"Accept-Language": language}).text
    assert page.count('<article class="card application"') > APPLICATIONS
    parts = {"/": page} | dict(_loaded(alice, page))
    sizes = {path: _compressed(text) for path, text in parts.items()}
    assert sum(sizes.values()) <= MOST, sizes


def _application(number: int) -> Application:
    kind, verb, thing = (words[number % 5] for words in (KINDS, VERBS, THINGS))
    return Application(
        f"{number * 7919:032x}",
        f"registry.lab.test/group-{number % 7}/{kind.lower()}-{number}:2026.{number % 12 + 1}",
        display_name=f"{kind} of {thing} {number}",
        description=f"{verb} {thing}, {number} at a time, and keeps what was found in your home.",
        category=kind,
    )


def _loaded(client: TestClient, page: str) -> Iterator[tuple[str, str]]:
    """Yield each script and style sheet of a page, and what they import, once."""
    left, known = LOADED.findall(page), set[str]()
    while left:
        path = left.pop()
        if path not in known:
            known.add(path)
            text = client.get(path).text
            yield path, text
            left += [normpath(join(dirname(path), one)) for one in IMPORTED.findall(text)]


def _compressed(text: str) -> int:
    """Return the bytes of it as nginx sends it."""
    level = re.search(r"gzip_comp_level (\d);", NGINX.read_text())
    assert level
    return len(zlib.compress(text.encode(), int(level[1])))
