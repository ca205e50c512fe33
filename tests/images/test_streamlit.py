"""The Streamlit example in a real browser: it plots, follows its controls, asks nobody outside."""

from contextlib import suppress

import httpx
import pytest
from images.conftest import BASE, NewPage, Running, Start
from images.test_terminal import picture
from playwright.sync_api import Locator, Page, expect

TABLE = "time,height\n0,1\n1,7.25\n2,3\n"
STREAM = "/_stcore/stream"


@pytest.fixture
def explorer(start: Start) -> Running:
    return start("streamlit-example")


@pytest.fixture
def page(explorer: Running, new_page: NewPage) -> Page:
    explorer.run("sh", "-c", f"printf '{TABLE}' > table.csv")
    page = new_page(viewport={"width": 1200, "height": 800})
    show(explorer, page)
    return page


def show(explorer: Running, page: Page) -> None:
    """Open the page until it is whole: Chromium drops what it loads when a network comes or goes.

    A container that starts elsewhere on the machine brings one.
    """
    for patience in (15_000, 15_000, 30_000):
        page.goto(f"http://{explorer.address}:8888{BASE}/")
        with suppress(AssertionError):
            expect(metric(page, "Points")).to_have_text("600", timeout=patience)
            break
    expect(metric(page, "Points")).to_have_text("600")


def metric(page: Page, label: str) -> Locator:
    shown = page.get_by_test_id("stMetric").filter(has_text=label)
    return shown.get_by_test_id("stMetricValue")


def test_it_plots_a_measurement(page: Page) -> None:
    expect(page.get_by_test_id("stVegaLiteChart").locator("canvas, svg").first).to_be_visible()
    page.wait_for_timeout(1000)
    picture(page, "streamlit")


def test_a_table_of_the_home_is_plotted(page: Page) -> None:
    page.get_by_role("combobox", name="Table").click()
    page.get_by_role("option", name="table.csv").click()
    expect(metric(page, "Points")).to_have_text("3", timeout=30_000)
    expect(metric(page, "Highest height")).to_have_text("7.25")
    expect(metric(page, "At time")).to_have_text("1")


def test_it_asks_nobody_outside(explorer: Running, new_page: NewPage) -> None:
    page = new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.replace("@", "%40")))
    page.on("websocket", lambda socket: asked.append(socket.url.replace("ws:", "http:")))
    show(explorer, page)
    ours = f"http://{explorer.address}:8888{BASE}/"
    assert f"{ours[:-1]}{STREAM}" in asked
    assert [url for url in asked if not url.startswith((ours, "data:", "blob:"))] == []


def handshake(explorer: Running, origin: str) -> int:
    """Ask for the page's WebSocket as nginx passes it on from a browser; return the answer."""
    headers = {
        "Host": "portal.example.org:8443",
        "Origin": origin,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    with httpx.stream(
        "GET", f"http://{explorer.address}:8888{BASE}{STREAM}", headers=headers, timeout=30
    ) as answer:
        return answer.status_code


def test_it_is_reached_by_the_name_that_the_browser_uses(explorer: Running) -> None:
    assert handshake(explorer, "https://portal.example.org:8443") == 101


def test_it_is_not_reached_from_a_page_of_another_origin(explorer: Running) -> None:
    assert handshake(explorer, "https://elsewhere.example.org") == 403


def test_it_prints_nothing_that_names_another_address(explorer: Running) -> None:
    assert "External URL" not in explorer.log()
