"""A portal whose sessions have a host each: what lets into one is worth nothing anywhere else."""

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import portal as portals
import pytest
from playwright.sync_api import Browser, Page, expect
from portal import HELLO, RunningPortal
from stack.conftest import COOKIE, until, websocket
from websockets.exceptions import InvalidStatus

DOMAIN = "remoteapp.localhost"
BROWSER = {"Accept": "text/html"}


@dataclass
class Visitor:
    """A browser of someone's who has entered a session; the cookies of the portal and of that."""

    live: RunningPortal
    client: httpx.Client
    session: dict[str, Any]
    sign_in: str
    entry: str

    @property
    def home(self) -> str:
        return self.live.home(self.session["id"])


@pytest.fixture(scope="module")
def apart(images: None) -> Iterator[RunningPortal]:  # noqa: ARG001 - they have to be
    settings = {"limits": {"max_sessions": 2}}
    with portals.running(apps_domain=DOMAIN, apps_port=0, settings=settings) as live:
        yield live


@pytest.fixture(scope="module")
def alices(apart: RunningPortal) -> Visitor:
    return entered(apart, "alice")


@pytest.fixture(scope="module")
def second(apart: RunningPortal, alices: Visitor) -> Visitor:
    """Another session of alice's, entered with the same sign-in."""
    session = apart.start("alice")
    return Visitor(apart, alices.client, session, alices.sign_in, enter(alices.client, session))


@pytest.fixture(scope="module")
def bobs(apart: RunningPortal) -> Visitor:
    return entered(apart, "bob")


def entered(live: RunningPortal, name: str) -> Visitor:
    client, session = live.client(name), live.start(name)
    sign_in = client.cookies[COOKIE]
    return Visitor(live, client, session, sign_in, enter(client, session))


def ticket_of(client: httpx.Client, session: dict[str, Any]) -> str:
    page = client.get(f"/sessions/{session['id']}/tab")
    found = re.findall(r'name="ticket" value="([^"]+)"', page.text)[0]
    return str(found)


def taken(client: httpx.Client, session: dict[str, Any], ticket: str) -> httpx.Response:
    home = session["url"].partition("/user/")[0]
    return client.post(f"{home}/.remoteapp/enter", data={"ticket": ticket})


def enter(client: httpx.Client, session: dict[str, Any]) -> str:
    """Return the value of the cookie that the session's own host has set."""
    answer = taken(client, session, ticket_of(client, session))
    assert answer.status_code == 200, answer.text
    return answer.headers["set-cookie"].partition(";")[0].partition("=")[2]


def status(live: RunningPortal, url: str, cookie: str) -> int:
    return live.guest(Cookie=f"{COOKIE}={cookie}").get(url).status_code


def shaken(live: RunningPortal, url: str, cookie: str, **headers: str) -> int:
    """Return what a handshake with that cookie is answered."""
    try:
        with websocket(live, url + "ws", Cookie=f"{COOKIE}={cookie}", **headers) as socket:
            socket.send("one")
            assert socket.recv() == "one"
    except InvalidStatus as refused:
        return refused.response.status_code
    return 101


def test_a_session_is_entered_on_a_host_of_its_own(alices: Visitor) -> None:
    port = alices.live.portal.options.port
    assert alices.home == f"https://{alices.session['id']}.{DOMAIN}:{port}"
    assert alices.session["url"].startswith(f"{alices.home}/user/alice/")
    stranger = alices.live.guest(Cookie=f"{COOKIE}={alices.entry}; own=1")
    told = dict(stranger.get(alices.session["url"] + "echo").json()["headers"])
    assert {name.lower(): value for name, value in told.items()}["cookie"] == "own=1"


def test_a_ticket_is_taken_once_and_on_its_own_host(alices: Visitor, second: Visitor) -> None:
    ticket = ticket_of(alices.client, alices.session)
    assert taken(alices.client, second.session, ticket).status_code == 403
    assert taken(alices.client, alices.session, ticket).status_code == 200
    again = taken(alices.client, alices.session, ticket)
    assert (again.status_code, "set-cookie" in again.headers) == (403, False)


def test_each_cookie_is_worth_something_on_its_own_host_alone(
    alices: Visitor, second: Visitor, bobs: Visitor
) -> None:
    live, url = alices.live, alices.session["url"]
    assert status(live, url, alices.entry) == 200
    for other in (alices.sign_in, second.entry, bobs.entry, bobs.sign_in, "made-up"):
        assert status(live, url, other) == 401
    assert status(live, "/api/v1/me", alices.sign_in) == 200
    assert status(live, "/api/v1/me", alices.entry) == 401
    portals_own = f"{live.url}{url.removeprefix(alices.home)}"
    for cookie in (alices.sign_in, alices.entry):
        assert status(live, portals_own, cookie) == 404


def test_the_handshake_is_judged_apart_from_http(
    alices: Visitor, second: Visitor, bobs: Visitor
) -> None:
    live, url = alices.live, alices.session["url"]
    assert shaken(live, url, alices.entry) == 101
    assert shaken(live, url, alices.entry, Origin=alices.home) == 101
    for other in (alices.sign_in, second.entry, bobs.entry, "made-up"):
        assert shaken(live, url, other, Origin=alices.home) == 401
    for origin in (live.url, second.home, bobs.home, "null", f"{alices.home}0"):
        assert shaken(live, url, alices.entry, Origin=origin) == 404
    bearer = f"Bearer {live.token('alice')}"
    for host in (alices.home, live.url):
        address = f"{host}{url.removeprefix(alices.home)}ws"
        with websocket(live, address, Authorization=bearer, Origin="https://evil.test") as socket:
            socket.send("by token")
            assert socket.recv() == "by token"


def test_another_sessions_path_on_this_host_is_not_found(
    alices: Visitor, second: Visitor, bobs: Visitor
) -> None:
    for other in (second, bobs):
        path = other.session["url"].removeprefix(other.home)
        for cookie in (alices.entry, other.entry):
            assert status(alices.live, f"{alices.home}{path}", cookie) == 404
            assert shaken(alices.live, f"{alices.home}{path}", cookie) == 404
    path = alices.session["url"].removeprefix(alices.home).replace("/alice/", "/bob/")
    assert status(alices.live, f"{alices.home}{path}", alices.entry) == 404
    assert status(alices.live, f"{alices.home}/", alices.entry) == 404


def test_a_browser_without_an_entry_is_led_to_the_sessions_page(alices: Visitor) -> None:
    for cookie in ("", f"{COOKIE}={alices.sign_in}"):
        stranger = alices.live.guest(**({"Cookie": cookie} if cookie else {}))
        answer = stranger.get(alices.session["url"], headers=BROWSER)
        there = f"{alices.live.url}/sessions/{alices.session['id']}"
        assert (answer.status_code, answer.headers["location"]) == (302, there)
    sent = alices.client.get(alices.session["url"].replace(alices.home, ""), headers=BROWSER)
    assert (sent.status_code, sent.headers["location"]) == (302, alices.session["url"])


def test_nobody_else_is_given_a_ticket(alices: Visitor, bobs: Visitor) -> None:
    address = f"/sessions/{alices.session['id']}/tab"
    assert bobs.client.get(address).status_code == 404
    assert alices.live.guest().get(address, headers=BROWSER).status_code == 303


def test_one_application_loads_nothing_of_another_nor_of_the_portal(
    alices: Visitor, second: Visitor
) -> None:
    live = alices.live
    metadata = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}
    page = live.guest(Cookie=f"{COOKIE}={alices.entry}", Origin=second.home, **metadata)
    assert page.get(alices.session["url"]).status_code == 404
    assert page.post(alices.session["url"] + "echo").status_code == 404
    portals_visitor = live.guest(Cookie=f"{COOKIE}={alices.sign_in}", Origin=second.home)
    assert portals_visitor.delete("/api/v1/me/signins").status_code == 403
    assert portals_visitor.post("/logout").status_code == 403


def test_an_entry_ends_with_the_sign_in(apart: RunningPortal, alices: Visitor) -> None:
    client = apart.client("alice")
    entry = enter(client, alices.session)
    url = alices.session["url"]
    assert status(apart, url, entry) == 200
    assert client.post("/logout").status_code == 303
    until(lambda: status(apart, url, entry) == 401, 4)
    assert shaken(apart, url, entry) == 401
    assert status(apart, url, alices.entry) == 200


@pytest.fixture
def open_apart(apart: RunningPortal, browser: Browser) -> Iterator[Callable[[], Page]]:
    """Open a page in which charlie, whose are no sessions here, is signed in."""
    with ExitStack() as contexts:

        def opened() -> Page:
            context = browser.new_context(base_url=apart.url, ignore_https_errors=True)
            contexts.callback(context.close)
            page = context.new_page()
            page.goto("/login")
            page.get_by_label("Name").fill("charlie")
            page.get_by_label("Password").fill(apart.password("charlie"))
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url("/")
            return page

        yield opened


def test_chromium_shows_an_application_in_the_portals_frame_and_in_a_tab(
    apart: RunningPortal, open_apart: Callable[[], Page]
) -> None:
    grant = apart.remoteappdb("app", "grant", HELLO, "charlie")
    api = apart.api("charlie")
    made = api.post("/api/v1/sessions", json={"grant_id": grant}).json()
    session = apart.wait_for(api, made["id"], "ready")
    page = open_apart()
    page.goto(f"/sessions/{session['id']}")
    frame = page.frame_locator("#application")
    expect(frame.locator("body")).to_contain_text("Hello", timeout=20_000)
    word = secrets.token_hex(4)
    echo = """word => new Promise((done, failed) => {
        const socket = new WebSocket(location.href.replace("https:", "wss:") + "ws");
        socket.onopen = () => socket.send(word);
        socket.onmessage = (message) => done(message.data);
        socket.onerror = () => failed("refused");
    })"""
    assert frame.locator("body").evaluate(f"(_, word) => ({echo})(word)", word) == word
    page.goto(session["url"])  # a deep link, in a tab
    expect(page.locator("body")).to_contain_text("Hello", timeout=20_000)
    cookies = {one["domain"]: one for one in page.context.cookies() if one["name"] == COOKIE}
    assert set(cookies) == {DOMAIN, f"{session['id']}.{DOMAIN}"}
    assert cookies[f"{session['id']}.{DOMAIN}"]["sameSite"] == "None"
