"""Ten viewers of one desktop through the forwarder, against ten that are connected to it directly.

The desktop is a stand-in that sends each viewer what a terminal that scrolls over the whole screen
sends: 25 frames of 32 KiB a second. Each viewer asks for the next one when it has got one, as VNC
clients do, so the filter works, too.
"""

import asyncio
import multiprocessing
import os
import statistics
import struct
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.figures import Figure, p95
from bench.memory import pss
from forwarder.running import GREETING, SHARE, Forwarding, forwarding, passage, said_by_nginx
from forwarder.test_rfb import UPDATE, VERSION
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

VIEWERS, FRAMES_A_SECOND, SECONDS = 10, 25, 8
FRAME = bytes(32 * 1024)
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Watched:
    """What ten viewers saw: each frame's delay in ms; and the share of a CPU that the way took."""

    delays: Sequence[float]
    cpu: float = 0.0


def of_one_desktop(runs: int) -> Sequence[Figure]:
    """Watch in turn, directly and through the forwarder."""
    with tempfile.TemporaryDirectory() as made, forwarding(Path(made)) as running:
        running.client.replace([])  # it answers, so it is all there
        before, while_watched = pss(running.process.pid), [0.0]
        pairs = [_pair(running, while_watched) for _ in range(max(3, runs // 5))]
    direct = [one for pair in pairs for one in pair[0].delays]
    through = [one for pair in pairs for one in pair[1].delays]
    cpu = statistics.median(pair[1].cpu for pair in pairs)
    load = f"{VIEWERS} viewers, {FRAMES_A_SECOND} frames of {len(FRAME) >> 10} KiB a second each"
    added = statistics.median(through) - statistics.median(direct)
    late = p95(through) - p95(direct)
    peak = max(while_watched)
    each = (peak - before) / VIEWERS * 1024
    return [
        Figure(f"delay that the forwarder adds to a frame ({load})", "≤ 2 ms", f"{added:.2f} ms",
               f"medians {statistics.median(through):.2f} : {statistics.median(direct):.2f} ms"),
        Figure("the same for one frame in twenty", "-", f"{late:.2f} ms",
               f"{p95(through):.2f} : {p95(direct):.2f} ms"),
        Figure("CPU of the forwarder meanwhile", "-", f"{cpu:.1%} of one",
               f"{cpu / VIEWERS:.1%} a viewer"),
        Figure("memory of the forwarder (PSS)", "≤ 30 MB", f"{peak:.0f} MB",
               f"{before:.0f} MB with nobody inside, {each:.0f} KB a viewer"),
    ]  # fmt: skip


def _pair(running: Forwarding, seen: list[float]) -> tuple[Watched, Watched]:
    return _watched(lambda target: partial(_straight, target)), _watched(
        partial(_by_share, running), running, seen
    )


def _watched(
    way: Callable[[str], Any], running: Forwarding | None = None, seen: list[float] | None = None
) -> Watched:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    desktop = context.Process(target=_serve, args=(there,))
    desktop.start()
    target = here.recv()
    delays_here, delays_there = context.Pipe()
    viewers = context.Process(target=_watch, args=(way(target), delays_there))
    viewers.start()
    begun, patience = _cpu(running), time.monotonic() + 120
    while not delays_here.poll(0.5):
        if running and seen is not None:
            seen.append(pss(running.process.pid))
        if time.monotonic() > patience:
            raise RuntimeError("The viewers do not come to their end.")
    used, delays = _cpu(running) - begun, delays_here.recv()
    viewers.join()
    desktop.terminate()
    desktop.join()
    return Watched(delays, used / SECONDS)


def _cpu(running: Forwarding | None) -> float:
    """Return the CPU-seconds of the forwarder so far."""
    if running is None:
        return 0.0
    fields = Path(f"/proc/{running.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _by_share(running: Forwarding, target: str) -> Any:
    running.client.replace([passage(target)])
    return partial(_through, str(running.public))


def _straight(target: str) -> Any:
    return connect(
        f"ws://{target}/", compression=None, subprotocols=[Subprotocol("binary")], proxy=None
    )


def _through(path: str) -> Any:
    return unix_connect(
        path,
        "ws://portal.example/",
        additional_headers=said_by_nginx(share=SHARE)[1:],
        compression=None,
        subprotocols=[Subprotocol("binary")],
    )


def _serve(pipe: Any) -> None:
    async def serve_it() -> None:
        async with serve(
            _desktop, "127.0.0.1", 0, compression=None, subprotocols=[Subprotocol("binary")]
        ) as server:
            host, port = next(iter(server.sockets)).getsockname()[:2]
            pipe.send(f"{host}:{port}")
            await server.serve_forever()

    asyncio.run(serve_it())


async def _desktop(one: ServerConnection) -> None:
    await one.send(GREETING)
    await one.recv()
    for answer in (b"\x01\x01", bytes(4), bytes(24)):
        await one.send(answer)
        await one.recv()
    reading = asyncio.create_task(_ignored(one))
    for _ in range(SECONDS * FRAMES_A_SECOND):
        await asyncio.sleep(1 / FRAMES_A_SECOND)
        await one.send(struct.pack(">Q", time.monotonic_ns()) + FRAME)
    await one.close()
    await reading


async def _ignored(one: ServerConnection) -> None:
    with suppress(ConnectionClosed):
        async for _ in one:
            pass


def _watch(way: Any, pipe: Any) -> None:
    async def watch_all() -> list[float]:
        found = await asyncio.gather(*(_view(way) for _ in range(VIEWERS)))
        return [delay for delays in found for delay in delays]

    pipe.send(asyncio.run(watch_all()))


async def _view(way: Any) -> list[float]:
    delays = []
    async with way() as one:
        await _hands_shaken(one)
        with suppress(ConnectionClosed):
            async for frame in one:
                delays.append((time.monotonic_ns() - struct.unpack(">Q", frame[:8])[0]) / 1e6)
                await one.send(UPDATE)
    return delays


async def _hands_shaken(one: ClientConnection) -> None:
    for answer in (VERSION, b"\x01", b"\x01", UPDATE):
        await one.recv()
        await one.send(answer)
