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
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from control_plane import settings as settings_module
from control_plane.checks.booting import Terms
from control_plane.checks.checking import check as checked
from control_plane.checks.report import Point, Report, Result
from control_plane.cli.flags import application_fields, serving_flags
from control_plane.domain import applications
from control_plane.domain.names import shown
from control_plane.settings import Settings

_UNBROKEN = 10000  # columns, where nobody's window breaks the lines
_LONGEST = 600
_COLOURS: dict[Result, str] = {"pass": "green", "fail": "bold red", "not applicable": "dim"}


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
@click.option("--json", "as_json", is_flag=True, help="JSON, for programs.")
@click.pass_context
def check(
    ctx: click.Context, /, name: str, *, start_timeout: float | None, as_json: bool, **fields: Any
) -> None:
    """Boot IMAGE as the portal would, and say which promises of the contract it keeps.

    The flags are the application's fields, for images that declare nothing. It needs the engine
    of this machine, and no portal. The exit status is 1 when a promise is broken.
    """
    application = applications.parse({"image": name, **application_fields(fields)})
    found = _settings()
    limits, engine = found.limits, found.engine
    terms = Terms(start_timeout or engine.start_timeout, limits.memory, limits.cpus, limits.pids)
    with _ending_in_order():
        report = checked(application, terms, engine.host or None)
    click.echo(render(report, as_json=as_json))
    ctx.exit(1 if report.failed else 0)


def render(report: Report, *, as_json: bool) -> str:
    """Return the report as a table for people, or as JSON for programs."""
    return json.dumps(asdict(report), indent=2) if as_json else _draw(report)


def _settings() -> Settings:
    """Return the portal's settings, or the defaults where no portal is installed."""
    named = os.environ.get("REMOTEAPP_SETTINGS")
    if named or os.access(settings_module.DEFAULT_FILE, os.R_OK):
        return settings_module.load()
    return Settings(public_url="https://localhost")


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Let the first signal end the check; a second must not cut its clearing up short."""

    def end(_number: int, _frame: FrameType | None) -> None:
        for one in before:
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt

    ours = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {one: signal.getsignal(one) for one in ours}
    before = {one: how for one, how in handlers.items() if how is not signal.SIG_IGN}  # nohup's
    for one in before:
        signal.signal(one, end)
    try:
        yield
    finally:
        for one, how in before.items():
            signal.signal(one, how)


def _draw(report: Report) -> str:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("point", no_wrap=True)
    table.add_column("result", no_wrap=True)
    table.add_column("seen, and what to do")
    for point in report.points:
        table.add_row(point.name, Text(point.result, _COLOURS[point.result]), _sentences(point))
    width = None if sys.stdout.isatty() else _UNBROKEN
    console = Console(width=width, markup=False, highlight=False, emoji=False)
    with console.capture() as drawn:
        console.print(f"{shown(report.image, _LONGEST)} ({_KINDS[report.kind]})")
        console.print(table)
        console.print(_sum(report))
    return drawn.get().rstrip("\n")


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
