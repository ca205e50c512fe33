"""The client of a desktop, against servers that are old, strict, talkative or rude."""

import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from control_plane.adapters import rfb
from control_plane.adapters.application_client import ApplicationClient
from control_plane.errors import ControlPlaneError

# 800 by 600, 32 bits a pixel, no name.
START = struct.pack(">HHB15xI", 800, 600, 32, 0)
HUGE = struct.pack(">HHB15xI", 9000, 9000, 32, 0)
LET_IN = [b"RFB 003.008\n", bytes([1, 1]), bytes(4), START]
ONE_PIXEL = struct.pack(">BBHHHHHi4x", 0, 0, 1, 0, 0, 1, 1, 0)


@contextmanager
def desktop(parts: Sequence[bytes]) -> Iterator[ApplicationClient]:
    """Serve a desktop that says one part after each message of its client."""

    def say(socket: ServerConnection) -> None:
        try:
            for part in parts:
                socket.send(part)
                socket.recv()
        except ConnectionClosed:
            return

    with serving(say) as client:
        yield client


@contextmanager
def serving(say: Callable[[ServerConnection], None]) -> Iterator[ApplicationClient]:
    with serve(say, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        client = ApplicationClient("127.0.0.1", server.socket.getsockname()[1], "alice", "/base")
        try:
            yield client
        finally:
            client.close()
            server.shutdown()
            thread.join()


def on(parts: Sequence[bytes], act: Callable[[rfb.Desktop], object]) -> object:
    with desktop(parts) as client, client.websocket("/base/websockify") as socket:
        return act(rfb.opened(socket))


@contextmanager
def endless(said: bytes) -> Iterator[ApplicationClient]:
    """Serve a desktop that lets its client in and then says the same until it leaves."""

    def say(socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            for part in LET_IN:
                socket.send(part)
                socket.recv()
            while True:
                socket.send(said)

    with serving(say) as client:
        yield client


def updated(one: rfb.Desktop) -> str:
    one.update()
    return one.size


@pytest.mark.parametrize(
    "handshake",
    [
        [b"RFB 003.003\n", bytes([0, 0, 0, 1]) + START],
        [b"RFB 003.005\n", bytes([0, 0, 0, 1]) + START],
        [b"RFB 003.007\n", bytes([2, 2, 1]), START],
        [b"RFB 003.008\n", bytes([1, 1]), bytes(4) + START],
        [b"RFB 003.889\n", bytes([1, 1]), bytes(4) + START],
    ],
)
def test_every_version_of_the_protocol_lets_us_in(handshake: Sequence[bytes]) -> None:
    assert on([*handshake, b""], lambda one: one.size) == "800x600"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            [b"RFB 003.008\n", bytes([0, 0, 0, 0, 4]) + b"full"],
            "The desktop refuses: full",
        ),
        (
            [b"RFB 003.003\n", bytes([0, 0, 0, 0, 0, 0, 0, 4]) + b"full"],
            "The desktop refuses: full",
        ),
        (
            [b"RFB 003.008\n", bytes([1, 1]), bytes([0, 0, 0, 1, 0, 0, 0, 4]) + b"full"],
            "The desktop refuses: full",
        ),
        ([b"RFB 003.008\n", bytes([2, 2, 19])], "It asks for a password (security types 2, 19)."),
        (
            [*LET_IN, struct.pack(">BxHHHHHi", 0, 1, 0, 0, 0xFFFF, 0xFFFF, 0)],
            "The desktop of 800x600 sent a 65535x65535 picture.",
        ),
        (
            [*LET_IN[:3], HUGE, struct.pack(">BxHHHHHi", 0, 1, 0, 0, 9000, 9000, 0)],
            "The desktop of 9000x9000 sent a 9000x9000 picture.",
        ),
        ([b"RFB 003.008\xff"], "It greets with b'RFB 003.008\\xff', not as RFB 3."),
        ([b"SSH-2.0-open"], "It greets with b'SSH-2.0-open', not as RFB 3."),
        ([], "The desktop closed the connection."),
        (
            [b"RFB 003.008\n", bytes([1, 1]), bytes(4), START, bytes([99])],
            "The desktop sent a message of the unknown kind 99.",
        ),
    ],
)
def test_what_goes_wrong_is_said(parts: Sequence[bytes], said: str) -> None:
    with pytest.raises(ControlPlaneError) as caught:
        on(parts, updated)
    assert caught.value.message == said


def test_a_bell_colours_and_a_text_are_taken_in_on_the_way() -> None:
    bell, colours = bytes([2]), struct.pack(">BxHH", 1, 0, 1) + bytes(6)
    text = struct.pack(">Bxxxi", 3, 2) + b"hi"
    parts = [b"RFB 003.008\n", bytes([1, 1]), bytes(4), START, bell + colours + text + ONE_PIXEL]
    assert on(parts, updated) == "800x600"


def test_a_desktop_that_never_tells_its_screens_knows_no_other_size() -> None:
    parts = [b"RFB 003.008\n", bytes([1, 1]), bytes(4), START, ONE_PIXEL, b""]
    assert on(parts, lambda one: one.resize(640, 480)) is None


@pytest.mark.parametrize("said", [bytes([2]), bytes([2]) * 1024**2])
def test_a_desktop_that_rings_for_ever_is_left(said: bytes) -> None:
    with endless(said) as client, client.websocket("/base/websockify") as socket:
        desktop = rfb.opened(socket, 3)
        with pytest.raises(ControlPlaneError) as caught:
            desktop.update()
    assert caught.value.message == "The desktop did not answer within 3 s."


def test_a_message_too_large_to_hold_ends_the_connection() -> None:
    with pytest.raises(ControlPlaneError) as caught:
        on([*LET_IN, bytes(16 * 1024**2 + 1)], updated)
    assert caught.value.message == "The desktop closed the connection."
