"""Users: who there are, and one of them: role, groups, password, leaving."""

import secrets
from collections.abc import Mapping
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from control_plane import administration, departures, enforcement, rules
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
# Read aloud or copied by hand, none of them is taken for another.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
COLUMNS: tuple[Column[User], ...] = (
    Column("name", "Name", lambda one: one.name.casefold()),
    Column("kind", "Kind", lambda one: one.kind),
    Column("role", "Role", lambda one: not one.admin),
    Column("groups", "Groups"),
    Column("state", "Sign-in", lambda one: not one.enabled),
)
_GROUPS = Field("groups", "Groups", "lines", "One name a line.", longest=10_000)
_RANDOM = "Empty: a random one is made, and shown once."
NEW = (
    Field("name", "Name", optional=False, longest=256),
    Field("kind", "Kind", "choice", choices=KINDS, optional=False),
    Field("password", "Password", "password", f"Of who is only here. {_RANDOM}", longest=1024),
    Field("admin", "Administrator", "check"),
    _GROUPS,
)
CHANGE = (
    Field("admin", "Administrator", "check"),
    _GROUPS,
    Field("version", "", optional=False),
)
DISABLE = (Field("keep_running", "Let what runs compute on", "check"),)
PASSWORD = (Field("password", "New password", "password", _RANDOM, longest=1024),)
REMOVE = (
    Field("home", "Home", "choice", choices=HOMES),
    Field("keep_running", "Let what runs compute on", "check"),
)
FILTERS = ("kind", "role", "state", "group")


async def listed(request: Request) -> Response:
    """GET /admin/users."""
    visit = entry.look(request)
    asked = lists.wanted(request.query_params, *FILTERS)
    return await run_in_threadpool(_listed, visit, asked)


async def new(request: Request) -> Response:
    """GET /admin/users/new."""
    visit = entry.look(request)
    return await run_in_threadpool(_newcomer, visit, forms.filled(NEW, {"kind": "virtual"}))


async def create(request: Request) -> Response:
    """POST /admin/users/new; a password made here is shown in the answer, and never again."""
    visit, form = entry.change(request), await forms.sent(request, NEW)
    made = _password(form.text("password") or form.text("kind") != "virtual", visit)

    def act() -> None:
        body = entry.content_of(schemas.CreateUser, form)
        user = User(body.name, body.kind, admin=body.admin, groups=tuple(body.groups))
        administration.create_user(visit.books, visit.actor, user, made or body.password)

    form = await entry.attempt(visit, form, act)
    if form.refused:
        return await run_in_threadpool(_newcomer, visit, form)
    name = form.text("name").strip()
    if made:
        return visit.page("admin/users_password.html", {"name": name, "password": made})
    return entry.leads_to(_address(name), "created")


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
    made = _password(form.text("password"), visit)
    form = await _changing(visit, form, {"password": made or form.text("password")})
    if form.refused:
        return await run_in_threadpool(_shown, visit, None, form)
    if made:
        told = {"name": visit.named(), "password": made}
        return visit.page("admin/users_password.html", told)
    return entry.leads_to(_address(visit.named()), "password")


async def disabling(request: Request) -> Response:
    """GET /admin/users/{id}/disable: what ends, before it does."""
    visit = entry.look(request)
    return await run_in_threadpool(_disabling, visit, Form(DISABLE))


async def disable(request: Request) -> Response:
    """POST /admin/users/{id}/disable."""
    visit, form = entry.change(request), await forms.sent(request, DISABLE)
    form = await _changing(visit, form, {"enabled": False, **form.content()})
    if form.refused:
        return await run_in_threadpool(_disabling, visit, form)
    return entry.leads_to(_address(visit.named()), "changed")


async def enable(request: Request) -> Response:
    """POST /admin/users/{id}/enable."""
    visit = entry.change(request)
    form = await _changing(visit, Form(()), {"enabled": True})
    if form.refused:
        return await run_in_threadpool(_shown, visit, None, Form(PASSWORD, problem=form.problem))
    return entry.leads_to(_address(visit.named()), "changed")


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


def _listed(visit: entry.Visit, asked: lists.Wanted) -> Response:
    more = asked.more or {}
    found = [one for one in visit.plane.accounting.users() if _fits(visit, one, more)]
    shown = lists.listed(asked, found, COLUMNS, _text)
    return visit.page(
        "admin/users.html",
        {"list": shown, "groups": _groups(visit), "admins": visit.plane.site.admins},
    )


def _fits(visit: entry.Visit, user: User, more: Mapping[str, str]) -> bool:
    has = {
        "kind": user.kind,
        "role": "admin" if rules.is_admin(visit.books, user) else "user",
        "state": "enabled" if user.enabled else "disabled",
    }
    in_group = more["group"] in {"", *user.groups}
    return in_group and all(more[name] in {"", value} for name, value in has.items())


def _newcomer(visit: entry.Visit, form: Form) -> Response:
    return visit.page("admin/users_new.html", {}, _choosing(visit, form))


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
    answer = visit.page("admin/users_one.html", context, _choosing(visit, shown))
    if password and password.refused:
        answer.status_code = 422
    return answer


def _disabling(visit: entry.Visit, form: Form) -> Response:
    report = departures.planned(visit.books, _user(visit), None)
    context = {"one": _user(visit), "report": report}
    return visit.page("admin/users_disable.html", context, form)


async def _changing(visit: entry.Visit, form: Form, changes: dict[str, object]) -> Form:
    def act() -> None:
        administration.change_user(visit.books, visit.actor, visit.named(), changes, lambda _: None)
        if "password" in changes:
            enforcement.cut_connections(visit.plane, visit.named())

    return await entry.attempt(visit, form, act)


def _choosing(visit: entry.Visit, form: Form) -> Form:
    """Return the form with the groups that there are to choose from, where they are few."""
    return forms.choosing(form, "groups", _groups(visit))


def _groups(visit: entry.Visit) -> list[str]:
    return [one.name for one in visit.plane.accounting.groups()]


def _password(given: object, visit: entry.Visit) -> str:
    """Return a password that nobody has thought of; nothing where one is given or none counts."""
    if given or "virtual" not in visit.plane.site.methods:
        return ""
    parts = ("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))
    return "-".join(parts)


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
    return {"admin": user.admin, "groups": user.groups}


def _text(user: User) -> str:
    return " ".join((user.name, *user.groups))


def _address(name: str) -> str:
    return f"/admin/users/{quote(name, safe='@')}"
