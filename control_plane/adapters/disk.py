"""Whether the state can still be written.

Invariant: a full disk is told of by that name, before a database says something else of it.
"""

import errno
import os
import tempfile
from pathlib import Path

from control_plane.errors import StoreUnavailableError

LEAST_BYTES = 64 * 1024**2
_PAGE = 4096


class StateDisk:
    """The port `Disk` on the directory of the state."""

    def __init__(self, directory: Path, least: int = LEAST_BYTES) -> None:
        """Ask for `least` bytes that anyone may write."""
        self._directory = directory
        self._least = least

    def check(self) -> None:
        """Raise StoreUnavailableError when nothing can be written, or too little is left."""
        try:
            left = _left(self._directory)
            # A file system may be read-only, or bound by a quota that it does not tell of.
            with tempfile.TemporaryFile(dir=self._directory, buffering=0) as file:
                file.write(bytes(_PAGE))
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise self._full(0) from error
            raise StoreUnavailableError(
                f"{self._directory} cannot be written: {error.strerror}.",
                "See that it is the service's own and mounted read-write.",
            ) from error
        if left < self._least:
            raise self._full(left)

    def _full(self, left: int) -> StoreUnavailableError:
        mib = 1024**2
        return StoreUnavailableError(
            f"The disk is full: {left // mib} MiB are left below {self._directory},"
            f" at least {self._least // mib} MiB are needed.",
            "Make room; control-plane doctor --only disk says where.",
        )


def _left(directory: Path) -> int:
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize
