"""The flags by which people write applications, policies and passwords.

Invariant: what no flag names is not among the fields, and a password is never a word of a command.
"""

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from control_plane.domain.applications import RUN_AS
from control_plane.domain.names import shown
from control_plane.domain.policy_fields import NETWORKS, SHARES, seconds_of
from control_plane.errors import NotFoundError

F = TypeVar("F", bound=Callable[..., Any])
Variables = Mapping[str, str]

keep_running = click.option(
    "--keep-running", is_flag=True, help="What runs computes on, and nobody can enter it."
)


def application_flags(verb: F) -> F:
    """Give a verb one flag for each field of an application but its image."""
    return _with(_APPLICATION, verb)


def serving_flags(verb: F) -> F:
    """Give a verb the flags of an application for images that declare nothing."""
    return _with(_SERVING, verb)


def change_flags(verb: F) -> F:
    """Give a verb the flags that change an application, all but its image."""
    return _with((*_APPLICATION, *_FORGETTING), verb)


def policy_flags(verb: F) -> F:
    """Give a verb one flag for each field of a policy."""
    return _with(_POLICY, verb)


def application_fields(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an application that were typed."""
    return {name: value for name, value in flags.items() if value not in (None, {})}


def application_changes(flags: Mapping[str, Any]) -> Callable[[Variables], dict[str, Any]]:
    """Return what tells the changed fields of an application by the variables that it has.

    UsageError where nothing was typed; NotFoundError for a variable to forget that it has not.
    """
    typed = dict(flags)
    port = {"port": None} if typed.pop("no_port") else {}
    forgotten: Sequence[str] = typed.pop("no_env")
    fields = application_fields(typed) | port
    if not (fields or forgotten):
        raise click.UsageError("Nothing to change was named.")

    def changes(present: Variables) -> dict[str, Any]:
        if not (forgotten or typed["environment"]):
            return fields
        variables = _without(present, forgotten) | typed["environment"]
        return {**fields, "environment": variables}

    return changes


def policy_fields(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a policy that were typed."""
    fields = {name: value for name, value in flags.items() if value not in (None, ())}
    if fields.pop("allow_view") and fields.setdefault("share", "view") != "view":
        raise click.UsageError("--allow-view means --share view.")
    return fields


def read_password(*, from_stdin: bool) -> str:
    """Return the first line of standard input, or what is typed twice at the terminal."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask on: use --stdin.")
    words = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return str(words)


def _with(flags: Sequence[Callable[[F], F]], verb: F) -> F:
    for flag in reversed(flags):
        verb = flag(verb)
    return verb


def _without(variables: Variables, names: Sequence[str]) -> dict[str, str]:
    if unknown := sorted(set(names) - set(variables)):
        words = ", ".join(shown(one) for one in unknown)
        raise NotFoundError(f"The application has no variable {words}.")
    return {name: text for name, text in variables.items() if name not in names}


def _words(_ctx: click.Context, _param: click.Parameter, text: str | None) -> list[str] | None:
    try:
        return None if text is None else shlex.split(text)
    except ValueError as error:
        raise click.BadParameter(f"cannot be taken apart: {error}") from error


def _variables(
    _ctx: click.Context, _param: click.Parameter, texts: Sequence[str]
) -> dict[str, str]:
    pairs = [one.partition("=") for one in texts]
    if not all(name and sign for name, sign, _ in pairs):
        raise click.BadParameter("must be NAME=VALUE")
    return {name: text for name, _, text in pairs}


def _seconds(_ctx: click.Context, _param: click.Parameter, text: str | None) -> int | None:
    """Return a time such as 3600, 90m, 8h or 2d in seconds."""
    if text is None:
        return None
    seconds = seconds_of(text)
    if seconds is None:
        raise click.BadParameter(f"{shown(text)} is not a time such as 3600, 90m, 8h or 2d")
    return seconds


def _licence(_ctx: click.Context, _param: click.Parameter, text: str | None) -> str | None:
    return sys.stdin.readline().rstrip("\r\n") if text == "-" else text


_SHOWING = (
    click.option("--display-name", metavar="TEXT", help="Its name in the catalogue."),
    click.option("--description", metavar="TEXT", help="What it is for."),
    click.option("--category", metavar="TEXT", help="Where in the catalogue it stands."),
)
_SERVING = (
    click.option("--port", type=int, help="Where it serves HTTP."),
    click.option(
        "--command", metavar="WORDS", callback=_words, help="What to run, as one types it."
    ),
    click.option(
        "--env",
        "environment",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_variables,
        help="A variable; repeatable.",
    ),
    click.option("--ready-path", metavar="PATH", help="A path that answers 2xx once usable."),
    click.option(
        "--strip-path/--no-strip-path",
        default=None,
        help="It sees the path below the session's: for what knows no base path.",
    ),
    click.option(
        "--run-as", type=click.Choice(RUN_AS), help="Whom an image without our labels starts as."
    ),
)
_APPLICATION = (*_SHOWING, *_SERVING)
_FORGETTING = (
    click.option("--no-port", is_flag=True, help="Where it serves is what the image says."),
    click.option("--no-env", multiple=True, metavar="NAME", help="Forget a variable; repeatable."),
)
_POLICY = (
    click.option(
        "--allow-home/--no-allow-home", default=None, help="Mount the home at /workspace."
    ),
    click.option(
        "--volume",
        "volumes",
        multiple=True,
        metavar="SOURCE:TARGET:MODE",
        help="Mount a directory or file of the host, ro or rw; repeatable.",
    ),
    click.option(
        "--allow-startup-data/--no-allow-startup-data",
        default=None,
        help="A start may name a file to open.",
    ),
    click.option(
        "--app-license",
        "--app_license",
        "app_license",
        metavar="TEXT",
        callback=_licence,
        help="As APP_LICENSE, for the container alone; - reads it from standard input.",
    ),
    click.option("--allow-view", is_flag=True, help="The same as --share view."),
    click.option("--share", type=click.Choice(SHARES), help="Who shares may do what."),
    click.option("--memory", metavar="SIZE", help="Such as 512m or 2g."),
    click.option("--cpus", type=float, help="How many processors' worth, such as 0.5."),
    click.option("--pids", type=int, help="How many processes and threads."),
    click.option("--network", type=click.Choice(NETWORKS), help="What it reaches."),
    click.option("--max-sessions", type=int, help="How many of it at once."),
    click.option(
        "--max-lifetime",
        metavar="TIME",
        callback=_seconds,
        help="How long it runs, such as 90m or 8h; 0: no end.",
    ),
    click.option(
        "--legacy-home/--no-legacy-home",
        default=None,
        help="An image that starts as root gets the real home and writable volumes: a risk.",
    ),
)
