"""Images checked behind the door: `control-plane image check`, in a process of the door's own.

Invariant: one at a time; the process ends, and clears away what it started, when whoever asked has
gone; nothing of the host is mounted, for a check knows no volume and no home of anybody.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from control_plane.domain import applications
from control_plane.engine_door.rules import Rules
from control_plane.errors import ConflictError, ForbiddenError, InvalidError

COMMAND = (str(Path(sys.executable).parent / "control-plane"), "image", "check")
_ALIVE_SECONDS = 2.0
_ENDING_SECONDS = 15.0
_LONGEST_START = 3600.0
# Beside the wait for the ready path: a boot, the looks into it, ten seconds for SIGTERM.
_BESIDE_START = 120.0
# A check's own process asks the engine itself, and nothing but these is its affair.
_PASSED_ON = ("PATH", "LANG", "TZ", "DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY")


class ImageCheck:
    """Checks under the rules; `directory` is one that the engine sees."""

    def __init__(self, rules: Rules, directory: Path) -> None:
        """Start nothing yet."""
        self._rules, self._directory = rules, directory
        self._lock = threading.Lock()

    def run(self, asked: Mapping[str, Any]) -> Iterator[dict[str, Any] | None]:
        """Yield None while it lasts, and then what the process printed and ended with."""
        words, fields = self._judged(asked)
        if not self._lock.acquire(blocking=False):
            raise ConflictError("Another image is being checked.", "Wait until that is done.")
        try:
            yield from self._followed(words, fields)
        finally:
            self._lock.release()

    def wait(self) -> None:
        """Return once nothing is under way, so that what was told to end has cleared away."""
        if self._lock.acquire(timeout=_ENDING_SECONDS):
            self._lock.release()

    def _judged(self, asked: Mapping[str, Any]) -> tuple[list[str], str]:
        if set(asked) != {"fields", "start_timeout"}:
            raise InvalidError("A check takes fields and start_timeout.")
        seconds = asked["start_timeout"]
        if not isinstance(seconds, int | float) or not 0 < seconds <= _LONGEST_START:
            raise InvalidError(f"The start_timeout must be from 0 to {_LONGEST_START:g} s.")
        application = applications.parse(asked["fields"])
        whole = application.image if ":" in application.image else f"{application.image}:latest"
        if not self._rules.admits_image(application.image, whole):
            allowed = ", ".join(self._rules.images)
            raise ForbiddenError(f"The name {application.image} fits none of {allowed}.")
        fields = applications.as_fields(application)
        del fields["image"]
        words = [*COMMAND, application.image, "--json", "--fields", "-"]
        return [*words, "--start-timeout", str(seconds)], json.dumps(fields)

    def _followed(self, words: list[str], fields: str) -> Iterator[dict[str, Any] | None]:
        process = self._started(words)
        left = float(words[-1]) + _BESIDE_START
        told: str | None = fields
        try:
            while left > 0:
                try:
                    out, err = process.communicate(told, _ALIVE_SECONDS)
                except subprocess.TimeoutExpired:
                    told, left = None, left - _ALIVE_SECONDS
                    yield None
                else:
                    yield {"out": out, "err": err, "status": process.returncode}
                    return
            raise ConflictError("The check was broken off, for it took too long.")
        finally:
            _end(process)

    def _started(self, words: list[str]) -> subprocess.Popen[str]:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        return subprocess.Popen(  # noqa: S603 - words of our own and a judged name
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment(),
            text=True,
            start_new_session=True,
        )

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        limits, engine = self._rules.limits, self._rules.engine
        bounds = {
            "REMOTEAPP_LIMITS__MEMORY": min(limits.memory, 2 * 1024**3),
            "REMOTEAPP_LIMITS__CPUS": min(limits.cpus, 2),
            "REMOTEAPP_LIMITS__PIDS": min(limits.pids, 512),
        }
        # What it passes to the engine as files lies where the engine sees it.
        own = {"TMPDIR": str(self._directory), "REMOTEAPP_ENGINE__HOST": engine.host}
        return kept | own | {name: str(value) for name, value in bounds.items()}


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()
