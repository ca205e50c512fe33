"""The pages in a real browser: what a person sees, presses and hears about.

A picture of each page is left in var/pictures.
"""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect
from portal import HELLO, RunningPortal

from control_plane.trial.places import CLONE

PICTURES = CLONE / "var" / "pictures"
LEGIBLE = (Path(__file__).parent / "legible.js").read_text()
SHIFTS = (Path(__file__).parent / "shifts.js").read_text()
GREETING = "This page comes from a container of your own."
Open = Callable[..., Page]


@pytest.fixture(autouse=True)
def _nothing_runs(portal: RunningPortal) -> Iterator[None]:
    yield
    portal.stop_all()


def card(page: Page, name: str) -> Locator:
    return page.locator(f".application[data-name='{name}']")


def start(page: Page, name: str) -> str:
    """Press Start, wait for the application; return the session's id."""
    card(page, name).get_by_role("button", name="Start").click()
    page.wait_for_url("**/sessions/*")
    expect(page.locator("body")).to_have_attribute("data-state", "ready", timeout=30_000)
    return page.url.rsplit("/", 1)[1]


def hello(page: Page) -> Locator:
    return page.frame_locator("#application").locator("body")


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.innerText"))


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 360)])
def test_every_page_is_legible_still_and_fits(
    portal: RunningPortal, browser: Browser, scheme: str, width: int
) -> None:
    context = browser.new_context(
        base_url=portal.url,
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": 760},
        ignore_https_errors=True,
    )
    context.add_init_script(SHIFTS)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if "Policy" in line.text else None)

    def look(name: str) -> None:
        page.wait_for_timeout(300)  # what would move, has moved
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / f"{name}-{scheme}-{width}.png")
        assert page.evaluate(LEGIBLE) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert page.evaluate("window.shifted") < 0.001, page.evaluate("window.moved")

    page.goto("/login?next=/")
    look("sign-in")
    page.fill("#name", "alice")
    page.fill("#password", portal.password("alice"))
    page.keyboard.press("Enter")
    page.wait_for_url("/")
    look("catalogue")
    start(page, "Terminal")
    expect(page.frame_locator("#application").locator("canvas")).to_be_visible()
    page.wait_for_timeout(1500)  # for the picture: the desktop draws its first window
    look("session")
    page.get_by_role("button", name="Log").click()
    expect(page.locator("#log")).to_contain_text("TigerVNC")
    look("session-log")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Stop").click()
    look("session-stop")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Hide this bar").click()
    look("session-without-bar")
    page.goto("/")
    look("catalogue-running")
    card(page, "Terminal").get_by_role("button", name="Start").click()
    look("catalogue-conflict")
    page.goto("/sessions/unknown")
    look("not-found")
    page.goto("/api/docs")
    look("api-docs")
    context.close()
    assert complaints == []


def test_a_start_is_told_step_by_step_and_ends_in_the_application(
    open_page: Open, portal: RunningPortal
) -> None:
    page = open_page("alice")
    session = start(page, "Hello")
    expect(hello(page)).to_contain_text(GREETING)
    expect(page).to_have_title(re.compile("^Hello . Remoteapp$"))
    assert focused(page) == "application"
    steps = page.locator("#steps").text_content() or ""
    assert "Starting." in steps
    own = page.get_by_role("link", name="Open in own tab").get_attribute("href")
    assert own == f"{portal.home(session)}/user/alice/containers/{session}/"


def test_a_session_is_stopped_from_its_page_after_a_question(
    open_page: Open, portal: RunningPortal
) -> None:
    page = open_page("alice")
    session = start(page, "Hello")
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Keep it running").click()
    expect(hello(page)).to_contain_text(GREETING)
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Stop it").click()
    page.wait_for_url("/")
    expect(page.locator(".session")).to_have_count(0)
    address = f"{portal.home(session)}/user/alice/containers/{session}/"
    assert portal.client("alice").get(address).status_code == 404


def test_the_whole_way_goes_by_keyboard_alone(open_page: Open) -> None:
    page = open_page()
    page.goto("/login")
    expect(page.get_by_label("Name")).to_be_focused()
    for word in ("alice", "Tab", "alice-has-a-long-password", "Enter"):
        (page.keyboard.press if word in ("Tab", "Enter") else page.keyboard.type)(word)
    page.wait_for_url("/")
    ways: list[str] = []
    while "Start Hello" not in " ".join((ways or [""])[-1].split()):
        page.keyboard.press("Tab")
        ways.append(focused(page).strip())
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert ways[:5] == ["Skip to content", "Remoteapp", "Applications", "alice", "Sign out"]
    page.keyboard.press("Enter")
    page.wait_for_url("**/sessions/*")
    expect(hello(page)).to_contain_text(GREETING)
    expect(page.locator("#application")).to_be_focused()
    for link in reversed(hello(page).get_by_role("link").all()):  # the application's own come first
        page.keyboard.press("Shift+Tab")
        expect(link).to_be_focused()
    for button in ("hide-bar", "stop"):
        page.keyboard.press("Shift+Tab")
        expect(page.locator(f"#{button}")).to_be_focused()
    for key in ("Enter", "Tab", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url("/")
    expect(page.locator(".session")).to_have_count(0)


def test_a_second_start_asks_whether_to_open_or_to_replace(open_page: Open) -> None:
    page = open_page("alice")
    first = start(page, "Hello")
    page.goto("/")
    card(page, "Hello").get_by_role("button", name="Start").click()
    dialog = page.get_by_role("dialog", name="Hello is running already")
    dialog.get_by_role("button", name="Cancel").click()
    expect(card(page, "Hello").locator(".start .primary")).to_be_focused()
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Open it").click()
    page.wait_for_url(f"**/sessions/{first}")
    page.goto("/")
    card(page, "Hello").get_by_role("button", name="Start").click()
    dialog.get_by_role("button", name="Stop it and start afresh").click()
    page.wait_for_url("**/sessions/*")
    expect(hello(page)).to_contain_text(GREETING, timeout=30_000)
    assert not page.url.endswith(first)


def test_every_open_page_hears_of_what_happens_in_another(open_page: Open) -> None:
    catalogue = open_page("alice")
    page = catalogue.context.new_page()
    page.goto("/")
    session = start(page, "Hello")
    row = catalogue.locator(".session")
    expect(row).to_have_attribute("data-state", "ready")
    row.get_by_role("button", name="Stop Hello").click()
    catalogue.get_by_role("button", name="Stop it").click()
    expect(row).to_have_count(0)
    expect(card(catalogue, "Hello").locator(".start .primary")).to_be_focused()
    expect(page.get_by_role("heading", name="Hello has ended")).to_be_focused()
    expect(page.locator("#reason")).to_have_text("Stopped by alice")
    page.get_by_role("button", name="Start again").click()
    page.wait_for_url(lambda url: not url.endswith(session))
    expect(hello(page)).to_contain_text(GREETING)


def test_a_session_that_ends_by_itself_says_so_and_starts_again(open_page: Open) -> None:
    page = open_page("alice")
    session = start(page, "Hello")
    label = f"label=eu.simphony-project.docker.runinfo.url_id={session}"
    found = subprocess.run(["docker", "ps", "-q", "-f", label], check=True, capture_output=True)
    subprocess.run(["docker", "kill", found.stdout.decode().strip()], check=True)
    expect(page.locator("#ended-title")).to_be_visible()
    expect(page.locator("#reason")).to_contain_text("ended by itself")
    page.get_by_role("button", name="Start again").click()
    page.wait_for_url(lambda url: not url.endswith(session))
    expect(hello(page)).to_contain_text(GREETING)


def test_an_application_whose_first_load_fails_is_loaded_again(open_page: Open) -> None:
    page = open_page("alice")
    failed = []

    def fail_once(route: Route) -> None:
        failed.append(route.request.url)
        (route.continue_ if len(failed) > 1 else route.abort)()

    page.route(re.compile(r"/\.remoteapp/arrive\?"), fail_once)
    start(page, "Hello")
    expect(hello(page)).to_contain_text(GREETING)
    assert len(failed) == 2


def test_an_open_page_hears_again_after_the_control_plane_was_away(
    open_page: Open, portal: RunningPortal
) -> None:
    page = open_page("alice")
    portal.portal.kill_control_plane()
    portal.mend()
    portal.start("alice", HELLO)
    expect(page.locator(".session")).to_have_attribute("data-state", "ready", timeout=30_000)


def test_signing_out_takes_the_other_pages_along(open_page: Open) -> None:
    page = open_page("alice")
    session = start(page, "Hello")
    other = page.context.new_page()
    other.goto("/")
    other.get_by_role("button", name="Sign out").click()
    other.wait_for_url("/login?done=out")
    page.wait_for_url(f"/login?next=%2Fsessions%2F{session}", timeout=15_000)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_nobody_sees_the_session_of_another(open_page: Open, portal: RunningPortal) -> None:
    session = portal.start("alice", HELLO)["id"]
    page = open_page("charlie")
    answer = page.goto(f"/sessions/{session}")
    assert answer
    assert answer.status == 404
    expect(page.get_by_role("heading")).to_have_text("There is no such session.")


@pytest.mark.parametrize(
    "evil", ["//evil.test", "/\\evil.test", "/\t/evil.test", "https:evil.test", "/%2F/evil.test"]
)
def test_no_link_to_the_sign_in_page_leads_out_of_the_portal(
    open_page: Open, portal: RunningPortal, evil: str
) -> None:
    page = open_page()
    page.goto(f"/login?next={quote(evil, safe='')}")
    page.fill("#name", "alice")
    page.fill("#password", portal.password("alice"))
    page.keyboard.press("Enter")
    page.wait_for_selector(".cards")
    assert page.url == f"{portal.url}/"


def test_a_screen_size_is_chosen_or_typed(open_page: Open) -> None:
    page = open_page("alice")
    terminal = card(page, "Terminal")
    terminal.get_by_label("Screen").select_option("custom")
    terminal.get_by_label("Width").fill("100")
    terminal.get_by_role("button", name="Start").click()
    expect(terminal.get_by_label("Width")).to_be_focused()
    assert page.url.endswith("/")
    terminal.get_by_label("Width").fill("1000")
    terminal.get_by_label("Height").fill("700")
    with page.expect_request("**/applications/*/start") as asked:
        start(page, "Terminal")
    sent = parse_qs(asked.value.post_data or "")
    assert (sent["resolution"], sent["width"], sent["height"]) == (["custom"], ["1000"], ["700"])
    page.goto("/")
    expect(terminal.get_by_label("Screen")).to_have_value("custom")
    expect(terminal.get_by_label("Width")).to_have_value("1000")


@pytest.fixture
def erin(portal: RunningPortal) -> Iterator[str]:
    """Someone with more applications than one sees at a glance; none is installed."""
    images = [f"lab/{name}:1" for name in ("alpha", "beta", "gamma", "delta", "eta", "theta")]
    portal.remoteappdb("user", "create", "erin")
    portal.remoteappdb("user", "password", "erin", "--stdin", line=portal.password("erin"))
    for image in images:
        portal.remoteappdb("app", "create", "--no-verify", image)
        portal.remoteappdb("app", "grant", image, "erin", "--no-verify")
    yield "erin"
    for image in images:
        portal.remoteappdb("app", "remove", image)
    portal.remoteappdb("user", "remove", "erin")


def test_a_long_catalogue_is_searched_by_name(open_page: Open, erin: str) -> None:
    page = open_page(erin)
    cards = page.locator(".application:visible")
    expect(cards).to_have_count(6)
    page.keyboard.press("/")
    page.keyboard.type("ETA")
    expect(cards).to_have_count(3)
    expect(page.locator("#found")).to_have_text("3 of 6")
    page.keyboard.type("x")
    expect(cards).to_have_count(0)
    expect(page.locator("#found")).to_have_text("No application fits.")


def test_without_scripts_one_signs_in_starts_opens_and_stops(
    browser: Browser, portal: RunningPortal
) -> None:
    context = browser.new_context(
        base_url=portal.url, java_script_enabled=False, ignore_https_errors=True
    )
    page = context.new_page()
    page.goto("/")
    page.fill("#name", "alice")
    page.fill("#password", portal.password("alice"))
    page.get_by_role("button", name="Sign in").click()
    card(page, "Hello").get_by_role("button", name="Start").click()
    page.wait_for_url("**/sessions/*")
    page.goto("/")
    card(page, "Hello").get_by_role("button", name="Start").click()
    expect(page.get_by_role("heading", name="Hello is running already")).to_be_visible()
    page.get_by_role("link", name="Open Hello").click()
    page.wait_for_url("**/sessions/*")
    page.goto("/")
    card(page, "Hello").get_by_role("button", name="Stop Hello").click()
    expect(page.get_by_role("heading", name="Stop Hello?")).to_be_visible()
    page.get_by_role("button", name="Stop it").click()
    page.wait_for_url("/?done=stopped")
    portal.stop_all()
    page.goto("/")
    expect(page.locator(".session")).to_have_count(0)
    context.close()
