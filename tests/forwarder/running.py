"""A forwarder as its own process, a desktop behind it, and what stands for nginx before it."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, unix_connect
from websockets.sync.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from control_plane.adapters.forwarder_client import ForwarderClient
from control_plane.domain.forwarding import Passage
from control_plane.trial.account import ROOT, environment
from control_plane.trial.places import command
from control_plane.trial.portal import listening
from control_plane.trial.supervised import Command, Supervised

SHARE, SESSION = "5" * 32, "a" * 32
GREETING = b"RFB 003.008\n"
Headers = list[tuple[str, str]]


def now() -> datetime:
    return datetime.now(UTC)


def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until that holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it does not come to pass"
        time.sleep(0.01)


@dataclass
class Forwarding:
    """The process, its sockets, and the control plane's way to it."""

    public: Path
    control: Path
    process: Supervised
    client: ForwarderClient

    def restart(self) -> None:
        self.process.kill()
        self.process.start()


@contextmanager
def forwarding(directory: Path) -> Iterator[Forwarding]:
    """Run a forwarder until the end."""
    with ExitStack() as undo:
        public, control = directory / "public.sock", directory / "control.sock"
        wanted = Command(
            name="forwarder",
            words=(command("control-plane"), "forward"),
            log=directory / "forwarder.log",
            environment=environment(),
            listener=undo.enter_context(listening(public, ROOT, 0o666)),
            control=undo.enter_context(listening(control, ROOT, 0o600)),
        )
        process = Supervised(wanted, directory / "forwarder.process", restart=False)
        undo.callback(process.stop, 5)
        process.start()
        client = ForwarderClient(control, now, seconds=10)
        undo.callback(client.close)
        yield Forwarding(public, control, process, client)


def passage(target: str, **changes: Any) -> Passage:
    """Return a passage to an address with its port: bob may look at alice's desktop for an hour."""
    address, port = target.split(":")
    wanted: dict[str, Any] = {
        "share_id": SHARE,
        "session_id": SESSION,
        "owner": "alice",
        "access": "view",
        "type": "vncapp",
        "address": address,
        "port": int(port),
        "expires_at": now() + timedelta(hours=1),
        "people": ("bob",),
    }
    return Passage(**{**wanted, **changes})


def said_by_nginx(share: str = SHARE, viewer: str = "bobs", user: str = "bob") -> Headers:
    """What nginx says of a visitor, and what it passes on."""
    return [
        ("Host", "portal.example"),
        ("X-Remote-User", user),
        ("X-Session-Access", "control"),  # as it was a moment ago
        ("X-Remoteapp-Share", share),
        ("X-Remoteapp-Viewer", viewer),
        ("X-Remoteapp-Session", SESSION),
    ]


class Raw:
    """nginx as bytes."""

    def __init__(self, path: Path, seconds: float = 10) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        self.socket.connect(str(path))

    def ask(self, line: str = "GET / HTTP/1.1", *more: tuple[str, str], **who: str) -> "Raw":
        headers = [f"{name}: {value}" for name, value in [*said_by_nginx(**who), *more]]
        return self.send("\r\n".join([line, *headers, "", ""]).encode())

    def send(self, data: bytes) -> "Raw":
        with suppress(ConnectionError):
            self.socket.sendall(data)
        return self

    def read(self) -> bytes:
        """Return all that comes until it is closed."""
        found = b""
        with suppress(ConnectionError):
            while data := self.socket.recv(65536):
                found += data
        return found

    def close(self) -> None:
        self.socket.close()


def websocket(
    path: Path, *more: tuple[str, str], protocol: str = "binary", **who: str
) -> ClientConnection:
    """Open a WebSocket as a viewer does, through the forwarder."""
    headers = [*said_by_nginx(**who)[1:], *more]
    return unix_connect(
        str(path),
        "ws://portal.example/user/alice/websockify",
        additional_headers=headers,
        subprotocols=[Subprotocol(protocol)] if protocol else None,
        compression="deflate",
        ping_interval=None,
        max_size=None,
    )


@dataclass
class Desktop:
    """Greets, and keeps what each client said, in whatever frames."""

    greeting: bytes = GREETING
    target: str = ""
    handshakes: list[Headers] = field(default_factory=list)
    opened: list[ServerConnection] = field(default_factory=list)
    heard: dict[ServerConnection, bytes] = field(default_factory=dict)

    def handle(self, one: ServerConnection) -> None:
        assert one.request is not None
        self.handshakes.append(list(one.request.headers.raw_items()))
        self.heard[one] = b""
        self.opened.append(one)
        with suppress(ConnectionClosed):
            one.send(self.greeting)
            for message in one:
                assert isinstance(message, bytes)
                self.heard[one] += message
        self.opened.remove(one)

    def has_heard(self, wanted: bytes) -> bool:
        """Whether the last client has said that and nothing else."""
        return bool(self.heard) and list(self.heard.values())[-1] == wanted


@contextmanager
def desktop(greeting: bytes = GREETING) -> Iterator[Desktop]:
    """Serve a desktop until the end."""
    one = Desktop(greeting)
    server: Server = serve(
        one.handle,
        "127.0.0.1",
        0,
        subprotocols=[Subprotocol("binary")],
        select_subprotocol=_bytes_if_offered,
        compression="deflate",
        ping_interval=None,
        max_size=None,
    )
    host, port = server.socket.getsockname()[:2]
    one.target = f"{host}:{port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield one
    finally:
        server.shutdown()
        thread.join()


def _bytes_if_offered(
    connection: ServerConnection, offered: Sequence[Subprotocol]
) -> Subprotocol | None:
    del connection
    return next((one for one in offered if one == "binary"), None)


@contextmanager
def saying(answer: bytes, *, holds: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """Serve bytes, whatever is asked; `holds` leaves the connection open. Yields what was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as kept:

        def serve_each() -> None:
            with suppress(OSError):
                while True:
                    one, _ = server.accept()
                    kept.enter_context(one)
                    asked.append(one.recv(65536))
                    one.sendall(answer)
                    if not holds:
                        one.shutdown(socket.SHUT_WR)
                    while holds and (data := one.recv(65536)):
                        asked[-1] += data

        thread = threading.Thread(target=serve_each)
        thread.start()
        host, port = server.getsockname()
        try:
            yield f"{host}:{port}", asked
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
