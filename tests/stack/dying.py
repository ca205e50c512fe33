"""A control plane, or a door, that kills itself before or after the n-th thing it does.

`die-at` in its state directory holds n, or a step's name; the steps are those that the product
itself takes, seen by wrapping the control plane's ports and the door's calls of the engine. The
file is removed as the process dies, so one that is still there says that there is no such step.
"""

import asyncio
import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from control_plane import plane, settings
from control_plane.cli.passed import passed_socket
from control_plane.cli.serve import serve_with
from control_plane.domain.ports import Plane
from control_plane.engine_door import serving
from control_plane.engine_door.app import Door
from control_plane.web import lifespan

# What only looks, or runs in the background whether or not anything starts.
_LOOKING = (
    *(
        "addresses_",
        "attempts",
        "check",
        "containers",
        "create_host",
        "cursor",
        "ends",
        "exit_status",
        "image",
        "info",
        "inspect",
        "log",
    ),
    *("networks", "ping", "places", "poke", "range_of", "sample", "session", "signins", "tokens"),
    *("usage_of", "version", "volumes"),
)


class Steps:
    """Counts steps while `die-at` is there."""

    def __init__(self, directory: Path) -> None:
        self._order = directory / "die-at"
        self._taken = directory / "steps"
        self._lock = threading.Lock()
        self._count = 0

    def take(self, name: str) -> None:
        with self._lock:
            if not self._order.exists():
                self._count = 0
                return
            self._count += 1
            if self._order.read_text() in (str(self._count), name):
                self._order.unlink()
                with self._taken.open("a") as log:
                    log.write(f"{name}\n")
                os.kill(os.getpid(), signal.SIGKILL)


class Wrapped:
    """A port whose changing calls are steps, one before and one after."""

    def __init__(self, port: Any, name: str, steps: Steps) -> None:
        self._port, self._name, self._steps = port, name, steps

    def __getattr__(self, verb: str) -> Any:
        found = getattr(self._port, verb)
        in_a_job = threading.current_thread().name.startswith(("job", "beside", "AnyIO"))
        if not (callable(found) and in_a_job) or verb.startswith(_LOOKING):
            return found

        def step(*arguments: Any, **named: Any) -> Any:
            self._steps.take(f"before {self._name}.{verb}")
            answer = found(*arguments, **named)
            self._steps.take(f"after {self._name}.{verb}")
            return answer

        return step


def opened(loop: asyncio.AbstractEventLoop) -> Plane:
    found = settings.load()
    whole = plane.open_plane(found, loop, settings.secret())
    steps = Steps(found.state_directory)
    return replace(
        whole,
        engine=Wrapped(whole.engine, "engine", steps),
        records=Wrapped(whole.records, "records", steps),
        gateway=Wrapped(whole.gateway, "gateway", steps),
    )


def door() -> Door:
    ours = serving.door(serving.rules(), serving.state())
    below: Any = ours.engine._engine._connection  # noqa: SLF001 - below the port
    below.__dict__["api"] = Wrapped(below.api, "api", Steps(serving.state()))
    return ours


if __name__ == "__main__":
    if sys.argv[1] == "door":
        serving.serve(door(), passed_socket("the tests"))
    else:
        lifespan.MENDING_SECONDS = 1.0  # what is left behind a hundred deaths is soon mended
        serve_with(opened)
