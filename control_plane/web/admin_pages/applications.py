"""Applications: what there is to start, from which image, and whether that keeps its promises."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from control_plane import administration, catalogue, granting, image_checks
from control_plane.domain import applications as fields_of_applications
from control_plane.domain import labels
from control_plane.domain.entities import Application, Image
from control_plane.errors import (
    EngineUnavailableError,
    NotFoundError,
)
from control_plane.web import admin_answers as answers
from control_plane.web import etags, forms, lists
from control_plane.web.admin_pages import application_forms, entry
from control_plane.web.api import picture
from control_plane.web.forms import Form
from control_plane.web.lists import Column

_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Row:
    """An application in the list; `image` is None where the engine has none, or is away."""

    application: Application
    name: str
    image: Image | None
    grants: int
    warnings: Sequence[str]

    @property
    def icon(self) -> str:
        """Where its picture is."""
        has_own = self.image is not None and labels.icon(self.image) is not None
        own = f"/admin/applications/{self.application.id}/icon"
        return own if has_own else "/static/application.png"


COLUMNS: tuple[Column[Row], ...] = (
    Column("name", "Application", lambda one: one.name.casefold()),
    Column("image", "Image", lambda one: one.application.image),
    Column("category", "Category", lambda one: one.application.category.casefold()),
    Column("grants", "Grants", lambda one: one.grants),
    Column("state", "State", lambda one: (not one.warnings, list(one.warnings))),
)


async def listed(request: Request) -> Response:
    """GET /admin/applications."""
    return await run_in_threadpool(_listed, entry.look(request))


async def new(request: Request) -> Response:
    """GET /admin/applications/new; `image` in the query is chosen already."""
    visit = entry.look(request)
    return await run_in_threadpool(_new, visit, None)


async def create(request: Request) -> Response:
    """POST /admin/applications/new."""
    visit = entry.change(request)
    choices = await run_in_threadpool(_choices, visit)
    form = await forms.sent(request, application_forms.fields(choices))
    made: list[Application] = []

    def act() -> None:
        application = fields_of_applications.parse(application_forms.content(form))
        with application_forms.at_image(form):
            made.append(administration.create_application(visit.books, visit.actor, application))

    form = await entry.attempt(visit, form, act)
    if form.refused:
        return await run_in_threadpool(_new, visit, form)
    return entry.leads_to(f"/admin/applications/{made[0].id}", "created")


async def show(request: Request) -> Response:
    """GET /admin/applications/{id}."""
    return await run_in_threadpool(_shown, entry.look(request), None)


async def change(request: Request) -> Response:
    """POST /admin/applications/{id}; 422 with the form when somebody else was faster."""
    visit = entry.change(request)
    choices = await run_in_threadpool(_choices, visit)
    form = await forms.sent(request, application_forms.fields(choices, version=True))

    def act() -> None:
        unchanged = etags.unchanged(visit.plane, form.text("version"))
        changes = application_forms.content(form)
        with application_forms.at_image(form):
            administration.change_application(
                visit.books, visit.actor, visit.named(), changes, unchanged
            )

    form = await entry.attempt(visit, form, act)
    if form.refused:
        return await run_in_threadpool(_shown, visit, form)
    return entry.leads_to(f"/admin/applications/{visit.named()}", "changed")


async def icon(request: Request) -> Response:
    """GET /admin/applications/{id}/icon."""
    visit = entry.look(request)

    def found() -> Response:
        images = answers.images(visit.plane) or {}
        return picture(images.get(_application(visit).image))

    return await run_in_threadpool(found)


async def check(request: Request) -> Response:
    """POST /admin/applications/{id}/check: begin to check its image, beside everything."""
    visit = entry.change(request)

    def act() -> None:
        image_checks.begin(visit.plane, visit.actor, _application(visit))

    form = await entry.attempt(visit, Form((application_forms.CHECK,)), act)
    if form.refused:
        return await run_in_threadpool(_shown, visit, None, form)
    return entry.leads_to(f"/admin/applications/{visit.named()}", "checking")


async def leaving(request: Request) -> Response:
    """GET /admin/applications/{id}/remove: all that would go, before anything does."""
    return await run_in_threadpool(_leaving, entry.look(request), Form(()))


async def remove(request: Request) -> Response:
    """POST /admin/applications/{id}/remove."""
    visit = entry.change(request)

    def act() -> None:
        administration.remove_application(visit.books, visit.actor, visit.named())

    form = await entry.attempt(visit, Form(()), act)
    if form.refused:
        return await run_in_threadpool(_leaving, visit, form)
    return entry.leads_to("/admin/applications", "removed")


def _listed(visit: entry.Visit) -> Response:
    asked = lists.wanted(visit.request.query_params, "category", "image")
    rows = _rows(visit)
    categories = sorted({one.application.category for one in rows} - {""}, key=str.casefold)
    more = asked.more or {}
    wanted = [one for one in rows if _is_wanted(one, more["category"], more["image"])]
    shown = lists.listed(asked, wanted, COLUMNS, _text)
    return visit.page("admin/applications.html", {"list": shown, "categories": categories})


def _rows(visit: entry.Visit) -> list[Row]:
    images = answers.images(visit.plane)
    counts = Counter(one.application.id for one in visit.plane.accounting.grants())
    return [_row(visit, one, images, counts) for one in visit.plane.accounting.applications()]


def _row(
    visit: entry.Visit, one: Application, images: answers.Images, counts: Mapping[str, int]
) -> Row:
    image = (images or {}).get(one.image)
    warnings = answers.application(visit.plane, one, images).warnings
    return Row(one, catalogue.name_of(one, image), image, counts.get(one.id, 0), warnings)


def _is_wanted(row: Row, category: str, image: str) -> bool:
    is_here = {"here": row.image is not None, "missing": row.image is None}
    return category in ("", row.application.category) and is_here.get(image, True)


def _text(row: Row) -> str:
    one = row.application
    return f"{row.name} {one.image} {one.category} {one.description}"


def _new(visit: entry.Visit, form: Form | None) -> Response:
    fields = application_forms.fields(_choices(visit))
    named = visit.request.query_params.get("image", "")[: fields_of_applications.LONGEST]
    fresh = application_forms.filled(fields, {"image": named, "run_as": "user"})
    return visit.page(
        "admin/applications_new.html", {"serving": application_forms.SERVING}, form or fresh
    )


def _choices(visit: entry.Visit) -> Sequence[tuple[str, str]]:
    """Return the engine's images that could be applications; those that are none come first."""
    taken = {one.image for one in visit.plane.accounting.applications()}
    try:
        found = visit.plane.image_library.images()
    except EngineUnavailableError:
        return ()
    names = sorted({one.name for one in found if not one.name.startswith("<none>")})
    free = [(name, name) for name in names if name not in taken]
    return [*free, *((name, f"{name} (has an application)") for name in names if name in taken)]


def _shown(visit: entry.Visit, form: Form | None, checking: Form | None = None) -> Response:
    application = _application(visit)
    images = answers.images(visit.plane)
    image = (images or {}).get(application.image)
    fields = application_forms.fields(_choices(visit), version=True)
    content: dict[str, Any] = fields_of_applications.as_fields(application)
    content["version"] = etags.tag(visit.plane, application)
    context = {
        "row": _row(visit, application, images, {}),
        "one": application,
        "image": image,
        "engine_away": images is None,
        "labels": _labels(image) if image else (),
        "check": visit.plane.image_checks.last(image.id) if image else None,
        "checking": checking,
        "seconds": round(visit.plane.site.limits.start_timeout),
        "promises": application_forms.PROMISES,
        "serving": application_forms.SERVING,
        **_held(visit, application),
    }
    shown = form or application_forms.filled(fields, content)
    page = visit.page("admin/applications_one.html", context, shown)
    page.status_code = 422 if checking else page.status_code
    return page


def _leaving(visit: entry.Visit, form: Form) -> Response:
    application = _application(visit)
    row = _row(visit, application, answers.images(visit.plane), {})
    context = {"one": application, "row": row, **_held(visit, application)}
    return visit.page("admin/applications_remove.html", context, form)


def _held(visit: entry.Visit, application: Application) -> dict[str, object]:
    """Return who may start it, and what runs of it."""
    known = visit.plane.accounting.grants()
    grants = [one for one in known if one.application.id == application.id]
    sessions = granting.running(visit.plane, {one.id for one in grants})
    return {"grants": grants, "sessions": sessions, "most": _MOST_SHOWN}


def _labels(image: Image) -> Sequence[tuple[str, str]]:
    """Return our labels of an image, but for the picture, which is shown."""
    ours = {name: text for name, text in image.labels.items() if name.startswith(labels.IMAGE)}
    named = {name.removeprefix(labels.IMAGE): text for name, text in ours.items()}
    return sorted((name, text) for name, text in named.items() if name != "icon_128")


def _application(visit: entry.Visit) -> Application:
    application = visit.plane.accounting.application(visit.named())
    if application is None:
        raise NotFoundError("There is no such application.", "Somebody may have removed it.")
    return application
