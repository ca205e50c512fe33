"""The command remoteappdb: accounting on the host, beside a service that may be running.

Invariant: a password never stands on a command line, and no verb needs the service.
"""

import click

from control_plane.cli import remoteappdb_app, remoteappdb_user
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
    help="The database, without the settings: a file, or sqlite:////path.",
)
def cli(database: str | None) -> None:
    """Say who may run what: users, applications, grants.

    Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 not supported by this store, 4 the
    engine or the database cannot be reached.
    """
    del database  # read from the context by whoever opens it


@cli.command()
@click.pass_context
def init(ctx: click.Context) -> None:
    """Make the database, or bring it up to date."""
    for path in initialise(ctx.find_root().params["database"]):
        click.echo(f"The database {path} is ready.")


cli.add_command(remoteappdb_user.user)
cli.add_command(remoteappdb_app.app)


def main() -> None:
    """Run the command."""
    cli(prog_name="remoteappdb")


def _looks_like_database(word: str) -> bool:
    return not word.startswith("-") and ("/" in word or ":" in word or word.endswith(".db"))
