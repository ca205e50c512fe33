"""The main ways in a real browser, in each of the three modes that give applications an address."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import docker
import portal as portals
import pytest
from browser.test_desktop import await_shell, started
from playwright.sync_api import Browser, Page, expect
from portal import TERMINAL, RunningPortal
from stack.conftest import Realm, until

DOMAIN = "remoteapp.localhost"
APART: Mapping[str, Mapping[str, object]] = {
    "domain": {"apps_domain": DOMAIN, "apps_port": 0},
    "one": {"apps_port": 0},
}
# Says what an echo over a WebSocket of the application's own answers.
ECHO = """() => new Promise((done) => {
    const socket = new WebSocket(new URL("ws", location.href.replace(/^http/, "ws")));
    socket.onopen = () => socket.send("hello");
    socket.onmessage = ({ data }) => done(String(data));
    socket.onclose = ({ code }) => done(`closed: ${code}`);
})"""
SLOW = 30_000  # ms for a desktop to come up
OpenFor = Callable[[str], Page]


@pytest.fixture(scope="module", params=["port", "domain", "one"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def live(mode: str, request: pytest.FixtureRequest) -> Iterator[RunningPortal]:
    """The portal of that mode."""
    if mode == "port":
        yield request.getfixturevalue("whole_portal")
        return
    request.getfixturevalue("images")
    with portals.running(**APART[mode]) as made:
        yield made


@pytest.fixture
def realm(live: RunningPortal) -> Iterator[Realm]:
    with closing(docker.from_env()) as client:
        yield Realm(live, client)
        live.stop_all()


@pytest.fixture
def shareable(live: RunningPortal) -> Iterator[str]:
    """A grant by which bob may let others look at a terminal."""
    words = (TERMINAL, "bob", "--allow-home", "--share", "view")
    yield live.remoteappdb("app", "grant", *words)
    live.remoteappdb("app", "revoke", *words)


@pytest.fixture
def page_of(live: RunningPortal, browser: Browser) -> Iterator[OpenFor]:
    """Sign somebody in with a browser of their own; without a name it is nobody's."""
    with ExitStack() as contexts:

        def opened(name: str) -> Page:
            context = browser.new_context(base_url=live.url, ignore_https_errors=True)
            contexts.callback(context.close)
            page = context.new_page()
            if name:
                page.goto("/login")
                page.get_by_label("Name").fill(name)
                page.get_by_label("Password").fill(live.password(name))
                page.get_by_role("button", name="Sign in").click()
                page.wait_for_url("/")
            return page

        yield opened


def origin_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def test_a_desktop_is_typed_in_opens_in_a_tab_and_is_watched_by_a_guest(
    mode: str, live: RunningPortal, realm: Realm, shareable: str, page_of: OpenFor
) -> None:
    page, api = page_of("bob"), live.api("bob")
    answer = api.post("/api/v1/sessions", json={"grant_id": shareable})
    session_id = str(live.wait_for(api, answer.json()["id"], "ready")["id"])
    page.goto(f"/sessions/{session_id}")
    await_shell(realm, session_id, page.frame_locator("#application"))
    page.keyboard.type("echo proof > /workspace/proof\n", delay=20)
    container = realm.containers()[session_id]
    until(lambda: container.exec_run(["cat", "/workspace/proof"]).output == b"proof\n")

    inner = page.frame("application")
    assert inner
    assert origin_of(inner.url) == live.home(session_id)
    assert (origin_of(inner.url) == live.url) is (mode == "one")
    with page.context.expect_page() as tab:
        page.locator("#own-tab").click()
    expect(tab.value.locator("canvas")).to_be_visible(timeout=SLOW)
    assert origin_of(tab.value.url) == live.home(session_id)
    tab.value.close()

    page.get_by_role("button", name="Share").click()
    dialog = page.locator("#share-dialog")
    dialog.get_by_label("With").select_option("link")
    dialog.get_by_role("button", name="Share it").click()
    guest = page_of("")
    guest.goto(str(dialog.locator("#link").text_content()))
    guest.get_by_label("Your name").fill("Ann")
    guest.get_by_role("button", name="Come in as a guest").click()
    expect(guest.frame_locator("#application").locator("canvas")).to_be_visible(timeout=SLOW)
    expect(dialog).to_contain_text("Ann is watching, since", timeout=SLOW)


def test_a_web_application_speaks_over_websockets_from_its_frame(
    live: RunningPortal, realm: Realm, page_of: OpenFor
) -> None:
    page = page_of("alice")
    session_id, frame = started(page, "Hello")
    expect(frame.get_by_role("link", name="echo").first).to_be_visible(timeout=SLOW)
    inner = page.frame("application")
    assert inner
    assert inner.evaluate(ECHO) == "hello"
    assert set(realm.containers()) == {session_id}
    assert origin_of(inner.url) == live.home(session_id)


def test_the_dashboard_says_what_applications_are_kept_from(mode: str, page_of: OpenFor) -> None:
    page = page_of("admin")
    page.goto("/admin")
    said = {
        "port": "they are kept from the portal, but not from one another",
        "domain": "applications are kept from the portal and from one another",
        "one": "This portal is semi-trusted",
    }
    expect(page.locator("main")).to_contain_text(said[mode])
