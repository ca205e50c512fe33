"""The verbs `remoteapprest admin app …`: what there is to run.

Invariant: a variable that a change does not name stays, even if another was changed meanwhile.
"""

from typing import Any

import click
import httpx

from control_plane.cli.flags import (
    application_changes,
    application_fields,
    application_flags,
    change_flags,
)
from control_plane.cli.remoteapprest_portal import (
    Json,
    amend,
    as_json,
    ask,
    content,
    every,
    portal,
    segment,
    tell,
    tell_list,
)
from control_plane.cli.tables import Form, listing
from control_plane.domain.names import shown

_APPLICATIONS = "/admin/applications"
SEE_APPLICATIONS = "See remoteapprest admin app list."
_COLUMNS = ("id", "image", "display_name", "category", "description", "port", "warnings")
_LONGEST = 1000


def application_id(found: httpx.Client, name: str) -> str:
    """Return the id of the application of that image; what is no known image is an id already."""
    known = every(found, _APPLICATIONS, image=name)
    return str(known[0]["id"]) if known else name


@click.group()
def app() -> None:
    """What there is to run."""


@app.command("list")
@click.option("--search", metavar="TEXT", help="A part of the image, the name or the category.")
@listing
@click.pass_context
def list_applications(ctx: click.Context, /, form: Form, search: str) -> None:
    """List the applications."""
    items = every(portal(ctx), _APPLICATIONS, q=search)
    tell_list(_COLUMNS, items, items, form)


@app.command("create")
@click.argument("image")
@application_flags
@as_json
@click.pass_context
def create_application(ctx: click.Context, /, image: str, *, as_json: bool, **fields: Any) -> None:
    """Add the application of an IMAGE."""
    body = {"image": image, **application_fields(fields)}
    made = content(ask(portal(ctx), "POST", _APPLICATIONS, json=body))
    _warn(made)
    tell(made, f"Created the application {shown(image)}.", as_json=as_json)


@app.command("change")
@click.argument("application")
@click.option("--image", help="Another image for it.")
@change_flags
@as_json
@click.pass_context
def change_application(
    ctx: click.Context, /, application: str, *, as_json: bool, **flags: Any
) -> None:
    """Change the APPLICATION of that id or image; what is not named stays."""
    changes, found = application_changes(flags), portal(ctx)

    def change(present: Json) -> Json:
        return changes(present["environment"])

    path = f"{_APPLICATIONS}/{segment(application_id(found, application))}"
    made = amend(found, path, change, hint=SEE_APPLICATIONS)
    _warn(made)
    tell(made, f"Changed the application {shown(made['image'])}.", as_json=as_json)


@app.command("remove")
@click.argument("application")
@as_json
@click.pass_context
def remove_application(ctx: click.Context, /, application: str, *, as_json: bool) -> None:
    """Remove the APPLICATION of that id or image, and its grants."""
    found = portal(ctx)
    known = application_id(found, application)
    ask(found, "DELETE", f"{_APPLICATIONS}/{segment(known)}", hint=SEE_APPLICATIONS)
    removed = {"id": known, "removed": True}
    tell(removed, f"Removed the application {shown(application)}.", as_json=as_json)


def _warn(application: Json) -> None:
    for one in application["warnings"]:
        click.echo(shown(one, _LONGEST), err=True)
