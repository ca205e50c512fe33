"""The desktop's page in a real browser: files, keys, picture, and their bar."""

from pathlib import Path

import pytest
from images.conftest import BASE, NewPage, Running, Start, until
from images.test_desktop import size
from images.test_terminal import SMALL, await_terminal
from playwright.sync_api import Page, WebSocket, expect

from control_plane.trial.places import CLONE

PICTURES = CLONE / "var" / "pictures"
LEGIBLE = (CLONE / "tests" / "browser" / "legible.js").read_text()
DOWNLOADS = "/workspace/Downloads"
PANELS = ("Clipboard", "Files", "Keys", "Picture")
SOCKETS = """
    window.sockets = [];
    window.WebSocket = new Proxy(WebSocket, {
        construct: (Real, words) => sockets[sockets.push(new Real(...words)) - 1],
    });
"""
DROP = """([name, content]) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([content], name));
    const canvas = document.querySelector("canvas");
    for (const type of ["dragover", "drop"]) {
        const options = { dataTransfer, bubbles: true, cancelable: true };
        canvas.dispatchEvent(new DragEvent(type, options));
    }
}"""


@pytest.fixture
def desktop(start: Start) -> Running:
    return start("terminal", on_loopback=True)


@pytest.fixture
def page(desktop: Running, new_page: NewPage) -> Page:
    """The page as a browser without any permission shows it."""
    page = new_page(viewport=SMALL)
    visit(desktop, page)
    return page


def visit(desktop: Running, page: Page) -> None:
    page.goto(f"http://{desktop.loopback()}{BASE}/")
    await_terminal(desktop, page)


def open_panel(page: Page, name: str) -> None:
    if not page.locator("#bar").is_visible():
        page.get_by_role("button", name="Desktop tools").click()
    page.locator("#buttons").get_by_role("button", name=name).click()


def read(desktop: Running, path: str) -> str:
    """Return a file of the container, "" while it is not there."""
    return str(desktop.container.exec_run(["cat", path])[1].decode()).partition("cat: ")[0]


def await_file(desktop: Running, path: str, content: str) -> None:
    until(lambda: read(desktop, path) == content, why=f"{path}: {read(desktop, path)!r}")


def files(desktop: Running) -> str:
    """Return the files of the home that are not hidden themselves, those of Downloads too."""
    return desktop.run("find", "/workspace", "-type", "f", "-not", "-path", "/workspace/.*")


def type_cat(desktop: Running, page: Page) -> None:
    """Have the terminal write what is typed from now on to proof.txt."""
    page.keyboard.type("cat > proof.txt\n", delay=5)
    await_cat(desktop)


def await_cat(desktop: Running) -> None:
    """Wait until the shell has handed the terminal over: keys that come before are not edited."""
    until(lambda: desktop.container.exec_run(["pgrep", "-x", "cat"])[0] == 0, why="no cat")


def test_a_cut_connection_comes_back_and_the_last_picture_stays_meanwhile(
    desktop: Running, new_page: NewPage
) -> None:
    page = new_page(viewport=SMALL)
    page.add_init_script(SOCKETS)
    visit(desktop, page)
    with page.expect_websocket():
        page.evaluate("sockets[0].close()")
        expect(page.locator(".last-picture")).to_be_visible()
    expect(page.locator("#status")).to_be_hidden()
    expect(page.locator("canvas")).to_have_count(1)
    page.keyboard.type("echo back > proof.txt\n", delay=5)
    await_file(desktop, "/workspace/proof.txt", "back\n")


def test_the_quality_is_remembered_and_asked_for(desktop: Running, new_page: NewPage) -> None:
    page = new_page(viewport=SMALL)
    asked: list[list[int]] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: asked.extend(encodings(frame)))

    page.on("websocket", listen)
    visit(desktop, page)
    open_panel(page, "Picture")
    page.get_by_role("slider", name="Quality").fill("9")
    page.get_by_role("slider", name="Compression").fill("7")
    until(lambda: {-23, -249} <= set(asked[-1]), why=str(asked))
    page.reload()
    await_terminal(desktop, page)
    assert {-23, -249} <= set(asked[-1])
    open_panel(page, "Picture")
    expect(page.get_by_role("slider", name="Quality")).to_have_value("9")
    expect(page.get_by_role("slider", name="Compression")).to_have_value("7")


def encodings(frame: bytes | str) -> list[list[int]]:
    """Return what a SetEncodings message names, as one list; none for another message."""
    if not isinstance(frame, bytes) or frame[:2] != b"\x02\x00":
        return []
    words = range(4, 4 + 4 * int.from_bytes(frame[2:4]), 4)
    return [[int.from_bytes(frame[at : at + 4], signed=True) for at in words]]


def test_a_desktop_of_more_pixels_is_drawn_over_the_same_page(desktop: Running, page: Page) -> None:
    until(lambda: size(desktop) == "1000x700")
    open_panel(page, "Picture")
    page.get_by_label("Size of everything").select_option(label="50 %")
    until(lambda: size(desktop) == "2000x1400", why="it does not follow")
    until(lambda: page.locator("canvas").evaluate("it => it.width") == 2000)
    box = page.locator("canvas").bounding_box()
    assert box is not None
    assert (round(box["width"]), round(box["height"])) == (1000, 700)


def test_files_dropped_and_chosen_arrive_and_none_is_overwritten(
    desktop: Running, page: Page
) -> None:
    page.evaluate(DROP, ["d\u00e4ta 1.csv", "dropped"])
    uploads = page.get_by_role("list", name="Uploads").get_by_role("listitem")
    expect(uploads).to_contain_text(["uploaded"])
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload files").click()
    chooser.value.set_files(
        {"name": "d\u00e4ta 1.csv", "mimeType": "text/csv", "buffer": b"chosen"}
    )
    expect(uploads).to_contain_text(["uploaded", "uploaded as d\u00e4ta 1 (2).csv"])
    assert read(desktop, f"{DOWNLOADS}/d\u00e4ta 1.csv") == "dropped"
    assert read(desktop, f"{DOWNLOADS}/d\u00e4ta 1 (2).csv") == "chosen"
    listed = page.get_by_role("list", name="Downloads").get_by_role("link")
    expect(listed).to_have_count(2)
    assert sorted(listed.all_text_contents()) == ["d\u00e4ta 1 (2).csv", "d\u00e4ta 1.csv"]


def test_an_upload_is_cancelled_and_a_refused_one_says_why(desktop: Running, page: Page) -> None:
    page.route("**/files/slow.bin", lambda _: None)  # as on a network that has come to a stop
    page.evaluate(DROP, ["slow.bin", "never"])
    expect(page.get_by_role("progressbar", name="Upload of slow.bin")).to_be_visible()
    page.evaluate(DROP, [".hidden", "refused"])
    page.get_by_role("button", name="Cancel the upload of slow.bin").click()
    uploads = page.get_by_role("list", name="Uploads").get_by_role("listitem")
    expect(uploads).to_have_count(1)
    expect(uploads).to_contain_text("hidden files are not taken")
    assert files(desktop) == ""


def test_a_file_saved_in_the_desktop_is_listed_by_itself_and_downloaded(
    desktop: Running, page: Page
) -> None:
    open_panel(page, "Files")
    expect(page.get_by_text("Nothing yet.")).to_be_visible()
    name = "result #1 50%.txt"
    desktop.run("sh", "-c", f"mkdir -p {DOWNLOADS}; printf 42 > '{DOWNLOADS}/{name}'")
    with page.expect_download() as download:
        page.get_by_role("link", name=name).click()
    assert download.value.suggested_filename == name
    assert Path(download.value.path()).read_text() == "42"


def test_escape_closes_the_files_though_the_list_changes_under_the_focus(
    desktop: Running, page: Page
) -> None:
    desktop.run("sh", "-c", f"mkdir -p {DOWNLOADS}; echo 1 > {DOWNLOADS}/first.txt")
    open_panel(page, "Files")
    listed = page.get_by_role("list", name="Downloads").get_by_role("link")
    listed.get_by_text("first.txt").focus()
    desktop.run("sh", "-c", f"echo 2 > {DOWNLOADS}/second.txt")
    expect(listed).to_have_count(2)
    expect(listed.get_by_text("first.txt")).to_be_focused()
    desktop.run("rm", f"{DOWNLOADS}/first.txt")
    expect(listed).to_have_text(["second.txt"])
    expect(page.locator("#show-files")).to_be_focused()
    page.locator("#show-files").blur()
    page.keyboard.press("Escape")
    expect(page.locator("#files")).to_be_hidden()
    expect(page.locator("#show-files")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#bar")).to_be_hidden()


def test_an_application_that_ended_is_started_again_by_a_key(desktop: Running, page: Page) -> None:
    page.keyboard.type("exit 3\n", delay=5)
    ended = page.get_by_role("region", name="The application has ended")
    expect(ended).to_be_visible()
    page.screenshot(path=PICTURES / "image-terminal-ended.png")
    expect(page.get_by_role("button", name="Start it again")).to_be_focused()
    page.keyboard.press("Enter")
    expect(ended).to_be_hidden()
    await_terminal(desktop, page)
    page.keyboard.type("echo again > proof.txt\n", delay=5)
    await_file(desktop, "/workspace/proof.txt", "again\n")


def test_an_application_that_ended_is_started_again_from_the_bar(
    desktop: Running, page: Page
) -> None:
    restart = page.locator("#buttons").get_by_role("button", name="Start it again")
    page.keyboard.type("exit\n", delay=5)
    page.locator("#leave").click()
    page.get_by_role("button", name="Desktop tools").click()
    page.screenshot(path=PICTURES / "image-terminal-restart.png")
    restart.click()
    await_terminal(desktop, page)
    page.keyboard.type("echo again > proof.txt\n", delay=5)
    await_file(desktop, "/workspace/proof.txt", "again\n")
    open_panel(page, "Picture")
    expect(restart).to_be_hidden()


def test_a_session_that_has_ended_leads_back_to_the_applications(
    desktop: Running, new_page: NewPage
) -> None:
    page = new_page(viewport=SMALL)
    page.add_init_script(SOCKETS)
    visit(desktop, page)
    page.route(f"**{BASE}/", lambda route: route.fulfill(status=404))
    page.evaluate("sockets[0].close()")
    expect(page.locator("#status")).to_contain_text("This session has ended.")
    back = page.get_by_role("link", name="Back to the applications")
    expect(back).to_have_attribute("href", "/")
    page.screenshot(path=PICTURES / "image-page-over.png")


def test_a_viewer_has_no_files_no_keys_and_no_say_in_the_size(
    desktop: Running, page: Page, new_page: NewPage
) -> None:
    until(lambda: size(desktop) == "1000x700")
    viewer = new_page(
        viewport={"width": 640, "height": 480}, extra_http_headers={"X-Session-Access": "view"}
    )
    visit(desktop, viewer)
    expect(viewer.locator("body")).to_have_class("looks-on")
    viewer.keyboard.type("echo no > proof.txt\n", delay=5)
    viewer.evaluate(DROP, ["data.csv", "no"])
    viewer.get_by_role("button", name="Desktop tools").click()
    shown = viewer.locator("#buttons").get_by_role("button")
    names = [str(one.get_attribute("title")) for one in shown.all() if one.is_visible()]
    assert names == ["Picture", "Full screen", "Close the tools"]
    page.keyboard.type("exit\n", delay=5)
    ended = viewer.get_by_role("region", name="The application has ended")
    expect(ended).to_be_visible()
    expect(ended.get_by_role("button")).to_have_text(["Close"])
    assert size(desktop) == "1000x700"
    assert files(desktop) == ""


def test_the_bar_is_used_by_keyboard_alone_and_holds_no_key_down(
    desktop: Running, page: Page
) -> None:
    page.keyboard.press("Control+Alt+End")
    clipboard = page.locator("#show-clipboard")
    expect(clipboard).to_be_focused()
    for name in ("files", "keys", "picture"):
        page.keyboard.press("Tab")
        expect(page.locator(f"#show-{name}")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#picture")).to_be_visible()
    expect(page.locator("#show-picture")).to_have_attribute("aria-expanded", "true")
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.locator("#quality")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#picture")).to_be_hidden()
    expect(page.locator("#show-picture")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#bar")).to_be_hidden()
    expect(page.locator("canvas")).to_be_focused()
    page.keyboard.type("echo free > proof.txt\n", delay=5)
    await_file(desktop, "/workspace/proof.txt", "free\n")


def test_full_screen_is_entered_and_left(page: Page) -> None:
    full = page.get_by_role("button", name="Full screen")
    for pressed in ("true", "false"):
        page.get_by_role("button", name="Desktop tools").click()
        full.click()
        expect(page.locator("#full-screen")).to_have_attribute("aria-pressed", pressed)
        assert page.evaluate("Boolean(document.fullscreenElement)") is (pressed == "true")
        page.keyboard.press("Control+Alt+End")
        page.keyboard.press("Escape")
        expect(page.locator("#bar")).to_be_hidden()


def test_in_a_frame_tab_leads_to_the_tools(desktop: Running, new_page: NewPage) -> None:
    page = new_page(viewport=SMALL)
    page.goto(f"http://{desktop.loopback()}/outer")
    page.evaluate(
        """address => {
            const [before, frame] = ["button", "iframe"].map((tag) => document.createElement(tag));
            Object.assign(frame, { src: address, width: 800, height: 600 });
            document.body.replaceChildren(before, frame);
        }""",
        f"{BASE}/",
    )
    frame = page.frame_locator("iframe")
    await_terminal(desktop, frame)
    page.locator("button").focus()
    page.keyboard.press("Tab")
    expect(frame.locator("#tab")).to_be_focused()
    page.keyboard.press("Enter")
    expect(frame.locator("#show-clipboard")).to_be_focused()


def test_a_modifier_is_held_for_the_key_that_follows(desktop: Running, page: Page) -> None:
    open_panel(page, "Keys")
    keys = page.locator("#keys")
    page.locator("canvas").click(position={"x": 500, "y": 600})
    type_cat(desktop, page)
    page.keyboard.type("kept\n", delay=5)
    keys.get_by_role("button", name="Ctrl", exact=True).click()
    expect(keys.get_by_role("button", name="Ctrl", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    page.keyboard.press("d")
    page.locator("#close").click()
    page.keyboard.type("echo more >> proof.txt\n", delay=5)
    await_file(desktop, "/workspace/proof.txt", "kept\nmore\n")


def test_keys_that_the_browser_keeps_are_sent_from_the_panel(desktop: Running, page: Page) -> None:
    page.keyboard.type('read -rsn 6 -d q keys; printf %s "$keys" > proof.txt\n', delay=5)
    open_panel(page, "Keys")
    for name in ("Esc", "Tab", "Left"):
        page.locator("#keys").get_by_role("button", name=name, exact=True).click()
    page.keyboard.type("q")
    await_file(desktop, "/workspace/proof.txt", "\x1b\t\x1b[D")


def test_the_on_screen_keyboard_types_words_as_they_are_replaced(
    desktop: Running, new_page: NewPage
) -> None:
    page = new_page(
        viewport={"width": 360, "height": 640},
        has_touch=True,
        is_mobile=True,
        device_scale_factor=2,
    )
    visit(desktop, page)
    page.locator("#tab").tap()
    page.get_by_role("button", name="Keyboard").tap()
    expect(page.locator("#typed")).to_be_focused()
    page.locator("canvas").first.tap(position={"x": 180, "y": 300})
    expect(page.locator("#typed")).to_be_focused()
    device = page.context.new_cdp_session(page)
    page.keyboard.insert_text("cat > proof.txt")
    page.keyboard.press("Enter")
    await_cat(desktop)
    for word in ("wor", "word", "wond"):
        device.send(
            "Input.imeSetComposition", {"text": word, "selectionStart": 4, "selectionEnd": 4}
        )
    device.send("Input.insertText", {"text": "wonder \u00e4\u20ac"})
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    await_file(desktop, "/workspace/proof.txt", "wonder \u00e4\n")
    page.screenshot(path=PICTURES / "image-page-touch.png")


def test_a_notice_is_shown_until_it_is_dismissed(desktop: Running, new_page: NewPage) -> None:
    page = new_page(viewport=SMALL)
    told = '{"application": "running", "status": 0, "notices": ["Your home is full."], "files": 1}'
    page.route(
        "**/events",
        lambda route: route.fulfill(
            content_type="text/event-stream", body=f"retry: 100\ndata: {told}\n\n"
        ),
    )
    visit(desktop, page)
    notices = page.get_by_role("list", name="Notices").get_by_role("listitem")
    expect(notices).to_contain_text(["Your home is full."])
    page.get_by_role("button", name="Dismiss").click()
    expect(notices).to_have_count(0)
    with page.expect_request("**/events"):
        pass  # told again
    expect(notices).to_have_count(0)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("dark", 320)])
def test_every_panel_is_legible_and_fits(
    desktop: Running, new_page: NewPage, scheme: str, width: int
) -> None:
    page = new_page(
        viewport={"width": width, "height": 620}, color_scheme=scheme, has_touch=width < 400
    )
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if "Policy" in line.text else None)
    visit(desktop, page)
    desktop.run("sh", "-c", f"mkdir -p {DOWNLOADS}; date > {DOWNLOADS}/{'long-' * 30}.txt")
    page.evaluate(DROP, [".hidden", "refused"])
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name in PANELS:
        open_panel(page, name)
        page.wait_for_timeout(200)
        page.screenshot(path=PICTURES / f"image-page-{name.lower()}-{scheme}-{width}.png")
        assert page.evaluate(LEGIBLE) == []
        assert page.evaluate(OUTSIDE) == []
    page.locator("#close").click()
    page.keyboard.type("exit\n", delay=5)
    expect(page.locator("#ended")).to_be_visible()
    page.screenshot(path=PICTURES / f"image-page-ended-{scheme}-{width}.png")
    assert page.evaluate(LEGIBLE) == []
    page.locator("#leave").click()
    page.get_by_role("button", name="Desktop tools").click()
    expect(page.locator("#restart")).to_be_visible()
    assert page.evaluate(LEGIBLE) == []
    assert page.evaluate(OUTSIDE) == []
    assert complaints == []


OUTSIDE = """() => [...document.querySelectorAll("#bar, #buttons *, #bar section, .card")]
    .filter((element) => element.checkVisibility())
    .filter((element) => {
        const { left, right, bottom } = element.getBoundingClientRect();
        return left < 0 || right > innerWidth || bottom > innerHeight;
    }).map((element) => element.outerHTML)"""
