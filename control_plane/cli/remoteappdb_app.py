"""The verbs `remoteappdb app …`: what there is to run.

Invariant: an application is named by its image, of which there is one application; a variable that
a change does not name stays, even if another was changed meanwhile.
"""

from dataclasses import asdict
from typing import Any

import click

from control_plane import administration
from control_plane.cli.flags import (
    application_changes,
    application_fields,
    application_flags,
    change_flags,
)
from control_plane.cli.remoteappdb_grant import GRANT_COLUMNS, application_of, grant_row
from control_plane.cli.remoteappdb_open import actor, caution, check_image, opened, verify_flag
from control_plane.cli.tables import Form, listing, show
from control_plane.domain import applications, cautions
from control_plane.domain.entities import Application
from control_plane.domain.names import shown

_COLUMNS = (
    "image",
    "display_name",
    "category",
    "description",
    "port",
    "command",
    "environment",
    "ready_path",
    "strip_path",
    "run_as",
    "id",
)


@click.group()
def app() -> None:
    """What there is to run, and who may run it."""


@app.command()
@click.argument("image")
@verify_flag
@application_flags
@click.pass_context
def create(ctx: click.Context, /, image: str, *, verify: bool, **flags: Any) -> None:
    """Add the application of an IMAGE."""
    made = applications.parse({"image": image, **application_fields(flags)})
    found = check_image(ctx, image) if verify else None
    administration.create_application(opened(ctx), actor(), made)
    click.echo(f"Created the application {shown(image)}.")
    caution(cautions.of_application(made, found, opened(ctx).site.origins.mode))


@app.command()
@click.argument("image")
@click.option("--image", "new_image", metavar="IMAGE", help="Run this image from now on.")
@verify_flag
@change_flags
@click.pass_context
def change(
    ctx: click.Context, /, image: str, new_image: str | None, *, verify: bool, **flags: Any
) -> None:
    """Change the application of IMAGE; what is not named stays. Its grants stay."""
    changes, books = application_changes({"image": new_image, **flags}), opened(ctx)
    found = application_of(books, image)
    running = check_image(ctx, new_image) if new_image is not None and verify else None
    fields: dict[str, Any] = {}

    def fill(present: Application) -> None:
        # Within the transaction: nobody sets a variable between this look and the change.
        fields.update(changes(present.environment))

    changed = administration.change_application(books, actor(), found.id, fields, fill)
    click.echo(f"Changed the application {shown(image)}.")
    caution(cautions.of_application(changed, running, books.site.origins.mode))


@app.command("list")
@click.option("--show-grants", is_flag=True, help="One line for each grant.")
@listing
@click.pass_context
def list_(ctx: click.Context, form: Form, *, show_grants: bool) -> None:
    """List the applications."""
    accounting = opened(ctx).accounting
    if show_grants:
        show(GRANT_COLUMNS, [grant_row(one, form) for one in accounting.grants()], form)
    else:
        show(_COLUMNS, [asdict(one) for one in accounting.applications()], form)


@app.command()
@click.argument("image")
@click.pass_context
def remove(ctx: click.Context, image: str) -> None:
    """Remove the application of IMAGE and its grants."""
    books = opened(ctx)
    administration.remove_application(books, actor(), application_of(books, image).id)
    click.echo(f"Removed the application {shown(image)}.")
