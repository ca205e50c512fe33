"""The schemas: every kept dump of one comes to the present schema, and the models fit it.

A schema that changes needs a new migration, and a new dump of the whole set under
`tests/schemas/` (`sqlite3 DATABASE .dump`), with rows that the next migrations must keep.
"""

import logging
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import peewee
import pytest

from control_plane.adapters import accounting_rows, migrations, records_rows
from control_plane.adapters.accounting_db import PeeweeAccounting
from control_plane.adapters.database import Database
from control_plane.adapters.migrations import SETS, migrate
from control_plane.adapters.records import PeeweeRecords
from control_plane.domain.entities import State
from control_plane.errors import ControlPlaneError, StoreUnavailableError

SCHEMAS = Path(__file__).parent.parent / "schemas"
DUMPS = sorted(SCHEMAS.glob("*.sql"))
MODELS = {"accounting": accounting_rows.MODELS, "records": records_rows.MODELS}
STARTER = """
import sys
from control_plane.adapters.migrations import migrate
print("ready", flush=True)
sys.stdin.readline()
migrate(sys.argv[1])
"""


def set_of(dump: Path) -> str:
    return dump.stem.partition("-")[2]


def restored(dump: Path, path: Path) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(dump.read_text())
    connection.close()
    return path


def schema(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return sorted(sql for (sql,) in rows)


def fresh(path: Path, one: str) -> Path:
    migrate(str(path), [one])
    return path


def waiting_to_migrate(url: str) -> "subprocess.Popen[bytes]":
    """Start a process that has loaded everything and waits for a line."""
    command = [sys.executable, "-c", STARTER, url]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def columns(database: peewee.Database, table: str) -> set[tuple[str, bool, bool]]:
    found = database.get_columns(table)
    return {(column.name, column.null, column.primary_key) for column in found}


@pytest.mark.parametrize("one", SETS)
def test_every_migration_has_its_dump(one: str) -> None:
    folder = Path(migrations.__file__).parent / one
    numbers = [path.name[:3] for path in sorted(folder.glob("[0-9]*.py"))]
    assert [dump.name[1:4] for dump in DUMPS if set_of(dump) == one] == numbers


@pytest.mark.parametrize("one", SETS)
def test_the_latest_dump_is_the_present_schema(one: str, tmp_path: Path) -> None:
    latest = [dump for dump in DUMPS if set_of(dump) == one][-1]
    kept = restored(latest, tmp_path / "kept.db")
    assert schema(kept) == schema(fresh(tmp_path / "fresh.db", one))


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
def test_a_kept_dump_comes_to_the_present_schema(dump: Path, tmp_path: Path) -> None:
    path = restored(dump, tmp_path / "kept.db")
    migrate(str(path), [set_of(dump)])
    assert schema(path) == schema(fresh(tmp_path / "fresh.db", set_of(dump)))


@pytest.mark.parametrize("dump", [one for one in DUMPS if set_of(one) == "accounting"])
def test_accounting_of_a_kept_dump_is_read(dump: Path, tmp_path: Path) -> None:
    path = restored(dump, tmp_path / "kept.db")
    migrate(str(path), ["accounting"])
    database = Database(str(path))
    accounting = PeeweeAccounting(database)
    assert [user.name for user in accounting.users()] == ["admin", "alice", "bob"]
    (grant,) = accounting.grants_of("alice")
    assert (grant.id, grant.application.image) == ("a" * 32, "remoteapp/terminal")
    assert grant.application.command == ("start", "--now")
    assert (grant.policy.allow_home, grant.policy.cpus) == (True, 0.5)
    database.close()


@pytest.mark.parametrize("dump", [one for one in DUMPS if set_of(one) == "records"])
def test_records_of_a_kept_dump_are_read(dump: Path, tmp_path: Path) -> None:
    path = restored(dump, tmp_path / "kept.db")
    migrate(str(path), ["records"])
    database = Database(str(path))
    records = PeeweeRecords(database)
    failed, ready = records.open_sessions()
    assert (ready.state, ready.options) == (State.READY, {"resolution": "1280x800"})
    assert failed.failure is not None
    assert failed.failure.log_tail == "no display"
    assert records.password("alice") == "$argon2id$kept"
    assert [row.session_id for row in records.usage()] == ["e" * 32]
    assert [row.action for row in records.audit()] == ["user-create"]
    database.close()


@pytest.mark.parametrize("one", SETS)
def test_the_models_fit_the_schema(one: str, tmp_path: Path) -> None:
    made = peewee.SqliteDatabase(str(fresh(tmp_path / "fresh.db", one)))
    expected = peewee.SqliteDatabase(str(tmp_path / "models.db"))
    with made, expected, expected.bind_ctx(MODELS[one]):
        expected.create_tables(MODELS[one])
        tables = {model._meta.table_name for model in MODELS[one]}  # noqa: SLF001
        assert tables | {f"{one}_migrations"} == set(made.get_tables())
        for table in tables:
            assert columns(made, table) == columns(expected, table)
    made.close()
    expected.close()


def test_both_sets_live_in_one_file_and_are_migrated_once(tmp_path: Path) -> None:
    url = str(tmp_path / "remoteapp.db")
    assert migrate(url) == ["accounting/001_first", "records/001_first"]
    assert migrate(url) == []
    assert migrate(url, ["records"]) == []


def test_a_new_database_is_its_owners_alone_and_in_wal_mode(tmp_path: Path) -> None:
    path = tmp_path / "remoteapp.db"
    migrate(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_processes_that_start_at_once_migrate_once(tmp_path: Path) -> None:
    url = str(tmp_path / "remoteapp.db")
    starts = [waiting_to_migrate(url) for _ in range(6)]
    for start in starts:
        assert start.stdout is not None
        assert start.stdout.readline() == b"ready\n"
    for start in starts:
        assert start.stdin is not None
        start.stdin.write(b"go\n")
        start.stdin.flush()
    for start in starts:
        start.communicate(timeout=60)
    assert [start.returncode for start in starts] == [0] * 6
    connection = sqlite3.connect(url)
    done = connection.execute("SELECT name FROM records_migrations").fetchall()
    connection.close()
    assert done == [("001_first",)]


def test_migrating_is_quiet(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    migrate(str(tmp_path / "remoteapp.db"))
    assert [record.getMessage() for record in caplog.records] == [
        "database migrated migration=accounting/001_first",
        "database migrated migration=records/001_first",
    ]


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = fresh(tmp_path / "newer.db", "records")
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO records_migrations (name, migrated_at) VALUES ('999_later', '2030-01-01')"
        )
    connection.close()
    before = schema(path)
    with pytest.raises(ControlPlaneError, match="999_later"):
        migrate(str(path), ["records"])
    assert schema(path) == before


def test_a_directory_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="No such file"):
        migrate(str(tmp_path / "nowhere" / "remoteapp.db"))
    assert list(tmp_path.iterdir()) == []
