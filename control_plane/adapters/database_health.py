"""How a database is, without changing it: whether it is there, whole, ours and of this version.

Invariant: no table, row or file comes to be or changes by being looked at.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import peewee

from control_plane.adapters.database import (
    BUSY_SECONDS,
    Database,
    address,
    database_file,
    shown_url,
)
from control_plane.adapters.migrations import names
from control_plane.errors import StoreUnavailableError

_MOST_TROUBLES = 3


@dataclass(frozen=True, slots=True)
class Health:
    """One set of tables: `done` are its migrations, `pending` what lacks, `unknown` what is newer.

    `problem` is why nobody can work with it; `initialised` says whether it has any table of ours.
    """

    part: str
    url: str
    file: Path | None
    initialised: bool
    done: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    problem: str = ""

    @property
    def is_current(self) -> bool:
        """Whether this version may work with it as it is."""
        return self.initialised and not (self.problem or self.pending or self.unknown)


def look(part: str, url: str, password_file: Path | None) -> Health:
    """Return how accounting's or records' tables are at `url`."""
    path, shown = database_file(url), shown_url(url)
    try:
        done = _of_file(path, part) if path else _on_server(url, part, password_file)
    except FileNotFoundError:
        return Health(part, shown, path, initialised=False)
    except (OSError, sqlite3.Error) as error:
        return Health(part, shown, path, initialised=True, problem=str(error))
    except StoreUnavailableError as error:
        return Health(part, shown, path, initialised=True, problem=error.message)
    known = names(part)
    return Health(
        part,
        shown,
        path,
        initialised=bool(done),
        done=tuple(done),
        pending=tuple(one for one in known if one not in done),
        unknown=tuple(one for one in done if one not in known),
    )


def damage(path: Path) -> str:
    """Return what SQLite finds wrong with a file; nothing where it is whole and takes writes."""
    try:
        with closing(_opened(path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            rows = connection.execute(f"PRAGMA quick_check({_MOST_TROUBLES})").fetchall()
    except (OSError, sqlite3.Error) as error:
        return str(error)
    said = [str(row[0]) for row in rows]
    return "" if said == ["ok"] else "; ".join(said)


def _of_file(path: Path, part: str) -> list[str]:
    path.stat()
    with closing(_opened(path)) as connection:
        table = f"{part}_migrations"
        query = "SELECT 1 FROM sqlite_master WHERE name = ?"
        if not connection.execute(query, [table]).fetchone():
            return []
        rows = connection.execute(f"SELECT name FROM {table} ORDER BY name")  # noqa: S608 - ours
        return [str(name) for (name,) in rows]


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(address(path), uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def _on_server(url: str, part: str, password_file: Path | None) -> list[str]:
    database, table = Database(url, password_file), f"{part}_migrations"
    try:
        with database.reading() as db:
            if not db.table_exists(table):
                return []
            found = peewee.Table(table).select(peewee.SQL("name")).bind(db).tuples()
            return sorted(str(name) for (name,) in found)
    finally:
        database.close()
