"""ParaView in a real browser: `make images IMAGE=paraview`, then `tests/run` with this file's path.

Its image is large (2.3 GB): it is built, and this run, only when asked for.
"""

import pytest
from images.conftest import BASE, NewPage, Running, Start, until
from playwright.sync_api import Page, expect

from control_plane.trial.places import CLONE

PICTURES = CLONE / "var" / "pictures"
SLATE = (82, 87, 110)  # what ParaView paints where there is nothing
PIXEL = """([x, y]) => {
    const { data } = document.querySelector("canvas").getContext("2d").getImageData(x, y, 1, 1);
    return [...data].slice(0, 3);
}"""
IN_THE_VIEW = (790, 490)
ON_THE_SPHERE = (IN_THE_VIEW, (720, 400), (860, 580))


@pytest.fixture
def desktop(start: Start) -> Running:
    return start("paraview")


@pytest.fixture
def page(desktop: Running, new_page: NewPage) -> Page:
    """The desktop's page, connected, an empty view on the screen."""
    page = new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"http://{desktop.address}:8888{BASE}/")
    expect(page.locator("canvas")).to_be_visible()
    until(lambda: colour(page, *IN_THE_VIEW) == SLATE, 120, "no view")
    return page


def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"image-{name}.png")


def test_it_fills_the_desktop(desktop: Running, page: Page) -> None:
    found = ["xwininfo", "-name", "ParaView 5.11.0"]
    facts = desktop.run(*found, environment={"DISPLAY": ":0"})
    assert "Width: 1280" in facts
    picture(page, "paraview")


def test_a_sphere_is_drawn(page: Page) -> None:
    page.keyboard.press("Control+Space")
    page.wait_for_timeout(1000)
    page.keyboard.type("sphere", delay=100)
    page.wait_for_timeout(1000)
    page.keyboard.press("Shift+Enter")  # makes it at once
    until(lambda: len(shades(page) - {SLATE}) == len(ON_THE_SPHERE), 30, "no sphere")
    page.wait_for_timeout(1000)
    picture(page, "paraview-sphere")


def shades(page: Page) -> set[tuple[int, ...]]:
    """Return the colours of what light falls on from different sides."""
    return {colour(page, *place) for place in ON_THE_SPHERE}


def colour(page: Page, x: int, y: int) -> tuple[int, ...]:
    return tuple(page.evaluate(PIXEL, [x, y]))
