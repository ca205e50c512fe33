"""The editor in a real browser: `make images IMAGE=code`, then `tests/run` with this file's path.

Its image is large (570 MB): it is built, and this run, only when asked for.
"""

import pytest
from images.conftest import BASE, UID, NewPage, Running, Start, until
from images.test_terminal import picture
from playwright.sync_api import Page, expect


@pytest.fixture
def editor(start: Start) -> Running:
    running = start("code", ready=False)
    until(lambda: answers(running), 60, "it is not ready")
    running.run("sh", "-c", "echo 'print(6 * 7)' > answer.py")
    return running


def answers(editor: Running) -> bool:
    command = ["grep", "-qi", ":22B8 ", "/proc/net/tcp"]
    return bool(editor.container.exec_run(command)[0] == 0) and editor.get("/healthz").is_success


@pytest.fixture
def page(editor: Running, new_page: NewPage) -> Page:
    page = new_page(viewport={"width": 1200, "height": 800})
    page.goto(f"http://{editor.address}:8888{BASE}/")
    expect(page.get_by_role("treeitem", name="answer.py")).to_be_visible(timeout=60_000)
    return page


def test_a_file_is_edited_and_run_in_a_terminal_as_the_user(editor: Running, page: Page) -> None:
    page.get_by_role("treeitem", name="answer.py").dblclick()
    expect(page.locator(".view-line").first).to_contain_text("print", timeout=30_000)
    page.locator(".view-lines").first.click()
    page.keyboard.press("Control+End")
    page.keyboard.type("import os; print(os.getuid())\n", delay=20)
    page.keyboard.press("Control+s")
    until(lambda: "getuid" in editor.run("cat", "answer.py"), 30, "it is not saved")
    page.keyboard.press("Control+`")
    expect(page.locator(".terminal.xterm")).to_be_visible(timeout=60_000)
    page.wait_for_timeout(3000)
    page.keyboard.type("python3 answer.py > proof.txt\n", delay=20)
    until(lambda: editor.container.exec_run(["test", "-s", "proof.txt"])[0] == 0, 30, "not run")
    assert editor.run("cat", "proof.txt") == f"42\n{UID}\n"
    picture(page, "code")


def test_it_asks_nobody_outside(editor: Running, new_page: NewPage) -> None:
    page = new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.replace("@", "%40")))
    page.on(
        "websocket",
        lambda socket: asked.append(socket.url.replace("ws:", "http:").replace("@", "%40")),
    )
    page.goto(f"http://{editor.address}:8888{BASE}/")
    expect(page.get_by_role("treeitem", name="answer.py")).to_be_visible(timeout=60_000)
    page.wait_for_timeout(3000)
    ours = f"http://{editor.address}:8888{BASE}/"
    assert [url for url in asked if not url.startswith((ours, "data:", "blob:"))] == []


@pytest.mark.parametrize("path", ["/", "/user/", BASE + "0/", BASE.replace("alice", "bob")])
def test_what_is_not_of_the_session_is_404(editor: Running, path: str) -> None:
    assert editor.ask("GET", path).status_code == 404
