"""The machine and the installation as the running service sees them, for administrators' pages.

Invariant: checks are made in the background and only while somebody asks, a minute apart at the
most often; only those that need no right the service lacks.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from control_plane.adapters import machine
from control_plane.doctor.examining import examine
from control_plane.doctor.installation import Installation, Places
from control_plane.domain.condition import Examined, Figures, Fill, Notice
from control_plane.errors import ControlPlaneError
from control_plane.settings import Settings

log = logging.getLogger(__name__)

CHECKS = ("disk", "memory", "engine", "volumes", "people", "images")
# Where systemd did not start the service, units and nginx's files are not this portal's.
CHECKS_OF_A_HOST = ("units", "pam", "routes")
FRESH_SECONDS = 60.0
_STALE_SECONDS, _GLANCE_SECONDS, _LEAST_SECONDS = 30.0, 0.2, 0.1


class Watch:
    """The port `Condition`."""

    def __init__(self, settings: Settings, places: Places | None = None) -> None:
        """Look at nothing yet."""
        self._settings = settings
        self._places = places or Places()
        self._lock = threading.Lock()
        self._due = 0.0  # by the monotonic clock
        self._found = Examined()
        self._engines_root: Path | None = None
        self._times = (0.0, 0.0, 0.0)  # when, and the CPUs' seconds then: at work, in all
        self._busy = 0.0

    def figures(self) -> Figures | None:
        """Return how busy the machine is; None where its kernel does not tell."""
        try:
            memory = machine.memory()
            busy = self._measured()
            disks = tuple(self._disks())
        except (OSError, KeyError, ValueError):
            return None
        whole, left = memory["MemTotal"], memory["MemAvailable"]
        filled = Fill("memory", whole - left, whole)
        return Figures(os.cpu_count() or 1, busy, filled, disks)

    def examined(self) -> Examined:
        """Return what the last look found, and begin another when that is due."""
        with self._lock:
            is_due = time.monotonic() >= self._due
            if is_due:
                self._due = float("inf")
        if is_due:
            threading.Thread(target=self.look, daemon=True).start()
        return self._found

    def look(self) -> None:
        """Make every check now."""
        try:
            with closing(Installation(self._places, lambda: self._settings)) as one:
                notices = tuple(_notices(one))
                self._engines_root = _engines_root(one)
                self._found = Examined(datetime.now(UTC), notices, _images(one))
        except Exception:  # the top of a thread
            log.exception("the installation was not looked at")
        finally:
            self._due = time.monotonic() + FRESH_SECONDS

    def _measured(self) -> float:
        """Return the share of the CPUs that worked since the last look, or just now."""
        with self._lock:
            if time.monotonic() - self._times[0] > _STALE_SECONDS:
                self._times = (time.monotonic(), *machine.cpu_seconds())
                time.sleep(_GLANCE_SECONDS)
            worked, whole = machine.cpu_seconds()
            _, worked_before, whole_before = self._times
            if whole - whole_before > _LEAST_SECONDS:
                self._busy = (worked - worked_before) / (whole - whole_before)
                self._times = (time.monotonic(), worked, whole)
            return min(1.0, max(0.0, self._busy))

    def _disks(self) -> Iterator[Fill]:
        data = machine.room(self._settings.state_directory)
        yield Fill("data", data.whole - data.free, data.whole)
        if self._engines_root:
            images = machine.room(self._engines_root)
            if images.device != data.device:
                yield Fill("images", images.whole - images.free, images.whole)


def _notices(one: Installation) -> Iterator[Notice]:
    is_service = os.environ.get("SYSTEMD_EXEC_PID") == str(os.getpid())
    wanted = CHECKS + CHECKS_OF_A_HOST if is_service else CHECKS
    for name, finding in examine(one, wanted):
        if finding.status != "ok":
            yield Notice(name, finding.status, finding.found, finding.todo)


def _images(one: Installation) -> tuple[int, int] | None:
    try:
        sizes = {image.id: image.size for image in one.images.values()}
    except ControlPlaneError:
        return None
    return len(sizes), sum(sizes.values())


def _engines_root(one: Installation) -> Path | None:
    try:
        root = one.facts.root
    except ControlPlaneError:
        return None
    return root if root.exists() and not one.engine_place.elsewhere else None
