"""The verbs `remoteappdb app grant` and `app revoke`: who may run what, under which policy.

Invariant: a flag that this version does not enforce is refused, never stored; a licence is never
printed.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from control_plane import administration
from control_plane.cli.flags import keep_running, policy_fields, policy_flags
from control_plane.cli.remoteappdb_open import actor, caution, check_image, opened, verify_flag
from control_plane.cli.tables import Form, joined
from control_plane.domain import cautions, labels, policy
from control_plane.domain.entities import Application, Grant, Grantee, Policy
from control_plane.domain.names import shown
from control_plane.domain.policy_fields import CHECKS
from control_plane.domain.ports import Books
from control_plane.errors import NotFoundError

F = TypeVar("F", bound=Callable[..., Any])
GRANT_COLUMNS = (
    *("image", "grant_id", "granted_to"),
    *("has_app_license" if name == "app_license" else name for name in CHECKS),
)
_LATER = (
    click.option("--gpus", hidden=True),
    click.option("--idle-timeout", hidden=True),
    click.option("--idle-action", hidden=True),
)
_WHOM = (
    click.argument("image"),
    click.argument("user", required=False),
    click.option("--group", metavar="GROUP", help="Everyone in that group, instead of a USER."),
    click.option("--everyone", is_flag=True, help="Every user, instead of a USER."),
)


def _flags(*flags: Callable[[F], F]) -> Callable[[F], F]:
    def given(verb: F) -> F:
        for flag in reversed(flags):
            verb = flag(verb)
        return verb

    return given


@click.command()
@_flags(*_WHOM)
@verify_flag
@policy_flags
@_flags(*_LATER)
@click.pass_context
def grant(  # noqa: PLR0913 - whom, of what
    ctx: click.Context,
    /,
    image: str,
    user: str | None,
    group: str | None,
    *,
    everyone: bool,
    verify: bool,
    **flags: Any,
) -> None:
    """Let USER, a group or everyone run the application of IMAGE; print the grant's id."""
    grantee = _grantee(user, group, everyone=everyone)
    allowed, books = policy.parse(policy_fields(flags)), opened(ctx)
    application = application_of(books, image)
    found = check_image(ctx, image) if verify else None
    made = administration.grant(books, actor(), grantee, application.id, allowed)
    click.echo(made.id)
    bars = labels.problems(found) if found else ()
    caution([*bars, *cautions.of_policy(allowed, application, found, books.site.reach)])


@click.command()
@_flags(*_WHOM)
@click.option("--revoke-all", is_flag=True, help="Whatever the policy.")
@keep_running
@policy_flags
@_flags(*_LATER)
@click.pass_context
def revoke(  # noqa: PLR0913 - whom, of what, and what becomes of what runs
    ctx: click.Context,
    /,
    image: str,
    user: str | None,
    group: str | None,
    *,
    everyone: bool,
    revoke_all: bool,
    keep_running: bool,
    **flags: Any,
) -> None:
    """Take back what was granted with just these options."""
    grantee = _grantee(user, group, everyone=everyone)
    allowed = policy.parse(policy_fields(flags))
    if revoke_all and allowed != Policy():
        raise click.UsageError("--revoke-all takes no option of the policy.")
    books = opened(ctx)
    found = _granted(books, image, grantee)
    ids = [one.id for one in found if revoke_all or one.policy == allowed]
    if not ids:
        raise NotFoundError(
            f"No such grant of {shown(image)} to {shown(str(grantee))}.",
            "See remoteappdb app list --show-grants, or use --revoke-all.",
        )
    count = administration.revoke(books, actor(), ids, keep_running=keep_running)
    click.echo(f"Revoked {count} of {shown(str(grantee))}.")


def application_of(books: Books, image: str) -> Application:
    """Return the application of an image; NotFoundError."""
    for one in books.accounting.applications():
        if one.image == image:
            return one
    raise NotFoundError(
        f"There is no application of the image {shown(image)}.", "See remoteappdb app list."
    )


def grant_row(held: Grant, form: Form) -> dict[str, object]:
    """Return the columns of a grant; of a licence only whether there is one."""
    fields = policy.as_fields(held.policy)
    fields["has_app_license"] = bool(fields.pop("app_license"))
    return {
        "image": held.application.image,
        "grant_id": held.id,
        "granted_to": str(held.grantee),
        **fields,
        "volumes": joined(fields["volumes"], form),
    }


def _granted(books: Books, image: str, grantee: Grantee) -> list[Grant]:
    return [
        one
        for one in books.accounting.grants()
        if one.grantee == grantee and one.application.image == image
    ]


def _grantee(user: str | None, group: str | None, *, everyone: bool) -> Grantee:
    if [user is not None, group is not None, everyone].count(True) != 1:
        raise click.UsageError("Name one of USER, --group GROUP and --everyone.")
    if user is not None:
        return Grantee("user", user)
    return Grantee("everyone") if group is None else Grantee("group", group)
