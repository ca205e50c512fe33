"""The life of the process: open the plane, keep it true in the background, close it.

Invariant: nothing here holds state that a killed process would lose.
"""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from starlette.applications import Starlette
from starlette.types import Lifespan

from control_plane import auth, enforcement, lifecycle, sharing, usage
from control_plane.domain.ports import Plane
from control_plane.errors import ControlPlaneError

log = logging.getLogger(__name__)

Opened = Callable[[asyncio.AbstractEventLoop], Plane]

MENDING_SECONDS = 10.0
SAMPLE_SECONDS = 30.0
_OVERLAP = timedelta(seconds=2)
# PAM blocks, and argon2 holds 19 MiB while it works: few at a time.
_SIGN_INS_AT_ONCE = 4


def of(opened: Opened, marker: Path | None = None) -> Lifespan[Starlette]:
    """Return the lifespan that opens the plane with `opened`.

    `marker` is a file that lies there from the first start on until the host restarts.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        plane = await loop.run_in_executor(None, opened, loop)
        await loop.run_in_executor(None, lifecycle.load, plane)
        app.state.plane = plane
        app.state.signing_in = ThreadPoolExecutor(_SIGN_INS_AT_ONCE, "sign-in")
        stopping = threading.Event()
        for work, pause in _background(plane, marker):
            arguments = (work, pause, stopping)
            threading.Thread(target=_again_and_again, args=arguments, daemon=True).start()
        yield
        stopping.set()
        await loop.run_in_executor(None, app.state.pulls.close)
        await loop.run_in_executor(None, plane.image_checks.close)
        await loop.run_in_executor(None, plane.jobs.close)
        app.state.signing_in.shutdown(wait=False, cancel_futures=True)

    return lifespan


def has_host_restarted(marker: Path) -> bool:
    """Whether no process kept the marker since the host started; False where nobody keeps one."""
    return marker.parent.is_dir() and not marker.exists()


def _background(plane: Plane, marker: Path | None) -> Sequence[tuple[Callable[[], None], float]]:
    """Return what goes on beside the requests, and the seconds of rest between two rounds."""
    return (
        (_follow(plane), 0.5),
        (_ends(plane), 0.5),
        (_mending(plane, marker), MENDING_SECONDS),
        (_settling(plane), 10.0),
        (_forgetting(plane), 600.0),
        (_timing(plane), 1.0),
        (_sharing(plane), 0.3),
        (_counting(plane), SAMPLE_SECONDS),
    )


def _again_and_again(work: Callable[[], None], pause: float, stopping: threading.Event) -> None:
    """Work until the process ends; whatever goes wrong is tried again after the pause.

    What is away for hours is told of once, and once more when it is back.
    """
    told = ""
    while not stopping.is_set():
        try:
            work()
            if told:
                log.info("background work goes on work=%s", work.__qualname__)
            told = ""
        except ControlPlaneError as error:
            if str(error) != told:
                log.warning("background work failed work=%s error=%s", work.__qualname__, error)
            told = str(error)
        except Exception:  # the top of a thread: without it, it would end unseen
            log.exception("background work failed work=%s", work.__qualname__)
        stopping.wait(pause)


def _follow(plane: Plane) -> Callable[[], None]:
    """Return what notices other writers, and a reload of nginx that is due."""
    seen: object = None
    next_look = 0.0

    def follow() -> None:
        nonlocal seen, next_look
        plane.gateway.poke()
        begun = time.monotonic()
        if begun >= next_look and (version := plane.stores.version()) != seen:
            lifecycle.refresh(plane)
            seen = version
            # With many thousands of users, reading them all takes a third of the time at most.
            next_look = begun + 3 * (time.monotonic() - begun)

    return follow


def _ends(plane: Plane) -> Callable[[], None]:
    """Return what follows the engine's events, taking them up where they broke off."""
    since = plane.clock()

    def ends() -> None:
        nonlocal since
        try:
            for container_id in plane.engine.ends(since):
                lifecycle.container_ended(plane, container_id)
        finally:
            since = plane.clock() - _OVERLAP

    return ends


def _mending(plane: Plane, marker: Path | None) -> Callable[[], None]:
    """Return what mends drift; the first time also what a restart of the host has ended."""
    unmarked = marker if marker and has_host_restarted(marker) else None

    def mend() -> None:
        nonlocal unmarked
        lifecycle.reconcile(plane, host_restarted=unmarked is not None)
        if unmarked:
            done, unmarked = unmarked, None
            done.touch()
        enforcement.forget_kept(plane)
        auth.forget_old_attempts(plane)

    return mend


def _settling(plane: Plane) -> Callable[[], None]:
    """Return what settles the homes of those who left; a big one may take an hour."""
    told: Mapping[str, str] = {}

    def settle() -> None:
        nonlocal told
        failed = enforcement.settle_homes(plane)
        for volume, why in failed.items():
            if told.get(volume) != why:
                log.warning("a home is not settled yet volume=%s error=%s", volume, why)
        told = failed

    return settle


def _forgetting(plane: Plane) -> Callable[[], None]:
    """Return what forgets records that nobody may look up any more."""

    def forget() -> None:
        lifecycle.forget_ended(plane)

    return forget


def _timing(plane: Plane) -> Callable[[], None]:
    """Return what ends sessions at their time."""

    def keep_time() -> None:
        enforcement.keep_time(plane)

    return keep_time


def _sharing(plane: Plane) -> Callable[[], None]:
    """Return what takes shares back in time, and keeps the forwarder told."""

    def keep_shares() -> None:
        sharing.keep(plane)

    return keep_shares


def _counting(plane: Plane) -> Callable[[], None]:
    """Return what counts the use of CPU and memory."""

    def count() -> None:
        usage.sample_all(plane)

    return count
