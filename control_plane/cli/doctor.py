"""`control-plane doctor`: what is wrong with this installation, and what to type about it.

Invariant: it needs neither the service, nor the engine, nor the database to run, and no network
but this machine's own.
"""

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from control_plane.doctor import session as trial_session
from control_plane.doctor.examining import NAMES, examine
from control_plane.doctor.findings import Finding, Status
from control_plane.doctor.installation import Installation, Places
from control_plane.domain.names import shown

_PIPED = 120  # columns, where there is no window
_LONGEST = 1000
_COLOURS: dict[Status, str] = {"ok": "green", "warning": "yellow", "failed": "bold red"}
_HELLO = "remoteapp/hello:latest"

Found = Sequence[tuple[str, Finding]]


@click.command()
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([*NAMES, trial_session.NAME]),
    metavar="NAME",
    help=f"This check alone; may be given again. There are {', '.join(NAMES)}.",
)
@click.option(
    "--session",
    "image",
    is_flag=False,
    flag_value=_HELLO,
    metavar="[IMAGE]",
    help=f"Start and stop a session of IMAGE, too. [{_HELLO}]",
)
@click.option("--json", "as_json", is_flag=True, help="JSON, for programs.")
@click.pass_context
def doctor(
    ctx: click.Context, /, *, only: tuple[str, ...], image: str | None, as_json: bool
) -> None:
    """Look at every part of this installation, and say what to do about what is not well.

    Run it as root: some parts nobody else may see. It changes nothing; --session makes a user, a
    grant and a session for some seconds, which the audit log and the ledger remember.

    \b
    Exit status:
      0  nothing has failed; there may be warnings
      1  something has failed
      2  wrong usage
    """  # noqa: D301 - click wants the character
    wanted = (trial_session.check(image or _HELLO),) if _wants_session(image, only) else ()
    with closing(Installation(Places())) as one:
        found = list(examine(one, only, wanted))
    click.echo(render(found, as_json=as_json))
    ctx.exit(1 if any(finding.status == "failed" for _, finding in found) else 0)


def render(found: Found, *, as_json: bool) -> str:
    """Return the findings as a table for people, or as JSON for programs."""
    if as_json:
        return json.dumps([{"name": name, **asdict(one)} for name, one in found], indent=2)
    return _draw(found)


def _wants_session(image: str | None, only: Sequence[str]) -> bool:
    return image is not None or trial_session.NAME in only


def _draw(found: Found) -> str:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("check", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("found, and what to do")
    for name, one in found:
        table.add_row(name, Text(one.status, _COLOURS[one.status]), _sentences(one))
    width = None if sys.stdout.isatty() else _PIPED
    console = Console(width=width, markup=False, highlight=False, emoji=False)
    with console.capture() as drawn:
        console.print(table)
        console.print(_sum(found))
    return "\n".join(line.rstrip() for line in drawn.get().strip("\n").splitlines())


def _sentences(one: Finding) -> str:
    told = shown(one.found, _LONGEST)
    return f"{told}\n-> {shown(one.todo, _LONGEST)}" if one.todo else told


def _sum(found: Found) -> str:
    statuses = [one.status for _, one in found]
    return ", ".join(f"{statuses.count(status)} {status}" for status in _COLOURS)
