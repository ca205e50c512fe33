"""`control-plane image check`: whether an image keeps the contract, by booting it.

Invariant: nothing of it is left, whether it ends by itself, by Ctrl-C or by SIGTERM.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from types import FrameType
from typing import Any, TextIO

import click
from click.exceptions import Exit
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from control_plane import settings as settings_module
from control_plane.adapters import image_check_client
from control_plane.checks.booting import Terms
from control_plane.checks.checking import check as checked
from control_plane.cli.flags import application_fields, serving_flags
from control_plane.domain import applications
from control_plane.domain.containers import Bounds
from control_plane.domain.image_checks import Point, Report, Result
from control_plane.domain.names import shown
from control_plane.errors import NotSupportedError
from control_plane.installed import engine_door, engine_place
from control_plane.settings import Settings

_PIPED = 120  # columns, where there is no window
_SIGNALLED = 128  # and its number, as shells have it
_LONGEST = 600
_COLOURS: dict[Result, str] = {
    "pass": "green",
    "fail": "bold red",
    "not applicable": "dim",
    "not looked at": "dim",
}


@click.group()
def image() -> None:
    """Look at images."""


@image.command("check")
@click.argument("name", metavar="IMAGE")
@serving_flags
@click.option(
    "--start-timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="How long it may take to be ready. [default: the setting's]",
)
@click.option(
    "--fields",
    "file",
    type=click.File(),
    metavar="FILE",
    help="More of these fields, as a JSON object; - is standard input.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON, for programs.")
@click.pass_context
def check(
    ctx: click.Context,
    /,
    name: str,
    *,
    start_timeout: float | None,
    file: TextIO | None,
    as_json: bool,
    **fields: Any,
) -> None:
    """Boot IMAGE as the portal would, and say which promises of the contract it keeps.

    The flags are the application's fields, for images that declare nothing. It needs the engine
    of this machine, and no portal.

    \b
    Exit status:
      0    it keeps every promise
      1    a promise is broken, or the image is not on this machine
      2    wrong usage or settings
      4    the engine does not answer
      130  ended by Ctrl-C (143: by SIGTERM)
    """  # noqa: D301 - click wants the character
    given = {**_read(file), **application_fields(fields), "image": name}
    application = applications.parse(given)
    found = _settings()
    limits, engine = found.limits, found.engine
    place = engine_place(found)
    if place.elsewhere:
        raise NotSupportedError(
            f"The engine is on another machine: {place.host}.", "Check the image there."
        )
    seconds = start_timeout or engine.start_timeout
    bounds = Bounds(limits.open_files, limits.disk)
    terms = Terms(seconds, limits.memory, limits.cpus, limits.pids, bounds)
    with _ending_in_order():
        if door := engine_door():
            report = image_check_client.check(door, application, seconds)
        else:
            report = checked(application, terms, place, _tell)
    click.echo(render(report, as_json=as_json))
    ctx.exit(1 if report.failed else 0)


def render(report: Report, *, as_json: bool) -> str:
    """Return the report as a table for people, or as JSON for programs."""
    return json.dumps(asdict(report), indent=2) if as_json else _draw(report)


def _read(file: TextIO | None) -> dict[str, Any]:
    """Return the fields of an application in a file; UsageError."""
    try:
        found = json.load(file) if file else {}
    except ValueError as error:
        raise click.BadParameter(f"is no JSON: {error}", param_hint="--fields") from error
    if not isinstance(found, dict):
        raise click.BadParameter("must be a JSON object", param_hint="--fields")
    return found


def _tell(sentence: str) -> None:
    """Tell who watches, and nobody else, that it takes a while."""
    if sys.stderr.isatty():
        click.echo(sentence, err=True)


def _settings() -> Settings:
    """Return the portal's settings, or the defaults where no portal is installed."""
    named = os.environ.get("REMOTEAPP_SETTINGS")
    if named or os.access(settings_module.DEFAULT_FILE, os.R_OK):
        return settings_module.load()
    return Settings(public_url="https://localhost")


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Let the first signal end the check; a second must not cut its clearing up short."""
    caught: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        for one in before:
            signal.signal(one, signal.SIG_IGN)
        caught.append(number)
        raise KeyboardInterrupt

    ours = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {one: signal.getsignal(one) for one in ours}
    before = {one: how for one, how in handlers.items() if how is not signal.SIG_IGN}  # nohup's
    for one in before:
        signal.signal(one, end)
    try:
        yield
    except KeyboardInterrupt:
        click.echo("\nAborted!", err=True)
        raise Exit(_SIGNALLED + caught[0]) from None
    finally:
        for one, how in before.items():
            signal.signal(one, how)


def _draw(report: Report) -> str:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("point", no_wrap=True)
    table.add_column("result", no_wrap=True)
    table.add_column("seen, and what to do")
    for name, result, sentences in _rows(report):
        table.add_row(name, Text(result, _COLOURS[result]), sentences)
    width = None if sys.stdout.isatty() else _PIPED
    console = Console(width=width, markup=False, highlight=False, emoji=False)
    with console.capture() as drawn:
        console.print(f"{shown(report.image, _LONGEST)} ({_KINDS[report.kind]})", soft_wrap=True)
        console.print(table)
        console.print(_sum(report))
    return "\n".join(line.rstrip() for line in drawn.get().rstrip("\n").splitlines())


def _rows(report: Report) -> Iterator[tuple[str, Result, str]]:
    """Give a row for each point, and one for all that were not looked at for the same reason."""
    left: dict[str, list[str]] = {}
    for point in report.points:
        if point.result == "not looked at":
            left.setdefault(point.seen, []).append(point.name)
        else:
            yield point.name, point.result, _sentences(point)
    for why, names in left.items():
        yield "others", "not looked at", f"{', '.join(names)}: {why}"


def _sentences(point: Point) -> str:
    seen = shown(point.seen, _LONGEST)
    return f"{seen}\n-> {shown(point.todo, _LONGEST)}" if point.todo else seen


def _sum(report: Report) -> str:
    results = [one.result for one in report.points]
    return ", ".join(f"{results.count(one)} {one}" for one in _COLOURS)


_KINDS = {
    "contract": "made for our contract",
    "older": "an older image, made for simphony-remote",
    "foreign": "a foreign image, without labels of ours",
}
