"""What an application's own scripts try from its frame, on another port and on a host of its own.

They are run by the browser's own tools in the page that the application serves.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import portal as portals
import pytest
from playwright.sync_api import Browser, Frame, Page, expect
from portal import RunningPortal

DOMAIN = "remoteapp.localhost"
COOKIE = "__Host-remoteapp"
# Asks an address as the visitor, and says what came: the text, or that the browser kept it.
ASK = """
async ([address, method]) => {
    try {
        const answer = await fetch(address, { method, credentials: "include" });
        return answer.ok ? await answer.text() : `refused: ${answer.status}`;
    } catch (error) {
        return `kept: ${error.name}`;
    }
}
"""
KEPT = "kept: TypeError"


@dataclass
class Scene:
    """A visitor's browser with a hostile application open in the portal, and another session."""

    portal: RunningPortal
    page: Page
    frame: Frame
    session: dict[str, Any]
    other: dict[str, Any]

    def ask(self, address: str, method: str = "GET") -> str:
        """Ask something as the application's script."""
        return str(self.frame.evaluate(ASK, [address, method]))

    def run(self, script: str) -> str:
        """Run a script of the application's; return what it returns, or the error's name."""
        tried = f"() => {{ try {{ return String({script}); }} catch (e) {{ return e.name; }} }}"
        return str(self.frame.evaluate(tried))


@pytest.fixture(scope="module")
def apart(images: None) -> Iterator[RunningPortal]:  # noqa: ARG001 - they have to be
    """A portal on which each session has a host of its own."""
    with portals.running(apps_domain=DOMAIN, apps_port=0) as live:
        yield live


@pytest.fixture(scope="module", params=["port", "domain"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def live(mode: str, request: pytest.FixtureRequest) -> RunningPortal:
    """The portal of that mode."""
    found = request.getfixturevalue("apart" if mode == "domain" else "whole_portal")
    assert isinstance(found, RunningPortal)
    return found


@pytest.fixture(scope="module")
def running(live: RunningPortal) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Two sessions of alice's: the hostile application, and another one."""
    with live.allowing("alice", max_sessions=2):
        yield live.start("alice"), live.start("alice")
        live.stop_all()


@pytest.fixture(scope="module")
def scene(
    live: RunningPortal, running: tuple[dict[str, Any], dict[str, Any]], browser: Browser
) -> Iterator[Scene]:
    """Alice has the hostile application open in the portal."""
    with visit(live, browser) as page:
        yield Scene(live, page, opened(page, running[0]["id"]), *running)


@pytest.fixture
def fresh(
    live: RunningPortal, running: tuple[dict[str, Any], dict[str, Any]], browser: Browser
) -> Iterator[Scene]:
    """Alice has it open in a browser of her own, which is thrown away."""
    with visit(live, browser) as page:
        yield Scene(live, page, opened(page, running[0]["id"]), *running)


@contextmanager
def theirs(live: RunningPortal, name: str) -> Iterator[dict[str, Any]]:
    """Have somebody run the application meanwhile."""
    session = live.start(name)
    try:
        yield session
    finally:
        live.stop(name, session["id"])


@contextmanager
def visit(live: RunningPortal, browser: Browser) -> Iterator[Page]:
    """Let alice sign in with a browser of her own."""
    context = browser.new_context(base_url=live.url, ignore_https_errors=True)
    try:
        page = context.new_page()
        sign_in(live, page, "alice")
        yield page
    finally:
        context.close()


def sign_in(live: RunningPortal, page: Page, name: str) -> None:
    page.goto("/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(live.password(name))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("/")


def opened(page: Page, session_id: str) -> Frame:
    """Open a session's page; return its frame once the application is in it."""
    page.goto(f"/sessions/{session_id}")
    inside = page.frame_locator("#application")
    expect(inside.locator("body")).not_to_be_empty(timeout=20_000)
    wanted = re.compile(rf"/containers/{session_id}/$")
    return until(lambda: next((one for one in page.frames if wanted.search(one.url)), None), page)


def until(found: Callable[[], Frame | None], page: Page) -> Frame:
    for _ in range(100):
        if frame := found():
            return frame
        page.wait_for_timeout(100)
    raise AssertionError([one.url for one in page.frames])


def is_signed_in(scene: Scene, name: str) -> bool:
    """Whether the portal takes the browser for somebody's."""
    page = scene.page.context.new_page()
    answer = page.goto(f"{scene.portal.url}/api/v1/me")
    found = bool(answer and answer.ok and answer.json()["name"] == name)
    page.close()
    return found


def test_it_reads_nothing_of_the_portal(scene: Scene) -> None:
    for path in ("/api/v1/me", "/api/v1/tokens", "/account", "/"):
        assert scene.ask(f"{scene.portal.url}{path}") == KEPT
    assert scene.run("parent.document.cookie") == "SecurityError"
    assert scene.run("top.location.href") == "SecurityError"
    assert scene.run(
        "parent.frames[0] === window && document.cookie.includes('Host-remoteapp')"
    ) == ("false")


def test_it_does_nothing_in_the_portal(scene: Scene) -> None:
    api = scene.portal.api("alice")
    tokens = api.get("/api/v1/tokens").json()["total"]
    for method in ("POST", "DELETE"):
        assert scene.ask(f"{scene.portal.url}/api/v1/sessions/{scene.other['id']}", method) == KEPT
    paths = (
        "/account/tokens",
        f"/sessions/{scene.other['id']}/stop",
        "/account/sign-out",
        "/logout",
    )
    scene.frame.evaluate(
        """async (addresses) => {
            const body = new URLSearchParams({ name: "stolen", "sessions:write": "on" });
            const sent = { method: "POST", mode: "no-cors", credentials: "include", body };
            for (const address of addresses) await fetch(address, sent).catch(() => {});
        }""",
        [f"{scene.portal.url}{path}" for path in paths],
    )
    assert api.get("/api/v1/tokens").json()["total"] == tokens
    assert api.get(f"/api/v1/sessions/{scene.other['id']}").json()["state"] == "ready"
    assert is_signed_in(scene, "alice")


def test_it_loads_nothing_of_the_portals_as_a_script_a_picture_or_a_frame(scene: Scene) -> None:
    loaded = scene.frame.evaluate(
        """async (portal) => {
            const tried = (tag, path) => new Promise((told) => {
                const made = document.createElement(tag);
                made.onload = () => told(`${tag} loaded`);
                made.onerror = () => told(`${tag} kept`);
                made.src = portal + path;
                document.body.append(made);
            });
            const script = await tried("script", "/static/portal.js");
            return [script, await tried("img", "/static/mark.svg")];
        }""",
        scene.portal.url,
    )
    assert loaded == ["script kept", "img kept"]
    scene.frame.evaluate(
        """(address) => {
            const made = document.createElement("iframe");
            made.name = "portal";
            made.src = address;
            document.body.append(made);
        }""",
        f"{scene.portal.url}/account",
    )
    scene.page.wait_for_timeout(500)
    framed = next(one for one in scene.page.frames if one.name == "portal")
    assert not framed.url.startswith(scene.portal.url)


def test_it_leads_the_visitor_nowhere_else(scene: Scene) -> None:
    before = scene.page.url
    inside = scene.page.frame_locator("#application")
    inside.locator("body").click()  # as if the visitor had wanted something
    for script in (
        "top.location = 'https://evil.test/'",
        "top.location.replace('https://evil.test/')",
        "window.open('https://evil.test/', '_top')",
    ):
        scene.run(script)
        scene.page.wait_for_timeout(200)
        assert scene.page.url == before


def test_it_cannot_put_a_sign_in_in_the_place_of_the_visitors(fresh: Scene) -> None:
    planted = fresh.portal.client("charlie").cookies[COOKIE]
    for words in (
        "Secure; Path=/",
        f"Secure; Path=/; Domain={urlsplit(fresh.portal.url).hostname}",
    ):
        fresh.run(f"document.cookie = '{COOKIE}={planted}; {words}'")
    fresh.frame.evaluate(
        "([path, set]) => fetch(`${path}cookie?set=${encodeURIComponent(set)}`)",
        [fresh.session["url"], f"{COOKIE}={planted}; Secure; HttpOnly; Path=/"],
    )
    assert is_signed_in(fresh, "alice")
    fresh.page.goto("/account")
    assert fresh.page.url == f"{fresh.portal.url}/account"


def test_a_sign_in_that_it_plants_where_it_pushed_the_visitors_out_is_noticed(
    fresh: Scene, mode: str
) -> None:
    planted = fresh.portal.client("charlie").cookies[COOKIE]
    # As after more cookies than a browser keeps for one site.
    fresh.page.context.clear_cookies(name=COOKIE)
    fresh.run(f"document.cookie = '{COOKIE}={planted}; Secure; Path=/'")
    if mode == "domain":  # the portal's cookies are another host's
        assert not is_signed_in(fresh, "charlie")
        return
    assert is_signed_in(fresh, "charlie")
    fresh.page.goto("/account")
    fresh.page.wait_for_url("**/login?done=planted")
    expect(fresh.page.get_by_role("alert").first).to_contain_text("somebody else's sign-in")
    assert not is_signed_in(fresh, "charlie")


def test_who_is_shut_out_by_its_cookies_is_let_in_again(fresh: Scene) -> None:
    host = urlsplit(fresh.portal.url).hostname
    fresh.frame.evaluate(
        """(host) => {
            for (let i = 0; i < 60; i++) {
                const bomb = `bomb${i}=${"x".repeat(3900)}; Secure; Path=/`;
                document.cookie = bomb;
                document.cookie = `${bomb}; Domain=${host}`;
            }
        }""",
        host,
    )
    first = fresh.page.goto("/")
    assert first
    if first.status == 431:
        expect(fresh.page.get_by_role("heading")).to_contain_text("Too many cookies")
    fresh.page.goto("/login")
    again = fresh.page.goto("/login")
    assert again
    assert again.status in {200, 304}
    assert fresh.page.url in {f"{fresh.portal.url}/login", f"{fresh.portal.url}/"}


def test_another_session_is_within_its_reach_on_the_same_port_alone(
    scene: Scene, mode: str
) -> None:
    seen = scene.ask(f"{scene.other['url']}echo")
    if mode == "port":  # by design, as SECURITY.md says
        assert '"path"' in seen or "headers" in seen
        return
    assert seen == KEPT
    opened(scene.page, scene.other["id"])  # the visitor has an entry there, too
    hostile = opened(scene.page, scene.session["id"])
    assert hostile.evaluate(ASK, [f"{scene.other['url']}echo", "GET"]) == KEPT
    socket = f"{scene.other['url'].replace('https', 'wss')}ws"
    said = hostile.evaluate(
        """(address) => new Promise((told) => {
            const made = new WebSocket(address);
            made.onopen = () => told("open");
            made.onerror = () => told("refused");
        })""",
        socket,
    )
    assert said == "refused"


def test_somebody_elses_is_told_of_before_its_scripts_reach_ones_own(
    live: RunningPortal, mode: str, browser: Browser
) -> None:
    with live.allowing("bob", share="control"), theirs(live, "bob") as session:
        made = live.client("bob").post(
            f"/api/v1/sessions/{session['id']}/shares", json={"user": "alice", "access": "control"}
        )
        assert made.status_code == 201, made.text
        with visit(live, browser) as page:
            if mode == "domain":
                assert opened(page, session["id"])
                return
            page.goto(session["url"])
            assert page.url == f"{live.url}/sessions/{session['id']}"
            assert page.locator("#application").count() == 0
            expect(page.locator("main")).to_contain_text("bob")
