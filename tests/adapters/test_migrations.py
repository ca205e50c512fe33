"""The schemas: every kept dump of one comes to the present schema, and the models fit it.

A schema that changes needs a new migration, and for each set of tables and each dialect a new
dump under `tests/schemas/` (by `Databases.dump`), with rows that the next migrations must keep.
"""

import logging
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import peewee
import pytest
from adapters.conftest import DIALECTS
from adapters.databases import Databases, Server

from control_plane.adapters import accounting_rows, database_servers, migrations, records_rows
from control_plane.adapters.accounting_db import PeeweeAccounting
from control_plane.adapters.accounting_write import digest
from control_plane.adapters.database import Database, is_file
from control_plane.adapters.migrations import SETS, migrate
from control_plane.adapters.records import PeeweeRecords
from control_plane.domain.entities import (
    Announcement,
    Grantee,
    Group,
    HomeTask,
    LastStart,
    Link,
    Policy,
    Session,
    Share,
    State,
    UsageRow,
    Volume,
)
from control_plane.errors import ControlPlaneError, StoreUnavailableError

SCHEMAS = Path(__file__).parent.parent / "schemas"
DUMPS = sorted(SCHEMAS.glob("*.sql"))
MODELS = {"accounting": accounting_rows.MODELS, "records": records_rows.MODELS}
KEPT = datetime(2026, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)
STARTER = """
import sys
from control_plane.adapters.migrations import migrate
print("ready", flush=True)
sys.stdin.readline()
migrate(sys.argv[1])
"""


def set_of(dump: Path) -> str:
    return dump.stem.partition(".")[0].partition("-")[2]


def dialect_of(dump: Path) -> str:
    return dump.stem.partition(".")[2] or "sqlite"


def dumps(one: str, dialect: str) -> list[Path]:
    return [dump for dump in DUMPS if (set_of(dump), dialect_of(dump)) == (one, dialect)]


def fresh(databases: Databases, one: str) -> str:
    url = databases.empty()
    migrate(url, [one])
    return url


def restored(databases: Databases, dump: Path) -> str:
    url = databases.empty()
    databases.load(dump, url)
    return url


@pytest.fixture
def migrated(request: pytest.FixtureRequest, dump: Path) -> str:
    """The URL of a kept dump's database, brought up to date."""
    url = restored(request.getfixturevalue(dialect_of(dump)), dump)
    migrate(url, [set_of(dump)])
    return url


def waiting_to_migrate(url: str) -> "subprocess.Popen[bytes]":
    """Start a process that has loaded everything and waits for a line."""
    command = [sys.executable, "-c", STARTER, url]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def columns(database: peewee.Database, table: str) -> set[tuple[str, bool, bool]]:
    found = database.get_columns(table)
    return {(column.name, column.null, column.primary_key) for column in found}


def peewee_of(url: str) -> peewee.Database:
    if is_file(url):
        return peewee.SqliteDatabase(url)
    return database_servers.pool(url, None, 10)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("one", SETS)
def test_every_migration_has_its_dump(one: str, dialect: str) -> None:
    folder = Path(migrations.__file__).parent / one
    numbers = [path.name[:3] for path in sorted(folder.glob("[0-9]*.py"))]
    assert [dump.name[1:4] for dump in dumps(one, dialect)] == numbers


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
def test_a_kept_dump_comes_to_the_present_schema(
    request: pytest.FixtureRequest, dump: Path, migrated: str
) -> None:
    databases: Databases = request.getfixturevalue(dialect_of(dump))
    assert databases.schema(migrated) == databases.schema(fresh(databases, set_of(dump)))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("one", SETS)
def test_the_latest_dump_is_the_present_schema(
    request: pytest.FixtureRequest, one: str, dialect: str
) -> None:
    databases: Databases = request.getfixturevalue(dialect)
    kept = restored(databases, dumps(one, dialect)[-1])
    assert databases.schema(kept) == databases.schema(fresh(databases, one))


@pytest.mark.parametrize("dump", [one for one in DUMPS if set_of(one) == "accounting"], ids=str)
def test_accounting_of_a_kept_dump_is_read(migrated: str) -> None:
    database = Database(migrated)
    accounting = PeeweeAccounting(database)
    assert [user.name for user in accounting.users()] == ["admin", "alice", "bob"]
    grant = accounting.grant("a" * 32)
    assert grant is not None
    assert grant.grantee == Grantee("user", "alice")
    assert grant in accounting.grants_of("alice")
    assert grant.application.image == "remoteapp/terminal"
    assert grant.application.command == ("start", "--now")
    assert grant.policy == Policy(
        allow_home=True, share="control", memory=2**29, cpus=0.5, pids=64, max_sessions=2
    )
    same = accounting.add_grant(grant.grantee, grant.application.id, grant.policy)
    assert same == grant
    database.close()


@pytest.mark.parametrize("dump", [one for one in DUMPS if one.match("0002-accounting*")], ids=str)
def test_groups_of_a_kept_dump_are_read(migrated: str) -> None:
    database = Database(migrated)
    accounting = PeeweeAccounting(database)
    assert list(accounting.groups()) == [Group("lab", ("alice", "bob"))]
    rich = Policy(
        allow_home=True,
        volumes=(Volume("/srv/data", "/data", "ro"),),
        allow_startup_data=True,
        app_license="kept-licence",
        network="none",
        max_lifetime=86400,
        cpus=1.5,
    )
    assert [(one.grantee, one.policy) for one in accounting.grants()][:2] == [
        (Grantee("everyone"), rich),
        (Grantee("group", "lab"), rich),
    ]
    database.close()


@pytest.mark.parametrize("dump", [one for one in DUMPS if set_of(one) == "records"], ids=str)
def test_records_of_a_kept_dump_are_read(migrated: str) -> None:
    database = Database(migrated)
    records = PeeweeRecords(database)
    failed, ready = records.open_sessions()
    assert (ready.state, ready.options) == (State.READY, {"resolution": "1280x800"})
    assert (failed.policy, failed.cut_off, failed.warned) == (None, False, False)
    assert failed.failure is not None
    assert failed.failure.log_tail == "no display"
    assert records.password("alice") == "$argon2id$kept"
    ended = records.usage_of("e" * 32)
    assert ended is not None
    assert (ended.reason, ended.groups, ended.cpu_seconds) == ("stopped", (), 0.0)
    first = records.audit()[-1]
    assert (first.action, first.before, first.after) == ("user-create", None, None)
    database.close()


@pytest.mark.parametrize("dump", [one for one in DUMPS if one.match("0002-records*")], ids=str)
def test_what_the_second_schema_added_is_read(migrated: str) -> None:
    database = Database(migrated)
    records = PeeweeRecords(database)
    ready: Session = records.open_sessions()[-1]
    assert (ready.cut_off, ready.warned) == (True, True)
    assert ready.policy is not None
    assert ready.policy.volumes == (Volume("/srv/data", "/data", "ro"),)
    assert "oidc" in {one.source for one in records.signins(KEPT)}
    link = Link("https://accounts.example.org", "4711", "alice")
    assert records.link(link.issuer, link.subject) == link
    assert records.kept_running() == {"user:bob"}
    assert records.reserve_uid("dave", 70000, 99999, lambda _: False) == 70007
    task = HomeTask("remoteapp-home-70009", "carol", "archive", "admin", KEPT)
    assert list(records.home_tasks()) == [task]
    assert records.announcement() == Announcement("Back at noon.", KEPT)
    living = records.usage_of("c" * 32)
    assert living is not None
    assert living == replace(
        UsageRow("c" * 32, "alice", "Terminal", "remoteapp/terminal", living.started_at),
        groups=("lab",),
        grant_id="a" * 32,
        cpu_seconds=12.5,
        memory_gib_seconds=900.25,
        sampled_until=KEPT,
        cpu_counter=7.125,
    )
    assert (records.audit()[0].before, records.audit()[0].after) == ({"pids": 64}, {"pids": 32})
    database.close()


@pytest.mark.parametrize("dump", [one for one in DUMPS if one.match("0004-records*")], ids=str)
def test_what_the_fourth_schema_added_is_read(migrated: str) -> None:
    database = Database(migrated)
    kept = LastStart("alice", "a" * 32, KEPT, {"resolution": "window"})
    assert PeeweeRecords(database).last_starts("alice") == {"a" * 32: kept}
    database.close()


@pytest.mark.parametrize("dump", [one for one in DUMPS if one.match("0005-records*")], ids=str)
def test_what_the_fifth_schema_added_is_read(migrated: str) -> None:
    database = Database(migrated)
    records, day = PeeweeRecords(database), KEPT + timedelta(days=1)
    link = Share("5" * 32, "c" * 32, "alice", "link", "", "view", KEPT, day, "6" * 64)
    assert list(records.shares()) == [link]
    entered = {(one.user, one.shares, one.display) for one in records.signins(KEPT)}
    guest = (f"guest:{link.id}", (link.id,), "Zoe")
    assert entered == {("alice", (), ""), guest}
    database.close()


def test_policies_that_were_the_same_become_one(sqlite: Databases) -> None:
    url = restored(sqlite, SCHEMAS / "0001-accounting.sql")
    sqlite.run("INSERT INTO policies SELECT 2, allow_home, share, memory, cpus, pids, max_sessions"
               " FROM policies", url)  # fmt: skip
    sqlite.run("INSERT INTO grants SELECT 'other', 2, application_id, 2 FROM grants", url)
    migrate(url, ["accounting"])
    database = Database(url)
    grants = PeeweeAccounting(database).grants()
    assert [str(one.grantee) for one in grants] == ["user alice", "user bob"]
    assert sqlite.run("SELECT id, digest FROM policies", url) == [(1, digest(grants[0].policy))]
    database.close()


@pytest.mark.parametrize("one", SETS)
def test_the_models_fit_the_schema(one: str, databases: Databases) -> None:
    made, expected = peewee_of(fresh(databases, one)), peewee_of(databases.empty())
    with made, expected, expected.bind_ctx(MODELS[one]):
        expected.create_tables(MODELS[one])
        tables = {model._meta.table_name for model in MODELS[one]}  # noqa: SLF001 - peewee's own place for it
        assert tables | {f"{one}_migrations"} == set(made.get_tables()) - {"changes"}
        for table in tables:
            assert columns(made, table) == columns(expected, table)
    for database in (made, expected):
        getattr(database, "close_all", database.close)()


def test_both_sets_live_in_one_database_and_are_migrated_once(databases: Databases) -> None:
    url = databases.empty()
    assert migrate(url) == [
        "accounting/001_first",
        "accounting/002_groups",
        "accounting/003_images",
        "records/001_first",
        "records/002_ledgers",
        "records/003_images",
        "records/004_starts",
        "records/005_shares",
    ]
    assert migrate(url) == []
    assert migrate(url, ["records"]) == []


def test_a_new_database_is_its_owners_alone_and_in_wal_mode(tmp_path: Path) -> None:
    path = tmp_path / "remoteapp.db"
    migrate(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_processes_that_start_at_once_migrate_once(databases: Databases) -> None:
    url = databases.empty()
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
    done = databases.run("SELECT name FROM records_migrations ORDER BY id", url)
    assert done == [
        ("001_first",),
        ("002_ledgers",),
        ("003_images",),
        ("004_starts",),
        ("005_shares",),
    ]


def test_migrating_is_quiet(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    migrate(str(tmp_path / "remoteapp.db"))
    assert [record.getMessage() for record in caplog.records] == [
        "database migrated migration=accounting/001_first",
        "database migrated migration=accounting/002_groups",
        "database migrated migration=accounting/003_images",
        "database migrated migration=records/001_first",
        "database migrated migration=records/002_ledgers",
        "database migrated migration=records/003_images",
        "database migrated migration=records/004_starts",
        "database migrated migration=records/005_shares",
    ]


def test_a_database_of_a_newer_version_is_left_alone(databases: Databases) -> None:
    url = fresh(databases, "records")
    databases.run("INSERT INTO records_migrations (id, name, migrated_at)"
                  " VALUES (99, '999_later', '2030-01-01 00:00:00')", url)  # fmt: skip
    before = databases.schema(url)
    with pytest.raises(ControlPlaneError, match="999_later"):
        migrate(url, ["records"])
    assert databases.schema(url) == before


def test_a_directory_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="No such file"):
        migrate(str(tmp_path / "nowhere" / "remoteapp.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_lacks_the_database_is_unavailable(server: Server) -> None:
    with pytest.raises(StoreUnavailableError, match="nowhere") as caught:
        migrate(server.url("nowhere"))
    assert "server" in caught.value.hint


def old_file(databases: Databases, tmp_path: Path) -> Path:
    path = tmp_path / "site.db"
    databases.load(SCHEMAS / "0001-records.sql", str(path))
    return path


def test_an_old_file_is_backed_up_before_it_is_migrated(
    sqlite: Databases, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = old_file(sqlite, tmp_path)
    os.chown(path, 65534, 65534)
    before = sqlite.dump(str(path))
    migrate(str(path))
    (backup,) = (tmp_path / "backups").iterdir()
    assert sqlite.dump(str(backup)) == before
    assert backup.match("site-001-????????T??????.??????Z.db")
    owned = backup.stat()
    assert (stat.S_IMODE(owned.st_mode), owned.st_uid, owned.st_gid) == (0o600, 65534, 65534)
    folder = backup.parent.stat()
    assert (stat.S_IMODE(folder.st_mode), folder.st_uid) == (0o700, 65534)
    assert caplog.records[0].getMessage() == f"database backed up file={backup}"


def test_what_is_new_or_up_to_date_is_not_backed_up(sqlite: Databases, tmp_path: Path) -> None:
    url = sqlite.empty()
    migrate(url, ["accounting"])
    migrate(url, ["records"])
    migrate(url)
    assert not (tmp_path / "backups").exists()


def test_what_was_written_but_not_moved_into_the_file_is_in_the_backup(
    sqlite: Databases, tmp_path: Path
) -> None:
    path = old_file(sqlite, tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as service:
        service.execute("PRAGMA journal_mode = wal")
        service.execute("INSERT INTO cursors VALUES ('late', 7)")
        migrate(str(path))
    (backup,) = (tmp_path / "backups").iterdir()
    assert ("late", 7) in sqlite.run("SELECT * FROM cursors", str(backup))


def test_a_file_that_cannot_be_backed_up_is_left_alone(sqlite: Databases, tmp_path: Path) -> None:
    path = old_file(sqlite, tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "backups").symlink_to(tmp_path / "elsewhere")
    before = sqlite.dump(str(path))
    with pytest.raises(StoreUnavailableError, match="backups"):
        migrate(str(path))
    assert sqlite.dump(str(path)) == before
    assert list((tmp_path / "elsewhere").iterdir()) == []
