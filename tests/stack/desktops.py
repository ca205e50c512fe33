"""Desktops as other VNC clients see them, and what has happened inside."""

import asyncio
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import SHUT_RDWR, create_server, socket
from typing import Any, Self, TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

Done = TypeVar("Done")
_VNCDO = str(Path(sys.executable).parent / "vncdo")
# What keys, a pointer, a clipboard and another size change, asked of the X server itself.
_LOOK = """
import ctypes, json
x11 = ctypes.CDLL("libX11.so.6")
x11.XOpenDisplay.restype = ctypes.c_void_p
display = ctypes.c_void_p(x11.XOpenDisplay(None))
x11.XDefaultRootWindow.restype = ctypes.c_ulong
root = ctypes.c_ulong(x11.XDefaultRootWindow(display))
window, other = ctypes.c_ulong(), ctypes.c_ulong()
numbers = [ctypes.c_int() for _ in range(4)]
mask = ctypes.c_uint()
x11.XQueryPointer(display, root, ctypes.byref(window), ctypes.byref(other),
                  *map(ctypes.byref, numbers), ctypes.byref(mask))
keys = ctypes.create_string_buffer(32)
x11.XQueryKeymap(display, keys)
x11.XInternAtom.restype = x11.XGetSelectionOwner.restype = ctypes.c_ulong
owners = [x11.XGetSelectionOwner(display, ctypes.c_ulong(x11.XInternAtom(display, name, 0)))
          for name in (b"PRIMARY", b"CLIPBOARD")]
print(json.dumps({"pointer": [one.value for one in numbers[:2]], "buttons": mask.value,
                  "keys": keys.raw.hex(), "clipboards": owners,
                  "size": [x11.XDisplayWidth(display, 0), x11.XDisplayHeight(display, 0)]}))
"""


@dataclass(frozen=True)
class Inside:
    """A desktop's container, and the name of its screen."""

    container: Any
    screen: str

    def looks(self) -> dict[str, Any]:
        """Return what can be seen of it: pointer, buttons, keys, clipboards' owners, size."""
        found: dict[str, Any] = json.loads(self.run("python3", "-c", _LOOK))
        return found

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        return bool(self.run("sh", "-c", f"ls {path} 2>/dev/null || true"))

    def run(self, *words: str) -> str:
        """Run a program as root; return what it prints."""
        screen = {"DISPLAY": self.screen}
        status, output = self.container.exec_run(list(words), environment=screen)
        assert status == 0, output
        return str(output.decode())


class Viewer:
    """A WebSocket whose one thread reads and writes: a TLS stream does not bear two."""

    def __init__(self, url: str, trust: ssl.SSLContext, cookie: str) -> None:
        """Open it as a desktop's page does; websockets' InvalidStatus has what refuses it."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._address = url.replace("https:", "wss:", 1) + "websockify"
        try:
            self._socket = self._done(self._opened(trust, cookie), 20)
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._done(self._socket.close(), 20)
        self._end()

    def send(self, data: bytes) -> None:
        self._done(self._socket.send(data), 20)

    def recv(self, timeout: float | None = None, decode: bool | None = None) -> bytes:  # noqa: FBT001  as websockets has it
        """Return the next message; TimeoutError, ConnectionClosed."""
        del decode  # a desktop speaks in bytes

        async def next_one() -> bytes:
            async with asyncio.timeout(timeout):
                return await self._socket.recv(decode=False)

        return self._done(next_one(), None)

    async def _opened(self, trust: ssl.SSLContext, cookie: str) -> ClientConnection:
        return await connect(
            self._address,
            ssl=trust,
            additional_headers={"Cookie": cookie},
            subprotocols=[Subprotocol("binary")],
            ping_interval=None,
            proxy=None,
            max_size=None,
            open_timeout=20,
        )

    def _done(self, work: Coroutine[Any, Any, Done], seconds: float | None) -> Done:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def bridge(url: str, trust: ssl.SSLContext, cookie: str) -> Iterator[int]:
    """Lead one client of plain VNC to a desktop's WebSocket; yields the port it connects to."""
    with create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_led, args=(server, url, trust, cookie))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            with suppress(OSError):
                server.shutdown(SHUT_RDWR)
            thread.join()


def vncdo(port: int, *words: str) -> subprocess.CompletedProcess[str]:
    """Let vncdotool's client act on what listens there."""
    return subprocess.run(
        [_VNCDO, "--server", f"127.0.0.1::{port}", "--timeout", "30", *words],
        capture_output=True,
        text=True,
        check=False,
    )


def _led(server: socket, url: str, trust: ssl.SSLContext, cookie: str) -> None:
    with suppress(OSError):
        one, _ = server.accept()
        with one:
            with Viewer(url, trust, cookie) as desktop:
                back = threading.Thread(target=_told, args=(desktop, one))
                back.start()
                with suppress(OSError, ConnectionClosed):
                    while data := one.recv(65536):
                        desktop.send(data)
            back.join()


def _told(desktop: Viewer, one: socket) -> None:
    with suppress(OSError, ConnectionClosed):
        while True:
            one.sendall(desktop.recv())
    with suppress(OSError):
        one.shutdown(SHUT_RDWR)
