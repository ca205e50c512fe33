"""What an application sends in the place of a head, or after a preliminary one, is no head."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from nginx.clients import ALICE, DESKTOP, path_of
from nginx.conftest import Stack

COOKIE = b"Set-Cookie: __Host-remoteapp=x; Path=/; Secure"
FORGED = b"HTTP/1.1 200 OK\r\n" + COOKIE + b"\r\nContent-Length: 0\r\n\r\n"
WEBSOCKET = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"


@contextmanager
def raw(answer: bytes) -> Iterator[str]:
    """Serve an application that answers so, whatever is asked; yield its target."""
    listening = socket.create_server(("127.213.0.7", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                one, _ = listening.accept()
                with one:
                    one.recv(65536)
                    one.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.213.0.7:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def heard(stack: Stack, target: str, more: str = "") -> bytes:
    """Return all that a visitor's browser gets."""
    stack.plane.allow(ALICE, DESKTOP, target)
    asked = f"GET {path_of(DESKTOP)} HTTP/1.1\r\nHost: localhost:{stack.client.port}\r\n"
    asked += f"Cookie: __Host-remoteapp={ALICE}\r\n{more}\r\n"
    plain = socket.create_connection(("127.0.0.1", stack.client.port), 0.5)
    with stack.client.context.wrap_socket(plain, server_hostname="localhost") as one:
        one.sendall(asked.encode())
        said = b""
        with suppress(TimeoutError):
            while data := one.recv(65536):
                said += data
        return said


@pytest.mark.parametrize("more", ["", WEBSOCKET])
@pytest.mark.parametrize(
    "before",
    [
        b"\n\n\n\n",
        b"\r\n",
        b"x",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
        b"HTTP/1.1 000 Nothing\r\n\r\n",
    ],
)
def test_no_head_is_forged_past_nginx(stack: Stack, before: bytes, more: str) -> None:
    with raw(before + FORGED) as target:
        said = heard(stack, target, more)
    assert COOKIE in said  # it was asked
    assert not [line for line in said.splitlines() if line.startswith(b"Set-Cookie")]


def test_what_follows_a_switch_that_nobody_asked_for_is_no_head(stack: Stack) -> None:
    with raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + FORGED) as target:
        said = heard(stack, target)
    assert COOKIE in said  # it was asked
    assert not [line for line in said.splitlines() if line.startswith(b"Set-Cookie")]


def test_an_answer_with_a_head_is_passed_to_the_last_line_end(stack: Stack) -> None:
    body = b"a\nb\r\n\r\n"
    with raw(b"HTTP/1.0 200 OK\r\n\r\n" + body) as target:
        said = heard(stack, target, "Connection: close\r\n")
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body in said
