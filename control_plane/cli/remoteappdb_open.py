"""What remoteappdb works on: the two databases, the host's accounts, and who is asking.

Invariant: root leaves nothing behind that the service cannot write. A database that root makes
is the service's; SQLite itself gives -wal and -shm to the owner of the database when root opens
it, and follows no link that stands in their place.
"""

import os
import pwd
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from control_plane import settings
from control_plane.adapters.accounting_db import PeeweeAccounting
from control_plane.adapters.database import Database, database_file, make_file
from control_plane.adapters.migrations import migrate
from control_plane.adapters.pam_host import PamHost
from control_plane.adapters.passwords import Argon2Passwords
from control_plane.adapters.records import PeeweeRecords
from control_plane.domain.entities import AuditRow
from control_plane.domain.names import shown
from control_plane.domain.ports import Accounting, Host, Passwords, Records
from control_plane.errors import ControlPlaneError, ImageMissingError, StoreUnavailableError

KEEPER = "remoteapp"


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are: URLs of the databases, the range of virtual uids, the engine."""

    accounting: str
    records: str
    virtual_uids: tuple[int, int] = (70000, 99999)
    engine: str = ""


@dataclass(frozen=True, slots=True)
class Books:
    """All that a verb is given."""

    accounting: Accounting
    records: Records
    host: Host
    passwords: Passwords
    virtual_uids: tuple[int, int]
    actor: str

    def note(self, action: str, target: str, detail: str = "") -> None:
        """Write an act into the audit log."""
        row = AuditRow(datetime.now(UTC), self.actor, action, target, detail=detail)
        self.records.add_audit(row)


def places(database: str | None) -> Places:
    """Return what `--database` says, else what the settings say."""
    if database is not None:
        return Places(database, database)
    found = settings.load()
    return Places(
        found.accounting_url, found.records_url, found.auth.virtual_uids, found.engine.host
    )


def initialise(database: str | None) -> list[Path]:
    """Make the databases, or bring them up to date; return their files."""
    where = places(database)
    files = list(dict.fromkeys(database_file(url) for url in (where.accounting, where.records)))
    for path in files:
        _make(path)
    _migrate(where)
    return files


def opened(ctx: click.Context) -> Books:
    """Open the databases of this command until it ends; StoreUnavailableError without a file."""
    where = places(ctx.find_root().params["database"])
    for url in (where.accounting, where.records):
        _must_exist(database_file(url))
    _migrate(where)
    accounting, records = Database(where.accounting), Database(where.records)
    ctx.call_on_close(accounting.close)
    ctx.call_on_close(records.close)
    return Books(
        PeeweeAccounting(accounting),
        PeeweeRecords(records),
        PamHost(KEEPER),
        Argon2Passwords(),
        where.virtual_uids,
        f"cli:{_invoker()}",
    )


def check_image(ctx: click.Context, image: str) -> None:
    """Raise unless the engine has the image."""
    # The SDK takes longer to load than most verbs take to run.
    from control_plane.adapters.engine import DockerEngine  # noqa: PLC0415

    host = places(ctx.find_root().params["database"]).engine
    try:
        DockerEngine(KEEPER, host or None, timeout=10).image(image)
    except ImageMissingError as error:
        raise ControlPlaneError(
            f"The engine does not have the image {shown(image)}.",
            "Pull or build it first, or add it all the same with --no-verify.",
        ) from error


def _make(path: Path) -> None:
    try:
        new = [] if path.parent.exists() else [path.parent]
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise _away(path, error) from error
    if make_file(path):
        new.append(path)
    with suppress(KeyError):
        keeper = pwd.getpwnam(KEEPER)
        for one in new if os.geteuid() == 0 else ():
            os.chown(one, keeper.pw_uid, keeper.pw_gid, follow_symlinks=False)


def _migrate(where: Places) -> None:
    migrate(where.accounting, ["accounting"])
    migrate(where.records, ["records"])


def _must_exist(path: Path) -> None:
    try:
        path.stat()
    except OSError as error:
        raise _away(path, error) from error


def _away(path: Path, error: OSError) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"The database {path} cannot be opened: {error.strerror}.",
        "Make it with remoteappdb init, or name another with --database.",
    )


def _invoker() -> str:
    name = os.environ.get("SUDO_USER", "") if os.getuid() == 0 else ""
    with suppress(KeyError):
        name = name or pwd.getpwuid(os.getuid()).pw_name
    return shown(name or str(os.getuid()))
