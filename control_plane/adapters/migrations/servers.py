"""A server's database that is about to be migrated: one process at a time, and its counter.

Invariant: every table is made under the binary collation that compares names exactly.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peewee

from control_plane.adapters import database_servers
from control_plane.adapters.database import ChangesRow
from control_plane.errors import StoreUnavailableError

_WAIT_SECONDS = 600  # for another process's migration
_LOCK = 0x72656D6F7465  # any number that nobody else locks in this database
_COLLATION = "utf8mb4_nopad_bin"


@contextmanager
def prepared(url: str, password_file: Path | None) -> Iterator[Any]:
    """Lend a connection that alone migrates; PostgreSQL does it in one transaction."""
    database: Any = database_servers.pool(url, password_file, _WAIT_SECONDS)
    try:
        with database.connection_context():
            if isinstance(database, peewee.MySQLDatabase):
                _lock_mariadb(database)
                _make_changes(database)
                yield database  # MariaDB ends a transaction at every change of the schema
            else:
                with database.atomic():
                    database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                    _make_changes(database)
                    yield database
    finally:
        database.close_all()  # which ends MariaDB's lock


def _lock_mariadb(database: Any) -> None:
    query = "SELECT GET_LOCK(CONCAT('remoteapp.', DATABASE()), %s)"
    if database.execute_sql(query, (_WAIT_SECONDS,)).fetchone()[0] != 1:
        raise StoreUnavailableError(
            "Another process migrates the database and does not end.", "Look for it, then retry."
        )
    if database.execute_sql("SELECT @@collation_database").fetchone()[0] != _COLLATION:
        database.execute_sql(f"ALTER DATABASE CHARACTER SET utf8mb4 COLLATE {_COLLATION}")


def _make_changes(database: peewee.Database) -> None:
    with database.bind_ctx([ChangesRow]):
        ChangesRow.create_table(safe=True)
        if not ChangesRow.select().exists():
            ChangesRow.insert(id=1, writes=0).execute()
