"""`control-plane pam`: the passwords of the host's users judged for the control plane.

Invariant: nothing is loaded that this does not need: it may read every password's hash.
"""

import pwd

import click

from control_plane.adapters import journal
from control_plane.adapters.pam_check import PamCheck
from control_plane.cli.passed import passed_socket
from control_plane.pam_door.serving import Door, Terms


@click.command()
@click.option(
    "--service",
    envvar="PAM_SERVICE",
    default="remoteapp",
    show_default=True,
    show_envvar=True,
    help="The PAM service that is asked, and no other.",
)
@click.option(
    "--account", default="remoteapp", show_default=True, help="Who is answered, besides root."
)
@click.option(
    "--patience",
    type=click.FloatRange(min=1),
    default=20,
    show_default=True,
    help="Seconds that PAM gets for an answer.",
)
@click.option(
    "--idle",
    type=click.FloatRange(min=0),
    default=0,
    help="Seconds without a question after which it ends; 0: it stays.",
)
def pam(service: str, account: str, patience: float, idle: float) -> None:
    """Judge passwords by PAM, on the socket passed by systemd."""
    journal.begin()
    judge = PamCheck(service).authenticate
    terms = Terms(service, judge, _uid(account), seconds=patience, idle=idle)
    Door(passed_socket("remoteapp-pam.socket"), terms).serve()


def _uid(account: str) -> int:
    try:
        return pwd.getpwnam(account).pw_uid
    except KeyError as error:
        raise click.BadParameter(f"This host has no user {account}.") from error
