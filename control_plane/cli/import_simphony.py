"""`control-plane import-simphony FILE`: what a simphony-remote let people run, they may run here.

Invariant: the file is only read; what is here already stays as it is.
"""

from collections.abc import Sequence
from pathlib import Path

import click

from control_plane import imports
from control_plane.adapters import simphony
from control_plane.adapters.state_owner import acting_as_caller, acting_as_owner
from control_plane.cli.remoteappdb_open import actor, opened
from control_plane.domain.entities import Grant
from control_plane.domain.names import shown
from control_plane.imports import Imported


@click.command("import-simphony")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would come in, and change nothing.")
@click.pass_context
def import_simphony(ctx: click.Context, file: Path, *, dry_run: bool) -> None:
    """Bring the users, applications and grants of a simphony-remote database in.

    FILE is its SQLite database, of any version from 0.8 to 2.2. Grants keep their ids. What is
    here already stays as it is, so the same again changes nothing.
    """
    books = opened(ctx)
    with acting_as_caller(), acting_as_owner(file):
        found, not_taken = simphony.read(file, books.host)
    new = imports.bring_in(books, actor(), found, f"import of {file.name}", dry_run=dry_run)
    for line in _report(new, not_taken, "Would bring in" if dry_run else "Brought in"):
        click.echo(line)


def _report(new: Imported, not_taken: Sequence[str], verb: str) -> list[str]:
    parts = {"users": new.users, "applications": new.applications, "grants": new.grants}
    counts = ", ".join(f"{name} {len(part)}" for name, part in parts.items())
    virtual = [shown(one.name) for one in new.users if one.kind == "virtual"]
    return [
        "Nothing new is in it." if new.empty else f"{verb}: {counts}.",
        *_part("Users", [f"{shown(one.name)} ({one.kind})" for one in new.users]),
        *_part("Applications", [shown(one.image) for one in new.applications]),
        *_part("Grants", [_line(one) for one in new.grants]),
        *_part("Listed, and not startable until its volume may be mounted", new.not_startable),
        *_part("Left out", [*not_taken, *new.left_out]),
        *_part("Without a password; set one with remoteappdb user password NAME", virtual),
    ]


def _part(title: str, lines: Sequence[str]) -> list[str]:
    return [f"{title}:", *(f"  {line}" for line in lines)] if lines else []


def _line(grant: Grant) -> str:
    return f"{grant.id} {shown(grant.application.image)} for {shown(str(grant.grantee))}"
