"""What the trial's portal has to show: two people, their passwords, their applications.

Invariant: the next trial of the same directory shows the same sign-ins; nobody but root reads them.
"""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from control_plane.trial import programs
from control_plane.trial.account import environment
from control_plane.trial.places import Places, command

IMAGES = ("terminal", "jupyter")
_PASSWORD_PARTS = 4


@dataclass(frozen=True, slots=True)
class SignIns:
    """Names and passwords, as `trial.env` has them."""

    demo_user: str
    demo_password: str
    admin_user: str
    admin_password: str


def provided(places: Places) -> SignIns:
    """Return the sign-ins of the directory; the first time, make the people and their grants."""
    path = places.directory / "sign-ins.json"
    if path.exists() and places.database.exists():
        return SignIns(**json.loads(path.read_text()))
    for leftover in places.state.glob(places.database.name + "*"):
        leftover.unlink()
    found = SignIns("demo", _password(), "admin", _password())
    _fill(places.database, found)
    write_private(path, json.dumps(asdict(found)))
    return found


def write_private(path: Path, text: str) -> None:
    """Put a file that only its owner reads in place at once."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
    new.replace(path)


def remoteappdb(database: Path, *words: str, line: str = "") -> str:
    """Run one verb of remoteappdb on a database, `line` on its input; return what it prints."""
    verb = [command("remoteappdb"), "--database", str(database), *words]
    return programs.must(verb, line=line, environment=environment())


def _fill(database: Path, people: SignIns) -> None:
    remoteappdb(database, "init")
    remoteappdb(database, "user", "create", people.demo_user)
    remoteappdb(database, "user", "create", people.admin_user, "--admin")
    for name, password in (
        (people.demo_user, people.demo_password),
        (people.admin_user, people.admin_password),
    ):
        remoteappdb(database, "user", "password", name, "--stdin", line=password)
    for image in (f"remoteapp/{name}:latest" for name in IMAGES):
        remoteappdb(database, "app", "create", image)
        for name in (people.demo_user, people.admin_user):
            words = ("app", "grant", image, name, "--allow-home", "--share", "control")
            remoteappdb(database, *words)


def _password() -> str:
    return "-".join(secrets.token_hex(2) for _ in range(_PASSWORD_PARTS))
