"""A database, and what a person types at it with remoteappdb."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from control_plane.adapters.accounting_db import PeeweeAccounting
from control_plane.adapters.database import Database
from control_plane.adapters.records import PeeweeRecords
from control_plane.cli.remoteappdb import cli
from control_plane.domain.entities import Grant

NOW = datetime.now(UTC)
LATER = NOW + timedelta(hours=1)
COMMAND = (sys.executable, "-c", "from control_plane.cli.remoteappdb import main; main()")


@dataclass(frozen=True)
class Site:
    """A database, and what a person types at it."""

    path: Path
    accounting: PeeweeAccounting
    records: PeeweeRecords

    def run(self, *words: str, typed: str = "") -> Result:
        """Run remoteappdb on this database."""
        return CliRunner().invoke(cli, [str(self.path), *words], input=typed)

    def done(self, *words: str, typed: str = "") -> str:
        """Run it; it ends well and says nothing on stderr."""
        result = self.run(*words, typed=typed)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return result.stdout

    def refused(self, status: int, *words: str, typed: str = "") -> str:
        """Run it; it ends with this status and one line on stderr, which is returned."""
        result = self.run(*words, typed=typed)
        assert (result.exit_code, result.stdout) == (status, ""), result.output
        (line,) = result.stderr.splitlines()
        assert line.startswith("cli: ")
        return line.removeprefix("cli: ")

    def granted(self, *words: str) -> str:
        """Grant, whether or not the engine has the image; return the grant's id."""
        return self.done("app", "grant", *words, "--no-verify").strip()

    def acts(self) -> list[tuple[str, str]]:
        """Return what the audit log holds."""
        return [(row.action, row.target) for row in reversed(self.records.audit())]

    def grants_of(self, name: str) -> list[Grant]:
        """Return what a user holds."""
        return list(self.accounting.grants_of(name))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Make an empty database."""
    path = tmp_path / "remoteapp.db"
    assert CliRunner().invoke(cli, [str(path), "init"]).exit_code == 0
    database = Database(str(path))
    yield Site(path, PeeweeAccounting(database), PeeweeRecords(database))
    database.close()


@pytest.fixture
def cast(site: Site) -> Site:
    """Let alice and bob in, and make two applications."""
    for name in ("alice", "bob"):
        site.done("user", "create", name)
    for image in ("desk", "lab"):
        site.done("app", "create", image, "--no-verify")
    return site
