"""The schemas of accounting and records, and how a database comes to them.

Invariant: a migration defines its own models and is never changed once it was released; each set
keeps its own history, so that both may live in one database; one process migrates at a time.
"""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import peewee
from peewee_migrate import Router
from peewee_migrate.models import MigrateHistory

from control_plane.adapters.database import (
    FILE_HINT,
    SERVER_HINT,
    database_file,
    make_file,
    translated,
)
from control_plane.adapters.migrations import files, servers
from control_plane.errors import ControlPlaneError

log = logging.getLogger(__name__)

SETS = ("accounting", "records")


def migrate(url: str, sets: Sequence[str] = SETS, password_file: Path | None = None) -> list[str]:
    """Bring these sets of tables up to date; return the names of the migrations that it ran.

    A file that lacks is made; one that is not up to date is backed up before. Several processes
    may start at once: one migrates, the others wait.
    """
    path = database_file(url)
    if path:
        make_file(path)
    hint = FILE_HINT if path else SERVER_HINT
    with translated(hint), _prepared(url, sets, password_file) as database:
        return [done for one in sets for done in _run(database, one)]


def names(one: str) -> list[str]:
    """Return the migrations that this version knows of a set, in their order."""
    return sorted(path.stem for path in (Path(__file__).parent / one).glob("[0-9]*.py"))


def _prepared(
    url: str, sets: Sequence[str], password_file: Path | None
) -> AbstractContextManager[Any]:
    path = database_file(url)
    if path is None:
        return servers.prepared(url, password_file)
    return files.prepared(path, {one: names(one) for one in sets})


def _run(database: peewee.Database, one: str) -> list[str]:
    logging.getLogger("peewee_migrate").setLevel(logging.WARNING)
    table = f"{one}_migrations"
    # The library has one model of its history and keeps its first table's name without this.
    MigrateHistory._meta.set_table_name(table)  # noqa: SLF001 - peewee's own place for it
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
