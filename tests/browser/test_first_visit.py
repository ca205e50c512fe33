"""The first visit of a scientist and of an administrator: by clicks, without the manual."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Error, Page, expect
from portal import RunningPortal

from control_plane.trial.places import CLONE

PICTURES = CLONE / "var" / "pictures"
IMAGE = "remoteapp/gnuplot:latest"
PLOT = "import matplotlib.pyplot as plt; plt.plot([1, 4, 9, 16]); plt.show()"
Open = Callable[..., Page]


def test_from_the_sign_in_page_to_a_plot_in_jupyterlab(
    open_page: Open, portal: RunningPortal
) -> None:
    page = open_page()
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/")
    page.get_by_label("Name").fill("alice")
    page.get_by_label("Password").fill(portal.password("alice"))
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Start JupyterLab").click()
    frame = page.frame_locator("#application")
    notebook = frame.locator(".jp-LauncherCard[data-category='Notebook']").first
    for _ in range(3):  # the browser drops parts of the page when a container comes or goes
        with suppress(Error):
            notebook.wait_for(timeout=20_000)
            break
        page.reload()
    notebook.click()
    expect(frame.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=60_000)
    frame.locator(".jp-CodeCell .cm-content").first.click(timeout=60_000)
    page.keyboard.insert_text(PLOT)
    page.keyboard.press("Shift+Enter")
    drawn = frame.locator(".jp-OutputArea-output img").first
    expect(drawn).to_be_visible(timeout=60_000)
    page.screenshot(path=PICTURES / "first-visit-plot.png")
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Stop it").click()
    page.wait_for_url("/*")
    expect(page.locator(".session")).to_have_count(0)


@pytest.fixture
def newcomer(portal: RunningPortal) -> Iterator[str]:
    """The name that an administrator is about to give, and an image that is no application yet."""
    yield "newcomer"
    portal.remoteappdb("user", "remove", "newcomer")
    portal.remoteappdb("app", "remove", IMAGE)


def test_an_administrator_makes_a_user_an_application_and_a_grant(
    open_page: Open, portal: RunningPortal, newcomer: str
) -> None:
    page = open_page("admin")
    page.get_by_role("link", name="Administration").click()
    sections = page.get_by_role("navigation", name="Administration")
    sections.get_by_role("link", name="Users").click()
    page.get_by_role("link", name="New user").click()
    page.get_by_role("textbox", name="Name").fill(newcomer)
    page.get_by_label("Password").fill(portal.password(newcomer))
    page.get_by_role("button", name="Create the user").click()
    sections.get_by_role("link", name="Applications").click()
    page.get_by_role("link", name="New application").click()
    page.get_by_label("Image", exact=True).select_option(IMAGE)
    page.get_by_role("textbox", name=re.compile("^Name")).fill("First plot")
    page.get_by_role("button", name="Create the application").click()
    page.get_by_role("link", name="Grant it").click()
    page.get_by_label("Users").fill(newcomer)
    page.get_by_role("button", name="Grant it").click()
    page.get_by_role("button", name="Sign out").click()
    theirs = open_page(newcomer)
    theirs.get_by_role("button", name="Start First plot").click()
    canvas = theirs.frame_locator("#application").locator("canvas")
    expect(canvas).to_be_visible(timeout=60_000)
    theirs.screenshot(path=PICTURES / "first-visit-granted.png")
    theirs.get_by_role("button", name="Stop", exact=True).click()
    theirs.get_by_role("button", name="Stop it").click()
    expect(theirs.locator(".session")).to_have_count(0)
