"""The engine's images: what there is and who uses it, pull, take in an archive, remove.

Invariant: nothing that is used is removed, and an archive never passes through a form: its browser
sends it as it is to the API, which hands it on as it comes.
"""

from collections.abc import Sequence
from typing import cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from control_plane import images
from control_plane.domain import labels
from control_plane.errors import NotFoundError
from control_plane.images import Entry
from control_plane.web import admin_images, forms, lists, words
from control_plane.web.admin_pages import entry
from control_plane.web.admin_pages.pulls import Pulls
from control_plane.web.forms import Field, Form
from control_plane.web.lists import Column

LIST = "/admin/images"
PULL = (
    Field(
        "name",
        "Image",
        hint="Such as quay.io/jupyter/base-notebook:latest; without a tag it is latest.",
        optional=False,
    ),
)
_NAMED = (Field("name", ""),)


def kind(one: Entry) -> str:
    """Return what an image was made for, in words."""
    if labels.kind(one.image) == "foreign":
        return "Foreign"
    told = words.KINDS[labels.app_type(one.image)]
    return told if labels.kind(one.image) == "contract" else f"{told} of simphony-remote"


COLUMNS: tuple[Column[Entry], ...] = (
    Column("name", "Image", lambda one: one.image.name),
    Column("kind", "Kind", kind),
    Column("size", "Size", lambda one: one.image.size),
    Column(
        "created",
        "Created",
        lambda one: one.image.created_at.timestamp() if one.image.created_at else 0,
    ),
    Column("used", "Used by", lambda one: (len(one.applications), len(one.sessions))),
)


async def listed(request: Request) -> Response:
    """GET /admin/images?use=used|unused."""
    return await run_in_threadpool(_listed, entry.look(request), Form(PULL))


async def pull(request: Request) -> Response:
    """POST /admin/images: begin to pull; the list shows how far it is."""
    visit, form = entry.change(request), await forms.sent(request, PULL)

    def act() -> None:
        name = entry.content_of(admin_images.PullImage, form).name
        _pulls(visit).begin(visit.plane, visit.actor, name)

    form = await entry.attempt(visit, form, act)
    if form.refused:
        return await run_in_threadpool(_listed, visit, form)
    return entry.leads_to(LIST, "pulling")


async def leaving(request: Request) -> Response:
    """GET /admin/images/remove?name=: what cannot be started any more, before it is so."""
    visit = entry.look(request)
    name = request.query_params.get("name", "")
    return await run_in_threadpool(_leaving, visit, name, Form(()))


async def remove(request: Request) -> Response:
    """POST /admin/images/remove: 422 with the page while something uses it."""
    visit, form = entry.change(request), await forms.sent(request, _NAMED)
    name = form.text("name")
    form = await entry.attempt(visit, form, lambda: images.remove(visit.plane, visit.actor, name))
    if form.refused:
        return await run_in_threadpool(_leaving, visit, name, form)
    return entry.leads_to(LIST, "removed")


def _listed(visit: entry.Visit, form: Form) -> Response:
    asked = lists.wanted(visit.request.query_params, "use")
    found = [one for one in images.listed(visit.plane) if _is_wanted(asked, one)]
    context = {
        "list": lists.listed(asked, found, COLUMNS, _text),
        "pulls": _pulls(visit).recent(visit.plane.clock()),
        "kind": kind,
        "problems": lambda one: labels.problems(one.image),
        "longest": admin_images.LONGEST_ARCHIVE,
    }
    return visit.page("admin/images.html", context, form)


def _leaving(visit: entry.Visit, name: str, form: Form) -> Response:
    found = images.listed(visit.plane)
    one = next((one for one in found if one.image.name == name), None)
    if one is None:
        raise NotFoundError("There is no such image.", "Somebody may have removed it.")
    context = {"one": one, "others": _others(found, one)}
    return visit.page("admin/images_remove.html", context, form)


def _others(found: Sequence[Entry], one: Entry) -> list[str]:
    """Return the other names of the same image."""
    same = [other.image.name for other in found if other.image.id == one.image.id]
    return [name for name in same if name != one.image.name]


def _is_wanted(asked: lists.Wanted, one: Entry) -> bool:
    wanted = (asked.more or {})["use"]
    used = bool(one.applications or one.sessions)
    return {"used": used, "unused": not used}.get(wanted, True)


def _text(one: Entry) -> str:
    named = " ".join(each.display_name for each in one.applications)
    return f"{one.image.name} {labels.label(one.image, 'ui_name')} {named}"


def _pulls(visit: entry.Visit) -> Pulls:
    return cast("Pulls", visit.request.app.state.pulls)
