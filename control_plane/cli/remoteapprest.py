"""The command remoteapprest: the portal's HTTP API from anywhere, by a stored token.

Invariant: no flag turns the check of the portal's certificate off.
"""

import click

from control_plane.cli import (
    remoteapprest_admin,
    remoteapprest_app,
    remoteapprest_login,
    remoteapprest_share,
)
from control_plane.cli.exits import Commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--profile",
    default="default",
    show_default=True,
    metavar="NAME",
    help="Which of several sign-ins to use.",
)
def cli(profile: str) -> None:
    """Start, stop and share your applications on a Remoteapp portal; administer it.

    Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 not supported by the portal's store,
    4 the portal, its engine or its database cannot be reached.
    """
    del profile  # read from the context by whoever signs in


cli.add_command(remoteapprest_login.login)
cli.add_command(remoteapprest_login.logout)
cli.add_command(remoteapprest_app.app)
cli.add_command(remoteapprest_share.share)
cli.add_command(remoteapprest_admin.admin)


def main() -> None:
    """Run the command."""
    cli(prog_name="remoteapprest")
