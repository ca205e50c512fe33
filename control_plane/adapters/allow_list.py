"""The file of those who may sign in, re-read when it changes.

Invariant: a name that does not stand in the file is let in nowhere; a file that is missing, empty
or cannot be read lets no one in.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from control_plane.errors import UnavailableError

log = logging.getLogger(__name__)

_PAUSE = 1.0


class AllowList:
    """Says whether a name may sign in; looks at the file once a second at most."""

    def __init__(self, path: Path, seconds: Callable[[], float] = time.monotonic) -> None:
        """Read the file; `seconds` is a clock that never goes back."""
        self._path, self._seconds = path, seconds
        self._stamp: object = ()
        self._names: frozenset[str] = frozenset()
        self._why = ""
        self._next_look = 0.0
        self("")

    def __call__(self, name: str) -> bool:
        """Whether the file names them; letters are compared as lower-case ones."""
        if (now := self._seconds()) >= self._next_look:
            self._next_look = now + _PAUSE
            self._look()
        return name.lower() in self._names

    def check(self) -> None:
        """Raise UnavailableError when the file lets no one in."""
        self("")
        if not self._names:
            raise UnavailableError(
                f"The allow list {self._path} lets no one in: {self._why}.",
                "Write one name a line.",
            )

    def _look(self) -> None:
        try:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._names, self._why = _read(self._path), "it holds no name"
                self._stamp = stamp
                log.info("allow list read path=%s names=%d", self._path, len(self._names))
        except (OSError, UnicodeError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or "it is not UTF-8"
            if self._stamp is not None:
                log.warning("the allow list lets no one in path=%s error=%s", self._path, why)
            self._names, self._why, self._stamp = frozenset(), why, None


def _stamp(path: Path) -> object:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> frozenset[str]:
    lines = (line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines())
    return frozenset(line.lower() for line in lines if line)
