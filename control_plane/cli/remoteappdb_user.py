"""The verbs `remoteappdb user …`: who may sign in.

Invariant: a name belongs to one kind, and whoever had a name before leaves nothing to the next.
"""

import sys
from dataclasses import asdict, replace

import click

from control_plane.cli.remoteappdb_open import Books, opened
from control_plane.cli.tables import Form, listing, show
from control_plane.domain.entities import User, UserKind
from control_plane.domain.names import check_virtual_name, shown
from control_plane.errors import ConflictError, FieldError, InvalidError, NotFoundError

PASSWORD_LENGTH = (8, 1024)
_COLUMNS = ("name", "kind", "enabled", "admin", "uid", "gid")
_POLICY_COLUMNS = ("allow_home", "share", "memory", "cpus", "pids", "max_sessions")
_GRANT_COLUMNS = ("image", "grant_id", *_POLICY_COLUMNS)


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
@click.pass_context
def create(ctx: click.Context, name: str, kind: UserKind, *, admin: bool) -> None:
    """Create the user NAME."""
    if kind == "virtual":
        check_virtual_name(name)
    books = opened(ctx)
    if books.accounting.user(name):
        raise ConflictError(f"There is a user {shown(name)} already.")
    made = _virtual(books, name) if kind == "virtual" else _system(books, name)
    books.accounting.add_user(replace(made, admin=admin))
    books.note("user-create", name, f"{kind}, administrator" if admin else kind)
    click.echo(f"Created the {kind} user {shown(name)}.")


@user.command()
@click.argument("name")
@click.pass_context
def remove(ctx: click.Context, name: str) -> None:
    """Remove NAME, the grants, the password, the sign-ins and the tokens; the home stays."""
    books = opened(ctx)
    _found(books, name)
    # The password goes first: a crash in between must not leave it to the next of that name.
    books.records.forget_user(name)
    books.accounting.remove_user(name)
    books.note("user-remove", name)
    click.echo(f"Removed the user {shown(name)}.")


@user.command("list")
@click.option("--show-apps", is_flag=True, help="One line for each grant.")
@listing
@click.pass_context
def list_(ctx: click.Context, form: Form, *, show_apps: bool) -> None:
    """List the users."""
    books = opened(ctx)
    rows = [asdict(one) for one in books.accounting.users()]
    if show_apps:
        rows = [row | grant for row in rows for grant in _grants(books, row["name"])]
    show(_COLUMNS + (_GRANT_COLUMNS if show_apps else ()), rows, form)


@user.command()
@click.argument("name")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read it from the first line of input.")
@click.pass_context
def password(ctx: click.Context, name: str, *, from_stdin: bool) -> None:
    """Set the password of the virtual user NAME; the sign-ins end."""
    books = opened(ctx)
    if _found(books, name).kind != "virtual":
        raise ConflictError(f"The password of {shown(name)} is the host's.", "Use passwd.")
    words = _read_password(from_stdin=from_stdin)
    books.records.set_password(name, books.passwords.hash(words))
    books.records.end_signins(name)
    books.note("password", name)
    click.echo(f"Set the password of {shown(name)}.")


@user.command()
@click.argument("name")
@click.pass_context
def enable(ctx: click.Context, name: str) -> None:
    """Let NAME sign in again."""
    books = opened(ctx)
    books.accounting.change_user(replace(_found(books, name), enabled=True))
    books.note("user-enable", name)
    click.echo(f"Enabled the user {shown(name)}.")


@user.command()
@click.argument("name")
@click.pass_context
def disable(ctx: click.Context, name: str) -> None:
    """Keep NAME out; the sign-ins end."""
    books = opened(ctx)
    books.accounting.change_user(replace(_found(books, name), enabled=False))
    books.records.end_signins(name)
    books.note("user-disable", name)
    click.echo(f"Disabled the user {shown(name)}.")


def _virtual(books: Books, name: str) -> User:
    if books.host.knows_name(name):
        raise ConflictError(
            f"This host has an account {shown(name)}.",
            "Choose another name, or create it with --kind system.",
        )
    books.records.forget_user(name)
    uid = books.accounting.next_uid(*books.virtual_uids, books.host.knows_uid)
    return User(name, "virtual", uid=uid, gid=uid)


def _system(books: Books, name: str) -> User:
    if books.host.person(name):
        return User(name, "system")
    if books.host.knows_name(name):
        raise ConflictError(
            f"The account {shown(name)} is one of the system's own and never signs in.",
            "Choose an account whose uid is UID_MIN of /etc/login.defs or more.",
        )
    raise NotFoundError(
        f"This host has no account {shown(name)}.",
        "Make it with useradd, or create a virtual user.",
    )


def _found(books: Books, name: str) -> User:
    found = books.accounting.user(name)
    if found is None:
        raise NotFoundError(f"There is no user {shown(name)}.", "See remoteappdb user list.")
    return found


def _grants(books: Books, name: str) -> list[dict[str, object]]:
    grants = books.accounting.grants_of(name)
    if not grants:
        return [dict.fromkeys(_GRANT_COLUMNS)]
    return [
        {"image": one.application.image, "grant_id": one.id, **asdict(one.policy)} for one in grants
    ]


def _read_password(*, from_stdin: bool) -> str:
    if from_stdin:
        words = sys.stdin.readline().rstrip("\r\n")
    elif not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask on: use --stdin.")
    else:
        words = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    least, most = PASSWORD_LENGTH
    if not least <= len(words) <= most:
        problem = FieldError("password", f"must have {least} to {most} characters")
        raise InvalidError("The password was not changed.", [problem])
    return words
