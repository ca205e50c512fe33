"""The verbs `remoteapprest admin user …` and `admin group …`: who may sign in, who is with whom.

Invariant: a password is typed at a prompt or read from standard input, never given as a word.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import click
import httpx

from control_plane.cli.flags import keep_running, read_password
from control_plane.cli.remoteapprest_portal import (
    Json,
    amend,
    as_json,
    ask,
    content,
    every,
    portal,
    segment,
    tell,
    tell_list,
    tell_one,
)
from control_plane.cli.tables import Form, listing
from control_plane.domain.names import shown
from control_plane.errors import NotFoundError

_USERS, _GROUPS = "/admin/users", "/admin/groups"
_SEE_USERS = "See remoteapprest admin user list."
_SEE_GROUPS = "See remoteapprest admin group list."
_SEE_BOTH = "See remoteapprest admin user list and admin group list."
_USER = ("name", "kind", "enabled", "admin", "uid", "gid", "groups")
_GROUP = ("name", "members")
_KINDS = click.Choice(["virtual", "system"])

# users


@click.group()
def user() -> None:
    """Who may sign in."""


@user.command("list")
@click.option("--search", metavar="TEXT", help="A part of the name.")
@click.option("--kind", type=_KINDS)
@click.option("--enabled/--disabled", default=None, help="Only those.")
@click.option("--admin/--no-admin", default=None, help="Only those.")
@click.option("--group", metavar="NAME", help="Who is in this group.")
@listing
@click.pass_context
def list_users(ctx: click.Context, /, form: Form, search: str, **filters: Any) -> None:
    """List the users."""
    items = every(portal(ctx), _USERS, q=search, **filters)
    tell_list(_USER, items, items, form)


@user.command("show")
@click.argument("name")
@listing
@click.pass_context
def show_user(ctx: click.Context, name: str, form: Form) -> None:
    """Show the user NAME."""
    found = content(ask(portal(ctx), "GET", _user_path(name), hint=_SEE_USERS))
    tell_one(_USER, found, form)


@user.command("create")
@click.argument("name")
@click.option("--kind", type=_KINDS, default="virtual", show_default=True)
@click.option("--admin", is_flag=True, help="May administer.")
@click.option("--disabled", is_flag=True, help="May not sign in yet.")
@click.option("--group", "groups", multiple=True, metavar="NAME", help="Repeatable.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--no-password", is_flag=True, help="Set none yet.")
@as_json
@click.pass_context
def create_user(  # noqa: PLR0913 - one parameter a flag
    ctx: click.Context,
    /,
    name: str,
    kind: str,
    groups: Sequence[str],
    *,
    admin: bool,
    disabled: bool,
    from_stdin: bool,
    no_password: bool,
    as_json: bool,
) -> None:
    """Create the user NAME; a virtual one's password is asked for."""
    if from_stdin and (no_password or kind == "system"):
        raise click.UsageError("--stdin goes with a virtual user, and not with --no-password.")
    body: Json = {"name": name, "kind": kind, "admin": admin, "enabled": not disabled}
    found = portal(ctx)  # nothing is typed before there is one
    if kind == "virtual" and not no_password:
        body["password"] = read_password(from_stdin=from_stdin)
    if groups:
        body["groups"] = list(groups)
    made = content(ask(found, "POST", _USERS, hint=_SEE_GROUPS, json=body))
    tell(made, f"Created the {kind} user {shown(name)}.", as_json=as_json)


@user.command("remove")
@click.argument("name")
@click.option(
    "--home",
    type=click.Choice(["keep", "archive", "delete"]),
    help="What becomes of a virtual user's home; it is kept without this.",
)
@keep_running
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@listing
@click.pass_context
def remove_user(  # noqa: PLR0913 - one parameter a flag
    ctx: click.Context, /, name: str, form: Form, home: str, *, keep_running: bool, dry_run: bool
) -> None:
    """Remove NAME with the grants, the tokens and the sign-ins; print what went."""
    wanted: Json = {"keep_running": keep_running, "dry_run": dry_run}
    wanted |= {"home": home} if home else {}
    path = _user_path(name)
    report = content(ask(portal(ctx), "DELETE", path, hint=_SEE_USERS, params=wanted))
    if form == "table":
        click.echo(f"{'Would remove' if dry_run else 'Removed'} the user {shown(name)}.")
    tell_one(tuple(report), report, form)


@user.command("enable")
@click.argument("name")
@as_json
@click.pass_context
def enable_user(ctx: click.Context, /, name: str, *, as_json: bool) -> None:
    """Let NAME sign in again."""
    made = _change_user(portal(ctx), name, {"enabled": True})
    tell(made, f"Enabled the user {shown(name)}.", as_json=as_json)


@user.command("disable")
@click.argument("name")
@keep_running
@as_json
@click.pass_context
def disable_user(ctx: click.Context, /, name: str, *, keep_running: bool, as_json: bool) -> None:
    """Keep NAME out: the sign-ins and the tokens end, and what runs."""
    changes = {"enabled": False, "keep_running": keep_running}
    made = _change_user(portal(ctx), name, changes)
    tell(made, f"Disabled the user {shown(name)}.", as_json=as_json)


@user.command("password")
@click.argument("name")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read it from standard input.")
@as_json
@click.pass_context
def set_password(ctx: click.Context, /, name: str, *, from_stdin: bool, as_json: bool) -> None:
    """Set the password of the virtual user NAME; the sign-ins and the tokens end."""
    found = portal(ctx)  # nothing is typed before there is one
    changes = {"password": read_password(from_stdin=from_stdin)}
    made = _change_user(found, name, changes)
    tell(made, f"Set the password of {shown(name)}.", as_json=as_json)


# groups


@click.group()
def group() -> None:
    """Who is with whom."""


@group.command("list")
@click.option("--search", metavar="TEXT", help="A part of the name.")
@click.option("--member", metavar="NAME", help="The groups of this user.")
@listing
@click.pass_context
def list_groups(ctx: click.Context, /, form: Form, search: str, member: str) -> None:
    """List the groups."""
    items = every(portal(ctx), _GROUPS, q=search, member=member)
    tell_list(_GROUP, items, items, form)


@group.command("create")
@click.argument("name")
@click.argument("members", nargs=-1)
@as_json
@click.pass_context
def create_group(
    ctx: click.Context, /, name: str, members: Sequence[str], *, as_json: bool
) -> None:
    """Create the group NAME with these MEMBERS."""
    body = {"name": name, "members": list(members)}
    made = content(ask(portal(ctx), "POST", _GROUPS, hint=_SEE_USERS, json=body))
    tell(made, f"Created the group {shown(name)}.", as_json=as_json)


@group.command("remove")
@click.argument("name")
@as_json
@click.pass_context
def remove_group(ctx: click.Context, /, name: str, *, as_json: bool) -> None:
    """Remove the group NAME and its grants; its members stay."""
    ask(portal(ctx), "DELETE", _group_path(name), hint=_SEE_GROUPS)
    tell({"id": name, "removed": True}, f"Removed the group {shown(name)}.", as_json=as_json)


@group.command("add")
@click.argument("name")
@click.argument("members", nargs=-1, required=True)
@as_json
@click.pass_context
def add_members(ctx: click.Context, /, name: str, members: Sequence[str], *, as_json: bool) -> None:
    """Put these MEMBERS into the group NAME."""
    made = _change_members(portal(ctx), name, lambda present: {*present, *members})
    tell(made, _membership(made), as_json=as_json)


@group.command("discard")
@click.argument("name")
@click.argument("members", nargs=-1, required=True)
@as_json
@click.pass_context
def discard_members(
    ctx: click.Context, /, name: str, members: Sequence[str], *, as_json: bool
) -> None:
    """Take these MEMBERS out of the group NAME."""

    def without(present: Collection[str]) -> set[str]:
        if strangers := set(members) - set(present):
            words = ", ".join(shown(one) for one in sorted(strangers))
            raise NotFoundError(f"Not in the group {shown(name)}: {words}.", _SEE_GROUPS)
        return set(present) - set(members)

    made = _change_members(portal(ctx), name, without)
    tell(made, _membership(made), as_json=as_json)


def _change_user(found: httpx.Client, name: str, changes: Json) -> Json:
    return content(ask(found, "PATCH", _user_path(name), hint=_SEE_USERS, json=changes))


def _change_members(
    found: httpx.Client, name: str, members: Callable[[Collection[str]], set[str]]
) -> Json:
    def change(present: Json) -> Json:
        return {"members": sorted(members(present["members"]))}

    return amend(found, _group_path(name), change, hint=_SEE_BOTH)


def _membership(group: Json) -> str:
    members = ", ".join(shown(one) for one in group["members"]) or "nobody"
    return f"In the group {shown(group['name'])}: {members}."


def _user_path(name: str) -> str:
    return f"{_USERS}/{segment(name)}"


def _group_path(name: str) -> str:
    return f"{_GROUPS}/{segment(name)}"
