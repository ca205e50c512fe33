"""The file manager in a real browser: files come, go, and nothing outside the home is shown."""

from pathlib import Path

import pytest
from images.conftest import BASE, UID, NewPage, Running, Start, until
from images.test_terminal import picture
from playwright.sync_api import Page, expect

PORTAL = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Host": "portal.example.org:8443",
    "X-Forwarded-Proto": "https",
}
UPLOAD = {"act": "bput"}


@pytest.fixture
def files(start: Start) -> Running:
    running = start("filemanager")
    running.run("sh", "-c", "mkdir results && echo one > results/first.csv && echo two > notes.txt")
    return running


@pytest.fixture
def page(files: Running, new_page: NewPage) -> Page:
    page = new_page(viewport={"width": 1200, "height": 800})
    page.goto(f"http://{files.address}:8888{BASE}/")
    expect(page.get_by_role("link", name="notes.txt")).to_be_visible()
    return page


def names(files: Running, folder: str = "/workspace") -> list[str]:
    return files.run("ls", "-A", folder).split()


def test_it_lists_the_home(page: Page) -> None:
    expect(page.locator("#files").get_by_role("link", name="results/")).to_be_visible()
    page.wait_for_timeout(500)
    picture(page, "filemanager")


def test_a_file_is_uploaded_and_is_the_users(files: Running, page: Page, tmp_path: Path) -> None:
    mine = tmp_path / "größe 1.dat"
    mine.write_bytes(bytes(range(256)) * 8000)
    page.locator("#opa_up").click()
    page.locator("#file1").set_input_files(mine)
    page.locator("#modal-ok").click()
    until(lambda: "größe" in " ".join(names(files)), 30, "it has not come")
    path = "/workspace/größe 1.dat"
    until(lambda: files.run("stat", "-c", "%u %s", path) == f"{UID} {256 * 8000}\n", 30)
    picture(page, "filemanager-upload")


def test_a_folder_is_entered_and_its_file_is_downloaded(page: Page) -> None:
    page.locator("#files").get_by_role("link", name="results/").click()
    link = page.locator("#files").get_by_role("link", name="first.csv")
    with page.expect_download() as coming:
        link.evaluate("link => Object.assign(link, { download: '' }).click()")
    assert coming.value.path().read_text() == "one\n"


def test_files_are_renamed_and_deleted(files: Running) -> None:
    moved = files.ask("POST", f"{BASE}/notes.txt?move={BASE}/kept.txt")
    assert moved.status_code == 201, moved.text
    assert names(files) == ["kept.txt", "results"]
    assert files.ask("POST", f"{BASE}/results/first.csv?delete").status_code == 200
    assert names(files, "/workspace/results") == []


def test_nothing_of_its_own_is_left_in_the_home(files: Running) -> None:
    sent = {"f": ("sent.txt", b"sent")}
    assert files.ask("POST", f"{BASE}/", data=UPLOAD, files=sent).is_success
    assert names(files) == ["notes.txt", "results", "sent.txt"]


@pytest.mark.parametrize(
    "path", ["/../etc/passwd", "/%2e%2e/etc/passwd", "/..%2fetc/passwd", "/.cpr/..%2f..%2fetc"]
)
def test_no_path_leads_out_of_the_home(files: Running, path: str) -> None:
    answer = files.get(path)
    assert answer.status_code >= 400
    assert "root:" not in answer.text


def test_no_link_leads_out_of_the_home(files: Running) -> None:
    files.run("ln", "-s", "/etc", "outside")
    answer = files.get("/outside/passwd")
    assert answer.status_code >= 400
    assert "root:" not in answer.text


def test_a_page_of_another_origin_cannot_change_anything(files: Running) -> None:
    foreign = PORTAL | {"Origin": "https://elsewhere.example.org"}
    answer = files.ask("POST", f"{BASE}/notes.txt?delete", headers=foreign)
    assert answer.status_code == 403
    assert names(files) == ["notes.txt", "results"]


def test_the_portals_own_page_can(files: Running) -> None:
    ours = PORTAL | {"Origin": "https://portal.example.org:8443"}
    assert files.ask("POST", f"{BASE}/notes.txt?delete", headers=ours).status_code == 200
    assert names(files) == ["results"]


def test_it_asks_nobody_outside(files: Running, new_page: NewPage) -> None:
    page = new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.replace("@", "%40")))
    page.goto(f"http://{files.address}:8888{BASE}/")
    page.wait_for_timeout(1500)
    ours = f"http://{files.address}:8888{BASE}/"
    assert [url for url in asked if not url.startswith((ours, "data:", "blob:"))] == []


def test_files_can_be_deleted_in_a_home_that_is_full(start: Start) -> None:
    files = start("filemanager", home="size=1m")
    assert files.container.exec_run(["sh", "-c", "cat /dev/zero > full"])[0] != 0
    assert files.ask("POST", f"{BASE}/full?delete").status_code == 200
