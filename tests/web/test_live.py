"""Pages that are kept true while they are open, in Chromium; and what they listen to."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from served import Served, portal_of, served
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from usecases.conftest import grant_of

from control_plane import sessions
from control_plane.domain.access import Caller
from control_plane.domain.entities import User
from control_plane.domain.ports import Plane

FRAME = """<!doctype html><html><head><title>Live</title>
<script type="module" src="/static/live.js"></script></head>
<body><p id="outside">{count}</p>{content}</body></html>"""
SECTION = '<section id="part" data-live="/told"{more}>{rows}</section>'

SEEN = """({ hidden }) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@dataclass
class Board:
    """A page whose content a test changes, and the stream that tells of it."""

    loop: asyncio.AbstractEventLoop
    rows: str = ""
    more: str = ""
    status: int = 200
    asked: list[float] = field(default_factory=list)
    queues: list[asyncio.Queue[str | None]] = field(default_factory=list)

    def show(self, rows: str) -> None:
        """Change the content and tell it."""
        self.rows = rows
        self.tell()

    def tell(self, word: str | None = "state") -> None:
        """Tell that something happened; None ends every stream."""
        for queue in self.queues:
            self.loop.call_soon_threadsafe(queue.put_nowait, word)

    async def page(self, request: Request) -> Response:
        self.asked.append(time.monotonic())
        if self.status == 303:
            return RedirectResponse(f"/login?next={request.url.path}", 303)
        section = SECTION.format(rows=self.rows, more=self.more)
        return HTMLResponse(FRAME.format(content=section, count=len(self.asked)), self.status)

    async def told(self, _: Request) -> Response:
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self.queues.append(queue)

        async def events() -> AsyncIterator[ServerSentEvent]:
            while word := await queue.get():
                yield ServerSentEvent(data="{}", event=word)

        return EventSourceResponse(events())


@pytest.fixture
def board(loop: asyncio.AbstractEventLoop) -> Board:
    return Board(loop)


@pytest.fixture
def place(board: Board, loop: asyncio.AbstractEventLoop, tmp_path: Path) -> Iterator[Served]:
    static = StaticFiles(directory=str(files("control_plane.web") / "static"))
    routes = [
        Route("/", board.page),
        Route("/login", lambda _: HTMLResponse("<title>Sign in</title>")),
        Route("/told", board.told),
        Mount("/static", static),
    ]
    with served(Starlette(routes=routes), loop, tmp_path) as made:
        yield made


@pytest.fixture
def page(browser: Browser, place: Served) -> Iterator[Page]:
    context = browser.new_context(base_url=place.url, ignore_https_errors=True)
    yield context.new_page()
    context.close()


def opened(page: Page, board: Board, rows: str) -> None:
    """Open the page, and wait until it listens and has looked once more for itself."""
    board.rows = rows
    page.goto("/?a=1")
    until(page, lambda: len(board.asked) == 2)


def until(page: Page, true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        page.wait_for_timeout(20)


def test_a_section_takes_over_what_is_told_and_nothing_else_changes(
    page: Page, board: Board
) -> None:
    opened(page, board, "<p>Nothing runs.</p>")
    board.show("<p>One runs.</p><p>It is new.</p>")
    expect(page.locator("#part")).to_have_text("One runs.It is new.")
    assert page.locator("#outside").text_content() == "1"


def test_what_has_the_focus_is_open_or_chosen_stays_while_rows_come_and_go(
    page: Page, board: Board
) -> None:
    def rows(*names: str) -> str:
        row = (
            '<li data-key="{0}"><input type="checkbox" name="{0}"> <details><summary>{0}</summary>'
        )
        return "<ul>" + "\n".join(f"{row.format(one)}</details></li>" for one in names) + "</ul>"

    opened(page, board, rows("b", "c", "d"))
    page.get_by_text("c", exact=True).click()
    page.locator('input[name="d"]').check()
    page.locator("summary", has_text="c").focus()
    board.show(rows("a", "c", "d", "e"))
    expect(page.locator("summary")).to_have_text(["a", "c", "d", "e"])
    assert page.evaluate("document.activeElement.textContent") == "c"
    assert page.locator("details[open]").count() == 1
    assert page.locator("li", has_text="c").locator("details[open]").count() == 1
    assert page.locator("input:checked").get_attribute("name") == "d"
    board.show(rows("d", "c"))
    expect(page.locator("summary")).to_have_text(["d", "c"])
    assert page.evaluate("document.activeElement.textContent") == "c"
    board.show(rows("d"))
    expect(page.locator("summary")).to_have_text(["d"])
    assert page.evaluate("document.activeElement.id") == "part"


def test_a_form_that_somebody_fills_in_is_left_alone(page: Page, board: Board) -> None:
    version = '<input type="hidden" name="version" value="{0}">'
    form = f'<p>{{0}}</p><form>{version}<textarea name="text">{{0}}</textarea></form>'
    opened(page, board, form.format("one"))
    board.show(form.format("two"))
    expect(page.locator("textarea")).to_have_value("two")
    page.locator("textarea").fill("a message")
    page.locator("textarea").evaluate("field => field.setSelectionRange(2, 4)")
    board.show(form.format("three"))
    expect(page.locator("#part p")).to_have_text("three")
    assert page.locator("textarea").input_value() == "a message"
    assert page.evaluate("document.activeElement.selectionEnd") == 4
    page.locator("textarea").blur()
    board.show(form.format("four"))
    expect(page.locator("#part p")).to_have_text("four")
    assert page.locator("textarea").input_value() == "a message"
    assert page.locator('input[name="version"]').input_value() == "two"


def test_many_events_in_a_moment_make_few_looks(page: Page, board: Board) -> None:
    opened(page, board, "<p>0</p>")
    for count in range(1, 101):
        board.show(f"<p>{count}</p>")
    expect(page.locator("#part")).to_have_text("100")
    page.wait_for_timeout(1500)
    assert len(board.asked) <= 4
    pauses = [
        later - sooner for sooner, later in zip(board.asked[1:], board.asked[2:], strict=False)
    ]
    assert min(pauses) > 0.9


def test_a_section_looks_again_every_few_seconds_while_it_says_so(page: Page, board: Board) -> None:
    board.more = ' data-every="1"'
    opened(page, board, "<p>10 %</p>")
    board.rows = "<p>20 %</p>"
    expect(page.locator("#part")).to_have_text("20 %")
    board.more, board.rows = "", "<p>Done.</p>"
    expect(page.locator("#part")).to_have_text("Done.")
    count = len(board.asked)
    page.wait_for_timeout(1500)
    assert len(board.asked) == count


def test_a_page_that_cannot_be_seen_rests_and_looks_when_it_can(page: Page, board: Board) -> None:
    opened(page, board, "<p>before</p>")
    page.evaluate(SEEN, {"hidden": True})
    count = len(board.asked)
    board.show("<p>after</p>")
    page.wait_for_timeout(1200)
    assert len(board.asked) == count
    page.evaluate(SEEN, {"hidden": False})
    expect(page.locator("#part")).to_have_text("after")


def test_a_fault_is_waited_out_with_a_longer_rest(page: Page, board: Board) -> None:
    opened(page, board, "<p>before</p>")
    board.status = 503
    board.show("<p>after</p>")
    until(page, lambda: len(board.asked) == 3)
    assert page.locator("#part").text_content() == "before"
    board.status = 200
    expect(page.locator("#part")).to_have_text("after", timeout=10_000)
    assert board.asked[3] - board.asked[2] > 1.9


def test_a_stream_that_breaks_is_opened_again(page: Page, board: Board) -> None:
    opened(page, board, "<p>before</p>")
    board.tell(None)
    until(page, lambda: len(board.queues) == 2)
    board.show("<p>after</p>")
    expect(page.locator("#part")).to_have_text("after")


def test_whoever_is_signed_out_is_led_to_the_sign_in_page(page: Page, board: Board) -> None:
    opened(page, board, "<p>before</p>")
    board.status = 303
    board.tell()
    page.wait_for_url("/login?next=/")


# What the pages of administration listen to.


@pytest.fixture
def portal(plane: Plane, loop: asyncio.AbstractEventLoop, tmp_path: Path) -> Iterator[Served]:
    plane.accounting.add_user(User("admin", "virtual", admin=True, uid=79999, gid=79999))
    plane.records.set_password("admin", plane.passwords.hash("admin's password"))
    with served(portal_of(plane), loop, tmp_path) as place:
        object.__setattr__(plane, "site", replace(plane.site, public_url=place.url))
        yield place


@contextmanager
def signed_in(portal: Served, name: str) -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cafile=portal.ca)
    form = {"name": name, "password": f"{name}'s password", "next": "/"}
    with httpx.Client(base_url=portal.url, verify=context, timeout=15) as client:
        assert client.post("/login", data=form, headers={"Origin": portal.url}).is_redirect
        yield client


def test_administrators_hear_of_everyones_sessions_and_nobody_else_does(
    plane: Plane, alice: Caller, portal: Served
) -> None:
    heard: list[str] = []
    with signed_in(portal, "alice") as client:
        assert client.get("/admin/events").status_code == 403
    with signed_in(portal, "admin") as client, client.stream("GET", "/admin/events") as stream:
        begun = sessions.begin(plane, alice, grant_of(plane, "alice"), {}, instead=False)
        for line in stream.iter_lines():
            heard += [line] if line.startswith("data: ") else []
            if '"ready"' in line:
                break
    assert all(f'"session":"{begun.id}"' in line for line in heard)


def test_a_stream_of_everyones_sessions_ends_with_the_right_to_it(
    plane: Plane, portal: Served
) -> None:
    with signed_in(portal, "admin") as client, client.stream("GET", "/admin/events") as stream:
        assert stream.status_code == 200
        known = plane.access.users
        object.__setattr__(plane, "site", replace(plane.site, admins=frozenset()))
        known["admin"] = replace(known["admin"], admin=False)
        assert [line for line in stream.iter_lines() if line.startswith("data")] == []
