"""Images that know nothing of the portal run through their application's fields alone.

Each is opened in a real browser by somebody whose name has to be encoded in a path, and does what
it is for; a picture of it is left in var/pictures.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Error, FrameLocator, Locator, Page, expect
from portal import RunningPortal
from stack.conftest import COOKIE

from control_plane.trial.places import CLONE

PICTURES = CLONE / "var" / "pictures"
IMAGES = Path(__file__).parents[1] / "images"
ADMIN = "/api/v1/admin"
EVE = "eve@lab"
# As the applications decode the paths that they are asked for.
DECODED = "/user/{user}/containers/{session_id}"
JUPYTERLAB = {
    "image": "remoteapp-test/foreign-jupyterlab:latest",
    "display_name": "Stock JupyterLab",
    "command": [
        *("jupyter", "lab", "--ip=0.0.0.0", "--no-browser", "--IdentityProvider.token="),
        *("--ServerApp.base_url={base_path}", "--ServerApp.root_dir=/workspace"),
    ],
    "ready_path": "api",
}
STREAMLIT = {
    "image": "remoteapp-test/foreign-streamlit:latest",
    "display_name": "Stock Streamlit",
    "port": 8501,
    "command": [f"--server.baseUrlPath={DECODED}"],
    "ready_path": "_stcore/health",
}
MARIMO = {
    "image": "remoteapp-test/foreign-marimo:latest",
    "display_name": "Stock marimo",
    "port": 8080,
    "command": [
        *("marimo", "edit", "--headless", "--no-token", "--host", "0.0.0.0", "--port", "8080"),  # noqa: S104 - its container's
        *("--base-url", DECODED, "/workspace/notebook.py"),
    ],
    "ready_path": "health",
}
STATIC = {
    "image": "remoteapp-test/foreign-static:latest",
    "display_name": "Stock nginx",
    "port": 80,
    "run_as": "root",
    "strip_path": True,
}
# Debian's directory of Python, whatever image has one.
PYTHON = {
    "image": "remoteapp-test/foreign-marimo:latest",
    "display_name": "Stock Python",
    "port": 8000,
    "command": ["python3", "-m", "http.server", "--directory", "/usr/lib", "8000"],
    "strip_path": True,
}
WITHOUT_PATH = {"command": [], "strip_path": True}
TRIES = 6  # a page is asked for
Start = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def foreign_images(engine_up: None) -> None:  # noqa: ARG001 - it has to run
    """The stock images, built."""
    folders = sorted(map(str, IMAGES.glob("foreign-*")))
    subprocess.run([sys.executable, str(CLONE / "images" / "build"), *folders], check=True)


@pytest.fixture
def eve(portal: RunningPortal) -> Iterator[str]:
    portal.remoteappdb("user", "create", EVE)
    portal.remoteappdb("user", "password", EVE, "--stdin", line=portal.password(EVE))
    yield EVE
    portal.remoteappdb("user", "remove", EVE, "--home", "delete")


@pytest.fixture
def start(portal: RunningPortal, eve: str, foreign_images: None) -> Iterator[Start]:  # noqa: ARG001 - they have to be
    """Create an application of these fields for eve, start it; all of it is undone."""
    admin = portal.api("admin")
    with ExitStack() as undo:

        def started(fields: dict[str, Any]) -> dict[str, Any]:
            made = admin.post(f"{ADMIN}/applications", json=fields)
            assert made.status_code == 201, made.text
            undo.callback(admin.delete, f"{ADMIN}/applications/{made.json()['id']}")
            body = {"user": eve, "application": made.json()["id"], "policy": {"allow_home": True}}
            granted = admin.post(f"{ADMIN}/grants", json=body)
            assert granted.status_code == 201, granted.text
            portal.grants[eve, fields["image"]] = granted.json()["id"]
            session = portal.start(eve, fields["image"])
            undo.callback(portal.stop, eve, session["id"])
            return session

        yield started


@pytest.fixture
def page(open_page: Callable[[str], Page], eve: str) -> Page:
    found = open_page(eve)
    found.set_viewport_size({"width": 1200, "height": 800})
    return found


def opened(
    page: Page, session: dict[str, Any], landmark: Callable[[FrameLocator], Locator]
) -> FrameLocator:
    """Open the session's page until the application shows the landmark; return its frame.

    A browser on the engine's own machine drops what it loads whenever a container comes or goes.
    """
    for _ in range(TRIES):
        with suppress(Error):
            page.goto(f"/sessions/{session['id']}")
            frame = page.frame_locator("#application")
            landmark(frame).wait_for(timeout=15_000)
            return frame
    raise AssertionError(f"the application does not show: {page.url}")


def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"foreign-{name}.png")


def test_a_stock_jupyterlab_computes(start: Start, page: Page) -> None:
    notebook = ".jp-LauncherCard[data-category='Notebook']"
    frame = opened(page, start(JUPYTERLAB), lambda frame: frame.locator(notebook).first)
    frame.locator(notebook).first.click()
    expect(frame.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=60_000)
    frame.locator(".jp-CodeCell .cm-content").first.click(timeout=60_000)
    page.keyboard.type("import os; print(6 * 7, os.getcwd())")
    page.keyboard.press("Shift+Enter")
    output = frame.locator(".jp-OutputArea-output").first
    expect(output).to_have_text("42 /workspace\n", timeout=60_000)
    picture(page, "jupyterlab")


@pytest.mark.parametrize(
    ("fields", "name"),
    [(STREAMLIT, "streamlit"), (STREAMLIT | WITHOUT_PATH, "streamlit-stripped")],
)
def test_a_stock_streamlit_answers_a_slider(
    start: Start, page: Page, fields: dict[str, Any], name: str
) -> None:
    frame = opened(page, start(fields), lambda frame: frame.get_by_text("The square of 3 is 9."))
    frame.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    expect(frame.get_by_text("The square of 4 is 16.")).to_be_visible(timeout=60_000)
    picture(page, name)


def test_a_stock_marimo_computes(start: Start, page: Page) -> None:
    frame = opened(page, start(MARIMO), lambda frame: frame.locator(".cm-content").first)
    frame.locator(".cm-content").first.click()
    page.keyboard.type("import os; print(6 * 7, os.environ['HOME'])")
    page.keyboard.press("Control+Enter")
    expect(frame.get_by_text("42 /workspace", exact=True)).to_be_visible(timeout=60_000)
    picture(page, "marimo")


def test_a_stock_nginx_serves_files_and_its_redirects_lead_back(start: Start, page: Page) -> None:
    session = start(STATIC)
    frame = opened(page, session, lambda frame: frame.get_by_role("link", name="Plots"))
    frame.get_by_role("link", name="Plots").click()
    heading = frame.get_by_role("heading", name="Plots")
    expect(heading).to_have_css("color", "rgb(0, 80, 160)")
    assert frame.locator("body").evaluate("() => document.URL") == f"{session['url']}plots/"
    picture(page, "static")


def test_a_stock_python_serves_a_directory_without_its_path(
    start: Start, portal: RunningPortal
) -> None:
    """The other kind of redirect: to a path from the root, of a server that runs as the user."""
    session = start(PYTHON)
    client = portal.client(EVE)
    listed = client.get(f"{session['url']}python3.11", follow_redirects=True)
    assert (listed.status_code, str(listed.url)) == (200, f"{session['url']}python3.11/")


def cookies_at(page: Page, url: str) -> dict[str, str]:
    return {one["name"]: one["value"] for one in page.context.cookies(url)}


@pytest.fixture
def hello(portal: RunningPortal) -> Iterator[str]:
    """The address of a session of alice's that sets what cookies it is asked to."""
    session = portal.start("alice")
    yield session["url"]
    portal.stop("alice", session["id"])


def go(page: Page, url: str, **query: str | list[str]) -> None:
    """Go there, over again where the network changes meanwhile."""
    for last in range(TRIES):
        try:
            page.goto(f"{url}?{urlencode(query, doseq=True)}")
        except Error:
            assert last < TRIES - 1
            page.wait_for_timeout(500)  # the browser tries by itself too, and each ends the other
        else:
            return


def test_a_cookie_of_an_application_comes_back_to_it_and_to_nobody_else(
    portal: RunningPortal, hello: str, open_page: Callable[[str], Page]
) -> None:
    page = open_page("alice")
    lines = ["plain=1", "whole=2; Path=/", "wide=3; Path=/; Domain=localhost", 'odd="a b"; Path=/x']
    go(page, f"{hello}cookie", set=lines)
    go(page, f"{hello}echo")
    told = dict(json.loads(page.locator("body").inner_text())["headers"])
    assert sorted(told["Cookie"].split("; ")) == ['odd="a b"', "plain=1", "whole=2", "wide=3"]
    beside = re.sub("[0-9a-f]{32}", "0" * 32, hello)
    for url in (portal.url, f"{portal.url}/api/v1/me", beside):
        assert set(cookies_at(page, url)) == {COOKIE}


def test_no_answer_of_an_application_takes_the_sign_in_away(
    hello: str, open_page: Callable[[str], Page]
) -> None:
    page = open_page("alice")
    mine = cookies_at(page, hello)[COOKIE]
    rest = ["; Path=/; Secure", ";\tPath=/;\tSecure", "; Secure", ";\tPath=/; Secure; Max-Age=0"]
    for name in (COOKIE, f"={COOKIE}", COOKIE.lower()):
        for attributes in rest:
            go(page, f"{hello}cookie", set=[f"{name}=evil{attributes}"])
            assert cookies_at(page, hello).get(COOKIE) == mine, (name, attributes)
    go(page, "/")
    expect(page.get_by_role("heading", name="Applications")).to_be_visible()


def test_a_flood_of_cookies_does_not_push_the_sign_in_out(
    hello: str, open_page: Callable[[str], Page]
) -> None:
    page = open_page("alice")
    mine = cookies_at(page, hello)[COOKIE]
    for part in range(4):
        lines = [f"c{part}x{number}=1; Path=/; Secure" for number in range(100)]
        go(page, f"{hello}cookie", set=lines)
    left = cookies_at(page, hello)
    assert (left.get(COOKIE), len(left) > 100) == (mine, True)
