"""The main job in a real browser: a desktop is typed in and resized, a notebook computes."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest
from conftest import CHROMIUM, FLAGS
from playwright.sync_api import Browser, Error, FrameLocator, Page, expect, sync_playwright
from portal import RunningPortal
from stack.conftest import Realm, until

from control_plane.trial.places import CLONE

PICTURES = CLONE / "var" / "pictures"
BIG = bytes(range(256)) * 12_000  # beyond what nginx takes for the portal's own pages
Open = Callable[..., Page]
# Points of what is seen in the desktop's page; below 0 where something of that page lies over it.
WITHIN = """(selector) => {
    const shown = [...document.querySelectorAll(selector)]
        .filter((button) => button.checkVisibility());
    if (shown.length === 0) return [[`no ${selector}`, -1, -1]];
    const point = (button, x, y) =>
        [button.id, ...(button.contains(document.elementFromPoint(x, y)) ? [x, y] : [-1, -1])];
    return shown.flatMap((button) => {
        const { left, right, top, bottom } = button.getBoundingClientRect();
        const points = [];
        for (let at = left + 4; at < right - 3; at += 4) {
            points.push(point(button, at, top + 4), point(button, at, bottom - 4));
        }
        return points;
    });
}"""
COVERED = """(points) => {
    const frame = document.getElementById("application");
    const { left, top } = frame.getBoundingClientRect();
    const isCovered = ([, x, y]) =>
        x < 0 || document.elementFromPoint(left + x, top + y) !== frame;
    return [...new Set(points.filter(isCovered).map(([id]) => id))];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium that trusts the portal in downloads too: a context's leave ends at its pages."""
    with sync_playwright() as playwright:
        flags = [*FLAGS, "--ignore-certificate-errors"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture
def realm(portal: RunningPortal) -> Iterator[Realm]:
    client = docker.from_env()
    yield Realm(portal, client)
    portal.stop_all()
    client.close()


def started(page: Page, name: str) -> tuple[str, FrameLocator]:
    """Press Start on a card, wait until it is ready; return the session's id and its frame."""
    card = page.locator(f".application[data-name='{name}']")
    card.get_by_role("button", name="Start").click()
    page.wait_for_url("**/sessions/*")
    expect(page.locator("body")).to_have_attribute("data-state", "ready", timeout=60_000)
    return page.url.rsplit("/", 1)[1], page.frame_locator("#application")


def inside(realm: Realm, session_id: str, *words: str) -> str:
    """Run a program in a session's container; return what it prints."""
    container = realm.containers()[session_id]
    return str(container.exec_run(list(words), environment={"DISPLAY": ":0"}).output.decode())


def desktop_width(realm: Realm, session_id: str) -> int:
    """Return the width of the desktop as X has it."""
    facts = inside(realm, session_id, "xdpyinfo").split("dimensions:")
    return int(facts[1].split("x")[0]) if len(facts) > 1 else 0


def await_shell(realm: Realm, session_id: str, frame: FrameLocator) -> None:
    """Wait until the terminal has the focus and the page is connected."""
    expect(frame.locator("#status")).to_be_attached()
    expect(frame.locator("#status")).to_be_hidden(timeout=30_000)
    words = ("sh", "-c", "pgrep -x bash >/dev/null && xprop -root _NET_ACTIVE_WINDOW")
    until(lambda: "0x" in inside(realm, session_id, *words).replace("0x0", ""))


def covered(page: Page, selector: str) -> list[str]:
    """Return what of the desktop's page is covered, by itself or by the portal around it."""
    frame = page.frame("application")
    assert frame
    found: list[str] = page.evaluate(COVERED, frame.evaluate(WITHIN, selector))
    return found


def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


def test_a_scientist_works_in_a_desktop_and_the_file_is_theirs_on_the_host(
    portal: RunningPortal, realm: Realm, open_page: Open
) -> None:
    page = open_page("dora")
    page.set_viewport_size({"width": 1000, "height": 700})
    session_id, frame = started(page, "Terminal")
    await_shell(realm, session_id, frame)
    page.keyboard.type("echo proof > /workspace/proof.txt\n", delay=20)
    proof = Path(f"/home/{portal.dora}/proof.txt")
    until(lambda: proof.exists() and proof.read_text() == "proof\n")
    assert proof.owner() == portal.dora
    picture(page, "desktop")

    page.set_viewport_size({"width": 1300, "height": 800})
    until(lambda: desktop_width(realm, session_id) == 1300)
    picture(page, "desktop-resized")

    address = f"{portal.home(session_id)}/user/{portal.dora}/containers/{session_id}/"
    assert page.request.get(address).status == 200
    page.get_by_role("button", name="Stop").first.click()
    page.locator("dialog[open]").get_by_role("button", name="Stop").click()
    page.wait_for_url("/")
    until(lambda: session_id not in realm.containers())
    begun = time.monotonic()
    assert page.request.get(address).status == 404
    assert time.monotonic() - begun < 1.5
    picture(page, "catalogue-after-stop")


def test_files_go_both_ways_and_the_keyboard_finds_both_bars(
    portal: RunningPortal, realm: Realm, open_page: Open
) -> None:
    page = open_page("dora")
    session_id, frame = started(page, "Terminal")
    await_shell(realm, session_id, frame)
    page.keyboard.press("Control+Alt+End")
    expect(frame.locator("#show-clipboard")).to_be_focused()
    page.keyboard.press("Control+Alt+Home")
    expect(page.locator("#back")).to_be_focused()

    frame.locator("#show-files").click()
    frame.locator("#chosen").set_input_files(
        {"name": "big data.bin", "mimeType": "application/octet-stream", "buffer": BIG}
    )
    uploads = frame.get_by_role("list", name="Uploads").get_by_role("listitem")
    expect(uploads).to_contain_text(["uploaded"])
    kept = Path(f"/home/{portal.dora}/Downloads/big data.bin")
    assert kept.read_bytes() == BIG
    assert kept.owner() == portal.dora
    with page.expect_download() as download:
        frame.get_by_role("link", name="big data.bin").click()
    assert Path(download.value.path()).read_bytes() == BIG
    picture(page, "desktop-files")


def test_the_portals_handle_covers_nothing_of_the_desktops_bar(
    realm: Realm, open_page: Open
) -> None:
    page = open_page("alice")
    session_id, frame = started(page, "Terminal")
    await_shell(realm, session_id, frame)
    page.locator("#hide-bar").click()
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 700})
        assert covered(page, "#tab") == []
        frame.locator("#tab").click()
        expect(frame.locator("#full-screen")).to_be_hidden()
        assert covered(page, "#buttons button") == []
        frame.locator("#show-keys").click()
        expect(frame.locator("#keys")).to_be_visible()
        picture(page, f"desktop-bar-{width}")
        frame.locator("#close").click()
        picture(page, f"desktop-tab-{width}")


def test_a_virtual_users_home_keeps_the_file_for_the_next_session(
    realm: Realm, open_page: Open
) -> None:
    page = open_page("alice")
    first, frame = started(page, "Terminal")
    await_shell(realm, first, frame)
    page.keyboard.type("echo kept > /workspace/kept.txt\n", delay=20)
    until(lambda: inside(realm, first, "cat", "/workspace/kept.txt") == "kept\n")
    owner = inside(realm, first, "stat", "-c", "%u %U", "/workspace/kept.txt").split()
    assert (int(owner[0]) >= 70000, owner[1]) == (True, "alice")
    page.get_by_role("button", name="Stop").first.click()
    page.locator("dialog[open]").get_by_role("button", name="Stop").click()
    page.wait_for_url("/")
    second, _ = started(page, "Terminal")
    assert inside(realm, second, "cat", "/workspace/kept.txt") == "kept\n"


def test_a_desktops_frames_go_on_while_the_control_plane_is_dead(
    portal: RunningPortal, realm: Realm, open_page: Open
) -> None:
    page = open_page("alice")
    session_id, frame = started(page, "Terminal")
    await_shell(realm, session_id, frame)
    portal.portal.kill_control_plane()
    until(lambda: portal.portal.control_plane_pid is None)
    page.keyboard.type("echo alive > /workspace/alive.txt\n", delay=20)
    until(lambda: inside(realm, session_id, "cat", "/workspace/alive.txt") == "alive\n")
    expect(frame.locator("#status")).to_be_hidden()
    portal.mend()


def test_a_cell_runs_through_the_kernels_websocket(realm: Realm, open_page: Open) -> None:
    del realm  # it stops what runs
    page = open_page("alice")
    page.set_viewport_size({"width": 1280, "height": 800})
    _, frame = started(page, "JupyterLab")
    notebook = frame.locator(".jp-LauncherCard[data-category='Notebook']").first
    for _ in range(3):  # the browser drops parts of the page when a container comes or goes
        with suppress(Error):
            notebook.wait_for(timeout=20_000)
            break
        page.reload()
    notebook.click()
    expect(frame.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=60_000)
    cell = frame.locator(".jp-CodeCell .cm-content").first
    cell.click(timeout=60_000)
    page.keyboard.type("print(6 * 7)")
    page.keyboard.press("Shift+Enter")
    expect(frame.locator(".jp-OutputArea-output").first).to_contain_text("42", timeout=60_000)
    picture(page, "jupyter")
