"""The language that a visitor reads: who chooses it, and what of an answer is in it."""

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser
from served import Served, portal_of, served
from starlette.testclient import TestClient

from control_plane import auth, sessions
from control_plane.domain.access import Caller
from control_plane.domain.ports import Plane
from control_plane.web import language

ORIGIN = {"Origin": "https://portal.test"}
GERMAN = {"Accept-Language": "de-CH, de;q=0.9, en;q=0.8"}


@pytest.fixture
def visitor(plane: Plane) -> Iterator[TestClient]:
    with TestClient(
        portal_of(plane), base_url="https://portal.test", follow_redirects=False
    ) as client:
        yield client


@pytest.fixture
def place(plane: Plane, loop: asyncio.AbstractEventLoop, tmp_path: Path) -> Iterator[Served]:
    with served(portal_of(plane), loop, tmp_path) as found:
        yield found


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


def test_a_page_says_its_language_and_what_it_depends_on(visitor: TestClient) -> None:
    answer = visitor.get("/login", headers=GERMAN)
    assert '<html lang="de" dir="ltr">' in answer.text
    assert answer.headers["content-language"] == "de"
    assert answer.headers["vary"] == "Accept-Language, Cookie"


def test_the_choice_of_a_visitor_counts_for_more_than_the_browsers(visitor: TestClient) -> None:
    form = {"language": "en", "next": "/sessions/1?log=1"}
    chosen = visitor.post("/language", data=form, headers=ORIGIN)
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/sessions/1?log=1")
    assert chosen.headers["set-cookie"] == (
        "remoteapp-language=en; HttpOnly; Max-Age=31536000; Path=/; SameSite=lax; Secure"
    )
    assert visitor.get("/login", headers=GERMAN).headers["content-language"] == "en"
    taken_back = visitor.post("/language", data={"language": "tlh"}, headers=ORIGIN)
    assert taken_back.headers["location"] == "/"
    assert visitor.get("/login", headers=GERMAN).headers["content-language"] == "de"


def test_a_language_is_chosen_on_the_portal_only_and_leads_nowhere_else(
    visitor: TestClient,
) -> None:
    form = {"language": "de", "next": "//evil.test"}
    assert visitor.post("/language", data=form).status_code == 403
    assert visitor.post("/language", data=form, headers=ORIGIN).headers["location"] == "/"


GERMAN_LANGUAGE = language.languages()["de"]


@pytest.mark.parametrize(
    ("english", "german"),
    [
        ("", ""),
        ("There is no such page.", "Eine solche Seite gibt es nicht."),
        ("There is no group lab.", "Eine Gruppe lab gibt es nicht."),
        (
            "There is no group lab. See remoteappdb group list.",
            "Eine Gruppe lab gibt es nicht. Siehe remoteappdb group list.",
        ),
        (
            "Its image a cannot be started. Its type is x; there are vncapp and webapp.",
            "Ihr Abbild a kann nicht gestartet werden. Sein Typ ist x; es gibt vncapp und webapp.",
        ),
        (
            "It has 1.5 GiB of memory and 0.5 CPUs.",
            "Sie hat 1,5 GiB Arbeitsspeicher und 0,5 CPUs.",
        ),
        (
            "/srv/a b cannot be looked at: No such file or directory",
            "/srv/a b kann nicht angesehen werden: Datei oder Verzeichnis nicht gefunden",
        ),
        (
            "How many of it one user may have. As the site has it: 3.",
            "Wie viele davon ein Benutzer haben darf. Wie im Portal eingestellt: 3.",
        ),
        ("It ends after 1.5 h.", "Sie endet nach 1,5 h."),
        (
            "The container engine does not answer. Nobody wrote this sentence.",
            "Die Container-Engine antwortet nicht. Nobody wrote this sentence.",
        ),
        ("A sentence. That nobody. Wrote here.", "A sentence. That nobody. Wrote here."),
        # What stands in a gap is the visitors' own.
        ("There is no group Name.", "Eine Gruppe Name gibt es nicht."),
        ("There is no group <b>{name}</b>.", "Eine Gruppe <b>{name}</b> gibt es nicht."),
        ("There is no group \\1%(a)s\n{0}.", "Eine Gruppe \\1%(a)s\n{0} gibt es nicht."),
        ("There is no group \u202eabc.", "Eine Gruppe \u202eabc gibt es nicht."),
        ("There is no group .", "There is no group ."),
    ],
)
def test_a_sentence_that_the_program_made_is_said_in_another_language(
    english: str, german: str
) -> None:
    assert GERMAN_LANGUAGE.sentence(english) == german
    assert language.languages()["en"].sentence(english) == english


def test_a_long_and_hostile_value_costs_no_time() -> None:
    begun = time.process_time()
    for text in ("There is no group " * 20_000, "a. " * 20_000, "with the group " + "a " * 200_000):
        assert GERMAN_LANGUAGE.sentence(text)
    assert time.process_time() - begun < 5


def test_what_goes_wrong_is_told_to_a_browser_in_its_language(visitor: TestClient) -> None:
    visitor.cookies.set(language.COOKIE, "de")
    answer = visitor.get("/api/v1/me")
    assert answer.json()["detail"] == "Niemand ist angemeldet."
    assert answer.json()["hint"] == "Melden Sie sich an, oder senden Sie ein Token."
    assert (answer.headers["content-language"], answer.headers["vary"]) == (
        "de",
        "Accept-Language, Cookie",
    )
    assert "Eine solche Seite gibt es nicht." in visitor.get("/nowhere").text


def test_a_program_that_asks_for_no_language_is_told_in_english(
    client_of: Callable[..., TestClient],
) -> None:
    client = client_of("admin", "admin:read", "admin:write")
    body = {"name": "", "more": 1}
    told = client.post("/api/v1/admin/users", json=body).json()
    assert told["detail"] == "The body has bad fields."
    assert told["errors"] == [
        {"field": "name", "message": "must not be empty"},
        {"field": "more", "message": "is not known here"},
    ]
    asked = client.post("/api/v1/admin/users", json=body, headers=GERMAN)
    assert [one["message"] for one in asked.json()["errors"]] == [
        "darf nicht leer sein",
        "ist hier nicht bekannt",
    ]


SAID = """import("/static/words.js").then(({ _, stateOf }) => [
    stateOf("starting"),
    _("The portal answered {status}.", { status: "<b>$&</b>{status}" }),
    _("constructor"),
    _("{name}", {}),
])"""


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("de-AT", ["Startet", "Das Portal antwortete <b>$&</b>{status}.", "constructor", "{name}"]),
        ("fr", ["Starting", "The portal answered <b>$&</b>{status}.", "constructor", "{name}"]),
    ],
)
def test_scripts_speak_the_visitors_language_under_the_policy_of_our_pages(
    locale: str, said: list[str], place: Served, browser: Browser
) -> None:
    page = browser.new_page(base_url=place.url, ignore_https_errors=True, locale=locale)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto("/login")
    assert page.evaluate(SAID) == said
    assert complaints == []
    page.close()


@pytest.mark.parametrize(
    ("asked", "told"), [("de", {"Startet", "Bereit"}), ("", {"Starting", "Ready"})]
)
def test_an_event_is_told_in_the_language_of_whoever_listens(
    asked: str, told: set[str], place: Served, plane: Plane, alice: Caller
) -> None:
    grant = plane.accounting.grants_of("alice")[0]
    session = sessions.begin(plane, alice, grant.id, {}, instead=False)
    token = auth.issue_token(plane, alice, "tests", ["sessions:read"], timedelta(hours=1))[1]
    headers = {"Authorization": f"Bearer {token}"} | ({"Accept-Language": asked} if asked else {})
    with (
        httpx.Client(base_url=place.url, verify=ssl.create_default_context(cafile=place.ca)) as one,
        one.stream("GET", f"/api/v1/sessions/{session.id}/events", headers=headers) as answer,
    ):
        data = next(line for line in answer.iter_lines() if line.startswith("data:"))
    assert json.loads(data.removeprefix("data:"))["message"] in told
