"""JupyterLab: a kernel computes over its WebSocket, for the portal's own pages only."""

import pytest
from images.conftest import BASE, UID, NewPage, Running, Start
from images.test_terminal import picture
from playwright.sync_api import expect
from websockets.exceptions import InvalidStatus

MAKE_WHEEL = r"""
import zipfile
with zipfile.ZipFile("/workspace/tiny-1-py3-none-any.whl", "w") as wheel:
    wheel.writestr("tiny.py", "")
    wheel.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n")
    wheel.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    wheel.writestr("tiny-1.dist-info/RECORD", "")
"""

PLOT = """import ipywidgets, numpy, pandas, scipy.special, sklearn
import matplotlib.pyplot as plt
x = numpy.linspace(0, 20, 500)
pandas.DataFrame({n: scipy.special.jv(n, x) for n in range(3)}, index=x).plot(figsize=(9, 4))
plt.show()
ipywidgets.IntSlider()"""


@pytest.fixture
def lab(start: Start) -> Running:
    return start("jupyter")


def kernel(lab: Running) -> str:
    """Start a kernel as a page does, forgery token and all; return its WebSocket's path."""
    token = lab.get("/lab").cookies["_xsrf"]
    answer = lab.ask(
        "POST",
        f"{BASE}/api/kernels",
        headers={"X-XSRFToken": token, "Cookie": f"_xsrf={token}"},
        json={"name": "python3"},
    )
    assert answer.status_code == 201, answer.text
    return f"/api/kernels/{answer.json()['id']}/channels"


def test_a_cell_runs_as_the_user(lab: Running, new_page: NewPage) -> None:
    page = new_page(viewport={"width": 1200, "height": 800})
    page.goto(f"http://{lab.address}:8888{BASE}/")
    page.locator(".jp-LauncherCard[data-category='Notebook']").first.click()
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=30_000)
    cell = page.locator(".jp-Notebook .cm-content").first
    cell.click()
    page.keyboard.type("import os; print(6 * 7, os.getuid(), os.getcwd())")
    page.keyboard.press("Shift+Enter")
    output = page.locator(".jp-OutputArea-output").first
    expect(output).to_have_text(f"42 {UID} /workspace\n", timeout=30_000)
    picture(page, "jupyter")
    page.keyboard.press("Control+s")
    assert "Untitled.ipynb" in lab.run("ls", "/workspace")


def test_it_asks_nobody_outside(lab: Running, new_page: NewPage) -> None:
    page = new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"http://{lab.address}:8888{BASE}/")
    page.locator(".jp-Launcher").first.wait_for()
    page.wait_for_timeout(1000)
    ours = f"http://{lab.address}:8888{BASE}/"
    assert [url for url in asked if not url.startswith((ours, "data:", "blob:"))] == []
    assert page.get_by_text("Would you like to get notified").count() == 0


def test_the_kernel_is_reached_through_a_proxy_of_another_name(lab: Running) -> None:
    named = {"X-Forwarded-Host": "portal.example.org:8443"}
    with lab.websocket(
        kernel(lab), origin="https://portal.example.org:8443", additional_headers=named
    ) as socket:
        socket.ping().wait(5)


def test_the_kernel_is_not_reached_from_a_page_of_another_origin(lab: Running) -> None:
    named = {"X-Forwarded-Host": "portal.example.org"}
    path = kernel(lab)
    with pytest.raises(InvalidStatus, match="403"):
        lab.websocket(path, origin="https://elsewhere.example.org", additional_headers=named)


def test_it_may_be_framed_by_its_own_origin(lab: Running) -> None:
    policy = lab.get("/lab").headers["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in policy


def test_nothing_is_printed_that_lets_anyone_in(lab: Running) -> None:
    assert "token" not in lab.log()


def test_without_a_workspace_it_serves_the_home(start: Start) -> None:
    lab = start("jupyter", HOME="/tmp")
    assert lab.get("/api/contents/").json()["type"] == "directory"


def test_pip_installs_into_the_home(lab: Running) -> None:
    lab.run("python3", "-c", MAKE_WHEEL)
    lab.run("python3", "-m", "pip", "install", "--no-index", "/workspace/tiny-1-py3-none-any.whl")
    where = lab.run("python3", "-c", "import tiny; print(tiny.__file__)")
    assert where.startswith("/workspace/.local/")


def test_a_plot_of_the_scientific_libraries_is_drawn(lab: Running, new_page: NewPage) -> None:
    page = new_page(viewport={"width": 1600, "height": 900})
    page.goto(f"http://{lab.address}:8888{BASE}/")
    page.locator(".jp-LauncherCard[data-category='Notebook']").first.click()
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=30_000)
    page.locator(".jp-Notebook .cm-content").first.click()
    page.keyboard.insert_text(PLOT)
    page.keyboard.press("Shift+Enter")
    drawn = page.locator(".jp-OutputArea-output img").first
    expect(drawn).to_be_visible(timeout=60_000)
    assert str(drawn.get_attribute("src")).startswith("data:image/png;base64,")
    expect(page.locator(".widget-slider, .jupyter-widgets").first).to_be_visible(timeout=30_000)
    picture(page, "jupyter-plot")


def test_a_home_that_is_full_is_shown_and_it_is_said(start: Start) -> None:
    lab = start("jupyter", home="size=4k")
    assert "start-web: the home /workspace cannot be written (No space left on device)" in lab.log()
    assert lab.get("/api/contents/").json()["type"] == "directory"
    kernel(lab)
