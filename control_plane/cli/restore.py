"""`control-plane restore FILE`: a portal as it was when its archive was made.

Invariant: nothing is replaced while a control plane of this realm runs, or before all of the
archive was found fit for this host.
"""

import os
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path

import click

from control_plane import settings
from control_plane.adapters import backup_archive, migrations
from control_plane.adapters import restore as restoring
from control_plane.adapters.backup_archive import ArchiveReader
from control_plane.adapters.backup_places import SETTINGS, Places
from control_plane.adapters.restore import Wish
from control_plane.adapters.state_owner import acting_as_owner, owner
from control_plane.cli.portal_places import homes_of, places_of
from control_plane.errors import ConflictError, ControlPlaneError, SettingsError
from control_plane.settings import Settings
from control_plane.trial.locks import held


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace the users and homes that are here.")
@click.option("--homes/--no-homes", default=True, help="With the homes of virtual users (default).")
@click.option(
    "--keep-settings",
    is_flag=True,
    help="Of the files only the secret: settings and certificate stay as they are here.",
)
@click.option("--other-realm", is_flag=True, help="Take the archive of another realm.")
def restore(
    file: Path, *, force: bool, homes: bool, keep_settings: bool, other_realm: bool
) -> None:
    """Put a portal back from FILE, which `control-plane backup` made.

    The portal must be stopped: systemctl stop remoteapp.target. What is replaced is kept beside
    until all is done; after a kill, run the same again.
    """
    wish = Wish(replace=force, settings=not keep_settings)
    with backup_archive.reading(file) as archive:
        if not other_realm:
            _must_be_of_this_realm(archive.manifest.realm)
        found = settings.load() if keep_settings else _settings_in(archive)
        places = places_of(found)
        _must_not_be_the_services(archive, places)
        with _stopped(places), closing(homes_of(found)) if homes else nullcontext() as engine:
            known = {one: migrations.names(one) for one in migrations.SETS}
            odd = restoring.check(archive, wish, places, engine, known)
            done = restoring.restore(archive, wish, places, engine)
    for one in odd:
        click.echo(f"Left out, a device: {one}", err=True)
    for one in archive.manifest.elsewhere:
        click.echo(f"Kept outside the portal, so not in the archive: {one}", err=True)
    for one in (*done.files, *done.homes):
        click.echo(f"Restored {one}")


def _must_be_of_this_realm(realm: str) -> None:
    if not ("REMOTEAPP_SETTINGS" in os.environ or settings.DEFAULT_FILE.exists()):
        return
    if (here := settings.load().realm) != realm:
        raise ConflictError(
            f"The archive is of the realm {realm}, this host's is {here}.",
            "To take it all the same, add --other-realm.",
        )


def _must_not_be_the_services(archive: ArchiveReader, places: Places) -> None:
    """Raise where the account that is to be restored could have written what root believes."""
    keeper = owner(places.state / "control-plane.lock")
    if os.geteuid() == 0 and keeper and archive.owner == keeper:
        raise ConflictError(
            "The archive belongs to the service's account, and root takes nothing from it.",
            "If you know where it comes from: chown root:root it.",
        )


def _settings_in(archive: ArchiveReader) -> Settings:
    stored = next(one.stored for one in archive.manifest.files if one.name == SETTINGS)
    with archive.opened(stored) as file:
        text = file.read()
    try:
        return settings.checked(tomllib.loads(text.decode()))
    except (SettingsError, ValueError) as error:
        raise ControlPlaneError(
            f"The settings in the archive do not fit this host: {error}.",
            "Mend the host, or keep its own settings with --keep-settings.",
        ) from error


@contextmanager
def _stopped(places: Places) -> Iterator[None]:
    """Hold the realm's lock: no control plane runs, and none starts meanwhile."""
    if not places.state.is_dir():
        raise ControlPlaneError(
            f"The state directory {places.state} lacks.", "Install the portal first: site.yml."
        )
    lock = places.state / "control-plane.lock"
    with ExitStack() as until_done:
        with acting_as_owner(lock):
            is_ours = until_done.enter_context(held(lock))
        if not is_ours:
            raise ConflictError(
                "The control plane of this realm runs.",
                "Stop the portal: systemctl stop remoteapp.target.",
            )
        yield
