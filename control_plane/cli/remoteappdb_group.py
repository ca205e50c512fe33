"""The verbs `remoteappdb group …`: named sets of users.

Invariant: whoever is named is known; taking out somebody who is not in it is told.
"""

from collections.abc import Collection, Sequence

import click

from control_plane import administration
from control_plane.cli.remoteappdb_open import actor, opened
from control_plane.cli.tables import Form, joined, listing, show
from control_plane.domain.entities import Group
from control_plane.domain.names import shown
from control_plane.errors import NotFoundError

_users = click.argument("users", nargs=-1, required=True, metavar="USER...")


@click.group()
def group() -> None:
    """Named sets of users, to whom one grant is given."""


@group.command()
@click.argument("name")
@click.argument("users", nargs=-1, metavar="[USER]...")
@click.pass_context
def create(ctx: click.Context, name: str, users: Sequence[str]) -> None:
    """Create the group NAME, with these users in it."""
    administration.create_group(opened(ctx), actor(), Group(name, tuple(users)))
    click.echo(f"Created the group {shown(name)}.")


@group.command()
@click.argument("name")
@click.pass_context
def remove(ctx: click.Context, name: str) -> None:
    """Remove the group NAME and its grants; its users stay."""
    administration.remove_group(opened(ctx), actor(), name)
    click.echo(f"Removed the group {shown(name)}.")


@group.command("list")
@listing
@click.pass_context
def list_(ctx: click.Context, form: Form) -> None:
    """List the groups and who is in them."""
    found = opened(ctx).accounting.groups()
    rows = [{"name": one.name, "members": joined(one.members, form)} for one in found]
    show(("name", "members"), rows, form)


@group.command()
@click.argument("name")
@_users
@click.pass_context
def add(ctx: click.Context, name: str, users: Sequence[str]) -> None:
    """Put each USER into the group NAME."""
    administration.change_members(opened(ctx), actor(), name, lambda now: {*now, *users})
    click.echo(f"Put {', '.join(map(shown, users))} into {shown(name)}.")


@group.command()
@click.argument("name")
@_users
@click.pass_context
def discard(ctx: click.Context, name: str, users: Sequence[str]) -> None:
    """Take each USER out of the group NAME."""

    def without(now: Sequence[str]) -> Collection[str]:
        if missing := sorted(set(users) - set(now)):
            names = ", ".join(map(shown, missing))
            raise NotFoundError(f"Not in the group {shown(name)}: {names}.")
        return set(now) - set(users)

    administration.change_members(opened(ctx), actor(), name, without)
    click.echo(f"Took {', '.join(map(shown, users))} out of {shown(name)}.")
