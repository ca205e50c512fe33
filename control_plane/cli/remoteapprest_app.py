"""The verbs `remoteapprest app …`: what one may run, what runs, starting and stopping it."""

import sys
import webbrowser
from collections.abc import Sequence

import click
import httpx

from control_plane.cli.remoteapprest_events import until_started
from control_plane.cli.remoteapprest_portal import (
    Json,
    as_json,
    ask,
    content,
    every,
    portal,
    profile_of,
    segment,
    tell,
    tell_json,
    tell_list,
)
from control_plane.cli.tables import Form, listing
from control_plane.domain.names import shown
from control_plane.errors import ControlPlaneError

_LONGEST = 2000
_GRANTS = "See remoteapprest app available."
_SESSIONS = "See remoteapprest app running."


@click.group()
def app() -> None:
    """What you may run, and what runs."""


@app.command()
@listing
@click.pass_context
def available(ctx: click.Context, form: Form) -> None:
    """List what you may start."""
    items = every(portal(ctx), "/applications")
    rows = [{**one, "running": [each["id"] for each in one["sessions"]]} for one in items]
    columns = ("grant_id", "display_name", "type", "options", "running", "description")
    tell_list(columns, items, rows, form)


@app.command()
@listing
@click.pass_context
def running(ctx: click.Context, form: Form) -> None:
    """List what runs, what is shared with you, and what failed and was not dismissed."""
    items = every(portal(ctx), "/sessions")
    columns = ("id", "application", "owner", "access", "state", "created_at", "url")
    tell_list(columns, items, items, form)


@app.command()
@click.argument("grant_id")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Repeatable.")
@click.option("--replace", is_flag=True, help="Stop the oldest of this grant first.")
@click.option("--wait", is_flag=True, help="Wait until it is ready; print its address.")
@click.option("--open", "browse", is_flag=True, help="Show it in the browser.")
@as_json
@click.pass_context
def start(  # noqa: PLR0913 - one parameter a flag
    ctx: click.Context,
    /,
    grant_id: str,
    options: Sequence[str],
    *,
    replace: bool,
    wait: bool,
    browse: bool,
    as_json: bool,
) -> None:
    """Start what GRANT_ID allows; print the session's id."""
    body = {"grant_id": grant_id, "options": _chosen(options), "replace": replace}
    found = portal(ctx)
    session = content(ask(found, "POST", "/sessions", hint=_GRANTS, json=body))
    if browse:
        _open(f"{profile_of(ctx).url}/sessions/{segment(session['id'])}")
    if wait:
        session = _wait(found, session)
    if as_json:
        tell_json(session)
    if wait:
        _check_ready(session)
    if not as_json:
        click.echo(shown(session["url" if wait else "id"], _LONGEST))


@app.command()
@click.argument("session_id")
@as_json
@click.pass_context
def stop(ctx: click.Context, /, session_id: str, *, as_json: bool) -> None:
    """Stop a session, or dismiss a failed one; done when it is gone."""
    ask(portal(ctx), "DELETE", f"/sessions/{segment(session_id)}", hint=_SESSIONS)
    stopped = {"id": session_id, "state": "stopped"}
    tell(stopped, f"Stopped {shown(session_id)}.", as_json=as_json)


@app.command()
@click.argument("session_id")
@click.argument("seconds", type=click.IntRange(min=1))
@as_json
@click.pass_context
def extend(ctx: click.Context, /, session_id: str, seconds: int, *, as_json: bool) -> None:
    """Let a session run on for SECONDS more, as far as its policy allows."""
    path, body = f"/sessions/{segment(session_id)}/extend", {"seconds": seconds}
    session = content(ask(portal(ctx), "POST", path, hint=_SESSIONS, json=body))
    ends = session["ends_at"]
    tell(session, f"It ends at {shown(ends)}." if ends else "It has no end.", as_json=as_json)


@app.command()
@click.argument("session_id")
@click.option("--tail", type=click.IntRange(0, 5000), default=200, show_default=True)
@as_json
@click.pass_context
def log(ctx: click.Context, /, session_id: str, tail: int, *, as_json: bool) -> None:
    """Print the last lines of what a session's container wrote."""
    path, lines = f"/sessions/{segment(session_id)}/log", {"tail": tail}
    text = ask(portal(ctx), "GET", path, hint=_SESSIONS, params=lines).text
    if as_json:
        tell_json({"id": session_id, "log": text})
    elif sys.stdout.isatty():
        _echo_lines(text)
    else:
        click.echo(text, nl=False)


def _chosen(options: Sequence[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in options]
    if not all(name and sign for name, sign, _ in pairs):
        raise click.BadParameter("must be NAME=VALUE", param_hint="--option")
    return {name: value for name, _, value in pairs}


def _wait(found: httpx.Client, session: Json) -> Json:
    session_id = segment(session["id"])
    click.echo(f"Session {session_id}", err=True)
    until_started(found, session_id, lambda text: click.echo(shown(text, _LONGEST), err=True))
    return content(ask(found, "GET", f"/sessions/{session_id}"))


def _check_ready(session: Json) -> None:
    """Raise unless the session is ready; what its container last wrote goes to stderr."""
    if session["state"] == "ready":
        return
    failure = session["failure"]
    if not failure:
        raise ControlPlaneError(
            f"The session is {shown(session['state'])}: {shown(session['ends_because'])}."
        )
    _echo_lines(failure["log_tail"], err=True)
    raise ControlPlaneError(shown(failure["message"], _LONGEST))


def _echo_lines(text: str, *, err: bool = False) -> None:
    for line in text.splitlines():
        click.echo(shown(line, _LONGEST) if line.strip() else "", err=err)


def _open(address: str) -> None:
    if not webbrowser.open(address):
        click.echo(f"No browser could be opened; the session is at {address}", err=True)
