"""What notices that somebody wrote to a store, whichever process or thread it was.

Invariant: a file's version is read on a connection that nothing writes on, and that stays open:
`PRAGMA data_version` tells of the other connections' commits only, and its values mean nothing
to another connection (https://www.sqlite.org/pragma.html#pragma_data_version).
"""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from control_plane.adapters.database import (
    BUSY_SECONDS,
    ChangesRow,
    Database,
    address,
    database_file,
)
from control_plane.errors import StoreUnavailableError


class PeeweeStores:
    """The port `Stores` on the databases of accounting and records, which may be one."""

    def __init__(
        self,
        urls: Sequence[str],
        password_file: Path | None = None,
        others: Sequence[Callable[[], object]] = (),
    ) -> None:
        """Open each at the first question; `others` are asked for a third store's version.

        A callable raises StoreUnavailableError when its store does not answer.
        """
        self._watches = [_watch(url, password_file) for url in dict.fromkeys(urls)]
        self._others = tuple(others)

    def version(self) -> object:
        """Return a value that differs after every write, by any process or thread."""
        watched = tuple(watch.version() for watch in self._watches)
        return watched + tuple(other() for other in self._others)

    def check(self) -> None:
        """Raise StoreUnavailableError when a database does not answer."""
        self.version()

    def close(self) -> None:
        """Close the connections."""
        for watch in self._watches:
            watch.close()


class _Watch(Protocol):
    def version(self) -> object: ...

    def close(self) -> None: ...


def _watch(url: str, password_file: Path | None) -> _Watch:
    path = database_file(url)
    return _FileWatch(path) if path else _ServerWatch(Database(url, password_file))


class _ServerWatch:
    def __init__(self, database: Database) -> None:
        self._database = database

    def version(self) -> int:
        """Return the number that every write raises in its own transaction."""
        with self._database.reading() as db:
            return sum(row.writes for row in ChangesRow.select().execute(db))

    def close(self) -> None:
        self._database.close()


class _FileWatch:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._openings = 0
        self._inode = 0

    def version(self) -> tuple[int, int]:
        """Return how often the file was opened here, and what it says of the others' writes."""
        with self._lock:
            try:
                heard = self._ask()
            except (OSError, sqlite3.Error) as error:
                self._forget()
                raise StoreUnavailableError(
                    f"The database does not answer: {error}.",
                    "See that its file is there and readable, then restart the service.",
                ) from error
            return self._openings, heard

    def close(self) -> None:
        with self._lock:
            self._forget()

    def _ask(self) -> int:
        inode = self._path.stat().st_ino
        if self._connection is None:
            self._connection = sqlite3.connect(
                address(self._path), uri=True, timeout=BUSY_SECONDS, check_same_thread=False
            )
            self._openings += 1
            self._inode = self._inode or inode
        if inode != self._inode:
            raise FileNotFoundError("another file took the place of the one in use")
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _forget(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None
