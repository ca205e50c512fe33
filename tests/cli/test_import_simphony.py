"""The command control-plane import-simphony: what it brings in, and what it says of it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from control_plane.adapters.accounting_csv import COLUMNS
from control_plane.adapters.accounting_db import PeeweeAccounting
from control_plane.adapters.database import Database
from control_plane.adapters.records import PeeweeRecords
from control_plane.cli.control_plane import main
from control_plane.cli.remoteappdb import cli as remoteappdb

SCRIPTS = Path(__file__).parent.parent / "simphony"
GRANTS = f"""\
  {"1" * 32} lab/paint:1 for user alice
  {"3" * 32} lab/paint:1 for user bob
  {"2" * 32} lab/table:1 for user alice
"""
CONTENT = f"""\
users 2, applications 2, grants 3.
Users:
  alice (virtual)
  bob (virtual)
Applications:
  lab/paint:1
  lab/table:1
Grants:
{GRANTS}\
Listed, and not startable until its volume may be mounted:
  The grant {"2" * 32} of lab/table:1 for user alice is listed and not startable:\
 /tmp does not lie under one of [volumes] roots (none is set).
Without a password; set one with remoteappdb user password NAME:
  alice
  bob
"""


@dataclass(frozen=True)
class Site:
    """An installation with an empty database, and the file of an old one."""

    directory: Path
    accounting: PeeweeAccounting
    records: PeeweeRecords

    @property
    def old(self) -> Path:
        """The database of simphony-remote."""
        return self.directory / "remoteappmanager.db"

    def make(self, version: str, *more: str) -> None:
        """Make the old database; its volume is /tmp, which no root of a site holds."""
        with closing(sqlite3.connect(self.old)) as db:
            db.executescript((SCRIPTS / f"{version}.sql").read_text())
            db.execute(
                "UPDATE application_policy SET volume_source = '/tmp'"
                " WHERE volume_source = '/srv/lab/data'"
            )
            for statement in more:
                db.execute(statement)
            db.commit()

    def run(self, *words: str, **settings: str) -> Result:
        """Run the command with these settings besides those of the site."""
        env = environment(self.directory) | settings
        return CliRunner().invoke(main, ["import-simphony", str(self.old), *words], env=env)

    def said(self, *words: str) -> str:
        """Run it; it ends well and says nothing on stderr."""
        result = self.run(*words)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return result.stdout

    def refused(self, status: int, **settings: str) -> str:
        """Run it; it ends with this status and one line on stderr, which is returned."""
        result = self.run(**settings)
        assert (result.exit_code, result.stdout) == (status, ""), result.output
        (line,) = result.stderr.splitlines()
        return line


def environment(directory: Path) -> dict[str, str]:
    return {
        "REMOTEAPP_PUBLIC_URL": "https://localhost:8443",
        "REMOTEAPP_ACCOUNTING__URL": str(directory / "remoteapp.db"),
        "STATE_DIRECTORY": str(directory),
    }


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    assert CliRunner().invoke(remoteappdb, ["init"], env=environment(tmp_path)).exit_code == 0
    database = Database(str(tmp_path / "remoteapp.db"))
    yield Site(tmp_path, PeeweeAccounting(database), PeeweeRecords(database))
    database.close()


def test_it_says_what_it_brought_in_and_what_is_still_to_do(site: Site) -> None:
    site.make("2.0")
    assert site.said() == f"Brought in: {CONTENT}"
    users = site.accounting.users()
    assert [(one.name, one.kind, one.uid) for one in users] == [
        ("alice", "virtual", 70000),
        ("bob", "virtual", 70001),
    ]
    assert {one.id for one in site.accounting.grants()} == {"1" * 32, "2" * 32, "3" * 32}
    assert {row.detail for row in site.records.audit()} == {"import of remoteappmanager.db"}
    assert all(row.actor.startswith("cli:") for row in site.records.audit())


def test_a_dry_run_says_the_same_and_changes_nothing(site: Site) -> None:
    site.make("2.0")
    assert site.said("--dry-run") == f"Would bring in: {CONTENT}"
    assert list(site.accounting.users()) == []
    assert site.records.audit_count() == 0


def test_the_same_again_changes_nothing(site: Site) -> None:
    site.make("2.0")
    site.said()
    before = site.accounting.holdings()
    assert site.said() == "Nothing new is in it.\n"
    assert site.accounting.holdings() == before


def test_the_oldest_version_comes_in_once_too(site: Site) -> None:
    site.make("0.8")
    assert site.said().startswith("Brought in: users 2, applications 2, grants 3.\n")
    assert site.said() == "Nothing new is in it.\n"


def test_what_was_left_out_is_told_and_the_rest_comes_in(site: Site) -> None:
    site.make("2.2")
    said = site.said()
    assert said.startswith("Brought in: users 1, applications 2, grants 2.\n")
    title, _, rest = said.partition("Left out:\n")[2].partition("Without a password")
    left_out = title.splitlines()
    assert "  User number 3 was not taken. It has no name." in left_out
    assert all(line.startswith("  ") for line in left_out)
    assert rest.endswith(":\n  alice\n")
    assert "4711" not in said


@pytest.mark.parametrize("content", [None, "user.name,application.image\n"])
def test_a_file_that_is_no_such_database_is_refused(site: Site, content: str | None) -> None:
    if content:
        site.old.write_text(content)
    line = site.refused(1)
    assert f"{site.old} cannot be read:" in line
    assert "from 0.8 to 2.2" in line


def test_accounting_that_is_only_read_is_not_written(site: Site) -> None:
    site.make("2.0")
    listed = site.directory / "accounting.csv"
    listed.write_text(",".join(COLUMNS))
    records = str(site.directory / "remoteapp.db")
    line = site.refused(
        3, REMOTEAPP_ACCOUNTING__URL=f"csv://{listed}", REMOTEAPP_RECORDS__URL=records
    )
    assert f"Accounting is kept in the file {listed} and is only read here." in line
    assert listed.read_text() == ",".join(COLUMNS)


def test_a_database_that_is_not_made_yet_is_named(site: Site) -> None:
    site.make("2.0")
    gone = str(site.directory / "gone.db")
    assert gone in site.refused(4, REMOTEAPP_ACCOUNTING__URL=gone)


def test_a_name_reaches_no_terminal_unescaped(site: Site) -> None:
    site.make("2.0", "INSERT INTO application VALUES (9, 'lab' || char(27) || '[2J')")
    said = site.said()
    assert "\x1b" not in said
    assert "lab\\x1b[2J" in said
