"""The verbs `remoteappdb user …`: who may sign in.

Invariant: a password is read from a terminal or from the input, never from the command line.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import click

from control_plane import administration
from control_plane.cli.flags import keep_running, read_password
from control_plane.cli.remoteappdb_grant import GRANT_COLUMNS, grant_row
from control_plane.cli.remoteappdb_open import actor, must_know_realm, opened
from control_plane.cli.tables import Form, joined, listing, show
from control_plane.departures import Departure, HomeAction
from control_plane.domain.entities import Grant, User, UserKind
from control_plane.domain.names import shown
from control_plane.domain.ports import Books
from control_plane.errors import ConflictError, NotFoundError

_COLUMNS = ("name", "kind", "enabled", "admin", "uid", "gid", "groups")


@click.group()
def user() -> None:
    """Who may sign in."""


@user.command()
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(["virtual", "system"]),
    default="virtual",
    help="virtual: known here alone (default). system: an account of this host.",
)
@click.option("--admin", is_flag=True, help="May administer.")
@click.option("--group", "groups", multiple=True, metavar="GROUP", help="Is in it; repeatable.")
@click.pass_context
def create(
    ctx: click.Context, name: str, kind: UserKind, groups: Sequence[str], *, admin: bool
) -> None:
    """Create the user NAME."""
    new = User(name, kind, admin=admin, groups=tuple(sorted(set(groups))))
    administration.create_user(opened(ctx), actor(), new, None)
    click.echo(f"Created the {kind} user {shown(name)}.")


@user.command()
@click.argument("name")
@click.option(
    "--home",
    type=click.Choice(["keep", "archive", "delete"]),
    default="keep",
    help="What becomes of a virtual user's home once nothing uses it: keep (default).",
)
@keep_running
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@click.pass_context
def remove(
    ctx: click.Context, name: str, home: HomeAction, *, keep_running: bool, dry_run: bool
) -> None:
    """Remove NAME, the grants, the password, the sign-ins and the tokens; print what went."""
    if home != "keep":
        must_know_realm(ctx)
    report = administration.remove_user(
        opened(ctx), actor(), name, home=home, keep_running=keep_running, dry_run=dry_run
    )
    click.echo(f"{'Would remove' if dry_run else 'Removed'} the user {shown(name)}.")
    for line in _lines(report, "compute on" if keep_running else "end"):
        click.echo(line)


@user.command("list")
@click.option("--show-apps", is_flag=True, help="One line for each grant that holds for them.")
@listing
@click.pass_context
def list_(ctx: click.Context, form: Form, *, show_apps: bool) -> None:
    """List the users."""
    books = opened(ctx)
    users = books.accounting.users()
    rows = [asdict(one) | {"groups": joined(one.groups, form)} for one in users]
    if show_apps:
        grants = books.accounting.grants()
        held = [_grant_rows(_held(one, grants), form) for one in users]
        rows = [row | grant for row, mine in zip(rows, held, strict=True) for grant in mine]
    show(_COLUMNS + (GRANT_COLUMNS if show_apps else ()), rows, form)


@user.command()
@click.argument("name")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read it from the first line of input.")
@click.pass_context
def password(ctx: click.Context, name: str, *, from_stdin: bool) -> None:
    """Set the password of the virtual user NAME; the sign-ins and the tokens end."""
    books = opened(ctx)
    _must_be_virtual(books, name)
    words = read_password(from_stdin=from_stdin)
    administration.change_user(books, actor(), name, {"password": words}, lambda _: None)
    click.echo(f"Set the password of {shown(name)}.")


@user.command()
@click.argument("name")
@click.pass_context
def enable(ctx: click.Context, name: str) -> None:
    """Let NAME sign in again; what was kept running can be entered again."""
    administration.change_user(opened(ctx), actor(), name, {"enabled": True}, lambda _: None)
    click.echo(f"Enabled the user {shown(name)}.")


@user.command()
@click.argument("name")
@keep_running
@click.pass_context
def disable(ctx: click.Context, name: str, *, keep_running: bool) -> None:
    """Keep NAME out; the sign-ins, the tokens and what runs end."""
    changes = {"enabled": False, "keep_running": keep_running}
    administration.change_user(opened(ctx), actor(), name, changes, lambda _: None)
    click.echo(f"Disabled the user {shown(name)}.")


def _lines(report: Departure, becomes: str) -> Iterable[str]:
    yield f"  grants: {', '.join(report.grants) or 'none'}"
    yield f"  groups: {', '.join(report.groups) or 'none'}"
    yield f"  sign-ins: {report.signins}, tokens: {report.tokens}"
    running = ", ".join(report.sessions)
    yield f"  sessions: {f'{running} ({becomes})' if running else 'none'}"
    yield f"  home: {f'{report.home} ({report.home_action})' if report.home else 'the host has it'}"


def _must_be_virtual(books: Books, name: str) -> None:
    found = books.accounting.user(name)
    if found is None:
        raise NotFoundError(f"There is no user {shown(name)}.")
    if found.kind != "virtual":
        raise ConflictError(f"The password of {shown(name)} is the host's.", "Use passwd.")


def _held(user: User, grants: Iterable[Grant]) -> list[Grant]:
    hats = {("user", user.name), ("everyone", ""), *(("group", one) for one in user.groups)}
    return [one for one in grants if (one.grantee.kind, one.grantee.name) in hats]


def _grant_rows(grants: Sequence[Grant], form: Form) -> list[dict[str, object]]:
    if not grants:
        return [dict.fromkeys(GRANT_COLUMNS)]
    return [grant_row(one, form) for one in grants]
