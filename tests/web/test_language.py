"""The language that a visitor reads: who chooses it, and what of an answer is in it."""

from collections.abc import Iterator

import pytest
from served import portal_of
from starlette.testclient import TestClient

from control_plane.domain.ports import Plane
from control_plane.web import language

ORIGIN = {"Origin": "https://portal.test"}
GERMAN = {"Accept-Language": "de-CH, de;q=0.9, en;q=0.8"}


@pytest.fixture
def browser(plane: Plane) -> Iterator[TestClient]:
    with TestClient(
        portal_of(plane), base_url="https://portal.test", follow_redirects=False
    ) as client:
        yield client


@pytest.mark.parametrize(
    ("header", "tag"),
    [
        ("", "en"),
        ("de", "de"),
        ("DE-at", "de"),
        ("de-CH, en;q=0.8", "de"),
        ("en-GB, de;q=0.9", "en"),
        ("de;q=0.2, en;q=0.3", "en"),
        ("tlh, de;q=0.1", "de"),
        ("de;q=0, tlh", "en"),
        ("*", "en"),
        ("tlh", "en"),
        ("de;q=2", "en"),
        ("de;q=nan, \x00, ;;;, -, de-, ,", "en"),
        ("a," * 100_000 + "de", "en"),
        ("-".join(["de"] * 50_000), "de"),
    ],
)
def test_a_browser_gets_the_language_that_it_likes_best(header: str, tag: str) -> None:
    assert language.wished(header).tag == tag


def test_a_page_says_its_language_and_what_it_depends_on(browser: TestClient) -> None:
    answer = browser.get("/login", headers=GERMAN)
    assert '<html lang="de" dir="ltr">' in answer.text
    assert answer.headers["content-language"] == "de"
    assert answer.headers["vary"] == "Accept-Language, Cookie"


def test_the_choice_of_a_visitor_counts_for_more_than_the_browsers(browser: TestClient) -> None:
    form = {"language": "en", "next": "/sessions/1?log=1"}
    chosen = browser.post("/language", data=form, headers=ORIGIN)
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/sessions/1?log=1")
    assert chosen.headers["set-cookie"] == (
        "remoteapp-language=en; HttpOnly; Max-Age=31536000; Path=/; SameSite=lax; Secure"
    )
    assert browser.get("/login", headers=GERMAN).headers["content-language"] == "en"
    taken_back = browser.post("/language", data={"language": "tlh"}, headers=ORIGIN)
    assert taken_back.headers["location"] == "/"
    assert browser.get("/login", headers=GERMAN).headers["content-language"] == "de"


def test_a_language_is_chosen_on_the_portal_only_and_leads_nowhere_else(
    browser: TestClient,
) -> None:
    form = {"language": "de", "next": "//evil.test"}
    assert browser.post("/language", data=form).status_code == 403
    assert browser.post("/language", data=form, headers=ORIGIN).headers["location"] == "/"
