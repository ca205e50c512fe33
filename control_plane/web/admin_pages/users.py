"""Users: who there are, and one of them: role, groups, password, leaving."""

from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from control_plane import administration, departures, rules
from control_plane.domain.entities import User
from control_plane.errors import ControlPlaneError, NotFoundError
from control_plane.web import admin_schemas as schemas
from control_plane.web import etags, forms, lists
from control_plane.web.admin_pages import entry
from control_plane.web.forms import Field, Form
from control_plane.web.lists import Column

KINDS = (("virtual", "Only here"), ("system", "Account of this host"))
HOMES = (
    ("keep", "Keep the home"),
    ("archive", "Keep it as an archive"),
    ("delete", "Delete the home"),
)
COLUMNS: tuple[Column[User], ...] = (
    Column("name", "Name", lambda one: one.name.casefold()),
    Column("kind", "Kind", lambda one: one.kind),
    Column("role", "Role", lambda one: not one.admin),
    Column("groups", "Groups"),
    Column("state", "Sign-in", lambda one: not one.enabled),
)
_GROUPS = Field("groups", "Groups", "lines", "One name a line.", longest=10_000)
NEW = (
    Field("name", "Name", optional=False, longest=256),
    Field("kind", "Kind", "choice", choices=KINDS, optional=False),
    Field("password", "Password", "password", "Of somebody who is known only here.", longest=1024),
    Field("admin", "Administrator", "check"),
    _GROUPS,
)
CHANGE = (
    Field("enabled", "May sign in", "check"),
    Field("admin", "Administrator", "check"),
    _GROUPS,
    Field("version", "", optional=False),
)
PASSWORD = (Field("password", "New password", "password", optional=False, longest=1024),)
REMOVE = (
    Field("home", "Home", "choice", choices=HOMES),
    Field("keep_running", "Let what runs compute on", "check"),
)


async def listed(request: Request) -> Response:
    """GET /admin/users."""
    visit = entry.look(request)
    asked = lists.wanted(request.query_params)
    found = await run_in_threadpool(visit.plane.accounting.users)
    return visit.page("admin/users.html", {"list": lists.listed(asked, found, COLUMNS, _text)})


async def new(request: Request) -> Response:
    """GET /admin/users/new."""
    visit = entry.look(request)
    return visit.page("admin/users_new.html", {}, forms.filled(NEW, {"kind": "virtual"}))


async def create(request: Request) -> Response:
    """POST /admin/users/new."""
    visit, form = entry.change(request), await forms.sent(request, NEW)

    def act() -> None:
        body = entry.content_of(schemas.CreateUser, form)
        user = User(body.name, body.kind, admin=body.admin, groups=tuple(body.groups))
        administration.create_user(visit.books, visit.actor, user, body.password)

    form = await entry.attempt(visit, form, act)
    if form.refused:
        return visit.page("admin/users_new.html", {}, form)
    return entry.leads_to(_address(form.text("name").strip()), "created")


async def show(request: Request) -> Response:
    """GET /admin/users/{id}."""
    visit = entry.look(request)
    return await run_in_threadpool(_shown, visit, None)


async def change(request: Request) -> Response:
    """POST /admin/users/{id}: what one is; 422 with the form when somebody else was faster."""
    visit, form = entry.change(request), await forms.sent(request, CHANGE)

    def act() -> None:
        content = form.content()
        version = content.pop("version", "")
        administration.change_user(
            visit.books,
            visit.actor,
            visit.named(),
            content | {"groups": tuple(content["groups"])},
            etags.unchanged(visit.plane, version),
        )

    form = await entry.attempt(visit, form, act)
    if form.refused:
        return await run_in_threadpool(_shown, visit, form)
    return entry.leads_to(_address(visit.named()), "changed")


async def set_password(request: Request) -> Response:
    """POST /admin/users/{id}/password: whoever gets one is signed out everywhere."""
    visit, form = entry.change(request), await forms.sent(request, PASSWORD)

    def act() -> None:
        administration.change_user(
            visit.books, visit.actor, visit.named(), form.content(), lambda _: None
        )

    form = await entry.attempt(visit, form, act)
    if form.refused:
        return await run_in_threadpool(_shown, visit, None, form)
    return entry.leads_to(_address(visit.named()), "password")


async def leaving(request: Request) -> Response:
    """GET /admin/users/{id}/remove: all that would go, before anything does."""
    visit = entry.look(request)
    return await run_in_threadpool(_leaving, visit, forms.filled(REMOVE, {"home": "keep"}))


async def remove(request: Request) -> Response:
    """POST /admin/users/{id}/remove."""
    visit, form = entry.change(request), await forms.sent(request, REMOVE)

    def act() -> None:
        wanted = entry.content_of(schemas.RemoveUser, form)
        administration.remove_user(
            visit.books,
            visit.actor,
            visit.named(),
            home=wanted.home,
            keep_running=wanted.keep_running,
            dry_run=False,
        )

    form = await entry.attempt(visit, form, act)
    if form.refused:
        return await run_in_threadpool(_leaving, visit, form)
    return entry.leads_to("/admin/users", "removed")


def _shown(visit: entry.Visit, form: Form | None, password: Form | None = None) -> Response:
    user = _user(visit)
    version = {"version": etags.tag(visit.plane, user)}
    holds = visit.plane.accounting.grants_of(user.name)
    context = {
        "one": user,
        "admin_by_settings": rules.is_admin(visit.books, user) and not user.admin,
        "grants": [one for one in holds if one.grantee.kind != "user"],
        "own_grants": departures.own_grants(visit.books, user.name),
        "sessions": visit.plane.access.sessions_of(user.name),
        "password": password or Form(PASSWORD),
    }
    shown = form or forms.filled(CHANGE, _fields(user) | version)
    return visit.page("admin/users_one.html", context, shown)


def _leaving(visit: entry.Visit, form: Form) -> Response:
    user = _user(visit)
    try:
        report = departures.planned(visit.books, user, None)
    except ControlPlaneError as error:
        form = form.refuse(error)
        report = None
    return visit.page("admin/users_remove.html", {"one": user, "report": report}, form)


def _user(visit: entry.Visit) -> User:
    user = visit.plane.accounting.user(visit.named())
    if user is None:
        raise NotFoundError("There is no such user.", "Somebody may have removed it.")
    return user


def _fields(user: User) -> dict[str, object]:
    return {"enabled": user.enabled, "admin": user.admin, "groups": user.groups}


def _text(user: User) -> str:
    return " ".join((user.name, *user.groups))


def _address(name: str) -> str:
    return f"/admin/users/{quote(name, safe='@')}"
