"""The verbs `remoteapprest admin session …`: what runs, whoever started it."""

from typing import Any

import click

from control_plane.cli.remoteapprest_portal import (
    as_json,
    ask,
    every,
    portal,
    segment,
    tell,
    tell_list,
)
from control_plane.cli.tables import Form, listing
from control_plane.domain.names import shown

_SESSIONS = "/admin/sessions"
_SEE_SESSIONS = "See remoteapprest admin session list."
_COLUMNS = ("id", "owner", "application", "state", "cut_off", "created_at", "ends_at")
_STATES = click.Choice(["starting", "ready", "stopping", "failed"])


@click.group()
def session() -> None:
    """What runs."""


@session.command("list")
@click.option("--user", metavar="NAME", help="Whose.")
@click.option("--application", metavar="TEXT", help="Its name in the catalogue, or its image.")
@click.option("--state", type=_STATES)
@listing
@click.pass_context
def list_sessions(ctx: click.Context, /, form: Form, **filters: Any) -> None:
    """List everyone's sessions."""
    items = every(portal(ctx), _SESSIONS, **filters)
    tell_list(_COLUMNS, items, items, form)


@session.command()
@click.argument("session_id")
@as_json
@click.pass_context
def stop(ctx: click.Context, /, session_id: str, *, as_json: bool) -> None:
    """Stop anyone's session, or dismiss a failed one; done when it is gone."""
    ask(portal(ctx), "DELETE", f"{_SESSIONS}/{segment(session_id)}", hint=_SEE_SESSIONS)
    stopped = {"id": session_id, "state": "stopped"}
    tell(stopped, f"Stopped {shown(session_id)}.", as_json=as_json)


@session.command()
@click.argument("session_id")
@click.argument("text")
@as_json
@click.pass_context
def message(ctx: click.Context, /, session_id: str, text: str, *, as_json: bool) -> None:
    """Tell TEXT to whoever follows a session."""
    path, body = f"{_SESSIONS}/{segment(session_id)}/message", {"text": text}
    ask(portal(ctx), "POST", path, hint=_SEE_SESSIONS, json=body)
    told = {"id": session_id, "text": text}
    tell(told, f"Told those who follow {shown(session_id)}.", as_json=as_json)
