"""The verbs `remoteappdb export` and `remoteappdb apply`: accounting as one file.

Invariant: what was exported and is applied changes nothing; a file with a fault changes nothing.
"""

from typing import BinaryIO

import click

from control_plane import declared
from control_plane.adapters import declaration
from control_plane.cli.remoteappdb_open import actor, opened
from control_plane.errors import FieldError, InvalidError

_MOST_FAULTS = 100


@click.command()
@click.pass_context
def export(ctx: click.Context) -> None:
    """Print all of accounting as YAML: users, groups, applications, grants.

    Passwords do not stand in it; licences do, so keep it where nobody else reads it.
    """
    click.echo(declaration.write(declared.export(opened(ctx))), nl=False)


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Print the difference, and change nothing.")
@click.pass_context
def apply(ctx: click.Context, file: BinaryIO, *, dry_run: bool) -> None:
    """Make accounting as FILE says (- reads the input): what does not stand there is removed.

    All of it in one transaction. Homes of virtual users stay.
    """
    found = None
    try:
        found = declaration.read(file.read(declaration.LARGEST + 1))
        changes = declared.apply(opened(ctx), actor(), found.wanted, dry_run=dry_run)
    except InvalidError as error:
        for one in error.errors[:_MOST_FAULTS]:
            click.echo(_fault(one, found), err=True)
        if more := error.errors[_MOST_FAULTS:]:
            click.echo(f"and {len(more)} more", err=True)
        raise InvalidError(error.message, hint=error.hint) from error
    for change in changes:
        click.echo(str(change))
    click.echo(_told(len(changes), dry_run=dry_run))


def _fault(one: FieldError, found: declaration.Declaration | None) -> str:
    line = found.lines.get(one.field) if found else None
    where = f"line {line}: {one.field}" if line else one.field
    return f"{where}: {one.message}"


def _told(count: int, *, dry_run: bool) -> str:
    if not count:
        return "Nothing to change."
    verb = "would change; nothing was" if dry_run else "changed"
    return f"{count} {verb}."
