"""One database behind peewee, a file or on a server: how it is found, opened, read and written.

Invariant: no error of peewee leaves this module; any thread may read and write, each on a
connection that is its own for that moment; one transaction writes at a time, and all of them see
what the one before has written.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import peewee
from playhouse.pool import MaxConnectionsExceeded, PooledSqliteDatabase

from control_plane.adapters import database_servers
from control_plane.errors import (
    ConflictError,
    InvalidError,
    NotSupportedError,
    StoreUnavailableError,
)

BUSY_SECONDS = 10
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SQLITE = "sqlite:///"
FILE_HINT = "Check that its file and directory exist, are writable and have room."
SERVER_HINT = "Check that the server runs, has room and lets this account into its database."


def database_file(url: str) -> Path | None:
    """Return the file that `url` names, None when it names a database on a server.

    A file is `sqlite:///relative`, `sqlite:////absolute` or a path. NotSupportedError for every
    other kind of database.
    """
    name = url.removeprefix(_SQLITE)
    scheme = _SCHEME.match(name)
    if scheme and scheme[1] in database_servers.SCHEMES:
        return None
    if scheme or not name or name == ":memory:":
        kind = scheme[1] if scheme else name or "an empty name"
        raise NotSupportedError(
            f"The database cannot be {kind}.",
            "Allowed are the path of a file, sqlite:////path, postgresql://user@host/name and"
            " mariadb://user@host/name (or mysql://).",
        )
    return Path(name).absolute()


def is_file(url: str) -> bool:
    """Return whether `url` names a file; NotSupportedError as `database_file`."""
    return database_file(url) is not None


def shown_url(url: str) -> str:
    """Return the path of a file, or a server's URL without its password."""
    path = database_file(url)
    return str(path) if path else database_servers.without_password(url)


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
def translated(hint: str = FILE_HINT) -> Iterator[None]:
    """Turn what peewee and the file system raise into errors of ours."""
    try:
        yield
    except peewee.IntegrityError as error:
        raise ConflictError("The database has that already.", f"It says: {error}") from error
    except (peewee.DataError, OverflowError, UnicodeEncodeError) as error:
        raise InvalidError(
            f"The database cannot keep a value: {error}.",
            hint="A name has at most 255 characters, each of them one that Unicode knows.",
        ) from error
    except MaxConnectionsExceeded as error:
        raise StoreUnavailableError("Every connection to the database is in use.", hint) from error
    except (peewee.DatabaseError, peewee.InterfaceError, OSError) as error:
        raise StoreUnavailableError(f"The database does not answer: {error}.", hint) from error


class ChangesRow(peewee.Model):
    """How often was written to a server's database: one row, which a writer locks first."""

    id = peewee.IntegerField(primary_key=True)
    writes = peewee.BigIntegerField()

    class Meta:  # noqa: D106 - peewee's own word
        table_name = "changes"


class Database:
    """A pool of connections to one file that exists, or to one server; idle ones stay open."""

    def __init__(self, url: str, password_file: Path | None = None) -> None:
        """Connect at the first use; the password in the file wins over the one in the URL."""
        path = database_file(url)
        self._hint = FILE_HINT if path else SERVER_HINT
        self._on_server = path is None
        self._pool: Any = (
            _file_pool(path) if path else database_servers.pool(url, password_file, BUSY_SECONDS)
        )

    @contextmanager
    def reading(self) -> Iterator[peewee.Database]:
        """Lend a connection for queries."""
        with translated(self._hint), self._lent():
            yield self._pool

    @contextmanager
    def reading_at_once(self) -> Iterator[peewee.Database]:
        """Lend a connection whose queries all see the database as it is at one moment."""
        how = ("REPEATABLE READ",) if self._on_server else ()
        with translated(self._hint), self._lent(), self._pool.atomic(*how):
            yield self._pool

    @contextmanager
    def writing(self) -> Iterator[peewee.Database]:
        """Lend a connection inside a transaction that holds the write lock from its start."""
        # A deferred transaction that reads first fails at its first write when another process
        # wrote in between, and no busy timeout helps: https://www.sqlite.org/isolation.html
        how = () if self._on_server else ("IMMEDIATE",)
        with translated(self._hint), self._lent(), self._pool.atomic(*how):
            if self._on_server:
                self._count_write()
            yield self._pool

    def close(self) -> None:
        """Close every connection."""
        with suppress(peewee.InterfaceError):
            self._pool.close_all()

    @contextmanager
    def _lent(self) -> Iterator[None]:
        if self._pool.is_closed():
            with self._pool.connection_context():
                yield
        else:  # inside another `reading` or `writing` of this thread
            yield

    def _count_write(self) -> None:
        # The row's lock lets one transaction write at a time; its number is what watchers read.
        if ChangesRow.update(writes=ChangesRow.writes + 1).execute(self._pool) != 1:
            raise StoreUnavailableError(
                "The database's table changes has lost its row.",
                "Put it back with remoteappdb init.",
            )


def _file_pool(path: Path) -> peewee.Database:
    found: peewee.Database = PooledSqliteDatabase(  # type: ignore[no-untyped-call]  # playhouse
        address(path),
        uri=True,
        max_connections=None,
        check_same_thread=False,  # the pool lends one connection to one thread at a time
        timeout=BUSY_SECONDS,
        pragmas={"foreign_keys": 1, "synchronous": "normal"},
    )
    return found


def put(db: peewee.Database, model: type[peewee.Model], key: Any, row: dict[str, Any]) -> None:
    """Replace the row that has this key, or write it when there is none."""
    found = model.update(row).where(key == row[key.name]).execute(db)
    if not found:
        insert(db, model, [row])


def insert(db: peewee.Database, model: type[peewee.Model], rows: Sequence[dict[str, Any]]) -> None:
    """Write these rows, which name the same columns, in one statement."""
    # Without `returning` peewee looks for the database that the model was bound to: to none.
    model.insert_many(rows).returning().execute(db)


def delete(db: peewee.Database, model: type[peewee.Model], condition: Any) -> int:
    """Remove the rows that fit; return how many."""
    return int(model.delete().where(condition).execute(db))
