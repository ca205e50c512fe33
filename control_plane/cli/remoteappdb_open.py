"""What remoteappdb works on: accounting and records, the host's accounts, and who is asking.

Invariant: root leaves nothing behind that the service cannot write, and opens nothing that the
service could not: a database that root makes is the service's, and is opened as its account.
"""

import os
import pwd
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path

import click
from pydantic import ValidationError

from control_plane import settings
from control_plane.adapters.database import database_file, make_file, shown_url
from control_plane.adapters.migrations import migrate
from control_plane.adapters.pam_host import PamHost
from control_plane.adapters.passwords import Argon2Passwords
from control_plane.adapters.state_owner import acting_as_caller, acting_as_owner
from control_plane.domain.entities import Image
from control_plane.domain.names import shown
from control_plane.domain.ports import Books
from control_plane.domain.roles import Actor
from control_plane.errors import (
    ControlPlaneError,
    ImageMissingError,
    SettingsError,
    StoreUnavailableError,
)
from control_plane.settings import AccountingStore, Settings, Store

KEEPER = "remoteapp"
verify_flag = click.option(
    "--verify/--no-verify", default=True, help="See that the engine has the image (default)."
)
_NOWHERE = "https://localhost"  # the address of a portal whose settings are not here


def initialise(ctx: click.Context) -> list[str]:
    """Make the databases, or bring them up to date; return how each is called."""
    found = _settings(ctx)
    stores = [(found.records_url, "records", found.records.password_file)]
    if _is_database(found):
        stores.insert(0, (found.accounting_url, "accounting", found.accounting.password_file))
    for url, part, password_file in stores:
        path = database_file(url)
        if path:
            _make(path)
        with acting_as_owner(path) if path else nullcontext():
            migrate(url, [part], password_file)
    return list(dict.fromkeys(shown_url(url) for url, _, _ in stores))


def opened(ctx: click.Context) -> Books:
    """Open accounting and records until the command ends; StoreUnavailableError without a file."""
    # It knows every adapter there is, and takes longer to load than `--help` takes to answer.
    from control_plane import installed  # noqa: PLC0415 - only where it is needed: slow to import

    found = _settings(ctx)
    for url in (found.records_url, *((found.accounting_url,) if _is_database(found) else ())):
        if path := database_file(url):
            ctx.with_resource(acting_as_owner(path))
            _must_exist(path)
    host = PamHost(found.auth.pam_service)
    stores = installed.open_stores(found, host)
    ctx.call_on_close(stores.close)
    return Books(
        installed.site(found, b""),
        stores.accounting,
        stores.records,
        host,
        installed.folders(found),
        Argon2Passwords(),
        lambda: datetime.now(UTC),
    )


def actor() -> Actor:
    """Return who is asking, as the audit log calls them: who may type this may do all."""
    name = os.environ.get("SUDO_USER", "") if os.getuid() == 0 else ""
    with suppress(KeyError):
        name = name or pwd.getpwuid(os.getuid()).pw_name
    return Actor(f"cli:{shown(name or str(os.getuid()))}")


def must_know_realm(ctx: click.Context) -> None:
    """Raise unless the settings are here: a database alone does not say whose homes it knows."""
    if not (_are_settings_here() or "REMOTEAPP_REALM" in os.environ or _database(ctx) is None):
        raise SettingsError(
            "The settings are not here, so nobody knows where the homes lie.",
            "Leave --database out, or name the settings by REMOTEAPP_SETTINGS.",
        )


def check_image(ctx: click.Context, image: str) -> Image:
    """Return the image; raise unless the engine has it."""
    # The SDK takes longer to load than most verbs take to run.
    from control_plane import installed  # noqa: PLC0415 - only where it is needed: slow to import
    from control_plane.adapters.engine import DockerEngine  # noqa: PLC0415 - only where it is needed: slow to import

    try:
        with acting_as_caller():
            place = installed.engine_place(_settings(ctx))
            return DockerEngine(KEEPER, place, timeout=10).image(image)
    except ImageMissingError as error:
        raise ControlPlaneError(
            f"The engine does not have the image {shown(image)}.",
            "Pull or build it first, or go on all the same with --no-verify.",
        ) from error


def caution(sentences: Sequence[str]) -> None:
    """Print on standard error what was done and has a catch."""
    for one in sentences:
        click.echo(one, err=True)


def _database(ctx: click.Context) -> str | None:
    found: str | None = ctx.find_root().params.get("database")
    return found


def _settings(ctx: click.Context) -> Settings:
    """Return the settings; what `--database` names takes the place of both databases."""
    database = _database(ctx)
    if database is None:
        return settings.load()
    found = settings.load() if _are_settings_here() else _without_settings()
    try:
        accounting = AccountingStore(url=database, password_file=found.accounting.password_file)
    except ValidationError as error:
        raise SettingsError(f"--database: {error.errors()[0]['msg']}") from None
    found = found.model_copy(update={"accounting": accounting})
    if not _is_database(found):
        return found
    records = Store(url=database, password_file=accounting.password_file)
    return found.model_copy(update={"records": records})


def _are_settings_here() -> bool:
    return "REMOTEAPP_SETTINGS" in os.environ or settings.DEFAULT_FILE.exists()


def _without_settings() -> Settings:
    try:
        return Settings(public_url=_NOWHERE)
    except ValidationError:
        return settings.load()  # which says what is wrong


def _is_database(found: Settings) -> bool:
    return not (found.accounting.class_ or found.accounting_file)


def _make(path: Path) -> None:
    """Make an empty file where none is: the service's, also in a directory that root has."""
    try:
        if not path.parent.exists():
            path.parent.mkdir(mode=0o750, parents=True)
            _give(path.parent)
    except OSError as error:
        raise _away(path, error) from error
    with acting_as_owner(path):
        if make_file(path) and os.geteuid() == 0:
            _give(path)


def _give(path: Path) -> None:
    with suppress(KeyError):
        keeper = pwd.getpwnam(KEEPER)
        if os.geteuid() == 0:
            os.chown(path, keeper.pw_uid, keeper.pw_gid, follow_symlinks=False)


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
