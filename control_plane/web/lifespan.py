"""The life of the process: open the plane, keep it true in the background, close it.

Invariant: nothing here holds state that a killed process would lose.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta

from starlette.applications import Starlette
from starlette.types import Lifespan

from control_plane import lifecycle
from control_plane.domain.ports import Plane
from control_plane.errors import ControlPlaneError

log = logging.getLogger(__name__)

Opened = Callable[[asyncio.AbstractEventLoop], Plane]

_TICK = 0.5
_RECONCILE_EVERY = 20  # ticks
_RESUME_AFTER = 0.5
# PAM blocks, and argon2 holds 19 MiB while it works: few at a time.
_SIGN_INS_AT_ONCE = 4


def of(opened: Opened) -> Lifespan[Starlette]:
    """Return the lifespan that opens the plane with `opened`."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        plane = await loop.run_in_executor(None, opened, loop)
        await loop.run_in_executor(None, lifecycle.load, plane)
        app.state.plane = plane
        app.state.signing_in = ThreadPoolExecutor(_SIGN_INS_AT_ONCE, "sign-in")
        stopping = threading.Event()
        for task in (_keep_true, _follow_ends):
            threading.Thread(target=task, args=(plane, stopping), daemon=True).start()
        yield
        stopping.set()
        await loop.run_in_executor(None, plane.jobs.close)
        app.state.signing_in.shutdown(wait=False, cancel_futures=True)

    return lifespan


def _keep_true(plane: Plane, stopping: threading.Event) -> None:
    """Notice other writers within a second; reconcile at once, and then every ten seconds."""
    seen: object = None
    tick = 0
    while not stopping.is_set():
        try:
            if (version := plane.stores.version()) != seen:
                lifecycle.refresh(plane)
                seen = version
            if tick % _RECONCILE_EVERY == 0:
                lifecycle.reconcile(plane)
            plane.gateway.poke()
        except ControlPlaneError as error:
            log.warning("cannot keep true error=%s", error)
        tick += 1
        stopping.wait(_TICK)


def _follow_ends(plane: Plane, stopping: threading.Event) -> None:
    """Follow the engine's events; after a break, take them up where they broke off."""
    since = plane.clock()
    while not stopping.is_set():
        try:
            for container_id in plane.engine.ends(since):
                lifecycle.container_ended(plane, container_id)
        except ControlPlaneError as error:
            log.warning("events broke off error=%s", error)
        since = plane.clock() - timedelta(seconds=_RESUME_AFTER + 1)
        stopping.wait(_RESUME_AFTER)
