"""`control-plane pam`: the passwords of the host's users judged for the control plane.

Invariant: nothing is loaded that this does not need: it may read every password's hash. Of root and
of accounts that are no person's PAM is never asked, whoever wants to know.
"""

import logging
import pwd

import click

from control_plane.adapters import journal
from control_plane.adapters.pam_host import PamHost
from control_plane.cli.passed import passed_socket
from control_plane.domain.names import shown
from control_plane.pam_door.serving import Door, Terms

log = logging.getLogger(__name__)


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
    host = PamHost(service)

    def judge(name: str, password: str) -> bool:
        if host.person(name):
            return host.authenticate(name, password)
        log.info("pam is not asked name=%s why=no person of this host", shown(name))
        return False

    terms = Terms(service, judge, _uid(account), seconds=patience, idle=idle)
    Door(passed_socket("remoteapp-pam.socket"), terms).serve()


def _uid(account: str) -> int:
    try:
        return pwd.getpwnam(account).pw_uid
    except KeyError as error:
        raise click.BadParameter(f"This host has no user {account}.") from error
