"""`control-plane reconcile`: make what runs, what is recorded and what nginx knows agree, now."""

from collections.abc import Mapping
from pathlib import Path

import click

from control_plane import lifecycle, operators
from control_plane.cli.operating import perform, socket_option
from control_plane.domain.ports import Plane
from control_plane.settings import Settings
from control_plane.web.lifespan import has_host_restarted


@click.command()
@socket_option
def reconcile(socket: Path) -> None:
    """Mend at once what the service mends every ten seconds; works without the service, too."""
    done = perform(socket, operators.RECONCILE, {}, _mend)
    click.echo(f"Mended: {done['mended']}")


def _mend(ours: Plane, found: Settings) -> Mapping[str, int]:
    restarted = has_host_restarted(found.boot_marker)
    return {"mended": lifecycle.reconcile(ours, host_restarted=restarted)}
