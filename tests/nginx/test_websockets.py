"""WebSockets: judged at the handshake by themselves, and untouched by every reload."""

import subprocess
import time
from collections.abc import Iterator

import pytest
from nginx.clients import ALICE, BOB, CHARLIE, DESKTOP, Browser, path_of, signed_in
from nginx.conftest import EAGER, Stack
from nginx.stubs import Echo, websocket_echo
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from control_plane.adapters import nginx_processes as processes
from control_plane.adapters.nginx_host import Pace
from control_plane.domain.routes import Route

WORKERS = 2
# Generations are told apart by when they started.
APART = 0.4


@pytest.fixture
def echo(stack: Stack) -> Iterator[Echo]:
    with websocket_echo("127.213.0.8") as made:
        stack.plane.allow(ALICE, DESKTOP, made.target)
        yield made


def open_one(stack: Stack, browser: Browser, who: str = ALICE) -> ClientConnection:
    return browser.open(stack.client, path_of(DESKTOP, "websockify"), signed_in(who) if who else [])


def draining_workers(stack: Stack) -> int:
    master = processes.master(stack.places.pid)
    listed = subprocess.run(
        ["ps", "--ppid", str(master), "-o", "args="], capture_output=True, text=True, check=True
    )
    return listed.stdout.count("shutting down")


def publish(stack: Stack, number: int) -> None:
    stack.gateway.publish(Route(f"{number:032x}", "127.213.1.1", 8888))


@pytest.mark.usefixtures("echo")
def test_frames_of_every_size_pass_both_ways(stack: Stack, browser: Browser) -> None:
    socket = open_one(stack, browser)
    for size in (0, 1, 65_536, 3_000_000):
        assert browser.echo(socket, b"x" * size)


@pytest.mark.parametrize(("who", "code"), [("", 401), ("ended", 401), (CHARLIE, 404), (BOB, 503)])
def test_the_handshake_is_judged_as_every_request_is(
    stack: Stack, echo: Echo, browser: Browser, who: str, code: int
) -> None:
    stack.plane.allow(BOB, DESKTOP, "")
    assert browser.echo(open_one(stack, browser))
    with pytest.raises(InvalidStatus) as refused:
        open_one(stack, browser, who)
    assert refused.value.response.status_code == code
    assert len(echo.handshakes) == 1


@pytest.mark.usefixtures("echo")
def test_an_open_one_outlives_reloads_and_the_control_plane(stack: Stack, browser: Browser) -> None:
    socket = open_one(stack, browser)
    for number in range(3):
        time.sleep(APART)
        publish(stack, number)
        assert stack.install().waiting_since is None
    stack.plane.die()
    assert browser.echo(socket)


@pytest.mark.usefixtures("echo")
def test_two_hundred_live_through_fifty_starts_while_two_generations_drain_at_most(
    stack: Stack, browser: Browser
) -> None:
    pace = Pace(interval=APART, look_again=0.0)
    sockets = []
    time.sleep(APART)
    for number in range(50):
        sockets += [open_one(stack, browser) for _ in range(4)]
        publish(stack, number)
        status = stack.install(pace)
        assert status.draining <= 2
        assert draining_workers(stack) <= 2 * WORKERS
    assert (status.draining, status.waiting_since is not None) == (2, True)
    assert len(sockets) == 200
    assert all(browser.echo(socket) for socket in sockets)


@pytest.mark.usefixtures("echo")
def test_routes_that_waited_long_open_a_third_and_a_fourth_generation_and_never_more(
    stack: Stack, browser: Browser
) -> None:
    impatient = Pace(interval=0.0, patience=0.0, look_again=0.0)
    sockets = []
    seen = []
    for number in range(7):
        time.sleep(APART)
        sockets.append(open_one(stack, browser))
        publish(stack, number)
        stack.install(impatient)
        time.sleep(APART)
        seen.append(stack.install(impatient).draining)
        assert draining_workers(stack) <= 4 * WORKERS
    assert seen == [1, 2, 3, 4, 4, 4, 4]
    assert all(browser.echo(socket) for socket in sockets)


@pytest.mark.usefixtures("echo")
def test_a_reload_put_off_for_the_draining_comes_when_they_have_ended(
    stack: Stack, browser: Browser
) -> None:
    for number in range(3):
        time.sleep(APART)
        open_one(stack, browser)
        publish(stack, number)
        status = stack.install(EAGER)
    assert (status.draining, status.again_at is not None) == (2, True)
    stack.gateway.poke()
    assert stack.install().waiting_since is not None
    browser.close()
    time.sleep(APART)
    stack.gateway.poke()
    assert stack.install().waiting_since is None
