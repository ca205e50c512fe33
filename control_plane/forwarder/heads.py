"""The head of a request: what nginx says of who asks, and what of it goes on to the application.

Invariant: a head is bounded and means one thing only (h11 judges it); the application never sees
what nginx tells us, and reads how far the visitor may go from our table.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

import h11

from control_plane.domain.forwarding import Passage
from control_plane.forwarder.rfb import RefusedError
from control_plane.forwarder.table import Claim

# More than nginx takes of a client, with what it adds.
_LARGEST = 128 * 1024
_PIECE = 64 * 1024
_OURS = b"x-remoteapp-"
_SHARE, _SESSION, _VIEWER = (_OURS + name for name in (b"share", b"session", b"viewer"))
_USER, _ACCESS = b"x-remote-user", b"x-session-access"
_EXTENSIONS, _PROTOCOL = b"sec-websocket-extensions", b"sec-websocket-protocol"
_BINARY = b"binary"
_SWITCHING = 101

# What goes on is our own word in their place.
_REPLACED = (_ACCESS, b"connection", b"upgrade")
_UPGRADE = ((b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"))
# One request a connection, whatever an application thinks.
_CLOSE = ((b"Connection", b"close"),)

Pairs = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head, and the bytes that came after it."""

    request: h11.Request
    rest: bytes
    parser: h11.Connection

    @property
    def upgrades(self) -> bool:
        """Whether it wants to become a WebSocket."""
        wanted = [one.lower() for one in _words(self.request.headers, b"connection")]
        upgrade = [one.lower() for one in _words(self.request.headers, b"upgrade")]
        return self.request.method == b"GET" and b"upgrade" in wanted and upgrade == [b"websocket"]

    @property
    def only_looks(self) -> bool:
        """Whether its method, and that nothing follows, promise that it changes nothing."""
        names = {name for name, _ in self.request.headers}
        has_body = names & {b"content-length", b"transfer-encoding"}
        return self.request.method in (b"GET", b"HEAD") and not has_body

    @property
    def offers(self) -> list[bytes]:
        """The subprotocols that the client offers."""
        return _words(self.request.headers, _PROTOCOL)

    @property
    def offers_bytes(self) -> bool:
        """Whether it can be answered with bytes as they are; old servers know base64, too."""
        return not self.offers or _BINARY in self.offers

    def claim(self) -> Claim:
        """Return what nginx says of who asks; RefusedError where it says nothing or two things."""
        share, session, viewer, user = (
            _one(self.request.headers, name) for name in (_SHARE, _SESSION, _VIEWER, _USER)
        )
        return Claim(share, session, viewer, unquote(user))

    def onward(self, passage: Passage) -> "Asked":
        """Return the head that goes to the application.

        A WebSocket that is to be filtered is offered without compression, for bytes alone.
        """
        looks = self.upgrades and passage.access == "view"
        out = (*_REPLACED, *((_EXTENSIONS, _PROTOCOL) if looks else ()))
        kept = [
            (name, value)
            for name, value in _without(self.request.headers.raw_items(), *out)
            if not name.lower().startswith(_OURS)
        ]
        kept.append((b"X-Session-Access", passage.access.encode()))
        kept += _UPGRADE if self.upgrades else _CLOSE
        if looks:
            kept.append((b"Sec-WebSocket-Protocol", _BINARY))
        request, parser = self.request, h11.Connection(h11.CLIENT, _LARGEST)
        again = h11.Request(method=request.method, target=request.target, headers=kept)
        return Asked(parser, parser.send(again) or b"")

    def accepted(self, answer: h11.InformationalResponse) -> bytes:
        """Return the head that accepts a filtered WebSocket, for the client; RefusedError."""
        chosen = _words(answer.headers, _PROTOCOL)
        if _words(answer.headers, _EXTENSIONS) or chosen not in ([], [_BINARY]):
            raise RefusedError("the desktop answers with what it was not offered")
        kept = _without(answer.headers.raw_items(), *(() if self.offers else (_PROTOCOL,)))
        again = h11.InformationalResponse(status_code=_SWITCHING, headers=kept)
        return self.parser.send(again) or b""

    def answer(self, status: int, *headers: tuple[str, str]) -> bytes:
        """Return an answer of our own, without a body."""
        said = [*headers, ("Content-Length", "0"), ("Connection", "close")]
        return self.parser.send(h11.Response(status_code=status, headers=said)) or b""


@dataclass(frozen=True, slots=True)
class Asked:
    """A head as it goes to the application, and what understands the answer."""

    parser: h11.Connection
    data: bytes

    async def answer(
        self, reader: asyncio.StreamReader
    ) -> tuple[h11.InformationalResponse | None, bytes]:
        """Read the answer to a WebSocket's head; RefusedError for none.

        Returns how it accepts, and the bytes after that; or None, and all that it has said so far.
        """
        said = b""
        try:
            while True:
                event = self.parser.next_event()
                if event is h11.NEED_DATA:
                    data = await reader.read(_PIECE)
                    said += data
                    self.parser.receive_data(data)
                elif not isinstance(event, h11.InformationalResponse):
                    return None, said
                elif event.status_code == _SWITCHING:
                    return event, self.parser.trailing_data[0]
        except h11.RemoteProtocolError as error:
            raise RefusedError(f"no answer: {error}") from error


async def read(reader: asyncio.StreamReader) -> Head:
    """Read the head of a connection's one request; RefusedError for anything else."""
    parser = h11.Connection(h11.SERVER, _LARGEST)
    try:
        while (event := parser.next_event()) is h11.NEED_DATA:
            parser.receive_data(await reader.read(_PIECE))
    except h11.RemoteProtocolError as error:
        raise RefusedError(f"no request: {error}") from error
    if not isinstance(event, h11.Request):
        raise RefusedError("nothing was asked")
    return Head(event, parser.trailing_data[0], parser)


def _one(headers: Pairs, name: bytes) -> str:
    values = [value for key, value in headers if key == name]
    if len(values) != 1 or not values[0].isascii():
        raise RefusedError(f"nginx says {len(values)} times {name.decode()}")
    return values[0].decode()


def _words(headers: Pairs, name: bytes) -> list[bytes]:
    """Return the items of a list that may stand in several headers."""
    items = [item.strip() for key, value in headers if key == name for item in value.split(b",")]
    return [item for item in items if item]


def _without(headers: Pairs, *names: bytes) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name.lower() not in names]
