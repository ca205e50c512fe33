"""The terminal in a real browser: it shows, it is typed in, it follows the window."""

from pathlib import Path

import pytest
from images.conftest import BASE, UID, NewPage, Running, Start, until
from images.test_desktop import size
from playwright.sync_api import FrameLocator, Page, ViewportSize, expect

from control_plane.trial.places import CLONE

PICTURES = CLONE / "var" / "pictures"
SMALL: ViewportSize = {"width": 1000, "height": 700}
LARGE: ViewportSize = {"width": 1300, "height": 820}


@pytest.fixture
def desktop(start: Start) -> Running:
    return start("terminal")


@pytest.fixture
def page(desktop: Running, new_page: NewPage) -> Page:
    """The desktop's page, connected, the terminal's window on the screen."""
    page = new_page(viewport=SMALL)
    page.goto(f"http://{desktop.address}:8888{BASE}/")
    await_terminal(desktop, page)
    return page


def await_terminal(desktop: Running, page: Page | FrameLocator) -> None:
    """Wait until the terminal has the focus, a shell runs in it and the page is connected."""
    expect(page.locator("#status")).to_be_attached()
    expect(page.locator("#status")).to_be_hidden()
    check = "pgrep -x bash && xprop -root _NET_ACTIVE_WINDOW | grep -v 0x0$"
    words = ["sh", "-c", check]
    focused = {"DISPLAY": ":0"}
    until(lambda: desktop.container.exec_run(words, environment=focused)[0] == 0, why="no shell")


def terminal_width(desktop: Running) -> int:
    """Return the width of the terminal's window."""
    facts = desktop.run("xwininfo", "-name", "Terminal", environment={"DISPLAY": ":0"})
    return int(facts.split("Width: ")[1].split()[0])


def picture(page: Page, name: str) -> Path:
    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / f"image-{name}.png"
    page.screenshot(path=path)
    return path


def proof(desktop: Running) -> str:
    """Return the owner and the content of the file that was typed."""
    command = "stat -c %u /workspace/proof.txt && cat /workspace/proof.txt"
    words = ["test", "-s", "/workspace/proof.txt"]
    until(lambda: desktop.container.exec_run(words)[0] == 0, why="nothing was typed")
    return desktop.run("sh", "-c", command)


def test_what_is_typed_without_a_click_arrives(desktop: Running, page: Page) -> None:
    page.keyboard.type("echo proof > /workspace/proof.txt\n", delay=5)
    assert proof(desktop) == f"{UID}\nproof\n"
    page.wait_for_timeout(300)
    picture(page, "terminal")


def test_characters_beyond_ascii_are_typed(desktop: Running, page: Page) -> None:
    """Playwright types only what a US keyboard has: others send these key events."""
    page.keyboard.type("printf '~|@", delay=5)
    for key in "äß€":
        page.locator("canvas").dispatch_event("keydown", {"key": key, "code": "Quote"})
        page.locator("canvas").dispatch_event("keyup", {"key": key, "code": "Quote"})
        page.wait_for_timeout(200)  # X learns a new key first, and tells its clients
    page.keyboard.type("' > /workspace/proof.txt\n", delay=5)
    assert proof(desktop) == f"{UID}\n~|@äß€"


def test_the_desktop_follows_the_window(desktop: Running, page: Page) -> None:
    until(lambda: size(desktop) == "1000x700", why="it does not fit the first window")
    page.set_viewport_size(LARGE)
    until(lambda: size(desktop) == "1300x820", why="it does not follow")
    until(lambda: terminal_width(desktop) >= 1295, why="the terminal does not follow")
    page.wait_for_timeout(500)
    picture(page, "terminal-larger")


def test_a_desktop_of_a_fixed_size_is_scaled_to_the_window(start: Start, new_page: NewPage) -> None:
    desktop = start("terminal", X11_WIDTH="2000", X11_HEIGHT="1000")
    page = new_page(viewport=SMALL)
    page.goto(f"http://{desktop.address}:8888{BASE}/")
    await_terminal(desktop, page)
    assert size(desktop) == "2000x1000"
    box = page.locator("canvas").bounding_box()
    assert box is not None
    assert (round(box["width"]), round(box["height"])) == (1000, 500)


def test_it_works_in_a_frame_of_the_same_origin(desktop: Running, new_page: NewPage) -> None:
    page = new_page(viewport=SMALL)
    outer = f"http://{desktop.address}:8888/outer"
    page.goto(outer)
    page.evaluate(
        """address => {
            const frame = document.createElement("iframe");
            Object.assign(frame, { src: address, width: 800, height: 600 });
            frame.style.border = "0";
            document.body.replaceChildren(frame);
        }""",
        f"{BASE}/",
    )
    await_terminal(desktop, page.frame_locator("iframe"))
    until(lambda: size(desktop) == "800x600", why="it does not fit the frame")
    page.keyboard.type("echo framed > /workspace/proof.txt\n", delay=5)
    assert proof(desktop) == f"{UID}\nframed\n"


def test_the_page_says_that_it_lost_the_desktop_and_comes_back(
    desktop: Running, page: Page
) -> None:
    desktop.container.stop(timeout=10)
    status = page.get_by_role("status")
    expect(status).to_have_text("Disconnected. Connecting again…")
    picture(page, "terminal-disconnected")
    desktop.container.start()
    expect(status).to_be_hidden(timeout=20_000)
    desktop.container.reload()
    desktop.await_ready()
    await_terminal(desktop, page)
    page.keyboard.type("echo back > /workspace/proof.txt\n", delay=5)
    assert proof(desktop) == f"{UID}\nback\n"


def test_the_page_says_when_the_session_is_gone(desktop: Running, page: Page) -> None:
    page.route(f"**{BASE}/", lambda route: route.fulfill(status=404))
    desktop.container.stop(timeout=10)
    expect(page.get_by_role("status")).to_contain_text("This session has ended.")


@pytest.fixture
def copying_page(start: Start, new_page: NewPage) -> tuple[Running, Page]:
    """A page that may use the clipboard, which browsers allow on secure origins only."""
    desktop = start("terminal", on_loopback=True)
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"http://{desktop.loopback()}{BASE}/")
    await_terminal(desktop, page)
    return desktop, page


def test_what_is_selected_in_the_desktop_is_copied_to_the_browser(
    copying_page: tuple[Running, Page],
) -> None:
    page = copying_page[1]
    page.keyboard.type("clear; echo wonder\n", delay=5)

    def copied() -> bool:
        page.wait_for_timeout(700)  # a click that follows sooner counts as the third
        page.locator("canvas").dblclick(position={"x": 30, "y": 36})
        return bool(page.evaluate("navigator.clipboard.readText()") == "wonder")

    until(copied)


def test_what_is_copied_elsewhere_is_pasted_in_the_desktop(
    copying_page: tuple[Running, Page],
) -> None:
    desktop, page = copying_page
    page.evaluate("navigator.clipboard.writeText('snow \u2603 \u6f22')")
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    page.wait_for_timeout(500)
    page.keyboard.type("cat > /workspace/proof.txt\n", delay=5)
    page.keyboard.press("Shift+Insert")

    def pasted() -> bool:
        page.keyboard.press("Enter")  # the text itself comes when X hands it over
        return proof(desktop).split() == [str(UID), "snow", "\u2603", "\u6f22"]

    until(pasted)
