"""The databases themselves: noticing others' writes, many writers, and being away."""

import logging
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
from adapters.databases import Databases, Server
from adapters.fakes_store import FakeAccounting, FakeRecords, FakeStores

from control_plane.adapters.accounting_db import PeeweeAccounting
from control_plane.adapters.columns import MomentField
from control_plane.adapters.database import Database, database_file, is_file, shown_url
from control_plane.adapters.migrations import migrate
from control_plane.adapters.records import PeeweeRecords
from control_plane.adapters.stores import PeeweeStores
from control_plane.domain.entities import (
    Application,
    AuditRow,
    Grantee,
    Group,
    Policy,
    SignIn,
    User,
)
from control_plane.domain.stores import Accounting, Records, Stores
from control_plane.errors import InvalidError, NotSupportedError, StoreUnavailableError

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ACT = AuditRow(NOW, "admin", "user-create", "alice")
DESK = Application("d" * 32, "desk")
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
    (uid,) = accounting.reserve_uids(1, 70000, 99999, lambda uid: False)
    accounting.add_user(User(f"{name}{number}", "virtual", uid=uid, gid=uid))
    accounting.change_group("all", lambda group: type(group)(
        group.name, (*group.members, f"{name}{number}")))
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
def url(databases: Databases) -> str:
    return databases.fresh()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


@pytest.fixture
def file_url(sqlite: Databases) -> str:
    return sqlite.fresh()


@pytest.fixture
def file_database(file_url: str) -> Iterator[Database]:
    database = Database(file_url)
    yield database
    database.close()


@pytest.fixture(params=["fake", "sqlite", "two files", "postgresql", "mariadb", "file and server"])
def books(request: pytest.FixtureRequest) -> Iterator[Books]:
    if request.param == "fake":
        accounting, records = FakeAccounting(), FakeRecords()
        yield Books(accounting, records, FakeStores(accounting, records))
        return
    kinds = {"two files": ("sqlite", "sqlite"), "file and server": ("sqlite", "postgresql")}
    places = kinds.get(request.param, (request.param,))
    urls = [request.getfixturevalue(one).fresh() for one in places]
    databases = [Database(urls[0]), Database(urls[-1])]
    stores = PeeweeStores([urls[0], urls[-1]])
    yield Books(PeeweeAccounting(databases[0]), PeeweeRecords(databases[1]), stores)
    stores.close()
    for database in databases:
        database.close()


def write(url: str, name: str, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, url, name, str(count)])


def test_the_version_stays_while_nobody_writes(books: Books) -> None:
    before = books.stores.version()
    books.accounting.users()
    books.accounting.holdings()
    books.accounting.rewrite(lambda held: held)
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
    books.accounting.rewrite(lambda held: replace(held, groups=("staff",)))
    versions.append(books.stores.version())
    assert len(set(versions)) == 5


def test_a_change_that_raises_is_no_write(books: Books) -> None:
    books.accounting.add_user(User("alice", "system"))
    before = books.stores.version()
    with pytest.raises(ZeroDivisionError):
        books.accounting.change_user("alice", lambda user: replace(user, uid=1 // 0))
    assert books.stores.version() == before


def test_threads_that_watch_agree_on_the_version(books: Books) -> None:
    with ThreadPoolExecutor(4) as pool:
        books.accounting.add_user(User("alice", "system"))
        assert len(set(pool.map(lambda _: books.stores.version(), range(40)))) == 1


def test_a_write_by_another_process_is_noticed(url: str, database: Database) -> None:
    PeeweeAccounting(database).add_group(Group("all"))
    stores = PeeweeStores([url])
    before = stores.version()
    assert write(url, "other", 1).wait() == 0
    assert stores.version() != before
    stores.close()


def test_a_third_store_is_asked_for_its_version(file_url: str) -> None:
    versions = iter(["one", "one", "two"])
    stores = PeeweeStores([file_url], others=[lambda: next(versions)])
    seen = [stores.version() for _ in range(3)]
    assert seen[0] == seen[1] != seen[2]
    stores.close()


def test_a_file_that_is_gone_or_replaced_is_told(file_url: str, tmp_path: Path) -> None:
    stores = PeeweeStores([file_url])
    stores.check()
    kept = tmp_path / "kept.db"
    Path(file_url).rename(kept)
    with pytest.raises(StoreUnavailableError, match="No such file"):
        stores.check()
    migrate(file_url)
    with pytest.raises(StoreUnavailableError, match="another file"):
        stores.check()
    kept.rename(file_url)
    stores.check()
    stores.close()


def test_two_processes_that_write_at_once_lose_nothing(url: str, database: Database) -> None:
    accounting = PeeweeAccounting(database)
    accounting.add_group(Group("all"))
    writers = [write(url, name, 40) for name in ("one", "two")]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    users = accounting.users()
    assert len(users) == 80
    assert {user.uid for user in users} == set(range(70000, 70080))
    assert {user.groups for user in users} == {("all",)}
    assert PeeweeRecords(database).audit_count() == 80


def test_a_reader_is_never_held_up_by_a_writer(url: str, database: Database) -> None:
    other = Database(url)
    with other.writing():
        PeeweeAccounting(other).add_user(User("alice", "system"))
        assert list(PeeweeAccounting(database).users()) == []
    other.close()


def test_a_write_that_breaks_off_leaves_nothing_half_done(database: Database) -> None:
    def break_off() -> None:
        with database.writing():
            PeeweeRecords(database).set_cursor("events", 1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert PeeweeRecords(database).cursor("events") == 0
    PeeweeRecords(database).set_cursor("events", 2)
    assert PeeweeRecords(database).cursor("events") == 2


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


@pytest.mark.parametrize("how", ["database", "stores"])
def test_a_server_that_was_away_is_used_again_without_ado(server: Server, how: str) -> None:
    url = server.fresh()
    database, stores = Database(url), PeeweeStores([url])
    records = PeeweeRecords(database)
    records.set_cursor("events", 1)
    with ThreadPoolExecutor(4) as pool:  # connections of several threads, left open
        assert set(pool.map(lambda _: records.cursor("events"), range(32))) == {1}
        stores.check()
        server.stop()
        try:
            attempts: dict[str, Callable[[], object]] = {
                "database": lambda: records.set_cursor("events", 2),
                "stores": stores.check,
            }
            for _ in range(3):
                with pytest.raises(StoreUnavailableError):
                    attempts[how]()
        finally:
            server.start()
        assert set(pool.map(lambda _: records.cursor("events"), range(32))) == {1}
    stores.check()
    records.set_cursor("events", 3)
    assert records.cursor("events") == 3
    stores.close()
    database.close()


def test_a_server_that_was_started_anew_unnoticed_is_used_without_ado(server: Server) -> None:
    database = Database(server.fresh())
    records = PeeweeRecords(database)
    records.set_cursor("events", 1)
    server.stop()
    server.start()
    records.set_cursor("events", 2)
    assert records.cursor("events") == 2
    database.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_disk_that_fills_leaves_the_database_whole(small_disk: Path) -> None:
    url = str(small_disk / "remoteapp.db")
    migrate(url)
    database = Database(url)
    records = PeeweeRecords(database)
    written = 0

    def write_on() -> None:
        nonlocal written
        while written < 1000:
            records.add_audit(replace(ACT, target=str(written), detail="x" * 20_000))
            written += 1

    with pytest.raises(StoreUnavailableError, match="full"):
        write_on()
    database.close()
    with closing(sqlite3.connect(url)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        targets = connection.execute("SELECT target FROM audit ORDER BY id").fetchall()
    assert targets == [(str(number),) for number in range(written)]
    assert written > 10


CHANGES = {
    "every dialect": [
        "UPDATE audit SET actor = 'nobody'",
        "DELETE FROM audit",
    ],
    "sqlite": [
        "INSERT OR REPLACE INTO audit SELECT * FROM audit",
        "REPLACE INTO audit SELECT * FROM audit",
        "UPDATE OR REPLACE audit SET id = id",
        "INSERT INTO audit SELECT * FROM audit WHERE 1 ON CONFLICT DO UPDATE SET actor = 'nobody'",
    ],
    "postgresql": [
        "TRUNCATE audit",
        "INSERT INTO audit SELECT * FROM audit ON CONFLICT (id) DO UPDATE SET actor = 'nobody'",
    ],
    "mariadb": [
        "REPLACE INTO audit SELECT * FROM audit",
        "INSERT INTO audit SELECT * FROM audit ON DUPLICATE KEY UPDATE actor = 'nobody'",
    ],
}


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        (dialect, sql)
        for dialect in ("sqlite", "postgresql", "mariadb")
        for sql in CHANGES["every dialect"] + CHANGES[dialect]
    ],
)
def test_the_audit_log_is_append_only(
    request: pytest.FixtureRequest, dialect: str, sql: str
) -> None:
    databases: Databases = request.getfixturevalue(dialect)
    url = databases.fresh()
    database = Database(url)
    records = PeeweeRecords(database)
    for target in ("alice", "bob"):
        records.add_audit(replace(ACT, target=target))
    with pytest.raises((sqlite3.Error, psycopg.Error, pymysql.Error), match="append-only"):
        databases.run(sql, url)
    assert list(records.audit()) == [replace(ACT, target="bob"), ACT]
    database.close()


@pytest.mark.parametrize("grantee", [Grantee("everyone"), Grantee("user", "bob"),
                                     Grantee("group", "staff")], ids=str)  # fmt: skip
def test_the_database_itself_refuses_the_same_grant_twice(
    databases: Databases, url: str, database: Database, grantee: Grantee
) -> None:
    accounting = PeeweeAccounting(database)
    accounting.add_user(User("bob", "system"))
    accounting.add_group(Group("staff"))
    accounting.add_application(DESK)
    made = accounting.add_grant(grantee, DESK.id, Policy())
    columns = "grantee, user_id, group_id, application_id, policy_id"
    sql = f"INSERT INTO grants (id, {columns}) SELECT '{'9' * 32}', {columns} FROM grants"  # noqa: S608 - names of our own tables
    with pytest.raises((sqlite3.Error, psycopg.Error, pymysql.Error)):
        databases.run(sql, url)
    assert list(accounting.grants()) == [made]


@pytest.mark.parametrize("name", ["x" * 256, "x" * 100_000, "\udcff"], ids=["256", "long", "odd"])
def test_a_value_that_a_server_cannot_keep_is_invalid(server: Server, name: str) -> None:
    database = Database(server.fresh())
    accounting = PeeweeAccounting(database)
    with pytest.raises(InvalidError):
        accounting.add_user(User(name, "system"))
    assert list(accounting.users()) == []
    database.close()


def test_a_value_that_no_database_can_keep_is_invalid(database: Database) -> None:
    records = PeeweeRecords(database)
    with pytest.raises(InvalidError):
        records.set_cursor("events", 2**63)
    with pytest.raises(InvalidError):
        records.set_cursor("\ud800", 1)
    records.set_cursor("x" * 255, 2**63 - 1)
    assert records.cursor("x" * 255) == 2**63 - 1


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:////var/lib/a.db", Path("/var/lib/a.db")),
        ("/var/lib/a.db", Path("/var/lib/a.db")),
        ("postgresql://db/x", None),
        ("postgres://db/x", None),
        ("mysql://db/x", None),
        ("mariadb://db/x", None),
    ],
)
def test_a_database_is_a_file_or_on_a_server(url: str, expected: Path | None) -> None:
    assert database_file(url) == expected
    assert is_file(url) == (expected is not None)


@pytest.mark.parametrize(
    "url",
    ["oracle://u:secret@db/x", "mysql+x://u:secret@db/x", ":memory:", "sqlite:///:memory:", ""],
)
def test_another_kind_of_database_is_not_supported(url: str) -> None:
    with pytest.raises(NotSupportedError) as caught:
        Database(url)
    assert "secret" not in caught.value.message + caught.value.hint
    assert "postgresql://" in caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:secret@db/",
        "postgresql://u:secret@db/x?password=secret&unknown=1",
        "postgresql://u:secret@db/%zz",
        "mariadb://u:secret@db/",
        "mariadb://u:secret@db:port/x",
        "mariadb://u:secret@db/x?unknown=1",
    ],
)
def test_a_url_that_says_too_little_or_too_much_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(NotSupportedError) as caught:
        Database(url)
    assert "secret" not in caught.value.message + caught.value.hint
    assert "u@db" in caught.value.message


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:////var/lib/a.db", "/var/lib/a.db"),
        ("postgresql://u:secret@db:5433/x?sslmode=require", "postgresql://u@db:5433/x?sslmode=require"),
        ("postgresql:///x?host=/run/pg&password=secret&user=u", "postgresql:///x?host=/run/pg&user=u"),
        ("mariadb://u:se%40cret@db/x", "mariadb://u@db/x"),
        ("mysql://db/x", "mysql://db/x"),
        ("postgresql://u:se/cret@db/x", "postgresql://u@db/x"),
        ("postgresql://u:se#c?r@et@db/x?host=a", "postgresql://u@db/x?host=a"),
        ("postgresql://u@db/x?sslpassword=secret", "postgresql://u@db/x"),
    ],
)  # fmt: skip
def test_a_url_is_shown_without_its_password(url: str, expected: str) -> None:
    assert shown_url(url) == expected


@pytest.fixture
def guarded(server: Server) -> Iterator[str]:
    """The name of an account whose password is `right%`."""
    account = "guest" if server.account == "postgres" else "guest@localhost"
    word = "PASSWORD" if server.account == "postgres" else "IDENTIFIED BY"
    admin = server.url("postgres" if server.account == "postgres" else "")
    server.run(f"CREATE USER {account} {word} 'right%'", admin)
    yield "guest"
    server.run(f"DROP USER {account}", admin)


def allow(server: Server, url: str) -> None:
    if server.account == "postgres":
        server.run("GRANT ALL ON ALL TABLES IN SCHEMA public TO guest", url)
    else:
        server.run("GRANT ALL ON fresh.* TO guest@localhost", url)


def url_for(server: Server, url: str, account: str) -> str:
    return server.url(url.partition("?")[0].rpartition("/")[2], account)


def test_the_password_file_wins_over_the_urls_password(
    server: Server, guarded: str, tmp_path: Path
) -> None:
    url = server.fresh()
    allow(server, url)
    password_file = tmp_path / "password"
    password_file.write_text("right%\n")
    for password, file in (("right%25", None), ("wrong", password_file)):
        database = Database(url_for(server, url, f"{guarded}:{password}"), file)
        assert PeeweeRecords(database).cursor("events") == 0
        database.close()
    if server.account == "postgres":
        server.run("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM guest", url)


def test_a_wrong_password_is_told_without_any(
    server: Server, guarded: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = server.fresh()
    password_file = tmp_path / "password"
    password_file.write_text("from-file")
    database = Database(url_for(server, url, f"{guarded}:from-url"), password_file)
    with pytest.raises(StoreUnavailableError, match="guest") as caught:
        PeeweeRecords(database).cursor("events")
    said = caught.value.message + caught.value.hint + caplog.text
    assert "from-file" not in said
    assert "from-url" not in said
    database.close()


def test_a_password_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="nowhere"):
        Database("postgresql://u@db/x", tmp_path / "nowhere")


def test_an_orphan_policy_is_removed(databases: Databases, url: str, database: Database) -> None:
    accounting = PeeweeAccounting(database)
    accounting.add_application(DESK)
    made = []
    for user in ("alice", "bob"):
        accounting.add_user(User(user, "system"))
        made.append(accounting.add_grant(Grantee("user", user), DESK.id, Policy(pids=7)))
    counts = [policies(databases, url)]
    accounting.remove_user("alice")
    counts.append(policies(databases, url))
    accounting.change_grant(made[1].id, lambda _was: Policy(pids=8))
    counts.append(policies(databases, url))
    accounting.remove_grants([made[1].id])
    counts.append(policies(databases, url))
    assert counts == [[7], [7], [8], []]


def policies(databases: Databases, url: str) -> list[int]:
    return [pids for (pids,) in databases.run("SELECT pids FROM policies", url)]


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(TypeError):
        MomentField().db_value(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point


def statements(caplog: pytest.LogCaptureFixture) -> list[Any]:
    found: list[Any] = [one.msg for one in caplog.records if one.name == "peewee"]
    return [one for one in found if one[0].startswith("SELECT")]


def test_what_one_holds_is_one_query_however_much_it_is(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    accounting = PeeweeAccounting(database)
    accounting.add_user(User("alice", "system"))
    accounting.add_group(Group("staff", ("alice",)))
    grantees = [Grantee("user", "alice"), Grantee("group", "staff"), Grantee("everyone")]
    for number in range(34):
        application = Application(f"{number:032x}", f"image{number}")
        accounting.add_application(application)
        for grantee in grantees:
            accounting.add_grant(grantee, application.id, Policy(pids=number))
    caplog.set_level(logging.DEBUG, "peewee")
    assert len(accounting.grants_of("alice")) == 102
    assert len(statements(caplog)) == 1
    caplog.clear()
    ids = [grant.id for grant in accounting.grants()]
    assert len(statements(caplog)) == 1
    caplog.clear()
    assert len(accounting.holds([("alice", grant_id) for grant_id in ids])) == 102
    assert len(statements(caplog)) == 2
    caplog.clear()
    assert (len(accounting.users()), len(accounting.groups())) == (1, 1)
    assert len(statements(caplog)) == 2


QUERIES: dict[str, Callable[[PeeweeAccounting, PeeweeRecords], object]] = {
    "grants_of": lambda accounting, _: accounting.grants_of("alice"),
    "user": lambda accounting, _: accounting.user("alice"),
    "open_sessions": lambda _, records: records.open_sessions(),
    "ended_sessions": lambda _, records: records.ended_sessions("alice", NOW),
    "places_ended_since": lambda _, records: records.places_ended_since(NOW),
    "attempts": lambda _, records: records.attempts("alice", "192.0.2.1", NOW),
    "audit": lambda _, records: records.audit(target="alice", limit=50),
    "link": lambda _, records: records.link("issuer", "subject"),
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_busy_query_is_one_and_uses_an_index(
    name: str, file_url: str, file_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "peewee")
    QUERIES[name](PeeweeAccounting(file_database), PeeweeRecords(file_database))
    ((sql, values),) = statements(caplog)
    with closing(sqlite3.connect(file_url)) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    # `held` is what the union of searches has found.
    assert not [step for step in plan if step.startswith("SCAN") and step != "SCAN held"], plan


def test_a_reading_of_one_moment_does_not_see_what_is_written_meanwhile(
    url: str, database: Database
) -> None:
    other = Database(url)
    with database.reading_at_once() as db:
        assert count_users(db) == 0
        PeeweeAccounting(other).add_user(User("alice", "system"))
        assert count_users(db) == 0
    with database.reading() as db:
        assert count_users(db) == 1
    other.close()


def count_users(db: Any) -> int:
    return int(db.execute_sql("SELECT count(*) FROM users").fetchone()[0])
