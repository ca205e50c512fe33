"""Runs starts and stops: steps on a bounded executor, waits on the event loop.

Invariant: a session has one job under way at a time, and a job that waits holds no thread.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from control_plane.adapters.readiness import answers
from control_plane.domain.jobs import After, Answer, End, Job, Outcome, Wait

log = logging.getLogger(__name__)

T = TypeVar("T")
Probe = Callable[[str, int, str], Coroutine[Any, Any, bool]]

# One core can ask about this many times a second beside all else; below that, every 10 ms.
_PROBES_PER_SECOND = 400
_TIGHTEST = 0.01
# What waits a second for the engine is done by so many threads at once.
_BESIDE = 8


class LoopJobs:
    """Jobs on `loop`, with at most `workers` steps at once."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, workers: int = 4, probe: Probe = answers
    ) -> None:
        """Start no thread before the first job; `probe` says whether an application answers."""
        self._loop = loop
        self._answers_now = probe
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="job")
        self._beside = ThreadPoolExecutor(_BESIDE, thread_name_prefix="beside")
        self._lock = threading.Lock()
        self._last: dict[str, Future[None]] = {}
        self._answers: dict[str, asyncio.Future[Outcome]] = {}
        self._ends: dict[str, asyncio.Future[Outcome]] = {}
        self._ended: deque[str] = deque(maxlen=1000)
        self._unwanted: set[str] = set()

    def submit(self, session_id: str, job: Job) -> Future[None]:
        """Run a job after the one under way for that session, which is interrupted."""
        with self._lock:
            before = self._last.get(session_id)
            work = asyncio.run_coroutine_threadsafe(self._run(session_id, job, before), self._loop)
            self._last[session_id] = work
        work.add_done_callback(lambda done: self._forget(session_id, done))
        return work

    def aside(self, work: Callable[[], T]) -> Future[T]:
        """Run something that may take a second beside the jobs, a few at a time."""
        return self._beside.submit(work)

    def busy(self, session_id: str) -> bool:
        """Whether a job is under way or waiting for that session."""
        return session_id in self._last

    def ended(self, container_id: str) -> None:
        """Tell the waits that a container has ended."""
        self._loop.call_soon_threadsafe(self._note_end, container_id)

    def close(self) -> None:
        """Let the steps under way finish; what waits is continued at the next start."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._beside.shutdown(wait=True, cancel_futures=True)

    async def _run(self, session_id: str, job: Job, before: Future[None] | None) -> None:
        if before and not before.done():
            self._interrupt(session_id)
            await asyncio.wait({asyncio.wrap_future(before)})
            self._unwanted.discard(session_id)
        wait = await self._step(lambda: next(job, None))
        while wait:
            outcome = await self._wait(session_id, wait)
            wait = await self._step(lambda outcome=outcome: _sent(job, outcome))  # type: ignore[misc] # mypy knows no defaults of a lambda

    async def _step(self, step: Callable[[], Wait | None]) -> Wait | None:
        return await self._loop.run_in_executor(self._executor, step)

    async def _wait(self, session_id: str, wait: Wait) -> Outcome:
        if isinstance(wait, After):
            await asyncio.wait({asyncio.wrap_future(wait.work)})
            return Outcome.CAME
        signal = self._signal(session_id, wait)
        try:
            if isinstance(wait, Answer):
                return await self._answer(wait, signal)
            await asyncio.wait({signal}, timeout=wait.seconds)
            return Outcome.CAME if signal.done() else Outcome.TIMED_OUT
        finally:
            self._ends.pop(wait.container_id, None)
            self._answers.pop(session_id, None)

    async def _answer(self, wait: Answer, signal: asyncio.Future[Outcome]) -> Outcome:
        deadline = self._loop.time() + wait.seconds
        while not signal.done() and self._loop.time() < deadline:
            probe = asyncio.ensure_future(self._answers_now(wait.address, wait.port, wait.path))
            either: set[asyncio.Future[Any]] = {probe, signal}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if probe.done() and probe.result():
                return Outcome.CAME
            probe.cancel()
            await asyncio.wait({signal}, timeout=self._pause())
        return signal.result() if signal.done() else Outcome.TIMED_OUT

    def _pause(self) -> float:
        return max(_TIGHTEST, len(self._answers) / _PROBES_PER_SECOND)

    def _signal(self, session_id: str, wait: Answer | End) -> asyncio.Future[Outcome]:
        signal: asyncio.Future[Outcome] = self._loop.create_future()
        self._ends[wait.container_id] = signal
        if isinstance(wait, Answer):
            self._answers[session_id] = signal
            if session_id in self._unwanted:
                signal.set_result(Outcome.INTERRUPTED)
                return signal
        if wait.container_id in self._ended:
            signal.set_result(Outcome.ENDED)
        return signal

    def _interrupt(self, session_id: str) -> None:
        self._unwanted.add(session_id)
        signal = self._answers.get(session_id)
        if signal and not signal.done():
            signal.set_result(Outcome.INTERRUPTED)

    def _note_end(self, container_id: str) -> None:
        self._ended.append(container_id)
        signal = self._ends.get(container_id)
        if signal and not signal.done():
            signal.set_result(Outcome.ENDED)

    def _forget(self, session_id: str, work: Future[None]) -> None:
        with self._lock:
            if self._last.get(session_id) is work:
                del self._last[session_id]
        if not work.cancelled() and work.exception():
            log.error("job failed session=%s", session_id, exc_info=work.exception())


def _sent(job: Job, outcome: Outcome) -> Wait | None:
    # StopIteration cannot travel through a future.
    try:
        return job.send(outcome)
    except StopIteration:
        return None
