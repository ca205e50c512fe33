"""The way to the engine's door: one connection a call, over the socket that its service owns.

Invariant: a door that is away, restarts or dies is EngineUnavailableError and nothing else; a call
that can be made twice without harm is made again where the door ended before it answered.
"""

import http.client
import json
import socket
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from control_plane.adapters import engine_wire
from control_plane.errors import EngineUnavailableError

# Longer than the door waits for the engine, so that it is the door which says what lasts.
SECONDS = 90.0
# Somebody waits for these, and a door that cannot start takes every connection and says nothing.
_LOOK_SECONDS = 15.0
SOONER = {
    ("engine", "check"): 5.0,
    **{("engine", verb): _LOOK_SECONDS for verb in ("image", "images", "images_named", "log")},
}
_ONCE = {("engine", "run"), ("image_library", "remove")}
_LONGEST_LINE = 1024**2  # bytes
_CHUNK = 64 * 1024


class Link:
    """The door at a unix socket; `seconds` is how long an answer may take."""

    def __init__(self, path: Path, seconds: float = SECONDS) -> None:
        """Connect at each call, so that a door that is away is no obstacle now."""
        self._path, self._seconds = path, seconds

    def call(self, port: str, verb: str, **arguments: Any) -> Any:
        """Return what a verb answers, or raise what it raised."""
        body = engine_wire.sent(port, verb, arguments)
        seconds = min(self._seconds, SOONER.get((port, verb), self._seconds))
        try:
            said = self._asked(f"/{port}/{verb}", body, seconds)
        except EngineUnavailableError as error:
            if (port, verb) in _ONCE or not isinstance(error.__cause__, ConnectionError):
                raise
            said = self._asked(f"/{port}/{verb}", body, seconds)
        return engine_wire.understood(port, verb, said)

    @contextmanager
    def open(self, path: str, body: bytes | Iterable[bytes]) -> Iterator[http.client.HTTPResponse]:
        """Give an answer that is read bit by bit, for as long as it takes.

        What the door raises is raised; an error of the body's own passes.
        """
        connection = _Connection(self._path, None)
        try:
            with _reaching():
                connection.connect()
            _send(connection, path, body)
            with _reaching():
                answer = connection.getresponse()
                _check(answer)
            yield answer
        finally:
            connection.close()

    def lines(self, path: str, body: bytes) -> Generator[Any, None, None]:
        """Yield what a stream says, a line of JSON each, to its last line.

        What it ends with is raised, EngineUnavailableError where it breaks off.
        """
        with self.open(path, body) as answer:
            while line := _line(answer):
                said = json.loads(line)
                if "error" in said:
                    raise engine_wire.error_of(said["error"])
                if "end" in said:
                    return
                if "item" in said:  # without one it only asks whether we are still there
                    yield said["item"]
        raise EngineUnavailableError("The engine's door broke off.")

    def read(self, path: str, body: bytes) -> Generator[bytes, None, None]:
        """Yield the bytes of a stream; EngineUnavailableError where it breaks off."""
        with self.open(path, body) as answer:
            while True:
                with _reaching():
                    chunk = answer.read(_CHUNK)
                if not chunk:
                    return
                yield chunk

    def _asked(self, path: str, body: bytes, seconds: float) -> bytes:
        connection = _Connection(self._path, seconds)
        try:
            with _reaching():
                connection.request("POST", path, body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                _check(answer)
                return answer.read()
        finally:
            connection.close()


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, seconds: float | None) -> None:
        super().__init__("engine", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise EngineUnavailableError(
            "The engine's door does not answer in time.",
            "Perhaps it cannot start: see remoteapp-engine.service.",
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise EngineUnavailableError(
            "The engine's door does not answer.", "It is tried again; see remoteapp-engine.service."
        ) from error


def _send(connection: _Connection, path: str, body: bytes | Iterable[bytes]) -> None:
    connection.putrequest("POST", path)
    if isinstance(body, bytes):
        connection.putheader("Content-Length", str(len(body)))
        with _reaching():
            connection.endheaders(body)
        return
    connection.putheader("Transfer-Encoding", "chunked")
    with _reaching():
        connection.endheaders()
    for chunk in body:
        with _reaching():
            if chunk:
                connection.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
    with _reaching():
        connection.send(b"0\r\n\r\n")


def _check(answer: http.client.HTTPResponse) -> None:
    if answer.status >= http.client.BAD_REQUEST:
        try:
            said = json.loads(answer.read())["error"]
        except (ValueError, KeyError) as error:
            raise http.client.HTTPException(f"status {answer.status}") from error
        raise engine_wire.error_of(said)


def _line(answer: http.client.HTTPResponse) -> bytes:
    with _reaching():
        return answer.readline(_LONGEST_LINE)
