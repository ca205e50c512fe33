"""The schemas of accounting and records, and how a database comes to them.

Invariant: a migration defines its own models and is never changed once it was released; each set
keeps its own history, so that both may live in one file.
"""

import fcntl
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import peewee
from peewee_migrate import Router
from peewee_migrate.models import MigrateHistory

from control_plane.adapters.database import (
    BUSY_SECONDS,
    address,
    database_file,
    make_file,
    translated,
)
from control_plane.errors import ControlPlaneError

log = logging.getLogger(__name__)

SETS = ("accounting", "records")


def migrate(url: str, sets: Sequence[str] = SETS) -> list[str]:
    """Bring these sets of tables up to date; return the names of the migrations that it ran.

    A file that lacks is made. Several processes may start at once: one migrates, the others wait.
    """
    path = database_file(url)
    make_file(path)
    database = _database(path)
    # SQLite does not wait for the lock that a change to WAL needs, so one of us at a time.
    with (
        translated(),
        _alone(path.parent),
        database.connection_context(),
        database.atomic("EXCLUSIVE"),
    ):
        return [done for one in sets for done in _run(database, one)]


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    # The directory, not the file: closing a descriptor of the file would drop SQLite's own locks.
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _database(path: Path) -> peewee.Database:
    # Without foreign keys: a migration that rebuilds a table drops the old one, which would take
    # the rows that refer to it along (https://www.sqlite.org/lang_altertable.html, step 1).
    pragmas = {"journal_mode": "wal", "synchronous": "normal", "foreign_keys": 0}
    return peewee.SqliteDatabase(address(path), uri=True, timeout=BUSY_SECONDS, pragmas=pragmas)


def _run(database: peewee.Database, one: str) -> list[str]:
    logging.getLogger("peewee_migrate").setLevel(logging.WARNING)
    table = f"{one}_migrations"
    # The library has one model of its history and keeps its first table's name without this.
    MigrateHistory._meta.set_table_name(table)  # noqa: SLF001
    router = Router(database, Path(__file__).parent / one, migrate_table=table)
    if unknown := sorted(set(router.done) - set(router.todo)):
        raise ControlPlaneError(
            f"The database was written by a newer version (it has {one} {unknown[-1]}).",
            "Install that version, or restore a backup from before the upgrade.",
        )
    done = [f"{one}/{name}" for name in router.run()]
    for name in done:
        log.info("database migrated migration=%s", name)
    return done
