"""The routes' one-shot, run whenever its spool holds anything, as the path unit would.

Invariant: level-triggered, so that no hand-over is missed while the one-shot runs.
"""

import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_POLL = 0.05
_PAUSE_AFTER_FAILURE = 1.0


class SpoolWatch:
    """A thread that runs `words` while `spool` is not empty."""

    def __init__(
        self, spool: Path, words: Sequence[str], log: Path, environment: Mapping[str, str]
    ) -> None:
        """Prepare; nothing runs before `start`."""
        self._spool = spool
        self._words = words
        self._log = log
        self._environment = environment
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Watch from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the one-shot that is under way."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_POLL):
            if self._holds_anything() and self._run() != 0:
                self._over.wait(_PAUSE_AFTER_FAILURE)

    def _holds_anything(self) -> bool:
        with suppress(FileNotFoundError), os.scandir(self._spool) as entries:
            return any(True for _ in entries)
        return False

    def _run(self) -> int:
        with self._log.open("ab") as output:
            return subprocess.run(  # noqa: S603 - words of our own
                self._words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=self._environment,
                start_new_session=True,
                check=False,
            ).returncode
