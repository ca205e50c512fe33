"""One SQLite file behind peewee: how it is found, opened, read and written.

Invariant: no error of peewee leaves this module; any thread may read and write, each on a
connection that is its own for that moment.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import peewee
from playhouse.pool import PooledSqliteDatabase

from control_plane.errors import ConflictError, NotSupportedError, StoreUnavailableError

BUSY_SECONDS = 10
_SCHEME = re.compile(r"([a-z][a-z0-9+]*)://")
_SQLITE = "sqlite:///"


def database_file(url: str) -> Path:
    """Return the file that `url` names: `sqlite:///relative`, `sqlite:////absolute` or a path.

    NotSupportedError for every other kind of database.
    """
    name = url.removeprefix(_SQLITE)
    scheme = _SCHEME.match(name)
    if scheme or not name or name == ":memory:":
        kind = scheme[1] if scheme else name or "an empty name"
        raise NotSupportedError(
            f"The database cannot be {kind}.",
            "This version keeps its data in an SQLite file: give its path or sqlite:////path.",
        )
    return Path(name).absolute()


def make_file(path: Path) -> bool:
    """Make an empty database that its owner alone may read; return whether it was not there."""
    with translated():
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW, 0o600))
        except FileExistsError:
            return False
    return True


def address(path: Path) -> str:
    """Return the SQLite URI that opens an existing file and never makes one."""
    return f"{path.as_uri()}?mode=rw"


@contextmanager
def translated() -> Iterator[None]:
    """Turn what peewee and the file system raise into errors of ours."""
    try:
        yield
    except peewee.IntegrityError as error:
        raise ConflictError("The database has that already.", f"It says: {error}") from error
    except (peewee.DatabaseError, peewee.InterfaceError, OSError) as error:
        raise StoreUnavailableError(
            f"The database does not answer: {error}.",
            "Check that its file and directory exist, are writable and have room.",
        ) from error


class Database:
    """A pool of connections to one file that exists; idle ones are kept open."""

    def __init__(self, url: str) -> None:
        """Connect at the first use."""
        self._pool: Any = PooledSqliteDatabase(  # type: ignore[no-untyped-call]  # playhouse
            address(database_file(url)),
            uri=True,
            max_connections=None,
            check_same_thread=False,  # the pool lends one connection to one thread at a time
            timeout=BUSY_SECONDS,
            pragmas={"foreign_keys": 1, "synchronous": "normal"},
        )

    @contextmanager
    def reading(self) -> Iterator[peewee.Database]:
        """Lend a connection for queries."""
        with translated(), self._pool.connection_context():
            yield self._pool

    @contextmanager
    def writing(self) -> Iterator[peewee.Database]:
        """Lend a connection inside a transaction that holds the write lock from its start."""
        # A deferred transaction that reads first fails at its first write when another process
        # wrote in between, and no busy timeout helps: https://www.sqlite.org/isolation.html
        with translated(), self._pool.connection_context(), self._pool.atomic("IMMEDIATE"):
            yield self._pool

    def close(self) -> None:
        """Close every connection."""
        with suppress(peewee.InterfaceError):
            self._pool.close_all()


def put(db: peewee.Database, model: type[peewee.Model], key: Any, row: dict[str, Any]) -> None:
    """Replace the row that has this key, or write it when there is none."""
    found = model.update(row).where(key == row[key.name]).execute(db)
    if not found:
        model.insert(row).execute(db)


def delete(db: peewee.Database, model: type[peewee.Model], condition: Any) -> int:
    """Remove the rows that fit; return how many."""
    return int(model.delete().where(condition).execute(db))
