"""The verbs `remoteapprest share …`: whom one lets into one's sessions."""

import click

from control_plane.cli.remoteapprest_portal import (
    Json,
    as_json,
    ask,
    content,
    every,
    portal,
    segment,
    tell,
    tell_json,
    tell_list,
)
from control_plane.cli.tables import Form, listing
from control_plane.domain.names import shown

_COLUMNS = ("id", "with", "access", "expires_at", "watching")
_SESSIONS = "See remoteapprest app running."
_SHARES = "See remoteapprest share list."
_LONGEST = 2000
_DAY = 24 * 3600
_LONGEST_LIFE = 30 * _DAY


@click.group()
def share() -> None:
    """Whom you let into your sessions."""


@share.command()
@click.argument("session_id")
@click.option("--user", metavar="NAME", help="Let in this user.")
@click.option("--group", metavar="NAME", help="Let in the members of this group.")
@click.option("--link", is_flag=True, help="Let in whoever has the link that it prints.")
@click.option(
    "--access",
    type=click.Choice(["view", "control"]),
    default="view",
    show_default=True,
    help="A web application knows control alone.",
)
@click.option(
    "--expires-in",
    type=click.IntRange(1, _LONGEST_LIFE),
    default=_DAY,
    show_default=True,
    metavar="SECONDS",
    help="At most 30 days.",
)
@as_json
@click.pass_context
def add(  # noqa: PLR0913 - one parameter a flag
    ctx: click.Context,
    /,
    session_id: str,
    user: str | None,
    group: str | None,
    *,
    link: bool,
    access: str,
    expires_in: int,
    as_json: bool,
) -> None:
    """Share SESSION_ID; print the address for those whom it lets in."""
    if [user is not None, group is not None, link].count(True) != 1:
        raise click.UsageError("Give one of --user, --group and --link.")
    body = {"access": access, "expires_in": expires_in}
    body |= {"link": True} if link else {"user": user} if group is None else {"group": group}
    made = content(ask(portal(ctx), "POST", _path(session_id), hint=_SESSIONS, json=body))
    if as_json:
        tell_json(made)
    else:
        click.echo(shown(made["url"], _LONGEST))


@share.command("list")
@click.argument("session_id")
@listing
@click.pass_context
def list_shares(ctx: click.Context, /, session_id: str, form: Form) -> None:
    """List who may enter SESSION_ID beside you, and who watches now."""
    items = every(portal(ctx), _path(session_id), hint=_SESSIONS)
    rows = [{**one, "with": _whom(one), "watching": _watching(one)} for one in items]
    tell_list(_COLUMNS, items, rows, form)


@share.command()
@click.argument("session_id")
@click.argument("share_id")
@as_json
@click.pass_context
def revoke(ctx: click.Context, /, session_id: str, share_id: str, *, as_json: bool) -> None:
    """Take a share of SESSION_ID back; done when nobody is in by it any more."""
    ask(portal(ctx), "DELETE", f"{_path(session_id)}/{segment(share_id)}", hint=_SHARES)
    tell({"id": share_id, "revoked": True}, f"Revoked {shown(share_id)}.", as_json=as_json)


def _path(session_id: str) -> str:
    return f"/sessions/{segment(session_id)}/shares"


def _whom(one: Json) -> str:
    if one["link"]:
        return "whoever has the link"
    return f"user {one['user']}" if one["user"] else f"group {one['group']}"


def _watching(one: Json) -> object:
    if one["watching"] is None:
        return "not known just now"
    return [each["name"] for each in one["watching"]]
