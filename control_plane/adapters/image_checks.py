"""Images checked by `control-plane image check` in a process of its own.

Invariant: one at a time; the process is asked to end before it is killed, so that it clears away
what it started; what an application's variables hold is no word of its command.
"""

import json
import logging
import os
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from control_plane.domain import applications
from control_plane.domain.entities import Application, Image
from control_plane.domain.image_checks import Check, Point, Report
from control_plane.domain.names import shown
from control_plane.errors import ConflictError

log = logging.getLogger(__name__)

COMMAND = (str(Path(sys.executable).parent / "control-plane"), "image", "check")
# Beside the wait for the ready path: a boot, the looks into it, ten seconds for SIGTERM.
_BESIDE_START = 120.0
_MOST_KEPT = 500
_LONGEST = 2000
_UNREADABLE = "What the check said cannot be read."


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seconds: how long a check may take in all, and to end when it is told to."""

    whole: float
    ending: float = 15.0


class ProcessChecks:
    """The port `ImageChecks`; `directory` is one that the engine sees, for files of the check."""

    def __init__(
        self,
        directory: Path,
        start_timeout: float,
        clock: Callable[[], datetime],
        command: Sequence[str] = COMMAND,
        bounds: Bounds | None = None,
    ) -> None:
        """Start nothing yet; `start_timeout` is what the image gets to become ready."""
        self._command, self._directory = command, directory
        self._bounds = bounds or Bounds(start_timeout + _BESIDE_START)
        self._clock = clock
        self._lock = threading.Lock()
        self._last: OrderedDict[str, Check] = OrderedDict()
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None

    def begin(self, image: Image, application: Application) -> Check:
        """Begin to check an image; ConflictError while another one is under way."""
        with self._lock:
            for one in self._last.values():
                if one.under_way:
                    name = shown(one.image.name)
                    raise ConflictError(f"{name} is being checked.", "Wait until that is done.")
            made = Check(image, application, self._clock())
            self._keep(made)
            # Here and not in the thread: from now on there is something to end.
            try:
                self._process = self._started(application)
            except OSError as error:
                return self._done(made, None, f"The check could not be started: {error}.")
            work = (made, self._process)
            self._thread = threading.Thread(target=self._follow, args=work, daemon=True)
            self._thread.start()
        return made

    def last(self, image_id: str) -> Check | None:
        """Return the check of that image that is under way, or the last one of this process."""
        return self._last.get(image_id)

    def close(self) -> None:
        """End what is under way, and wait until it has cleared away."""
        with self._lock:
            process, thread = self._process, self._thread
        if process and process.poll() is None:
            process.terminate()
        if thread:
            thread.join(self._bounds.ending)

    def _started(self, application: Application) -> subprocess.Popen[str]:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        # Without a terminal's signals: it is told to end by us, and once.
        return subprocess.Popen(  # noqa: S603 - words of our own and a judged name
            [*self._command, application.image, "--json", "--fields", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # What it passes to the engine as files lies where the engine sees it.
            env={**os.environ, "TMPDIR": str(self._directory)},
            text=True,
            start_new_session=True,
        )

    def _follow(self, made: Check, process: subprocess.Popen[str]) -> None:
        try:
            self._done(made, self._judged(made.application, process), "")
        except ValueError as error:
            self._done(made, None, str(error))
        except Exception:  # the top of a thread: the check would be under way for ever
            log.exception("an image could not be checked image=%s", made.image.name)
            self._done(made, None, "Something went wrong here; the service's log has it.")

    def _judged(self, application: Application, process: subprocess.Popen[str]) -> Report:
        """Return the report; ValueError says why there is none."""
        fields = applications.as_fields(application)
        del fields["image"]
        try:
            out, err = process.communicate(json.dumps(fields), self._bounds.whole)
        except subprocess.TimeoutExpired:
            _end(process, self._bounds.ending)
            took = f"{self._bounds.whole:.0f} s"
            raise ValueError(f"It was broken off, for it took more than {took}.") from None
        if out:
            return report_of(out)
        lines = [line.strip() for line in err.splitlines() if line.strip()]
        said = lines[-1].removeprefix("control-plane: ") if lines else "It ended without a word."
        raise ValueError(shown(said, _LONGEST))

    def _done(self, made: Check, report: Report | None, problem: str) -> Check:
        done = replace(made, ended_at=self._clock(), report=report, problem=problem)
        self._keep(done)
        return done

    def _keep(self, check: Check) -> None:
        self._last[check.image.id] = check
        self._last.move_to_end(check.image.id)
        if len(self._last) > _MOST_KEPT:
            self._last.popitem(last=False)


def _end(process: subprocess.Popen[str], seconds: float) -> None:
    process.terminate()
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        log.warning("a check of an image was killed; see control-plane doctor for what it left")
        process.kill()
        process.communicate()


def report_of(text: str) -> Report:
    """Return the report that stands in what the check printed; ValueError."""
    try:
        found: dict[str, Any] = json.loads(text)
        points = tuple(Point(**one) for one in found["points"])
        return Report(found["image"], found["kind"], points)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(_UNREADABLE) from error
