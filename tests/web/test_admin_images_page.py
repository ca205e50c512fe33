"""The engine's images as administrators see them: with scripts and without."""

import asyncio
import re
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from adapters.fakes_engine import HELLO, FakeEngine, FakeLibrary, hello
from playwright.sync_api import Browser, Page, expect
from served import Served, portal_of, served
from starlette.testclient import TestClient
from usecases.conftest import grant_of, until

from control_plane import lifecycle, sessions
from control_plane.domain.access import Caller
from control_plane.domain.entities import Application, Image
from control_plane.domain.labels import IMAGE
from control_plane.domain.ports import Plane, PullProgress
from control_plane.domain.roles import Actor
from control_plane.errors import ConflictError
from control_plane.web.admin_pages.pulls import MOST_KEPT, SHOWN, Pulls

ORIGIN = {"Origin": "https://portal.test"}
LIST = "/admin/images"
WALK = "registry.test/walk:1"
ACTOR = Actor("admin", "local", frozenset({"admin:write"}))


@dataclass
class SlowLibrary(FakeLibrary):
    """A library whose pulls go on when a test lets them: `rest` is how they end."""

    go_on: threading.Event = field(default_factory=threading.Event)
    refusal: str = ""

    def _pulling(self, whole: str) -> Generator[PullProgress, None, None]:
        with self.transfers.one(whole):
            yield PullProgress("", f"Pulling {whole}")
            yield PullProgress("1", f"Pulling from {whole}")
            yield PullProgress("aaa", "Downloading", 1024**2, 4 * 1024**2)
            yield PullProgress("bbb", "Pull complete")
            while not self.go_on.wait(0.02):
                yield PullProgress("ccc", "Waiting")
            if self.refusal:
                raise ConflictError(f"The image {whole} could not be pulled: {self.refusal}")
            self.engine.known[whole] = replace(hello(), id=f"sha256:{whole}", name=whole)


@pytest.fixture
def library(plane: Plane, engine: FakeEngine) -> Iterator[SlowLibrary]:
    made = SlowLibrary(engine)
    object.__setattr__(plane, "image_library", made)
    yield made
    made.go_on.set()


def names(admin: TestClient, query: str = "") -> list[str]:
    return re.findall(r'<tr data-key="([^"]+)"', admin.get(f"{LIST}{query}").text)


def text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_images_are_listed_with_what_they_are_and_who_uses_them(
    admin: TestClient, plane: Plane, engine: FakeEngine, alice: Caller
) -> None:
    labels = {IMAGE + "type": "vncapp", IMAGE + "port": "99999"}
    engine.known["big:1"] = Image("sha256:big", "big:1", labels, 3 * 1024**3)
    engine.known["<b>:1"] = Image("sha256:b", "<b>:1", {}, 5)
    sessions.begin(plane, alice, grant_of(plane, "alice"), {}, instead=False)
    page = text(admin.get(LIST).text)
    assert "big:1 Its port is 99999; it must be a number from 1 to 65535." in page
    assert "Desktop of simphony-remote 3 GiB" in page
    assert "&lt;b&gt;:1 Foreign 5 bytes" in page
    assert "Hello 1 session" in page
    assert names(admin, "?sort=-size") == ["big:1", HELLO, "&lt;b&gt;:1"]
    assert names(admin, "?q=hel") == [HELLO]
    assert names(admin, "?use=used") == [HELLO]
    assert names(admin, "?use=unused") == ["&lt;b&gt;:1", "big:1"]


def test_a_pull_goes_on_by_itself_and_the_page_shows_how_far_it_is(
    admin: TestClient, plane: Plane, library: SlowLibrary
) -> None:
    answer = admin.post(LIST, data={"name": WALK})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{LIST}?done=pulling")
    until(lambda: 'data-key="ccc"' in admin.get(LIST).text)
    page = admin.get(LIST).text.partition('id="pulls"')[2]
    assert re.findall(r'<progress max="100" value="(\d+)"', page) == ["37", "12", "100", "0"]
    assert "Downloading 1 MiB of 4 MiB" in text(page)
    assert 'data-every="1"' in page
    again = admin.post(LIST, data={"name": WALK})
    assert again.status_code == 422
    assert f"The image {WALK} is being pulled already." in again.text
    assert f'value="{WALK}"' in again.text
    library.go_on.set()
    until(lambda: WALK in names(admin))
    until(lambda: "It is there now." in admin.get(LIST).text)
    acts = plane.records.audit(action="image-pull", target=WALK)
    assert [(act.actor, act.detail) for act in acts] == [
        ("admin", ""),
        ("admin", f"failed: The image {WALK} is being pulled already."),
    ]


def test_a_pull_that_fails_says_why(admin: TestClient, library: SlowLibrary) -> None:
    library.refusal = "no space left"
    admin.post(LIST, data={"name": WALK})
    library.go_on.set()
    until(lambda: f"The image {WALK} could not be pulled: no space left" in admin.get(LIST).text)


def test_what_the_registry_refuses_at_once_is_told_at_the_form(
    admin: TestClient, plane: Plane
) -> None:
    refused = admin.post(LIST, data={"name": "unknown:1"})
    assert refused.status_code == 422
    assert "could not be pulled: manifest unknown" in refused.text
    bad = admin.post(LIST, data={"name": "UPPER case"})
    assert bad.status_code == 422
    assert 'value="UPPER case"' in bad.text
    assert 'aria-invalid="true"' in bad.text
    assert admin.post(LIST, data={"name": "a"}, headers={"Origin": "x"}).status_code == 403
    assert [act.detail for act in plane.records.audit(action="image-pull")] == [
        "failed: The image unknown:1 could not be pulled: manifest unknown"
    ]


def test_only_the_last_pulls_are_remembered_and_those_under_way_always(
    plane: Plane, library: SlowLibrary
) -> None:
    pulls = Pulls()
    library.go_on.set()
    for number in range(MOST_KEPT + 3):
        pulls.begin(plane, ACTOR, f"walk:{number}")
        until(lambda: not any(one.under_way for one in pulls.known()))
    assert len(pulls.known()) == MOST_KEPT
    assert pulls.known()[0].name == f"walk:{MOST_KEPT + 2}"
    assert pulls.recent(plane.clock()) == pulls.known()
    assert pulls.recent(plane.clock() + SHOWN) == []


def test_a_process_that_ends_breaks_its_pulls_off(plane: Plane, library: SlowLibrary) -> None:
    assert not library.go_on.is_set()
    pulls = Pulls()
    pulls.begin(plane, ACTOR, WALK)
    pulls.close()
    until(lambda: not pulls.known()[0].under_way)
    (act,) = plane.records.audit(action="image-pull")
    assert act.detail == "broken off"


def test_an_image_that_nothing_runs_from_is_removed_after_a_question(
    admin: TestClient, plane: Plane, engine: FakeEngine, alice: Caller
) -> None:
    engine.known["walk:1"] = replace(engine.known[HELLO], name="walk:1")
    question = f"{LIST}/remove?name="
    assert f"The image stays under {HELLO}." in admin.get(f"{question}walk:1").text
    session = sessions.begin(plane, alice, grant_of(plane, "alice"), {}, instead=False)
    until(lambda: plane.access.sessions[session.id].ready_at)
    used = admin.get(f"{question}{HELLO}").text
    assert "1 session runs from it, so it cannot be removed." in used
    assert "button danger" not in used
    refused = admin.post(f"{LIST}/remove", data={"name": HELLO})
    assert refused.status_code == 422
    assert f"The image {HELLO} is in use by 1 sessions. Stop them first." in refused.text
    sessions.ask_to_stop(plane, session, "enough").result(5)
    asked = text(admin.get(f"{question}{HELLO}").text)
    assert "These applications stay in the catalogue and cannot be started any more: Hello" in asked
    removed = admin.post(f"{LIST}/remove", data={"name": HELLO})
    assert (removed.status_code, removed.headers["location"]) == (303, f"{LIST}?done=removed")
    assert names(admin) == ["walk:1"]
    assert admin.get(f"{question}{HELLO}").status_code == 404


def test_an_image_that_nobody_uses_leads_to_an_application_of_it(
    admin: TestClient, plane: Plane, engine: FakeEngine
) -> None:
    engine.known[WALK] = replace(hello(), id="sha256:walk", name=WALK)
    leads = 'href="/admin/applications/new?image=registry.test/walk%3A1"'
    assert leads in admin.get(LIST).text
    plane.accounting.add_application(Application("b" * 32, WALK))
    lifecycle.refresh(plane)
    assert leads not in admin.get(LIST).text


# With scripts.


@pytest.fixture
def page(
    plane: Plane,
    boss: None,  # noqa: ARG001 - it has to exist
    loop: asyncio.AbstractEventLoop,
    tmp_path: Path,
    browser: Browser,
) -> Iterator[Page]:
    """A page of a browser in which the administrator is signed in."""
    with served(portal_of(plane), loop, tmp_path) as place:
        object.__setattr__(plane, "site", replace(plane.site, public_url=place.url))
        context = browser.new_context(base_url=place.url, ignore_https_errors=True)
        made = context.new_page()
        sign_in(made, place)
        yield made
        context.close()


def sign_in(page: Page, place: Served) -> None:
    page.goto(f"{place.url}/login?next={LIST}")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill("admin's password")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{LIST}")


def test_a_pull_moves_its_bar_and_shows_the_image_without_a_reload(
    page: Page, library: SlowLibrary
) -> None:
    page.get_by_label("Image", exact=True).fill(WALK)
    page.get_by_role("button", name="Pull", exact=True).click()
    expect(page.get_by_role("progressbar", name=f"Pulling {WALK}")).to_have_attribute("value", "37")
    page.get_by_text("3 layers").click()
    library.go_on.set()
    expect(page.locator("#pulls")).to_contain_text("It is there now.")
    expect(page.locator("#images")).to_contain_text(WALK)


def test_an_archive_is_sent_as_it_is_and_what_is_wrong_with_it_is_told(
    page: Page, engine: FakeEngine
) -> None:
    archive = page.get_by_label("Archive")
    archive.set_input_files({"name": "a.tar", "mimeType": "", "buffer": b"rubbish"})
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_text("The archive was not taken in: invalid tar header")).to_be_visible()
    archive.set_input_files({"name": "a.tar", "mimeType": "", "buffer": b"archive\nwalk:1"})
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url(f"**{LIST}?done=uploaded")
    expect(page.locator("#images")).to_contain_text("walk:1")
    assert "walk:1" in engine.known
