"""Whatever hangs is let go of: each wait has its end."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest
from forwarder.running import Raw, now, passage, saying, until
from nginx.stubs import unanswering

from control_plane.forwarder.passing import Gate, Patience
from control_plane.forwarder.table import Table

PATIENT = Patience(head=30, told=30, connect=30, answer=30, last_words=30)
UPGRADE = ("Connection", "Upgrade"), ("Upgrade", "websocket")


@contextmanager
def impatient(target: str, **patience: float) -> Iterator[Path]:
    """Serve with this little patience until the end; nobody is inside then."""
    table = Table(now)
    table.replace([passage(target)], {})
    gate = Gate(table, now, replace(PATIENT, **patience))
    ready, ended, loop = Event(), asyncio.Event(), asyncio.new_event_loop()
    with tempfile.TemporaryDirectory() as made:
        path = Path(made) / "public.sock"

        async def serve() -> None:
            async with await asyncio.start_unix_server(gate.visit, path):
                ready.set()
                await ended.wait()

        thread = Thread(target=loop.run_until_complete, args=(serve(),))
        thread.start()
        ready.wait()
        try:
            yield path
            until(lambda: not table.is_visited)
        finally:
            loop.call_soon_threadsafe(ended.set)
            thread.join()
            loop.close()


def silent(path: Path, *ask: Callable[[Raw], object]) -> bytes:
    """Say something, and then nothing more; return what comes before it is closed."""
    one = Raw(path)
    for word in ask:
        word(one)
    return one.read()


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: po"], ids=["nothing", "half"])
def test_a_head_that_does_not_come(said: bytes) -> None:
    with impatient("127.0.0.1:9", head=0.2) as path:
        assert silent(path, lambda one: one.send(said)) == b""


def test_an_address_that_does_not_answer() -> None:
    with (
        unanswering("127.213.7.7", 8888),
        impatient("127.213.7.7:8888", connect=0.2) as path,
    ):
        assert silent(path, lambda one: one.ask()) == b""


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 Switching"], ids=["nothing", "half"])
def test_a_desktop_that_accepts_and_hangs(answer: bytes) -> None:
    with (
        saying(answer, holds=True) as (target, _),
        impatient(target, answer=0.2) as path,
    ):
        assert silent(path, lambda one: one.ask("GET / HTTP/1.1", *UPGRADE)) == b""
