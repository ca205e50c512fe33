"""The verbs `remoteappdb app …`: what there is to run, and who may run it.

Invariant: a flag that this version does not enforce is refused, never stored.
"""

import re
import secrets
import shlex
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

import click

from control_plane.cli.remoteappdb_open import check_image, opened
from control_plane.cli.tables import Form, listing, show
from control_plane.domain import policy
from control_plane.domain.entities import Application, Policy
from control_plane.domain.names import shown
from control_plane.errors import FieldError, InvalidError, NotFoundError

F = TypeVar("F", bound=Callable[..., Any])
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=([^\0]*)", re.ASCII | re.DOTALL)
_COLUMNS = (
    "image",
    "display_name",
    "category",
    "description",
    "port",
    "command",
    "environment",
    "ready_path",
    "id",
)


def policy_flags(verb: F) -> F:
    """Give a verb one flag for each field of the policy, present and later."""
    for flag in reversed((*_FLAGS, *_LATER)):
        verb = flag(verb)
    return verb


_FLAGS = (
    click.option("--allow-home", is_flag=True, default=None, help="Mount the home at /workspace."),
    click.option("--allow-view", is_flag=True, default=None, help="The same as --share view."),
    click.option("--share", type=click.Choice(policy.SHARES), help="Who shares may do what."),
    click.option("--memory", metavar="SIZE", help="Such as 512m or 2g."),
    click.option("--cpus", type=float, help="How many processors' worth, such as 0.5."),
    click.option("--pids", type=int, help="How many processes and threads."),
    click.option("--max-sessions", type=int, help="How many of it at once."),
)
_LATER = (
    click.option("--volume", "volumes", multiple=True, hidden=True),
    click.option("--app-license", "--app_license", "app_license", hidden=True),
    click.option("--allow-startup-data", is_flag=True, default=None, hidden=True),
    click.option("--network", hidden=True),
    click.option("--max-lifetime", hidden=True),
    click.option("--legacy-home", is_flag=True, default=None, hidden=True),
    click.option("--gpus", hidden=True),
    click.option("--idle-timeout", hidden=True),
    click.option("--idle-action", hidden=True),
)


@click.group()
def app() -> None:
    """What there is to run, and who may run it."""


@app.command()
@click.argument("image")
@click.option("--verify/--no-verify", default=True, help="See that the engine has the image.")
@click.option("--display-name", default="", help="Its name in the catalogue.")
@click.option("--description", default="", help="What it is for.")
@click.option("--category", default="", help="Where in the catalogue it stands.")
@click.option("--port", type=click.IntRange(1, 65535), help="Where it serves HTTP.")
@click.option("--command", default="", help="What to run, as one would type it in a shell.")
@click.option("--env", multiple=True, metavar="NAME=VALUE", help="A variable; repeatable.")
@click.option("--ready-path", default="", help="A path that answers 2xx when it is usable.")
@click.pass_context
def create(
    ctx: click.Context, /, image: str, *, verify: bool, env: list[str], **fields: Any
) -> None:
    """Add the application of an IMAGE."""
    made = _application(image, env, **fields)
    if verify:
        check_image(ctx, image)
    books = opened(ctx)
    books.accounting.add_application(made)
    books.note("application-create", image)
    click.echo(f"Created the application {shown(image)}.")


@app.command("list")
@listing
@click.pass_context
def list_(ctx: click.Context, form: Form) -> None:
    """List the applications."""
    rows = [asdict(one) for one in opened(ctx).accounting.applications()]
    show(_COLUMNS, rows, form)


@app.command()
@click.argument("image")
@click.pass_context
def remove(ctx: click.Context, image: str) -> None:
    """Remove the application of IMAGE and its grants."""
    books = opened(ctx)
    books.accounting.remove_application(image)
    books.note("application-remove", image)
    click.echo(f"Removed the application {shown(image)}.")


@app.command()
@click.argument("image")
@click.argument("user")
@policy_flags
@click.pass_context
def grant(ctx: click.Context, /, image: str, user: str, **flags: Any) -> None:
    """Let USER run the application of IMAGE; print the grant's id."""
    allowed = _policy(flags)
    books = opened(ctx)
    made = books.accounting.add_grant(image, user, allowed)
    books.note("grant", made.id, f"{image} to {user}: {_words(allowed)}")
    click.echo(made.id)


@app.command()
@click.argument("image")
@click.argument("user")
@click.option("--revoke-all", is_flag=True, help="Whatever the policy.")
@policy_flags
@click.pass_context
def revoke(ctx: click.Context, /, image: str, user: str, *, revoke_all: bool, **flags: Any) -> None:
    """Take back what was granted to USER with just these options."""
    allowed = _policy(flags)
    if revoke_all and allowed != Policy():
        raise click.UsageError("--revoke-all takes no option of the policy.")
    books = opened(ctx)
    count = books.accounting.revoke(image, user, None if revoke_all else allowed)
    if not count:
        raise NotFoundError(
            f"No such grant of {shown(image)} to {shown(user)}.",
            "See remoteappdb user list --show-apps, or use --revoke-all.",
        )
    books.note("revoke", image, f"from {user}: {'all' if revoke_all else _words(allowed)}")
    click.echo(f"Revoked {count} of {shown(user)}.")


def _policy(flags: dict[str, Any]) -> Policy:
    fields = {name: value for name, value in flags.items() if value not in (None, ())}
    if fields.pop("allow_view", False) and fields.setdefault("share", "view") != "view":
        raise click.UsageError("--allow-view means --share view.")
    return policy.parse(fields)


def _application(image: str, env: list[str], command: str, **fields: Any) -> Application:
    problems = [] if _IMAGE.fullmatch(image) else [FieldError("image", "is not a name of an image")]
    variables = [_VARIABLE.fullmatch(one) for one in env]
    if not all(variables):
        problems.append(FieldError("env", "must be NAME=VALUE"))
    try:
        words = shlex.split(command)
    except ValueError as error:
        problems.append(FieldError("command", str(error)))
    if problems:
        raise InvalidError(f"The application of {shown(image)} is refused.", problems)
    return Application(
        id=secrets.token_hex(16),
        image=image,
        command=tuple(words),
        environment={one[1]: one[2] for one in variables if one},
        **fields,
    )


def _words(allowed: Policy) -> str:
    return ", ".join(f"{name}={value}" for name, value in asdict(allowed).items() if value)
