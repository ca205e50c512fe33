"""The database file itself: noticing others' writes, many writers, and being away."""

import logging
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from adapters.fakes_store import FakeAccounting, FakeRecords, FakeStores

from control_plane.adapters.accounting_db import PeeweeAccounting
from control_plane.adapters.columns import MomentField
from control_plane.adapters.database import Database, database_file
from control_plane.adapters.migrations import migrate
from control_plane.adapters.records import PeeweeRecords
from control_plane.adapters.records_rows import CursorRow
from control_plane.adapters.stores import PeeweeStores
from control_plane.domain.entities import Application, Policy, SignIn, User
from control_plane.domain.ports import Accounting, Records, Stores
from control_plane.errors import NotSupportedError, StoreUnavailableError

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WRITER = """
import sys
from datetime import UTC, datetime
from control_plane.adapters.accounting_db import PeeweeAccounting
from control_plane.adapters.database import Database
from control_plane.adapters.records import PeeweeRecords
from control_plane.domain.entities import AuditRow, User

url, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
accounting, records = PeeweeAccounting(Database(url)), PeeweeRecords(Database(url))
for number in range(count):
    uid = accounting.next_uid(70000, 99999, lambda uid: False)
    accounting.add_user(User(f"{name}{number}", "virtual", uid=uid, gid=uid))
    records.add_audit(AuditRow(datetime.now(UTC), name, "user-create", f"{name}{number}"))
    records.set_cursor(name, number)
"""


@dataclass(frozen=True)
class Books:
    """One pair of stores and what watches them."""

    accounting: Accounting
    records: Records
    stores: Stores


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = str(tmp_path / "remoteapp.db")
    migrate(url)
    return url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


@pytest.fixture(params=["fake", "one file", "two files"])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Books]:
    if request.param == "fake":
        accounting, records = FakeAccounting(), FakeRecords()
        yield Books(accounting, records, FakeStores(accounting, records))
        return
    urls = [f"sqlite:///{tmp_path}/one.db", f"sqlite:///{tmp_path}/two.db"]
    if request.param == "one file":
        urls[1] = urls[0]
    for one in urls:
        migrate(one)
    databases = [Database(one) for one in urls]
    stores = PeeweeStores(urls)
    yield Books(PeeweeAccounting(databases[0]), PeeweeRecords(databases[1]), stores)
    stores.close()
    for database in databases:
        database.close()


def write(url: str, name: str, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, url, name, str(count)])


def test_the_version_stays_while_nobody_writes(books: Books) -> None:
    before = books.stores.version()
    books.accounting.users()
    books.records.open_sessions()
    books.records.signins(NOW)
    assert books.stores.version() == before


def test_the_version_differs_after_a_write_to_either(books: Books) -> None:
    versions = [books.stores.version()]
    books.accounting.add_user(User("alice", "system"))
    versions.append(books.stores.version())
    books.records.set_cursor("events", 1)
    versions.append(books.stores.version())
    books.records.add_signin(SignIn("a", "alice", "user", NOW, NOW + timedelta(hours=1)))
    versions.append(books.stores.version())
    assert len(set(versions)) == 4


def test_threads_that_watch_agree_on_the_version(books: Books) -> None:
    with ThreadPoolExecutor(4) as pool:
        books.accounting.add_user(User("alice", "system"))
        assert len(set(pool.map(lambda _: books.stores.version(), range(40)))) == 1


def test_a_write_by_another_process_is_noticed(url: str) -> None:
    stores = PeeweeStores([url])
    before = stores.version()
    assert write(url, "other", 1).wait() == 0
    assert stores.version() != before
    stores.close()


def test_a_file_that_is_gone_or_replaced_is_told(url: str, tmp_path: Path) -> None:
    stores = PeeweeStores([url])
    stores.check()
    kept = tmp_path / "kept.db"
    Path(url).rename(kept)
    with pytest.raises(StoreUnavailableError, match="No such file"):
        stores.check()
    migrate(url)
    with pytest.raises(StoreUnavailableError, match="another file"):
        stores.check()
    kept.rename(url)
    stores.check()
    stores.close()


def test_two_processes_that_write_at_once_lose_nothing(url: str, database: Database) -> None:
    writers = [write(url, name, 60) for name in ("one", "two")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    users = PeeweeAccounting(database).users()
    assert len(users) == 120
    assert {user.uid for user in users} == set(range(70000, 70120))
    assert len(PeeweeRecords(database).audit()) == 120


def test_a_reader_is_never_held_up_by_a_writer(url: str, database: Database) -> None:
    writer = sqlite3.connect(url, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    assert list(PeeweeAccounting(database).users()) == []
    writer.close()


def test_a_write_that_breaks_off_leaves_nothing_half_done(url: str, database: Database) -> None:
    def break_off() -> None:
        with database.writing() as db:
            CursorRow.insert(name="events", value=1).execute(db)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert count(url, "cursors") == 0
    PeeweeRecords(database).set_cursor("events", 2)
    assert count(url, "cursors") == 1


@pytest.mark.parametrize("content", [None, b"this is no database" * 100])
def test_a_database_that_is_missing_or_broken_is_unavailable(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "broken.db"
    if content is not None:
        path.write_bytes(content)
    database = Database(str(path))
    with pytest.raises(StoreUnavailableError):
        PeeweeAccounting(database).users()
    with pytest.raises(StoreUnavailableError):
        PeeweeRecords(database).set_cursor("a", 1)
    with pytest.raises(StoreUnavailableError):
        PeeweeStores([str(path)]).check()
    assert path.exists() == (content is not None)


@pytest.mark.parametrize(
    ("url", "expected"),
    [("sqlite:////var/lib/a.db", "/var/lib/a.db"), ("/var/lib/a.db", "/var/lib/a.db")],
)
def test_a_database_is_a_file_by_path_or_url(url: str, expected: str) -> None:
    assert database_file(url) == Path(expected)


@pytest.mark.parametrize(
    "url", ["postgresql://db/x", "mysql://u:secret@db/x", ":memory:", "sqlite:///:memory:", ""]
)
def test_another_kind_of_database_is_not_supported(url: str) -> None:
    with pytest.raises(NotSupportedError) as caught:
        database_file(url)
    assert "secret" not in caught.value.message


def test_an_orphan_policy_is_removed(url: str, database: Database) -> None:
    accounting = PeeweeAccounting(database)
    accounting.add_application(Application("d" * 32, "desk"))
    for user in ("alice", "bob"):
        accounting.add_user(User(user, "system"))
        accounting.add_grant("desk", user, Policy(pids=7))
    counts = [count(url, "policies")]
    for user in ("alice", "bob"):
        accounting.remove_user(user)
        counts.append(count(url, "policies"))
    assert counts == [1, 1, 0]


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(TypeError):
        MomentField().db_value(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point


QUERIES: dict[str, Callable[[PeeweeAccounting, PeeweeRecords], object]] = {
    "grants_of": lambda accounting, _: accounting.grants_of("alice"),
    "open_sessions": lambda _, records: records.open_sessions(),
    "ended_sessions": lambda _, records: records.ended_sessions("alice", NOW),
    "addresses_ended_since": lambda _, records: records.addresses_ended_since(NOW),
    "attempts": lambda _, records: records.attempts("alice", "192.0.2.1", NOW),
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_busy_query_is_one_and_uses_an_index(
    name: str, url: str, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "peewee")
    QUERIES[name](PeeweeAccounting(database), PeeweeRecords(database))
    statements: list[Any] = [one.msg for one in caplog.records if one.name == "peewee"]
    ((sql, values),) = statements
    with sqlite3.connect(url) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    connection.close()
    assert not [step for step in plan if step.startswith("SCAN")], plan


def count(url: str, table: str) -> int:
    connection = sqlite3.connect(url)
    found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
    connection.close()
    return int(found)
