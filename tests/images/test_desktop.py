"""The desktop under every VNC application: RFB at one address only, and a tree that ends whole."""

import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from images.conftest import BASE, Running, Start, until
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection

GREETING = b"RFB 003.008\n"
SCREEN = {"DISPLAY": ":0"}
FULL = "Your home is full: nothing more can be saved until you delete files."


@pytest.fixture
def desktop(start: Start) -> Running:
    return start("terminal")


@pytest.fixture(scope="module")
def shared(start_shared: Start) -> Running:
    return start_shared("terminal")


def descriptors(desktop: Running) -> int:
    """Return how many files and sockets the web server has open."""
    command = "ls /proc/$(pgrep -x desktop)/fd | wc -l"
    return int(desktop.run("sh", "-c", command))


def size(desktop: Running) -> str:
    """Return the width and height of the X screen."""
    command = ["sh", "-c", "xdpyinfo | awk '/dimensions/ {print $2}'"]
    return desktop.run(*command, environment=SCREEN).strip()


@contextmanager
def told(desktop: Running) -> Iterator[Callable[[], dict[str, Any]]]:
    """Open the desktop's events; what is given waits for the next."""
    address = f"http://{desktop.address}:8888{BASE}/events"
    with httpx.stream("GET", address, timeout=30) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        lines = (line for line in answer.iter_lines() if line.startswith("data: "))
        yield lambda: json.loads(next(lines).removeprefix("data: "))


def start_again(desktop: Running) -> int:
    return desktop.ask("POST", f"{BASE}/application").status_code


def greeted(socket: ClientConnection) -> ClientConnection:
    assert socket.recv(5) == GREETING
    return socket


def test_rfb_greets_at_websockify(shared: Running) -> None:
    with shared.websocket("/websockify", "binary") as socket:
        assert socket.subprotocol == "binary"
        greeted(socket)
    with shared.websocket("/websockify") as socket:
        assert socket.subprotocol is None
        greeted(socket)


@pytest.mark.parametrize("path", ["/", "/websockify/", "/ws", "/x/websockify", "/page.js"])
def test_there_is_no_websocket_anywhere_else(shared: Running, path: str) -> None:
    with pytest.raises(InvalidStatus):
        shared.websocket(path, "binary")


def test_ready_means_that_the_first_client_is_greeted(start: Start) -> None:
    for _ in range(3):
        with start("base-vnc").websocket("/websockify") as socket:
            greeted(socket)


def test_many_clients_at_once_and_none_is_left_behind(shared: Running) -> None:
    before = descriptors(shared)
    with ExitStack() as clients:
        for _ in range(20):
            greeted(clients.enter_context(shared.websocket("/websockify")))
        assert descriptors(shared) >= before + 40
    until(lambda: descriptors(shared) <= before, why="sockets of clients that went are open")


def test_clients_that_leave_early_lock_nobody_out(shared: Running) -> None:
    for _ in range(30):
        with shared.websocket("/websockify") as socket:
            greeted(socket)


def test_a_resolution_from_the_options_is_kept(start: Start) -> None:
    desktop = start("terminal", X11_WIDTH="1024", X11_HEIGHT="768", X11_DEPTH="24")
    assert size(desktop) == "1024x768"


@pytest.mark.parametrize(
    ("name", "value"), [("X11_WIDTH", "wide"), ("X11_WIDTH", "319"), ("X11_HEIGHT", "4321")]
)
def test_a_wrong_resolution_ends_it_with_a_sentence(start: Start, name: str, value: str) -> None:
    gone = start("terminal", ready=False, **{name: value})
    assert gone.container.wait(timeout=10)["StatusCode"] == 1
    assert f'desktop: {name} is "{value}": must be a number from' in gone.log()


@pytest.mark.parametrize("program", ["openbox", "Xtigervnc"])
def test_when_a_part_ends_the_container_ends(desktop: Running, program: str) -> None:
    desktop.run("pkill", "-KILL", "-x", program)
    assert desktop.container.wait(timeout=10)["StatusCode"] == 1
    # With its screen gone the window manager ends too, and may be noticed first.
    first = {program, "openbox"}
    assert any(f"desktop: {one} ended: " in desktop.log() for one in first)


@pytest.fixture
def build(network: Any) -> Iterator[Callable[[str], str]]:
    """Build images as their makers would write them, from what follows the base's name."""
    made: list[Any] = []

    def build_one(lines: str) -> str:
        dockerfile = io.BytesIO(f"FROM remoteapp/base-vnc\n{lines}\n".encode())
        tag = f"remoteapp-test/own-{len(made)}"
        made.append(network.client.images.build(fileobj=dockerfile, tag=tag, rm=True)[0])
        return tag

    yield build_one
    for image in made:
        network.client.images.remove(image.id, force=True)


def autostart(script: str) -> str:
    return f"RUN echo '{script}' > /etc/remoteapp/autostart"


def test_sigterm_lets_applications_end_before_their_screen(
    build: Callable[[str], str], start: Start
) -> None:
    script = (
        'trap "sleep 0.3; xdpyinfo > /dev/null && echo the screen was there; exit" TERM; '
        "echo armed; while :; do sleep 0.1; done"
    )
    desktop = start(build(autostart(script)))
    until(lambda: "armed" in desktop.log())
    desktop.container.stop(timeout=10)
    assert "the screen was there" in desktop.log()
    desktop.container.reload()
    assert desktop.container.attrs["State"]["ExitCode"] == 0


def test_an_application_that_ends_is_told_of_and_started_again(
    build: Callable[[str], str], start: Start
) -> None:
    script = "echo once more; while [ ! -e /workspace/end ]; do sleep 0.05; done; exit 3"
    desktop = start(build(autostart(script)))
    with told(desktop) as following:
        first = following()
        assert (first["application"], first["status"], first["notices"]) == ("running", 0, [])
        until(lambda: desktop.log().count("once more") == 1)
        assert start_again(desktop) == 409
        desktop.run("touch", "/workspace/end")
        ended = following()
        assert (ended["application"], ended["status"]) == ("ended", 3)
        desktop.run("rm", "/workspace/end")
        assert start_again(desktop) == 202
        assert following()["application"] == "running"
    until(lambda: desktop.log().count("once more") == 2)


def test_an_application_that_is_killed_has_the_status_of_a_shell(desktop: Running) -> None:
    until(lambda: desktop.container.exec_run(["pgrep", "-x", "bash"])[0] == 0)
    with told(desktop) as following:
        following()
        desktop.run("pkill", "-KILL", "-x", "xterm")
        assert following()["status"] == 137


def test_the_menu_of_the_desktop_starts_it_too(desktop: Running) -> None:
    until(lambda: desktop.container.exec_run(["pgrep", "-x", "bash"])[0] == 0)
    desktop.run("pkill", "-KILL", "-x", "xterm")
    command = desktop.run("grep", "-o", "sh /etc/remoteapp/[a-z-]*", "/etc/xdg/openbox/menu.xml")
    words = f"DESKTOP_PID=$(pgrep -x desktop) {command}"

    def started() -> bool:
        desktop.run("sh", "-c", words)
        return bool(desktop.container.exec_run(["pgrep", "-x", "xterm"])[0] == 0)

    until(started)
    desktop.run("sh", "-c", words)
    assert desktop.run("pgrep", "-c", "-x", "xterm") == "1\n"


def test_a_home_that_is_full_starts_and_says_so_until_it_is_not(start: Start) -> None:
    desktop = start("terminal", home="size=1m")
    until(lambda: desktop.container.exec_run(["pgrep", "-x", "bash"])[0] == 0)
    desktop.container.exec_run(["sh", "-c", "yes > /workspace/much"])
    desktop.container.restart()
    desktop.await_ready()
    desktop.container.exec_run(["sh", "-c", "yes > /workspace/much"])
    with told(desktop) as following:
        assert following()["notices"] == [FULL]
        desktop.run("rm", "/workspace/much")
        assert following()["notices"] == []
    until(lambda: desktop.container.exec_run(["pgrep", "-x", "bash"])[0] == 0)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"home": "ro"}, "Your home is read-only: what you save is lost when the session ends."),
        ({"HOME": "/nowhere"}, "This session has no home: what you save is lost when it ends."),
    ],
)
def test_a_home_that_cannot_be_kept_to_starts_and_says_so(
    start: Start, options: dict[str, str], sentence: str
) -> None:
    desktop = start("terminal", **options)
    with told(desktop) as following:
        assert following()["notices"] == [sentence]
    until(lambda: desktop.container.exec_run(["pgrep", "-x", "bash"])[0] == 0)
    assert start_again(desktop) == 409


def test_what_changes_in_downloads_is_told(desktop: Running) -> None:
    with told(desktop) as following:
        count = following()["files"]
        for command in ("mkdir -p Downloads", "echo x > Downloads/x", "rm -r Downloads"):
            desktop.run("sh", "-c", f"cd /workspace && {command}")
            now = following()["files"]
            assert now > count
            count = now


def processor_seconds(desktop: Running) -> float:
    usage = desktop.container.stats(stream=False)["cpu_stats"]["cpu_usage"]["total_usage"]
    return int(usage) / 1e9


def test_a_desktop_at_rest_takes_no_processor_time(start: Start) -> None:
    desktop = start("base-vnc")
    with told(desktop) as following, desktop.websocket("/websockify") as picture:
        greeted(picture)
        following()
        time.sleep(2)
        begin = processor_seconds(desktop)
        time.sleep(5)
        assert processor_seconds(desktop) - begin < 0.05


def windows(desktop: Running) -> str:
    return desktop.run("xwininfo", "-root", "-tree", environment=SCREEN)


def test_the_panel_is_there_unless_one_window_fills_the_desktop(
    shared: Running, start: Start
) -> None:
    desktop = start("base-vnc")
    until(lambda: '("tint2" "Tint2")' in windows(desktop), why="no panel")
    until(lambda: '("xterm" "XTerm")' in windows(shared))
    assert "Tint2" not in windows(shared)


def test_programs_draw_three_dimensions_by_the_processor(
    build: Callable[[str], str], start: Start
) -> None:
    package = "RUN apt-get update -q && apt-get install -qy --no-install-recommends mesa-utils-bin"
    desktop = start(build(package))
    facts = desktop.run("sh", "-c", "glxinfo.x86_64-linux-gnu -B", environment=SCREEN)
    assert "direct rendering: Yes" in facts
    assert "OpenGL renderer string: llvmpipe" in facts


def test_letters_are_as_large_as_the_resolution_says(start: Start) -> None:
    desktop = start("base-vnc", X11_DPI="144")
    facts = desktop.run("xdpyinfo", environment=SCREEN)
    assert "resolution:    144x144 dots per inch" in facts
    until(lambda: "144" in desktop.run("xrdb", "-query", environment=SCREEN))


def test_characters_of_many_scripts_have_letters(shared: Running) -> None:
    for character in "漢かΩЯعא☃":
        assert shared.run("fc-list", f":charset={ord(character):x}", "family")


def test_fonts_are_read_once_and_for_all(shared: Running) -> None:
    """What a start has to read anew, it keeps in the home."""
    assert "fontconfig" not in shared.run("find", "/workspace")


def test_nothing_but_reading_is_allowed(shared: Running) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert shared.ask(method, shared.get("/").url.raw_path.decode()).status_code == 405


def test_the_page_takes_nothing_from_elsewhere_and_runs_nothing_inline(shared: Running) -> None:
    page = shared.get("/")
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    for name in ("page.js", "page.css"):
        assert name in page.text
        assert shared.get(f"/{name}").is_success


def test_the_script_travels_compressed(shared: Running) -> None:
    plain = shared.get("/page.js", headers={"Accept-Encoding": "identity"})
    small = shared.get("/page.js", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert small.headers["Content-Encoding"] == "gzip"
    assert small.text == plain.text
    assert int(small.headers.get("Content-Length", 0)) < len(plain.content) / 3
