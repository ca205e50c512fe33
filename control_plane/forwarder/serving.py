"""The forwarder as a process: its two sockets, its clock, its end.

Invariant: what is over is ended within `TICK` seconds, whoever is away; the sockets are the
launcher's and stay as they are.
"""

import asyncio
import signal
import socket
from collections.abc import Callable
from datetime import UTC, datetime

from control_plane.forwarder.channel import LONGEST_LINE, Channel
from control_plane.forwarder.passing import PIECE, Gate
from control_plane.forwarder.table import Table

TICK = 0.2


async def serve(
    public: socket.socket,
    control: socket.socket,
    ready: Callable[[], None],
    alive: Callable[[], None],
) -> None:
    """Let through on `public` who is let in by what comes on `control`, until SIGTERM or SIGINT.

    `ready` is called once, `alive` by every turn of the clock.
    """
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    table = Table(_now)
    gate, channel = Gate(table, _now), Channel(table)
    # Not as a unix server: from Python 3.13 on that removes the socket's file when it ends.
    ways = await asyncio.start_server(gate.visit, sock=public, limit=PIECE)
    talks = await asyncio.start_server(channel.converse, sock=control, limit=LONGEST_LINE)
    ready()
    while not ended.is_set():
        table.review()
        alive()
        await _until(ended, TICK)
    ways.close()
    talks.close()
    table.end_all()


async def _until(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


def _now() -> datetime:
    return datetime.now(UTC)
