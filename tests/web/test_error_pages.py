"""What people read when something went wrong: what it was, what to do, and a way back."""

import re
from collections.abc import Callable, Iterator

import pytest
from served import portal_of
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from control_plane.domain.ports import Plane
from control_plane.errors import (
    ConflictError,
    ControlPlaneError,
    EngineUnavailableError,
    FieldError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotSupportedError,
    PreconditionError,
    TooManyError,
)

ORIGIN = {"Origin": "https://portal.test"}
Raises = Callable[[Exception], None]


@pytest.fixture
def guest(plane: Plane) -> Iterator[TestClient]:
    with TestClient(
        portal_of(plane), base_url="https://portal.test", follow_redirects=False, headers=ORIGIN
    ) as client:
        yield client


@pytest.fixture
def raises(guest: TestClient) -> Raises:
    """Return what makes the page `/broken` fail."""

    def made(error: Exception) -> None:
        def broken(_: Request) -> Response:
            raise error

        # To the client it is any ASGI application.
        guest.app.router.routes.insert(0, Route("/broken", broken, methods=["GET", "POST"]))  # type: ignore[attr-defined] # Starlette's, behind ASGI's type

    return made


def text_of(page: str) -> str:
    """Return what is read of the page's content."""
    content = page.split("<main", 1)[1].split("</main>", maxsplit=1)[0]
    return " ".join(re.sub(r"<[^>]*>", " ", content.partition(">")[2]).split())


@pytest.mark.parametrize(
    ("error", "status", "advice"),
    [
        (ForbiddenError("This is not for you."), 403, "Ask an administrator"),
        (NotFoundError("There is no such session."), 404, "what was there has ended"),
        (NotSupportedError("It is only read."), 405, "Use the buttons"),
        (ConflictError("It is running."), 409, "look at how things stand"),
        (PreconditionError("It was changed."), 412, "look at how things stand"),
        (InvalidError("A field is bad.", [FieldError("x", "is bad")]), 422, "put it right"),
        (EngineUnavailableError("The engine is away."), 503, "Try again in a moment."),
        (ConflictError("It is running.", "Stop it first."), 409, "Stop it first."),
    ],
)
def test_an_error_says_what_happened_what_to_do_and_leads_back(
    guest: TestClient, raises: Raises, error: ControlPlaneError, status: int, advice: str
) -> None:
    raises(error)
    answer = guest.get("/broken")
    assert answer.status_code == status
    shown = text_of(answer.text)
    assert shown.startswith(f"{status} {error.message}")
    assert advice in shown
    assert '<a class="button' in answer.text
    assert 'href="/">Back to the applications</a>' in answer.text


def test_too_many_attempts_say_when_there_may_be_others(guest: TestClient, raises: Raises) -> None:
    raises(TooManyError("Too many attempts from here.", 61))
    answer = guest.get("/broken")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "61")
    assert "Wait and try again. It is open again in 2 minutes at the latest." in text_of(
        answer.text
    )


def test_what_may_be_over_is_tried_again_and_a_form_is_not(
    guest: TestClient, raises: Raises
) -> None:
    raises(EngineUnavailableError("The engine is away."))
    assert 'href="/broken">Try again</a>' in guest.get("/broken").text
    assert "Try again</a>" not in guest.post("/broken").text
    assert "Try again</a>" not in guest.get("/nothing").text


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        ("https://portal.test/account", "/account"),
        ("https://portal.test/nothing", ""),
        ("https://portal.test/", ""),
        ("https://portal.test.evil.test/account", ""),
        ("https://portal.test//evil.test/", ""),
        ("https://evil.test/account", ""),
    ],
)
def test_the_way_back_leads_to_a_page_of_the_portal_alone(
    guest: TestClient, referer: str, back: str
) -> None:
    page = guest.get("/nothing", headers={"Referer": referer}).text
    found = re.findall(r'href="([^"]*)">Back to where you came from', page)
    assert found == ([back] if back else [])
    assert "evil" not in page


def test_a_wrong_method_and_an_unreadable_form_are_told_in_words(guest: TestClient) -> None:
    wrong = guest.delete("/login")
    assert wrong.status_code == 405
    assert text_of(wrong.text).startswith("405 This address does not do that.")
    many = {f"field{number}": "x" for number in range(300)}
    assert text_of(guest.post("/login", data=many).text).startswith(
        "400 What your browser sent could not be read. Go back,"
    )


@pytest.mark.parametrize("accept", ["en", "de"])
def test_a_fault_shows_the_reference_that_the_log_has_and_nothing_of_the_cause(
    guest: TestClient, raises: Raises, caplog: pytest.LogCaptureFixture, accept: str
) -> None:
    raises(RuntimeError("hush: a secret"))
    answer = guest.get("/broken", headers={"Accept-Language": accept})
    assert (answer.status_code, answer.headers["content-language"]) == (500, accept)
    (reference,) = re.findall(r'<code id="reference">([0-9a-f]{12})</code>', answer.text)
    assert f"fault reference={reference} path=/broken" in caplog.text
    assert "hush" not in answer.text
    assert 'data-copy="reference"' in answer.text
    assert 'href="/broken">' in answer.text


def test_the_page_of_the_api_leads_to_each_chapter_and_each_model(guest: TestClient) -> None:
    page = guest.get("/api/docs").text
    names = re.findall(r'id="([^"]+)"', page)
    assert len(names) == len(set(names))
    (nav,) = re.findall(r'<nav class="card"[^>]*>(.*?)</nav>', page, re.DOTALL)
    chapters = re.findall(r'href="#([^"]+)"', nav)
    assert {"tag-sessions", "tag-admin-users", "models"} <= set(chapters) <= set(names)
    assert page.count('<details class="operation') == page.count("</details>")
