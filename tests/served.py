"""An application served over TLS on loopback, and a wire to it that a test can cut."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trustme
import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from control_plane import lifecycle
from control_plane.domain.ports import Plane
from control_plane.web import app

HOST = "localhost"


@dataclass(frozen=True)
class Served:
    """Where it is served, and the CA that vouches for that."""

    port: int
    ca: Path

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}"


def portal_of(plane: Plane) -> Starlette:
    """Return the portal of an open plane."""

    @asynccontextmanager
    async def lifespan(made: Starlette) -> AsyncIterator[None]:
        lifecycle.load(plane)
        made.state.plane = plane
        with ThreadPoolExecutor(2) as made.state.signing_in:
            yield

    return app.create(lifespan)


@contextmanager
def served(
    application: ASGIApp,
    loop: asyncio.AbstractEventLoop,
    directory: Path,
    listening: Callable[[], socket.socket] = lambda: socket.create_server(("127.0.0.1", 0)),
) -> Iterator[Served]:
    """Serve on a socket, else on a free port, on that loop, until the context ends."""
    authority = trustme.CA()
    ca, key = directory / "ca.pem", directory / "key.pem"
    authority.cert_pem.write_to_path(ca)
    authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(key)
    server = uvicorn.Server(
        uvicorn.Config(application, ssl_certfile=key, log_config=None, timeout_graceful_shutdown=1)
    )
    with listening() as listener:
        work = asyncio.run_coroutine_threadsafe(server.serve(sockets=[listener]), loop)
        try:
            _wait_until_it_serves(server)
            yield Served(listener.getsockname()[1], ca)
        finally:
            server.should_exit = True
            work.result(10)


@dataclass
class Wire:
    """Passes bytes on to a port of loopback, until it is cut; new connections pass again."""

    to: int
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _ends: list[socket.socket] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    @property
    def laid(self) -> int:
        """How many connections were made so far."""
        return len(self._ends) // 2

    def cut(self) -> None:
        """Break every connection."""
        for one in self._ends:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def accept(self) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.to))
            self._ends += [near, far]
            for pair in ((near, far), (far, near)):
                threading.Thread(target=_pass_on, args=pair, daemon=True).start()

    def close(self) -> None:
        """End it, with all its connections."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()
        for one in self._ends:
            one.close()


@contextmanager
def wire(to: int) -> Iterator[Wire]:
    """Lay a wire to a port."""
    made = Wire(to)
    taking = threading.Thread(target=made.accept, daemon=True)
    taking.start()
    try:
        yield made
    finally:
        made.close()
        taking.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


def _wait_until_it_serves(server: uvicorn.Server) -> None:
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline, "it does not serve"
        time.sleep(0.01)
