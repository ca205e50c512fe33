"""Gnuplot in a real browser: it opens with a plot, and plots what is typed."""

import pytest
from images.conftest import BASE, NewPage, Running, Start, until
from playwright.sync_api import Page, ViewportSize, expect

from control_plane.trial.places import CLONE

PICTURES = CLONE / "var" / "pictures"
SIZE: ViewportSize = {"width": 1280, "height": 800}
DISPLAY = {"DISPLAY": ":0"}
PLOT = "Gnuplot window 0"
TERMINAL = 'WM_NAME = "Gnuplot"\n'


@pytest.fixture
def desktop(start: Start) -> Running:
    return start("gnuplot")


@pytest.fixture
def page(desktop: Running, new_page: NewPage) -> Page:
    """The desktop's page, connected, the plot on the screen and the keyboard in the terminal."""
    page = new_page(viewport=SIZE)
    page.goto(f"http://{desktop.address}:8888{BASE}/")
    expect(page.locator("canvas")).to_be_visible()
    until(lambda: PLOT in windows(desktop), 60, "no plot")
    until(lambda: active(desktop) == TERMINAL, why="the terminal has not the keyboard")
    return page


def windows(desktop: Running) -> str:
    return desktop.run("xwininfo", "-root", "-tree", environment=DISPLAY)


def active(desktop: Running) -> str:
    """Return the title of the window that has the keyboard."""
    number = desktop.run("xprop", "-root", "_NET_ACTIVE_WINDOW", environment=DISPLAY).split()[-1]
    asked = ["xprop", "-id", number, "-notype", "WM_NAME"]
    return str(desktop.container.exec_run(asked, environment=DISPLAY)[1].decode())


def test_it_opens_with_a_plot_beside_the_terminal(desktop: Running, page: Page) -> None:
    facts = desktop.run("xwininfo", "-name", PLOT, environment=DISPLAY)
    corner = int(facts.split("Absolute upper-left X:")[1].split()[0])
    assert corner > SIZE["width"] / 3
    page.wait_for_timeout(1000)
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / "image-gnuplot.png")


def test_what_is_typed_is_plotted(desktop: Running, page: Page) -> None:
    page.keyboard.type("set terminal svg\n", delay=5)
    page.keyboard.type("set output '/workspace/plot.svg'\n", delay=5)
    page.keyboard.type("plot sin(x) title 'typed'\n", delay=5)
    page.keyboard.type("unset output\n", delay=5)
    finished = ["grep", "-q", "</svg>", "/workspace/plot.svg"]
    until(lambda: desktop.container.exec_run(finished)[0] == 0, why="nothing is plotted")
    assert "<title>typed</title>" in desktop.run("cat", "/workspace/plot.svg")
