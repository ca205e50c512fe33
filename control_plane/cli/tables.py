"""Lists of things: a table for people, words between tabs for scripts, JSON for programs.

Invariant: a hostile value never reaches a terminal unescaped.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import click
from rich import box
from rich.console import Console
from rich.table import Table

from control_plane.domain.names import shown

Form = Literal["table", "plain", "json"]
F = TypeVar("F", bound=Callable[..., Any])
_LONGEST = 2000
_UNBROKEN = 10000  # columns, where nobody's window breaks the lines


def listing(verb: F) -> F:
    """Give a verb the parameter `form` and the flags that choose it."""
    plain = click.option(
        "--no-decoration", "form", flag_value="plain", help="Only words, between tabs."
    )
    as_json = click.option("--json", "form", flag_value="json", help="JSON, for programs.")
    table = click.option("--table", "form", flag_value="table", default=True, hidden=True)
    return plain(as_json(table(verb)))


def show(columns: Sequence[str], rows: Sequence[Mapping[str, object]], form: Form) -> None:
    """Print the rows; each has a value for each of the columns."""
    if form == "json":
        click.echo(json.dumps([{name: row[name] for name in columns} for row in rows], indent=2))
        return
    words = [[_word(row[name]) for name in columns] for row in rows]
    if form == "plain":
        for line in words:
            click.echo("\t".join(line))
    else:
        _draw(columns, words)


def joined(words: Sequence[str], form: Form) -> object:
    """Return a list of words as one word, except for programs."""
    return list(words) if form == "json" else ", ".join(words)


def _draw(columns: Sequence[str], words: Sequence[Sequence[str]]) -> None:
    table = Table(*(name.replace("_", " ") for name in columns), box=box.SIMPLE_HEAD)
    for line in words:
        table.add_row(*line)
    width = None if sys.stdout.isatty() else _UNBROKEN
    Console(width=width, markup=False, highlight=False, emoji=False).print(table)


def _word(value: object) -> str:
    if value is None or value in ("", [], {}):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else json.dumps(value)
    return shown(text, _LONGEST)
