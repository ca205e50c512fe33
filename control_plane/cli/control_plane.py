"""`control-plane`: the service, its one-shots and its care."""

import click

from control_plane import __version__
from control_plane.cli.exits import Commands
from control_plane.cli.routes import routes
from control_plane.cli.serve import serve
from control_plane.cli.trial import trial


@click.group(cls=Commands)
@click.version_option(__version__, prog_name="control-plane")
def main() -> None:
    """Run Remoteapp's control plane and look after it."""


main.add_command(serve)
main.add_command(routes)
main.add_command(trial)
