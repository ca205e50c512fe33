"""Images that are pulled while nobody waits for them: how far each is, and how it came out.

Invariant: a pull goes on when the page that began it is left, and ends with the process; of those
that have ended a few are remembered.
"""

import logging
import threading
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from control_plane import images
from control_plane.domain.ports import Plane, PullProgress
from control_plane.domain.roles import Actor
from control_plane.errors import ControlPlaneError

log = logging.getLogger(__name__)

MOST_KEPT = 8
SHOWN = timedelta(minutes=10)
_MOST_LAYERS = 500
_PATIENCE = 1.0
# The engine's words: a layer is half there when it is downloaded, and whole when it is unpacked.
_HALVES = {"Downloading": 0.0, "Extracting": 0.5}
_AT = {
    "Verifying Checksum": 0.5,
    "Download complete": 0.5,
    "Pull complete": 1.0,
    "Already exists": 1.0,
}


@dataclass(slots=True)
class Pull:
    """One pull, written by its own thread: each layer's last step, and why it failed, if it has."""

    name: str
    by: str
    begun_at: datetime
    ended_at: datetime | None = None
    problem: str = ""
    _steps: dict[str, PullProgress] = field(default_factory=dict)

    @property
    def under_way(self) -> bool:
        """Whether it still runs."""
        return self.ended_at is None

    @property
    def layers(self) -> Sequence[tuple[PullProgress, int]]:
        """Each layer's last step with how much of the layer is there, in per cent."""
        return [(step, _per_cent(step)) for step in list(self._steps.values())]

    @property
    def per_cent(self) -> int:
        """How much of it is there, taking all layers alike."""
        found = [there for _, there in self.layers]
        return sum(found) // len(found) if found else 0

    def note(self, step: PullProgress) -> None:
        """Keep a layer's step."""
        is_layer = step.layer and not step.status.startswith("Pulling from")
        if is_layer and (step.layer in self._steps or len(self._steps) < _MOST_LAYERS):
            self._steps[step.layer] = step


class Pulls:
    """What is pulled beside the requests; the library bounds how many at once."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: dict[str, Pull] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._ending = threading.Event()

    def known(self) -> list[Pull]:
        """Return them, the latest first."""
        return sorted(self._known.values(), key=lambda one: one.begun_at, reverse=True)

    def recent(self, now: datetime) -> list[Pull]:
        """Return those under way, and those that have ended of late."""
        return [one for one in self.known() if not one.ended_at or one.ended_at > now - SHOWN]

    def begin(self, plane: Plane, actor: Actor, name: str) -> None:
        """Begin to pull; what the registry refuses at once is raised at once.

        InvalidError for what is no reference; ConflictError when it is being pulled already.
        """
        steps = images.pull(plane, actor, name)
        pull = Pull(name, actor.name, plane.clock())
        work = threading.Thread(target=self._follow, args=(plane, pull, steps), daemon=True)
        with self._lock:
            self._known[name] = pull
            self._forget()
            self._threads = [*(one for one in self._threads if one.is_alive()), work]
            work.start()

    def close(self) -> None:
        """Break off what is under way."""
        self._ending.set()
        for thread in self._threads:
            thread.join(_PATIENCE)

    def _follow(self, plane: Plane, pull: Pull, steps: Generator[PullProgress, None, None]) -> None:
        try:
            self._note(pull, steps)
            if self._ending.is_set():
                steps.close()
        except ControlPlaneError as error:
            pull.problem = f"{error.message} {error.hint}".strip()
        except Exception:  # the top of a thread: without it, the pull would never end
            log.exception("a pull failed image=%s", pull.name)
            pull.problem = "Something went wrong here."
        pull.ended_at = plane.clock()

    def _note(self, pull: Pull, steps: Iterable[PullProgress]) -> None:
        for step in steps:
            pull.note(step)
            if self._ending.is_set():
                return

    def _forget(self) -> None:
        ended = [one for one in self.known() if not one.under_way]
        for one in ended[max(0, MOST_KEPT - len(self._known) + len(ended)) :]:
            del self._known[one.name]


def _per_cent(step: PullProgress) -> int:
    part = step.current / step.total if 0 < step.current <= step.total else 0.0
    return int(100 * _AT.get(step.status, _HALVES.get(step.status, 0.0) + part / 2))
