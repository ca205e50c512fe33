"""Groups: who is in them, and what they may start."""

from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from control_plane import administration
from control_plane.domain.entities import Grantee, Group
from control_plane.errors import NotFoundError
from control_plane.web import admin_schemas as schemas
from control_plane.web import etags, forms, lists
from control_plane.web.admin_pages import entry
from control_plane.web.forms import Field, Form
from control_plane.web.lists import Column

COLUMNS: tuple[Column[Group], ...] = (
    Column("name", "Name", lambda one: one.name.casefold()),
    Column("members", "Members", lambda one: len(one.members)),
)
_MEMBERS = Field("members", "Members", "lines", "One sign-in name a line.", longest=60_000)
NEW = (Field("name", "Name", optional=False, longest=64), _MEMBERS)
CHANGE = (_MEMBERS, Field("version", "", optional=False))


async def listed(request: Request) -> Response:
    """GET /admin/groups."""
    visit = entry.look(request)
    asked = lists.wanted(request.query_params)
    found = await run_in_threadpool(visit.plane.accounting.groups)
    shown = lists.listed(asked, found, COLUMNS, lambda one: " ".join((one.name, *one.members)))
    return visit.page("admin/groups.html", {"list": shown})


async def new(request: Request) -> Response:
    """GET /admin/groups/new."""
    return await run_in_threadpool(_newcomer, entry.look(request), Form(NEW))


async def create(request: Request) -> Response:
    """POST /admin/groups/new."""
    visit, form = entry.change(request), await forms.sent(request, NEW)

    def act() -> None:
        body = entry.content_of(schemas.CreateGroup, form)
        made = Group(body.name, tuple(body.members))
        administration.create_group(visit.books, visit.actor, made)

    form = await entry.attempt(visit, form, act)
    if form.refused:
        return await run_in_threadpool(_newcomer, visit, form)
    return entry.leads_to(_address(form.text("name").strip()), "created")


async def show(request: Request) -> Response:
    """GET /admin/groups/{id}."""
    return await run_in_threadpool(_shown, entry.look(request), None)


async def change(request: Request) -> Response:
    """POST /admin/groups/{id}: who is in it; 422 with the form when somebody else was faster."""
    visit, form = entry.change(request), await forms.sent(request, CHANGE)

    def act() -> None:
        content = form.content()
        administration.change_group(
            visit.books,
            visit.actor,
            visit.named(),
            tuple(content["members"]),
            etags.unchanged(visit.plane, content.get("version", "")),
        )

    form = await entry.attempt(visit, form, act)
    if form.refused:
        return await run_in_threadpool(_shown, visit, form)
    return entry.leads_to(_address(visit.named()), "changed")


async def leaving(request: Request) -> Response:
    """GET /admin/groups/{id}/remove: what its members lose, before they do."""
    return await run_in_threadpool(_leaving, entry.look(request), Form(()))


async def remove(request: Request) -> Response:
    """POST /admin/groups/{id}/remove."""
    visit = entry.change(request)

    def act() -> None:
        administration.remove_group(visit.books, visit.actor, visit.named())

    form = await entry.attempt(visit, Form(()), act)
    if form.refused:
        return await run_in_threadpool(_leaving, visit, form)
    return entry.leads_to("/admin/groups", "removed")


def _shown(visit: entry.Visit, form: Form | None) -> Response:
    group = _group(visit)
    content = {"members": group.members, "version": etags.tag(visit.plane, group)}
    context = _context(visit, group)
    shown = _choosing(visit, form or forms.filled(CHANGE, content))
    return visit.page("admin/groups_one.html", context, shown)


def _newcomer(visit: entry.Visit, form: Form) -> Response:
    return visit.page("admin/groups_new.html", {}, _choosing(visit, form))


def _choosing(visit: entry.Visit, form: Form) -> Form:
    """Return the form with the users that there are to choose from, where they are few."""
    names = [one.name for one in visit.plane.accounting.users()]
    return forms.choosing(form, "members", names)


def _leaving(visit: entry.Visit, form: Form) -> Response:
    return visit.page("admin/groups_remove.html", _context(visit, _group(visit)), form)


def _context(visit: entry.Visit, group: Group) -> dict[str, object]:
    grants = visit.plane.accounting.grants()
    held = [one for one in grants if one.grantee == Grantee("group", group.name)]
    ids = {one.id for one in held}
    sessions = list(visit.plane.access.sessions.values())
    running = [one for one in sessions if one.living and one.grant_id in ids]
    return {"one": group, "grants": held, "sessions": running}


def _group(visit: entry.Visit) -> Group:
    group = visit.plane.accounting.group(visit.named())
    if group is None:
        raise NotFoundError("There is no such group.", "Somebody may have removed it.")
    return group


def _address(name: str) -> str:
    return f"/admin/groups/{quote(name, safe='@')}"
