"""One connection through a share: judged, led to the session's container, and cut when told to.

Invariant: nothing is read faster than it is taken on the other side, every wait but that of a quiet
connection has an end, and whatever ends one side ends the other.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from control_plane.domain.forwarding import Passage
from control_plane.forwarder import heads
from control_plane.forwarder.frames import Greeting, Viewer
from control_plane.forwarder.heads import Asked, Head
from control_plane.forwarder.rfb import RefusedError
from control_plane.forwarder.table import Claim, Table, Visit

log = logging.getLogger(__name__)

PIECE = 64 * 1024
# A container that has gone silent ends by these; a desktop that is merely quiet answers the kernel.
_KEEP_ALIVE = {
    socket.TCP_KEEPIDLE: 30,
    socket.TCP_KEEPINTVL: 10,
    socket.TCP_KEEPCNT: 3,
    socket.TCP_USER_TIMEOUT: 60_000,
}

Through = Callable[[bytes], bytes]
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, in seconds, for what should come at once."""

    head: float = 10
    told: float = 2
    connect: float = 1
    answer: float = 20
    last_words: float = 10


class Gate:
    """Takes nginx's connections, one request each."""

    def __init__(
        self, table: Table, clock: Callable[[], datetime], patience: Patience | None = None
    ) -> None:
        """Judge by this table."""
        self._table = table
        self._clock = clock
        self._patience = patience or Patience()

    async def visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Lead one connection from its head to its end.

        What is not let in is closed without an answer: nginx then asks the control plane, which
        knows what to say.
        """
        try:
            await self._led((reader, writer))
        except RefusedError as error:
            log.info("ended reason=%s", error)
        except (OSError, TimeoutError):
            pass  # one of the two is away or silent
        except asyncio.CancelledError:
            pass  # cut, by whoever has said so
        finally:
            await self._closed(writer)

    async def _led(self, visitor: Stream) -> None:
        async with asyncio.timeout(self._patience.head):
            head = await heads.read(visitor[0])
        claim = head.claim()
        await self._told()
        passage = self._table.judged(claim)
        if passage is None:
            raise RefusedError(
                f"not let in, share={claim.share_id[:40]!r} user={claim.user[:80]!r}"
            )
        if answer := self._refusal(head, claim, passage):
            visitor[1].write(answer)
            return
        writers = [visitor[1]]
        visit = Visit(claim, passage, self._clock(), _cutter(writers), _watches(head, passage))
        with self._table.visiting(visit):
            async with self._connected(passage) as application:
                writers.append(application[1])
                await self._passed(head, passage, visitor, application)

    async def _told(self) -> None:
        """Wait, after a start of our own, until the control plane has said who is let in."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience.told):
                await self._table.is_told.wait()

    def _refusal(self, head: Head, claim: Claim, passage: Passage) -> bytes:
        """Return the answer to what is let in, but asks for what is not to be had."""
        if self._table.is_full(claim.viewer):
            return head.answer(503, ("Retry-After", "5"))
        if passage.access != "view":
            return b""
        if not head.only_looks:
            return head.answer(405, ("Allow", "GET, HEAD"))
        if head.upgrades and (passage.type != "vncapp" or not head.offers_bytes):
            return head.answer(403)
        return b""

    @asynccontextmanager
    async def _connected(self, passage: Passage) -> AsyncIterator[Stream]:
        async with asyncio.timeout(self._patience.connect):
            reader, writer = await asyncio.open_connection(
                passage.address, passage.port, limit=PIECE
            )
        try:
            _watch_over(writer.get_extra_info("socket"))
            yield reader, writer
        finally:
            writer.transport.abort()

    async def _passed(
        self, head: Head, passage: Passage, visitor: Stream, application: Stream
    ) -> None:
        asked = head.onward(passage)
        application[1].write(asked.data)
        if passage.access != "view":
            application[1].write(head.rest)
            await self._both(visitor, application, _all, _all)
        elif head.upgrades:
            await self._watched(head, asked, visitor, application)
        else:
            await self._both(visitor, application, _nothing, _all)

    async def _watched(
        self, head: Head, asked: Asked, visitor: Stream, application: Stream
    ) -> None:
        """Pass a desktop to a viewer, and of the viewer's words what changes nothing."""
        async with asyncio.timeout(self._patience.answer):
            accepts, rest = await asked.answer(application[0])
        if accepts is None:
            visitor[1].write(rest)
            await self._both(visitor, application, _nothing, _all)
            return
        greeting = Greeting()
        viewer = Viewer(greeting)
        visitor[1].write(head.accepted(accepts) + greeting.heard(rest))
        application[1].write(viewer.passed(head.rest))
        await self._both(visitor, application, viewer.passed, greeting.heard)

    async def _both(
        self, visitor: Stream, application: Stream, asked: Through, answered: Through
    ) -> None:
        """Pass both ways until either ends; what the application said last still arrives."""
        up = asyncio.create_task(_poured(visitor[0], application[1], asked))
        down = asyncio.create_task(_poured(application[0], visitor[1], answered))
        try:
            done, _ = await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            if up in done and isinstance(up.exception(), OSError):
                await asyncio.wait((down,), timeout=self._patience.last_words)
            for one in (up, down):
                if one.done():
                    one.result()
        finally:
            up.cancel()
            down.cancel()
            await asyncio.gather(up, down, return_exceptions=True)

    async def _closed(self, writer: asyncio.StreamWriter) -> None:
        """Let the last bytes out, for a while."""
        writer.close()
        try:
            async with asyncio.timeout(self._patience.last_words):
                await writer.wait_closed()
        except (OSError, TimeoutError, asyncio.CancelledError):
            writer.transport.abort()


async def _poured(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Through) -> None:
    while data := await _next(reader):
        if passed := way(data):
            writer.write(passed)
            await writer.drain()


async def _next(reader: asyncio.StreamReader) -> bytes:
    """Return what comes next; whoever has gone without a word has gone."""
    try:
        return await reader.read(PIECE)
    except OSError:
        return b""


def _all(data: bytes) -> bytes:
    return data


def _nothing(data: bytes) -> bytes:
    del data
    return b""


def _watches(head: Head, passage: Passage) -> bool:
    """Whether this is somebody who watches: with a desktop its WebSocket, not its page."""
    return head.upgrades or passage.type == "webapp"


def _cutter(writers: Iterable[asyncio.StreamWriter]) -> Callable[[], None]:
    """Return what cuts the connection that the running task leads, both its sides at once."""
    task = asyncio.current_task()

    def cut() -> None:
        for one in writers:
            one.transport.abort()
        if task:
            task.cancel()

    return cut


def _watch_over(one: socket.socket) -> None:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEP_ALIVE.items():
        one.setsockopt(socket.IPPROTO_TCP, option, value)
