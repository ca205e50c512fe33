"""`control-plane backup`: one archive of the portal, made while it serves."""

from contextlib import closing, nullcontext
from pathlib import Path

import click

from control_plane import __version__, settings
from control_plane.adapters import backup as archives
from control_plane.adapters.backup import Wish
from control_plane.cli.portal_places import homes_of, places_of
from control_plane.errors import ControlPlaneError


@click.command()
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    help="Where to. [default: backups/ in the state]",
)
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=0,
    show_default="all",
    help="Remove older archives there, so that this many stay.",
)
@click.option("--homes/--no-homes", default=True, help="With the homes of virtual users (default).")
@click.option("--tls/--no-tls", default=True, help="With the certificate and its key (default).")
def backup(*, directory: Path | None, keep: int, homes: bool, tls: bool) -> None:
    """Make one archive of the portal, and print its path. Whoever reads it may sign in as anyone.

    Homes that are in use are copied as they are at that moment.
    """
    found = settings.load()
    places = places_of(found)
    target = (directory or places.state / "backups").absolute()
    wish = Wish(target, keep, __version__, found.realm, tls)
    with closing(homes_of(found)) if homes else nullcontext() as engine:
        made = archives.make(wish, places, engine)
    for one in places.elsewhere:
        click.echo(f"Not in it, for it is kept outside the portal: {one}", err=True)
    click.echo(made.path)
    if made.left_out:
        raise ControlPlaneError(
            f"These homes are not in it: {', '.join(made.left_out)}.",
            "They changed while they were read. Make another backup when less is going on.",
        )
