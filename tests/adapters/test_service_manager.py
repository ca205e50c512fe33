"""What the service manager hears, on a socket of its kind."""

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from control_plane.adapters.service_manager import ServiceManager


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as made:
        made.bind(str(tmp_path / "notify"))
        made.settimeout(0)
        yield made


def heard(listener: socket.socket) -> list[bytes]:
    lines = []
    while True:
        try:
            lines.append(listener.recv(100))
        except BlockingIOError:
            return lines


def test_it_is_told_of_the_start_and_of_the_end(listener: socket.socket) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": listener.getsockname()})
    manager.ready()
    manager.stopping()
    assert heard(listener) == [b"READY=1", b"STOPPING=1"]


def test_an_abstract_socket_is_written_with_an_at_sign() -> None:
    name = f"remoteapp-test-{os.getpid()}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as made:
        made.bind(f"\0{name}")
        ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert made.recv(100, socket.MSG_DONTWAIT) == b"READY=1"


def test_a_sign_of_life_comes_once_in_half_the_time(listener: socket.socket) -> None:
    watched = {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}
    manager = ServiceManager({"NOTIFY_SOCKET": listener.getsockname(), **watched})
    for _ in range(3):
        manager.alive()
    assert heard(listener) == [b"WATCHDOG=1"]
    often = ServiceManager({"NOTIFY_SOCKET": listener.getsockname(), "WATCHDOG_USEC": "1"})
    for _ in range(3):
        often.alive()
    assert heard(listener) == [b"WATCHDOG=1"] * 3


@pytest.mark.parametrize(
    "watched",
    [{}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}],
)
def test_nobody_who_does_not_ask_gets_a_sign_of_life(
    listener: socket.socket, watched: dict[str, str]
) -> None:
    ServiceManager({"NOTIFY_SOCKET": listener.getsockname(), **watched}).alive()
    assert heard(listener) == []


def test_without_a_manager_nothing_happens(caplog: pytest.LogCaptureFixture) -> None:
    manager = ServiceManager({})
    manager.ready()
    manager.alive()
    manager.stopping()
    assert caplog.text == ""


def test_a_manager_that_does_not_listen_is_logged_and_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "nowhere")}).ready()
    assert "the service manager was not told line=READY=1" in caplog.text
