"""The desktop's clipboard and the device's: one, whatever the browser allows."""

import pytest
from images.conftest import BASE, NewPage, Running, Start, until
from images.test_desktop_page import await_file, open_panel, read, type_cat, visit
from images.test_terminal import SMALL, await_terminal
from playwright.sync_api import Page, expect

TEXT = "snow \u2603 \u6f22 \U0001f30d"
# As Safari does: the clipboard is written only while an event of the person's is handled.
WITHIN_A_GESTURE = """
    let acts = false;
    for (const name of ["pointerdown", "pointerup", "keydown", "keyup"]) {
        addEventListener(name, () => { acts = true; setTimeout(() => { acts = false; }); }, true);
    }
    const write = navigator.clipboard.writeText.bind(navigator.clipboard);
    navigator.clipboard.writeText = async (text) => {
        if (!acts) throw new DOMException("no gesture", "NotAllowedError");
        return write(text);
    };
"""


@pytest.fixture
def desktop(start: Start) -> Running:
    return start("terminal", on_loopback=True)


@pytest.fixture
def page(desktop: Running, new_page: NewPage) -> Page:
    """The page as a browser without any permission shows it."""
    page = new_page(viewport=SMALL)
    visit(desktop, page)
    return page


def copy_on_the_device(page: Page, text: str) -> None:
    """Copy in another page, as a person does, without what the desktop's page is permitted."""
    other = page.context.new_page()
    other.set_content("<textarea></textarea>")
    other.locator("textarea").fill(text)
    other.keyboard.press("Control+A")
    other.keyboard.press("Control+C")
    other.close()
    page.bring_to_front()


def pasted_on_the_device(page: Page) -> str:
    """Paste in another page; return what came."""
    other = page.context.new_page()
    other.set_content("<textarea autofocus></textarea>")
    other.locator("textarea").focus()
    other.keyboard.press("Control+V")
    text = other.locator("textarea").input_value()
    other.close()
    page.bring_to_front()
    return text


def select_wonder(page: Page) -> None:
    """Copy the word wonder in the desktop, by a double click, as soon as the terminal shows it."""
    page.keyboard.type("clear; echo wonder\n", delay=5)
    for _ in range(10):
        page.locator("canvas").dblclick(position={"x": 30, "y": 36})
        page.wait_for_timeout(1000)
        if page.locator("#text").input_value():
            break
    expect(page.locator("#text")).to_have_value("wonder")


def test_pasting_needs_no_permission_and_brings_any_character(desktop: Running, page: Page) -> None:
    copy_on_the_device(page, f"{TEXT}\n")
    page.locator("canvas").focus()
    type_cat(desktop, page)
    page.keyboard.press("Shift+Insert")
    until(lambda: read(desktop, "/workspace/proof.txt") == f"{TEXT}\n")
    expect(page.locator("#text")).to_have_value(f"{TEXT}\n")


def test_a_chord_that_pastes_reaches_the_application_too(desktop: Running, page: Page) -> None:
    page.keyboard.type('read -n 1 key; printf %s "$key" | od -An -tx1 > proof.txt\n', delay=5)
    page.keyboard.press("Control+v")  # the shell's quote; what follows is taken as it is
    page.keyboard.press("Control+v")
    page.keyboard.press("Enter")
    await_file(desktop, "/workspace/proof.txt", " 16\n")


def test_a_browser_that_writes_within_a_gesture_gets_the_text_at_the_next_one(
    desktop: Running, new_page: NewPage
) -> None:
    page = new_page(viewport=SMALL, permissions=["clipboard-read", "clipboard-write"])
    page.add_init_script(WITHIN_A_GESTURE)
    visit(desktop, page)
    select_wonder(page)
    page.keyboard.press("Shift")
    until(lambda: page.evaluate("navigator.clipboard.readText()") == "wonder")


def test_where_the_browser_allows_nothing_the_panel_carries_the_text(
    desktop: Running, new_page: NewPage
) -> None:
    page = new_page(viewport=SMALL)
    page.goto(f"http://{desktop.address}:8888{BASE}/")  # not a secure origin: no clipboard at all
    await_terminal(desktop, page)
    select_wonder(page)
    open_panel(page, "Clipboard")
    page.get_by_role("button", name="Copy to this device").click()
    expect(page.locator("#copied")).to_have_text("Copied")
    assert pasted_on_the_device(page) == "wonder"

    page.get_by_label("Text that the desktop can paste").fill(f"{TEXT}\n")
    page.locator("canvas").click()
    expect(page.locator("#bar")).to_be_hidden()
    type_cat(desktop, page)
    page.locator("canvas").click(button="middle")
    await_file(desktop, "/workspace/proof.txt", f"{TEXT}\n")
