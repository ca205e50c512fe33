"""The verbs `remoteapprest admin grant …`: who may run what, under which policy.

Invariant: a field of the policy that no flag names is not sent.
"""

from collections.abc import Sequence
from typing import Any

import click

from control_plane.cli.flags import keep_running, policy_fields, policy_flags
from control_plane.cli.remoteapprest_admin_apps import application_id
from control_plane.cli.remoteapprest_portal import (
    Json,
    as_json,
    ask,
    content,
    every,
    portal,
    segment,
    tell,
    tell_list,
)
from control_plane.cli.tables import Form, listing
from control_plane.domain.names import shown
from control_plane.domain.policy_fields import CHECKS

_GRANTS = "/admin/grants"
_SEE_GRANTS = "See remoteapprest admin grant list."
_LONGEST = 1000
_SEE_ALL = "See remoteapprest admin user list, group list and app list."
_COLUMNS = ("id", "granted_to", "image", "policy", "problem")
_DEFAULTS = click.Choice([name.replace("_", "-") for name in CHECKS])


@click.group()
def grant() -> None:
    """Who may run what."""


@grant.command("list")
@click.option("--user", metavar="NAME", help="To this user by name.")
@click.option("--group", metavar="NAME", help="To this group.")
@click.option("--everyone", is_flag=True, default=None, help="To everyone.")
@click.option("--application", metavar="APPLICATION", help="Its id or its image.")
@listing
@click.pass_context
def list_grants(ctx: click.Context, /, form: Form, **filters: Any) -> None:
    """List the grants."""
    items = every(portal(ctx), _GRANTS, **filters)
    rows = [{**one, "granted_to": _grantee(one), "policy": _policy_words(one)} for one in items]
    tell_list(_COLUMNS, items, rows, form)


@grant.command("create")
@click.argument("application")
@click.option("--user", metavar="NAME")
@click.option("--group", metavar="NAME")
@click.option("--everyone", is_flag=True, default=None)
@policy_flags
@as_json
@click.pass_context
def create_grant(  # noqa: PLR0913 - one parameter a flag
    ctx: click.Context,
    /,
    application: str,
    user: str | None,
    group: str | None,
    *,
    everyone: bool | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Let a user, a group or everyone run the APPLICATION of that id or image; print the grant."""
    named = {"user": user, "group": group, "everyone": everyone}
    grantee = {kind: value for kind, value in named.items() if value is not None}
    if len(grantee) != 1:
        raise click.UsageError("Exactly one of --user, --group and --everyone is needed.")
    policy, found = policy_fields(flags), portal(ctx)
    body = {**grantee, "application": application_id(found, application), "policy": policy}
    made = content(ask(found, "POST", _GRANTS, hint=_SEE_ALL, json=body))
    _warn(made)
    tell(made, shown(made["id"]), as_json=as_json)


@grant.command("change")
@click.argument("grant_id")
@policy_flags
@click.option("--default", "defaults", multiple=True, type=_DEFAULTS, help="Repeatable.")
@as_json
@click.pass_context
def change_grant(
    ctx: click.Context,
    /,
    grant_id: str,
    *,
    defaults: Sequence[str],
    as_json: bool,
    **flags: Any,
) -> None:
    """Change the policy of GRANT_ID; what is not named stays, --default puts a default back."""
    policy = dict.fromkeys((one.replace("-", "_") for one in defaults), None) | policy_fields(flags)
    if not policy:
        raise click.UsageError("Nothing to change was named.")
    path, body = f"{_GRANTS}/{segment(grant_id)}", {"policy": policy}
    made = content(ask(portal(ctx), "PATCH", path, hint=_SEE_GRANTS, json=body))
    _warn(made)
    tell(made, f"Changed the grant {shown(grant_id)}.", as_json=as_json)


@grant.command("remove")
@click.argument("grant_id")
@keep_running
@as_json
@click.pass_context
def remove_grant(
    ctx: click.Context, /, grant_id: str, *, keep_running: bool, as_json: bool
) -> None:
    """Take GRANT_ID back; what runs under it ends."""
    path, wanted = f"{_GRANTS}/{segment(grant_id)}", {"keep_running": keep_running}
    ask(portal(ctx), "DELETE", path, hint=_SEE_GRANTS, params=wanted)
    removed = {"id": grant_id, "removed": True}
    tell(removed, f"Took the grant {shown(grant_id)} back.", as_json=as_json)


def _warn(grant: Json) -> None:
    for one in filter(None, (grant["problem"], *grant["warnings"])):
        click.echo(shown(one, _LONGEST), err=True)


def _grantee(grant: Json) -> str:
    if grant["everyone"]:
        return "everyone"
    return f"user {grant['user']}" if grant["user"] else f"group {grant['group']}"


def _policy_words(grant: Json) -> str:
    """Return what a policy says beyond the defaults."""
    words = (_word(name, value) for name, value in grant["policy"].items())
    return " ".join(word for word in words if word)


def _word(name: str, value: object) -> str:
    if value is None or value is False or value in ("none", []):
        return ""
    if isinstance(value, list):
        value = ",".join(value)
    return name if value is True else f"{name}={value}"
