"""Hosts of a portal that are directories: what a person types there, as root."""

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result

from control_plane.adapters.accounting_db import PeeweeAccounting
from control_plane.adapters.database import Database
from control_plane.adapters.records import PeeweeRecords
from control_plane.cli.control_plane import main
from control_plane.cli.remoteappdb import cli as remoteappdb

SETTINGS = """\
public_url = "https://remote.example.org"
realm = "{realm}"
[auth]
pam_service = "another"
"""


@dataclass(frozen=True)
class PortalHost:
    """A configuration and a state, as site.yml leaves them."""

    directory: Path
    realm: str

    @property
    def configuration(self) -> Path:
        return self.directory / "etc"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def backups(self) -> Path:
        return self.state / "backups"

    @property
    def database(self) -> Path:
        return self.state / "remoteapp.db"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "CONFIGURATION_DIRECTORY": str(self.configuration),
            "REMOTEAPP_SETTINGS": str(self.configuration / "settings.toml"),
            "STATE_DIRECTORY": str(self.state),
        }

    def run(self, *words: str) -> Result:
        """Run control-plane."""
        return CliRunner().invoke(main, words, env=self.environment)

    def done(self, *words: str) -> list[str]:
        """Run it; it ends well and says nothing on stderr. Return the lines that it prints."""
        result = self.run(*words)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return result.stdout.splitlines()

    def refused(self, status: int, *words: str) -> str:
        """Run it; it ends with this status and one line on stderr, which is returned."""
        result = self.run(*words)
        assert (result.exit_code, result.stdout) == (status, ""), result.output
        (line,) = result.stderr.splitlines()
        return line.removeprefix("main: ")

    def backup(self, *words: str) -> Path:
        """Make an archive without homes; return its path."""
        (line,) = self.done("backup", "--no-homes", *words)
        return Path(line)

    def remoteappdb(self, *words: str, typed: str = "") -> None:
        """Run remoteappdb with this host's settings."""
        result = CliRunner().invoke(remoteappdb, words, env=self.environment, input=typed)
        assert result.exit_code == 0, result.output

    def users(self) -> list[str]:
        """Return the names that accounting has."""
        database = Database(str(self.database))
        try:
            return [one.name for one in PeeweeAccounting(database).users()]
        finally:
            database.close()

    def acts(self) -> list[tuple[str, str]]:
        """Return what the audit log holds."""
        database = Database(str(self.database))
        try:
            return [(row.action, row.target) for row in PeeweeRecords(database).audit()]
        finally:
            database.close()

    def everything(self) -> dict[str, tuple[bytes, int]]:
        """Return content and mode of every file but SQLite's own and the archives."""
        found = [one for one in self.directory.rglob("*") if one.is_file()]
        return {
            str(one.relative_to(self.directory)): (one.read_bytes(), one.stat().st_mode & 0o777)
            for one in found
            if self.backups not in one.parents and not one.name.endswith((".lock", "-shm", "-wal"))
        }


def host(directory: Path, realm: str = "lab") -> PortalHost:
    """Make a host with a portal that nobody uses yet."""
    made = PortalHost(directory, realm)
    for one in (made.configuration, made.configuration / "tls", made.state):
        one.mkdir(parents=True)
    _write(made.configuration / "settings.toml", SETTINGS.format(realm=realm), 0o640)
    _write(made.configuration / "secret", secrets.token_hex(32), 0o600)
    _write(made.configuration / "host.env", f"FOR={directory.name}\n", 0o644)
    _write(made.configuration / "engine.toml", f'realm = "{realm}"\n', 0o640)
    _write(made.configuration / "tls" / "server.pem", f"of {directory.name}", 0o644)
    _write(made.configuration / "tls" / "server.key", secrets.token_hex(32), 0o600)
    made.remoteappdb("init")
    return made


def _write(path: Path, text: str, mode: int) -> None:
    path.write_text(text)
    os.chmod(path, mode)  # noqa: PTH101 - of a path that was just written


SERVICE = 61235  # an uid without an account


@contextmanager
def served() -> Iterator[PortalHost]:
    """Make a host whose state belongs to the account of its service."""
    with tempfile.TemporaryDirectory(prefix="backup-served-") as place:
        Path(place).chmod(0o755)
        made = host(Path(place) / "here")
        for one in (made.state, *made.state.rglob("*")):
            os.chown(one, SERVICE, SERVICE)
        yield made
