"""The command remoteappdb: its database, its ends, its lists, and a service beside it."""

import json
import os
import pwd
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli.remoteappdb_site import COMMAND, NOW, Site
from click.testing import CliRunner

from control_plane.adapters.accounting_db import PeeweeAccounting
from control_plane.adapters.database import Database
from control_plane.adapters.records import PeeweeRecords
from control_plane.cli.remoteappdb import cli
from control_plane.domain.entities import User

VERBS = ("init", "user", "group", "app", "export", "apply")


@pytest.fixture
def keeper() -> Iterator[pwd.struct_passwd]:
    known = [one for one in pwd.getpwall() if one.pw_name == "remoteapp"]
    if not known:
        subprocess.run(["useradd", "--system", "remoteapp"], check=True)
    yield pwd.getpwnam("remoteapp")
    if not known:
        subprocess.run(["userdel", "remoteapp"], check=True)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every account may enter, as those are that hold the state of a portal."""
    with tempfile.TemporaryDirectory(prefix="remoteappdb-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("word", ["{}", "sqlite:///{}", "--database={}"])
def test_the_first_word_may_name_the_database(tmp_path: Path, word: str) -> None:
    path = tmp_path / "a.db"
    for verb in ("init", "init"):
        result = CliRunner().invoke(cli, [word.format(path), verb])
        assert (result.exit_code, result.stdout) == (0, f"The database {path} is ready.\n")
    assert path.exists()


def test_the_settings_name_the_database_and_the_uids(tmp_path: Path) -> None:
    env = {
        "REMOTEAPP_PUBLIC_URL": "https://localhost:8443",
        "REMOTEAPP_ACCOUNTING__URL": f"sqlite:///{tmp_path}/accounting.db",
        "REMOTEAPP_RECORDS__URL": f"{tmp_path}/records.db",
        "REMOTEAPP_AUTH__VIRTUAL_UIDS": "[80000, 80001]",
    }
    for words in (["init"], ["user", "create", "alice"]):
        result = CliRunner().invoke(cli, words, env=env)
        assert result.exit_code == 0, result.output
    databases = Database(f"{tmp_path}/accounting.db"), Database(f"{tmp_path}/records.db")
    assert PeeweeAccounting(databases[0]).user("alice") == User(
        "alice", "virtual", uid=80000, gid=80000
    )
    assert [row.action for row in PeeweeRecords(databases[1]).audit()] == ["user-create"]
    for database in databases:
        database.close()


def test_a_database_that_nobody_made_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    result = CliRunner().invoke(cli, [str(path), "user", "list"])
    assert result.exit_code == 4
    assert result.stderr == (
        f"cli: The database {path} cannot be opened: No such file or directory. "
        "Make it with remoteappdb init, or name another with --database.\n"
    )
    assert not path.exists()


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_text("hello " * 1000)
    result = CliRunner().invoke(cli, [str(path), "user", "list"])
    assert result.exit_code == 4
    assert "file is not a database" in result.stderr


def test_another_kind_of_database_is_not_supported() -> None:
    result = CliRunner().invoke(cli, ["oracle://host/name", "user", "list"])
    assert result.exit_code == 3
    assert "oracle" in result.stderr


def test_a_server_that_is_away_is_told() -> None:
    result = CliRunner().invoke(cli, ["postgresql://me@127.0.0.1:9/name", "user", "list"])
    assert result.exit_code == 4
    assert "The database does not answer" in result.stderr


def test_a_password_on_the_command_line_is_refused_and_not_repeated() -> None:
    result = CliRunner().invoke(cli, ["postgresql://me:hush@127.0.0.1:9/name", "user", "list"])
    assert result.exit_code == 2
    assert "without a password" in result.stderr
    assert "hush" not in result.output


def test_a_setting_that_is_wrong_is_wrong_usage() -> None:
    env = {"REMOTEAPP_NONSENSE": "1"}
    result = CliRunner().invoke(cli, ["user", "list"], env=env)
    assert result.exit_code == 2
    assert "REMOTEAPP_NONSENSE" in result.stderr


@pytest.mark.parametrize("words", [["frobnicate"], ["user"], ["user", "create"], ["--nothing"]])
def test_wrong_usage_is_status_2(site: Site, words: list[str]) -> None:
    assert site.run(*words).exit_code == 2


def test_every_verb_explains_itself() -> None:
    for verb in VERBS:
        result = CliRunner().invoke(cli, [verb, "--help"])
        assert result.exit_code == 0
        assert "Usage:" in result.stdout


def test_root_gives_the_file_to_the_service(place: Path, keeper: pwd.struct_passwd) -> None:
    path = place / "new" / "remoteapp.db"
    assert CliRunner().invoke(cli, [str(path), "init"]).exit_code == 0
    assert {one.stat().st_uid for one in (path, path.parent)} == {keeper.pw_uid}
    assert sorted(one.name for one in path.parent.iterdir()) == ["remoteapp.db"]


def test_root_leaves_nothing_of_root_beside_a_database(
    place: Path, keeper: pwd.struct_passwd
) -> None:
    path = place / "state" / "remoteapp.db"
    for words in (["init"], ["user", "create", "alice"]):
        assert CliRunner().invoke(cli, [str(path), *words]).exit_code == 0
    waiting = subprocess.Popen(
        [*COMMAND, str(path), "user", "password", "alice", "--stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    names = ["remoteapp.db", "remoteapp.db-shm", "remoteapp.db-wal"]
    until(lambda: sorted(one.name for one in path.parent.iterdir()) == names)
    owners = {one.name: one.stat().st_uid for one in path.parent.iterdir()}
    waiting.communicate(b"correct horse\n")
    assert waiting.returncode == 0
    assert owners == dict.fromkeys(names, keeper.pw_uid)


@pytest.mark.parametrize("ending", ["", "-wal", "-shm"])
def test_root_follows_no_link_that_the_service_planted(
    place: Path, keeper: pwd.struct_passwd, ending: str
) -> None:
    path, victim = place / "state" / "remoteapp.db", place / "victim"
    assert CliRunner().invoke(cli, [str(path), "init"]).exit_code == 0
    if ending:
        victim.touch()
    else:  # a database of root's
        shutil.copy(path, victim)
    victim.chmod(0o600)
    content = victim.read_bytes()
    path.with_name(path.name + ending).unlink(missing_ok=True)
    path.with_name(path.name + ending).symlink_to(victim)
    assert CliRunner().invoke(cli, [str(path), "user", "create", "alice"]).exit_code == 4
    assert (victim.stat().st_uid, victim.read_bytes()) == (0, content)
    assert sorted(one.name for one in place.iterdir()) == ["state", "victim"]
    assert path.parent.stat().st_uid == keeper.pw_uid


def test_lists_are_json_for_programs(cast: Site) -> None:
    grant_id = cast.granted("desk", "alice", "--memory", "1g")
    users = json.loads(cast.done("user", "list", "--show-apps", "--json"))
    assert [(row["name"], row["image"], row["grant_id"]) for row in users] == [
        ("alice", "desk", grant_id),
        ("bob", None, None),
    ]
    assert (users[0]["memory"], users[0]["cpus"], users[0]["enabled"]) == (2**30, None, True)
    applications = json.loads(cast.done("app", "list", "--json"))
    assert [(row["image"], row["command"]) for row in applications] == [("desk", []), ("lab", [])]


def test_lists_are_words_between_tabs_for_scripts(cast: Site) -> None:
    cast.done("group", "create", "lab", "alice")
    assert cast.done("user", "list", "--no-decoration") == (
        "alice\tvirtual\tyes\tno\t70000\t70000\tlab\nbob\tvirtual\tyes\tno\t70001\t70001\t-\n"
    )


def test_lists_are_tables_for_people(cast: Site) -> None:
    heading, line, *others = [
        one.split() for one in cast.done("user", "list").splitlines() if one.strip(" ─")
    ]
    assert heading == ["name", "kind", "enabled", "admin", "uid", "gid", "groups"]
    assert line == ["alice", "virtual", "yes", "no", "70000", "70000", "-"]
    assert [words[0] for words in others] == ["bob"]


@pytest.mark.parametrize("form", [[], ["--no-decoration"]])
def test_a_hostile_word_reaches_a_terminal_escaped(site: Site, form: list[str]) -> None:
    hostile = "[red]x[/red]\x1b[2J\n\tend"
    site.done("app", "create", "desk", "--no-verify", "--description", hostile)
    assert "[red]x[/red]\\x1b[2J\\n\\tend" in site.done("app", "list", *form)


def test_a_service_that_writes_all_the_time_loses_nothing_and_nor_do_we(site: Site) -> None:
    stop, written = threading.Event(), []

    def serve() -> None:
        while not stop.is_set():
            site.records.add_attempt("alice", "192.0.2.1", NOW)
            written.append(1)

    service = threading.Thread(target=serve)
    service.start()
    names = [f"user{number}" for number in range(6)]
    commands = [
        subprocess.Popen([*COMMAND, str(site.path), "user", "create", name]) for name in names
    ]
    statuses = [command.wait(60) for command in commands]
    stop.set()
    service.join()
    assert statuses == [0] * len(names)
    assert [user.name for user in site.accounting.users()] == names
    assert sorted(row.target for row in site.records.audit()) == names
    assert site.records.attempts("alice", "192.0.2.1", NOW) == (len(written), len(written))


def test_the_invoker_stands_in_the_audit_log(cast: Site) -> None:
    invoker = pwd.getpwuid(os.getuid()).pw_name
    assert {row.actor for row in cast.records.audit()} == {f"cli:{invoker}"}
