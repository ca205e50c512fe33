"""An installation in a directory: settings, secret, database, what nginx would have."""

import shutil
import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from control_plane import settings
from control_plane.cli.remoteappdb import cli as remoteappdb
from control_plane.doctor.examining import examine
from control_plane.doctor.findings import Finding
from control_plane.doctor.installation import Installation, Places
from control_plane.settings import Settings

URL = "https://localhost:1"
# One of Debian's own stands in for the service's: it is in no group but its own.
ACCOUNT = "daemon"
# And another one for those that the engine's door, the forwarder and PAM have.
BEHIND = "bin"
SECRET = "0123456789abcdef" * 2


@dataclass
class Place:
    """A directory with an installation in it; `keys` are settings, by section."""

    directory: Path
    keys: dict[str, Any] = field(default_factory=dict)

    @property
    def places(self) -> Places:
        return Places(
            account=ACCOUNT,
            engine_account=BEHIND,
            forwarder_account=BEHIND,
            pam_account=BEHIND,
            settings=self.directory / "settings.toml",
            secret=self.directory / "secret",
            certificates=self.directory / "tls",
            rules=self.directory / "engine.toml",
            socket=self.directory / "control-plane.sock",
            engine_socket=self.directory / "engine.sock",
            pam_socket=self.directory / "pam.sock",
            forwarder_socket=self.directory / "forwarder.sock",
            forwarder_control=self.directory / "forwarder-control.sock",
            nginx=self.directory / "nginx",
            nginx_program=self.directory / "nginx-program",
            pam=self.directory / "pam.d",
            shadow=self.directory / "shadow",
        )

    @property
    def database(self) -> Path:
        return self.directory / "remoteapp.db"

    def load(self) -> Settings:
        """Return what the settings file says, with the keys of the test over it."""
        written = tomllib.loads(self.places.settings.read_text())
        return settings.checked({"accounting": {"url": str(self.database)}, **written, **self.keys})

    @contextmanager
    def opened(self) -> Iterator[Installation]:
        """Give what the checks look at."""
        with closing(Installation(self.places, self.load)) as one:
            yield one

    def look(self, name: str) -> list[Finding]:
        """Return what one check finds."""
        with self.opened() as one:
            return [finding for found, finding in examine(one, [name]) if found == name]

    def one(self, name: str) -> Finding:
        """Return what one check finds, which is one thing."""
        (found,) = self.look(name)
        return found

    def remoteappdb(self, line: str) -> str:
        """Run a verb on the database; return what it prints."""
        done = CliRunner().invoke(remoteappdb, [str(self.database), *line.split()])
        assert done.exit_code == 0, done.output
        return done.stdout.strip()


def make(directory: Path) -> Place:
    """Make an installation with an empty database."""
    place = Place(directory)
    place.places.settings.write_text(f'public_url = "{URL}"\nrealm = "doctor"\n')
    place.places.settings.chmod(0o640)
    shutil.chown(place.places.settings, group=ACCOUNT)
    place.places.secret.write_text(SECRET)
    place.places.secret.chmod(0o600)
    place.remoteappdb("init")
    return place
