"""The verbs `remoteapprest admin usage`, `audit`, `stats` and `announce`.

Invariant: a CSV reaches a file as the portal sent it, a terminal line by line and escaped.
"""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import httpx

from control_plane.cli.remoteapprest_portal import (
    Json,
    as_json,
    ask,
    checked,
    content,
    every,
    portal,
    tell,
    tell_list,
    tell_one,
    unreachable,
)
from control_plane.cli.tables import Form, listing
from control_plane.domain.names import shown

_USAGE, _AUDIT, _TOLD = "/admin/usage", "/admin/audit", "/admin/announcement"
_FIGURES = ("seconds", "cpu_seconds", "memory_gib_seconds")
_ACT = ("at", "actor", "action", "target", "address", "detail", "change")
_LONGEST = 4000


def _moment(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Return a time in UTC; one without an offset is this machine's."""
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC).isoformat()
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            "must be a time such as 2026-03-01 or 2026-03-01T08:00Z"
        ) from error


_since = click.option("--since", metavar="TIME", callback=_moment, help="From then on.")
_until = click.option("--until", metavar="TIME", callback=_moment, help="Before then.")
_csv = click.option("--csv", "as_csv", is_flag=True, help="CSV, for spreadsheets.")


@click.command()
@click.option(
    "--by", type=click.Choice(["user", "group", "application"]), default="user", show_default=True
)
@_since
@_until
@_csv
@listing
@click.pass_context
def usage(ctx: click.Context, /, form: Form, *, as_csv: bool, **filters: Any) -> None:
    """List what was used: seconds of time, of CPU, and of a GiB of memory."""
    if as_csv:
        _print_csv(portal(ctx), _USAGE, filters)
        return
    items = every(portal(ctx), _USAGE, **filters)
    rows = [{**one, **{name: round(one[name], 1) for name in _FIGURES}} for one in items]
    tell_list(("name", "sessions", *_FIGURES), items, rows, form)


@click.command()
@click.option("--actor", metavar="NAME", help="Who did it.")
@click.option("--action", metavar="WORD", help="What was done, such as user-create.")
@click.option("--target", metavar="TEXT", help="To what it was done.")
@click.option("--words", metavar="TEXT", help="Words that stand somewhere in the act.")
@_since
@_until
@_csv
@listing
@click.pass_context
def audit(ctx: click.Context, /, form: Form, *, as_csv: bool, **filters: Any) -> None:
    """List who did what, the newest first."""
    if as_csv:
        _print_csv(portal(ctx), _AUDIT, filters)
        return
    items = _acts(portal(ctx), filters)
    rows = [{**one, "change": _change(one["before"], one["after"])} for one in items]
    tell_list(_ACT, items, rows, form)


@click.command()
@listing
@click.pass_context
def stats(ctx: click.Context, form: Form) -> None:
    """Show the figures of the portal."""
    told = content(ask(portal(ctx), "GET", "/admin/stats"))
    tell_one(tuple(told), told, form)


@click.command()
@click.argument("text", required=False)
@click.option("--until", metavar="TIME", callback=_moment, help="Until then.")
@click.option("--clear", is_flag=True, help="Take it back.")
@as_json
@click.pass_context
def announce(
    ctx: click.Context,
    /,
    text: str | None,
    until: str | None,
    *,
    clear: bool,
    as_json: bool,
) -> None:
    """Tell everyone TEXT on every page of the portal."""
    if clear == (text is not None) or (clear and until):
        raise click.UsageError("Either TEXT, perhaps with --until, or --clear.")
    if clear:
        ask(portal(ctx), "DELETE", _TOLD)
        tell({"text": "", "until": None}, "Nothing is announced any more.", as_json=as_json)
        return
    told = content(ask(portal(ctx), "PUT", _TOLD, json={"text": text, "until": until}))
    ends = f" until {shown(told['until'])}" if told["until"] else ""
    tell(told, f"Announced{ends}.", as_json=as_json)


def _acts(found: httpx.Client, filters: Json) -> list[Json]:
    """Return the acts up to now: what is written while they are read would move the pages."""
    wanted = {name: value for name, value in filters.items() if value}
    newest = content(ask(found, "GET", _AUDIT, params={**wanted, "limit": 1}))["items"]
    if not newest:
        return []
    until = datetime.fromisoformat(newest[0]["at"]) + timedelta(microseconds=1)
    return every(found, _AUDIT, **{**filters, "until": until.isoformat()})


def _change(before: Json | None, after: Json | None) -> str:
    """Return the fields that differ, each with what it was and is."""
    if before is None or after is None:
        return ""
    names = [name for name in after if before.get(name) != after[name]]
    return ", ".join(f"{name}: {before.get(name)} > {after[name]}" for name in names)


def _print_csv(found: httpx.Client, path: str, filters: Json) -> None:
    wanted = {name: value for name, value in filters.items() if value}
    try:
        with found.stream("GET", path, params={**wanted, "format": "csv"}) as response:
            _pass_on(checked(response))
    except httpx.TransportError as error:
        raise unreachable(found, error) from error


def _pass_on(response: httpx.Response) -> None:
    if sys.stdout.isatty():
        for line in response.iter_lines():
            click.echo(shown(line, _LONGEST) if line else "")
        return
    for chunk in response.iter_bytes():
        click.echo(chunk, nl=False)
