"""What stands behind nginx in its tests: a control plane, and applications."""

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer

from nginx.clients import ALICE, BOB, CHARLIE, TOKEN, Headers
from websockets.sync.server import Server, ServerConnection, serve

# A request's header, for a JSON list of the pairs that an application's answer is to have.
ANSWER_WITH = "X-Answer-With"


class _Server(ThreadingMixIn, UnixStreamServer):
    """Serves on a unix socket; `cut` ends the kept connections too, as a process's death would."""

    daemon_threads = True
    request_queue_size = 128
    owner: "ControlPlane"

    def __init__(self, path: str, handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(path, handler)

    def process_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: object) -> None:
        assert isinstance(request, socket.socket)
        self._open.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        self.shutdown()
        self.server_close()
        for one in list(self._open):
            one.close() if one.fileno() < 0 else one.shutdown(socket.SHUT_RDWR)


@dataclass
class ControlPlane:
    """Who may enter what, and every question that nginx asked."""

    path: Path
    allowed: dict[tuple[str, str, str], str] = field(default_factory=dict)
    stripped: set[str] = field(default_factory=set)
    shared: dict[str, Mapping[str, str]] = field(default_factory=dict)
    known: set[str] = field(default_factory=lambda: {ALICE, BOB, CHARLIE, TOKEN})
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    hangs: threading.Event = field(default_factory=threading.Event)
    _server: _Server | None = None

    def allow(self, who: str, session: str, target: str, owner: str = "alice") -> None:
        """An empty target: allowed, but not ready."""
        self.allowed[who, owner, session] = target

    def start(self) -> None:
        self.path.unlink(missing_ok=True)
        self._server = _Server(str(self.path), _Portal)
        self._server.owner = self
        self.path.chmod(0o666)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def die(self) -> None:
        if self._server:
            self._server.cut()
            self._server = None

    def questions(self, path: str = "/internal/authorise") -> list[dict[str, str]]:
        return [headers for asked, headers in self.asked if asked == path]


class _Portal(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        plane = self.server.owner
        headers = {name.lower(): value for name, value in self.headers.items()}
        plane.asked.append((self.path, headers))
        if plane.hangs.is_set():
            time.sleep(4)
        if self.path == "/internal/authorise":
            self._authorise(plane, headers)
        elif self.path == "/internal/away":
            self._answer(503, {"Retry-After": "2"}, b"away\n")
        else:
            told = {"method": self.command, "path": self.path, "headers": self.headers.items()}
            self._answer(200, {}, json.dumps(told).encode())

    do_POST = do_GET  # noqa: N815  the server's word

    def _authorise(self, plane: ControlPlane, headers: dict[str, str]) -> None:
        who = headers.get("x-remoteapp-token") or headers.get("x-remoteapp-signin", "")
        key = (who, headers.get("x-remoteapp-owner", ""), headers["x-remoteapp-session"])
        if who not in plane.known:
            self._answer(401, {})
        elif key not in plane.allowed:
            self._answer(403, {})
        elif target := plane.allowed[key]:
            told = {"Target": target, "User": "alice", "Access": "owner"}
            told |= plane.shared.get(who, {})
            if headers["x-remoteapp-session"] in plane.stripped:
                told["Strip"] = "1"
            self._answer(204, {f"X-Remoteapp-{name}": value for name, value in told.items()})
        else:
            self._answer(204, {"X-Accel-Expires": "0"})

    def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(status)
        for name, value in {"Cache-Control": "no-store", **headers}.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "nginx"

    def log_message(self, *_: object) -> None:
        pass


class _Application(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Application"

    def do_GET(self) -> None:
        self.path = self.requestline.split()[1]  # slashes at its beginning and all
        last = self.path.partition("?")[0].rpartition("/")[2]
        if last.isdigit():
            self._answer(int(last), f"the application's own {last}".encode())
        elif last == "stream":
            self._stream()
        elif last == "steer":
            self._answer(200, b"kept", [("X-Accel-Redirect", "/login")])
        else:
            told = {"method": self.command, "path": self.path, "headers": self.headers.items()}
            body = json.dumps({**told, "app": self.server.name}).encode()
            self._answer(200, body, json.loads(self.headers.get(ANSWER_WITH, "[]")))

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        while length:
            part = self.rfile.read1(length)
            length -= len(part)
            self.server.received += len(part)
        self.do_GET()

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: first\n\n")
        self.server.go_on.wait(10)
        self.wfile.write(b"data: last\n\n")
        self.close_connection = True

    def _answer(self, status: int, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> None:
        self.send_response(status)
        self.send_header("X-Own", "yes")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Application(ThreadingHTTPServer):
    """An application at an address of its own: it tells what reached it."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: str, port: int = 0, name: str = "") -> None:
        super().__init__((address, port), _Application)
        self.name = name or address
        self.received = 0
        self.go_on = threading.Event()
        self.connections: list[socket.socket] = []

    @property
    def target(self) -> str:
        return f"{self.server_address[0]!s}:{self.server_address[1]}"

    def process_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)
        self.connections.append(request)
        super().process_request(request, client_address)

    def die(self) -> None:
        """End with every connection, as a killed container does."""
        self.go_on.set()
        self.shutdown()
        self.server_close()
        for one in self.connections:
            if one.fileno() >= 0:
                with suppress(OSError):  # the other side may be gone first
                    one.shutdown(socket.SHUT_RDWR)


@contextmanager
def application(address: str, port: int = 0, name: str = "") -> Iterator[Application]:
    """Serve an application until the context ends."""
    made = Application(address, port, name)
    threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield made
    finally:
        made.die()


@dataclass
class Echo:
    """An application of WebSockets: it sends back what it gets, and keeps the handshakes."""

    handshakes: list[Headers] = field(default_factory=list)
    target: str = ""

    def handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.handshakes.append(list(connection.request.headers.raw_items()))
        for message in connection:
            connection.send(message)


@contextmanager
def websocket_echo(address: str) -> Iterator[Echo]:
    """Serve an echo of WebSockets until the context ends."""
    echo = Echo()
    server: Server = serve(echo.handle, address, 0, compression=None, max_size=None)
    host, port = server.socket.getsockname()[:2]
    echo.target = f"{host}:{port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield echo
    finally:
        server.shutdown()
        thread.join()


@contextmanager
def unanswering(address: str, port: int) -> Iterator[None]:
    """Be an address that drops what asks for a connection, as that of a removed container does."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(0)
        waiting = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)  # noqa: FBT003  the socket's own word
            one.connect_ex((address, port))
            waiting.append(one)
        try:
            yield
        finally:
            for one in waiting:
                one.close()
