"""The desktop under every VNC application: RFB at one address only, and a tree that ends whole."""

import io
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from images.conftest import Running, Start, until
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection

GREETING = b"RFB 003.008\n"


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
    return desktop.run(*command, environment={"DISPLAY": ":0"}).strip()


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
    assert f"desktop: {program} ended: signal: killed" in desktop.log()


@pytest.fixture
def own_image(network: Any) -> Iterator[str]:
    """An image as its maker would write it; its application says its last words to the log."""
    script = (
        "trap 'sleep 0.3; xdpyinfo > /dev/null && echo the screen was there; exit' TERM; "
        "echo armed; while :; do sleep 0.1; done"
    )
    dockerfile = f'FROM remoteapp/base-vnc\nRUN echo "{script}" > /etc/remoteapp/autostart\n'
    images = network.client.images
    tag = "remoteapp-test/own"
    image, _ = images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=tag, rm=True)
    yield tag
    images.remove(image.id, force=True)


def test_sigterm_lets_applications_end_before_their_screen(own_image: str, start: Start) -> None:
    desktop = start(own_image)
    until(lambda: "armed" in desktop.log())
    desktop.container.stop(timeout=10)
    assert "the screen was there" in desktop.log()
    desktop.container.reload()
    assert desktop.container.attrs["State"]["ExitCode"] == 0


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
