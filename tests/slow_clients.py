"""Clients that begin a request and do not end it."""

import contextlib
import socket
from collections.abc import Callable, Iterator

MANY = 300
# What nobody else's request may take longer than, on a machine that does other things too.
QUICK = 3.0
# Heads that do not end, and bodies of which no more comes.
BEGUN = (
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: ",
    b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\nname=",
    b"PUT /api HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
)


@contextlib.contextmanager
def many(opened: Callable[[], socket.socket]) -> Iterator[None]:
    """Have many of them, for the time of the context."""
    with contextlib.ExitStack() as all_of_them:
        for number in range(MANY):
            client = all_of_them.enter_context(opened())
            client.sendall(BEGUN[number % len(BEGUN)])
        yield
