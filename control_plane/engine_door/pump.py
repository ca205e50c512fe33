"""What blocks, as a stream of an answer: a thread of its own takes it step by step.

Invariant: the thread ends at the step after the one at which nobody listens any more, closes what
it took the steps from, and keeps no process from ending.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from typing import Any, cast

_AHEAD = 8  # steps
_POLL = 0.5  # seconds
_OVER = object()


class Pump:
    """The steps of an iterator, which `make` makes in the thread."""

    def __init__(self, make: Callable[[], Iterator[Any]]) -> None:
        """Start at once."""
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._steps: asyncio.Queue[Any] = asyncio.Queue(_AHEAD)
        self._unwanted = threading.Event()
        self._head: Any = None
        threading.Thread(target=self._run, daemon=True).start()

    async def begun(self) -> None:
        """Return once there is a first step; an error in place of it is raised."""
        try:
            self._head = await self._steps.get()
        except asyncio.CancelledError:
            self._unwanted.set()
            raise
        if isinstance(self._head, Exception):
            raise self._head

    async def steps(self) -> AsyncIterator[Any]:
        """Yield the steps, the first one too, and raise what they end with."""
        try:
            step = self._head
            while step is not _OVER:
                if isinstance(step, Exception):
                    raise step
                yield step
                step = await self._steps.get()
        finally:
            self._unwanted.set()

    def _run(self) -> None:
        try:
            with closing(cast("Any", self._make())) as steps:
                for step in steps:
                    if not self._put(step):
                        return
            self._put(_OVER)
        except Exception as error:  # noqa: BLE001 - it is raised again where the steps are taken
            self._put(error)

    def _put(self, step: object) -> bool:
        """Hand a step over once there is room; False when nobody wants it."""
        putting = self._steps.put(step)
        try:
            waiting = asyncio.run_coroutine_threadsafe(putting, self._loop)
        except RuntimeError:  # the process ends
            putting.close()
            return False
        while not self._unwanted.is_set():
            try:
                waiting.result(_POLL)
            except TimeoutError:
                continue
            return True
        waiting.cancel()
        return False
