"""`control-plane sessions`: all that runs, for the operator of the host."""

from collections.abc import Mapping
from pathlib import Path

import click

from control_plane import lifecycle, operators
from control_plane.cli.operating import perform, socket_option
from control_plane.cli.remoteappdb_open import actor
from control_plane.domain.ports import Plane
from control_plane.settings import Settings
from control_plane.web.lifespan import has_host_restarted


@click.group()
def sessions() -> None:
    """Look after what runs."""


@sessions.command()
@click.option("--all", "everything", is_flag=True, required=True, help="Everybody's.")
@click.option("--reason", default="", help="What their owners are told.")
@socket_option
def stop(socket: Path, reason: str, *, everything: bool) -> None:
    """Stop every session, wait until all are gone, print how many there were.

    Homes stay as they are. Stop remoteapp.target first if nothing new shall start.
    """
    del everything
    _check(reason)
    asking = actor()

    def act(ours: Plane, found: Settings) -> Mapping[str, int]:
        # What died while nobody looked ends with its own reason; what has lost its record is found.
        lifecycle.reconcile(ours, host_restarted=has_host_restarted(found.boot_marker))
        work = operators.stop_all(ours, asking, reason)
        return {"stopped": len([one.result() for one in work])}

    content = {"actor": asking.name, "reason": reason}
    done = perform(socket, operators.STOP_SESSIONS, content, act)
    click.echo(f"Stopped: {done['stopped']}")


def _check(reason: str) -> None:
    if len(reason) > operators.LONGEST_REASON or not reason.isprintable():
        raise click.BadParameter(
            f"one line of at most {operators.LONGEST_REASON} characters", param_hint="--reason"
        )
