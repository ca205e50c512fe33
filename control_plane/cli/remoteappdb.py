"""The command remoteappdb: accounting on the host, beside a service that may be running.

Invariant: a password never stands on a command line, and no verb needs the service.
"""

import click

from control_plane.cli import (
    remoteappdb_app,
    remoteappdb_declared,
    remoteappdb_grant,
    remoteappdb_group,
    remoteappdb_user,
)
from control_plane.cli.exits import Commands
from control_plane.cli.remoteappdb_open import initialise


class _Remoteappdb(Commands):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take a first word that looks like a database for `--database`."""
        if args and _looks_like_database(args[0]):
            args = ["--database", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Remoteappdb, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--database",
    metavar="URL-OR-FILE",
    help="Another database than the one of the settings: a file, postgresql:// or mariadb://.",
)
def cli(database: str | None) -> None:
    """Say who may run what: users, groups, applications, grants.

    Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 not supported by this store, 4 the
    engine or the database cannot be reached.
    """
    del database  # read from the context by whoever opens it


@cli.command()
@click.pass_context
def init(ctx: click.Context) -> None:
    """Make the database, or bring it up to date."""
    for name in initialise(ctx):
        click.echo(f"The database {name} is ready.")


cli.add_command(remoteappdb_user.user)
cli.add_command(remoteappdb_group.group)
cli.add_command(remoteappdb_app.app)
cli.add_command(remoteappdb_declared.export)
cli.add_command(remoteappdb_declared.apply)
remoteappdb_app.app.add_command(remoteappdb_grant.grant)
remoteappdb_app.app.add_command(remoteappdb_grant.revoke)


def main() -> None:
    """Run the command."""
    cli(prog_name="remoteappdb")


def _looks_like_database(word: str) -> bool:
    return not word.startswith("-") and ("/" in word or ":" in word or word.endswith(".db"))
