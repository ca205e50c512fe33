"""An SQLite file that is about to be migrated: one process at a time, and a copy of it first.

Invariant: a copy that stands under its name is whole, and nobody but the file's owner reads it.
"""

import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import peewee

from control_plane.adapters.database import BUSY_SECONDS, address
from control_plane.errors import StoreUnavailableError

log = logging.getLogger(__name__)


@contextmanager
def prepared(path: Path, sets: Mapping[str, Sequence[str]]) -> Iterator[peewee.Database]:
    """Lend the file, backed up if it has old ones of these sets' migrations, in one transaction."""
    # Without foreign keys: a migration that rebuilds a table drops the old one, which would take
    # the rows that refer to it along (https://www.sqlite.org/lang_altertable.html, step 1).
    pragmas = {"journal_mode": "wal", "synchronous": "normal", "foreign_keys": 0}
    database = peewee.SqliteDatabase(address(path), uri=True, timeout=BUSY_SECONDS, pragmas=pragmas)
    # SQLite does not wait for the lock that a change to WAL needs, so one of us at a time.
    with _alone(path.parent):
        _back_up_old(path, sets)
        with database.connection_context(), database.atomic("EXCLUSIVE"):
            yield database


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    # The directory, not the file: closing a descriptor of the file would drop SQLite's own locks.
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _back_up_old(path: Path, sets: Mapping[str, Sequence[str]]) -> None:
    with closing(_connection(path)) as connection:
        done = {one: _done(connection, one) for one in sets}
        old = [
            names[-1][:3] for one, names in done.items() if names and set(sets[one]) > set(names)
        ]
        if old:
            _back_up(connection, path, max(old))


def _connection(path: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(address(path), uri=True, timeout=BUSY_SECONDS)
    except sqlite3.Error as error:
        raise _unreadable(error) from error


def _done(connection: sqlite3.Connection, one: str) -> list[str]:
    table = f"{one}_migrations"
    try:
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [table]).fetchone()
        query = f"SELECT name FROM {table} ORDER BY name"  # noqa: S608 - a word of ours
        return [name for (name,) in connection.execute(query)] if known else []
    except sqlite3.Error as error:
        raise _unreadable(error) from error


def _back_up(connection: sqlite3.Connection, path: Path, version: str) -> None:
    owner = path.stat()
    directory = path.parent / "backups"
    if not directory.is_dir() or directory.is_symlink():
        directory.mkdir(mode=0o700)
        if os.geteuid() == 0:  # the service, which owns it already, may not even ask
            os.chown(directory, owner.st_uid, owner.st_gid, follow_symlinks=False)
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    target = directory / f"{path.stem}-{version}-{moment}.db"
    part = target.with_suffix(".part")
    try:
        _copy(connection, part, owner)
        part.rename(target)
    except sqlite3.Error as error:
        raise StoreUnavailableError(
            f"The database could not be backed up to {directory}: {error}.",
            "Nothing was changed. See that there is room, and start again.",
        ) from error
    finally:
        part.unlink(missing_ok=True)
    log.info("database backed up file=%s", target)


def _copy(connection: sqlite3.Connection, part: Path, owner: os.stat_result) -> None:
    descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    if os.geteuid() == 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    os.close(descriptor)
    with closing(sqlite3.connect(address(part), uri=True)) as copy:
        connection.backup(copy)


def _unreadable(error: sqlite3.Error) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"The database does not answer: {error}.", "Check that the file is an SQLite database."
    )
