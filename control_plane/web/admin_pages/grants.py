"""Grants: who may start what, and under which policy; several are made or revoked at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from control_plane import administration, catalogue, granting
from control_plane.domain import policy as policies
from control_plane.domain.entities import Application, Grant, Grantee
from control_plane.errors import NotFoundError
from control_plane.web import admin_answers as answers
from control_plane.web import etags, forms, lists
from control_plane.web.admin_pages import entry
from control_plane.web.admin_pages import policies as policy_forms
from control_plane.web.forms import Field, Form
from control_plane.web.lists import Column

_FILTERS = ("user", "group", "application", "everyone")
_VERSION = Field("version", "", optional=False)
REVOKE = (
    Field("id", "", "lines", longest=60_000),
    Field("keep_running", "Let what runs compute on; nobody can enter it any more", "check"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A grant in the list: what it is of by name, what it gives, and why it cannot be used."""

    grant: Grant
    application: str
    said: Sequence[str]
    problem: str


_COLUMNS: tuple[tuple[str, str, Callable[[Grant], object] | None], ...] = (
    ("grantee", "Who", lambda one: (one.grantee.kind, one.grantee.name.casefold())),
    ("application", "Application", lambda one: _called(one).casefold()),
    ("policy", "What it gets", None),
    ("state", "State", None),
)
COLUMNS = tuple(Column(key, title, order) for key, title, order in _COLUMNS)


async def listed(request: Request) -> Response:
    """GET /admin/grants: of a user, of a group, of everyone, of an application, or all."""
    return await run_in_threadpool(_listed, entry.look(request))


async def new(request: Request) -> Response:
    """GET /admin/grants/new; users, groups and applications in the query stand in the form."""
    return await run_in_threadpool(_new, entry.look(request), None)


async def create(request: Request) -> Response:
    """POST /admin/grants/new: all of the grants, or none."""
    visit = entry.change(request)
    form = await forms.sent(request, await run_in_threadpool(_fields, visit))
    made: list[granting.Granted] = []

    def act() -> None:
        policy = policies.parse(policy_forms.content(form))
        found = form.content()
        made.append(
            granting.grant(visit.books, visit.actor, _grantees(form), found["applications"], policy)
        )

    form = await entry.attempt(visit, form, act)
    if form.refused:
        return await run_in_threadpool(_new, visit, form)
    return entry.leads_to(_place(form), "granted" if made[0].new else "present")


async def show(request: Request) -> Response:
    """GET /admin/grants/{id}."""
    return await run_in_threadpool(_shown, entry.look(request), None)


async def change(request: Request) -> Response:
    """POST /admin/grants/{id}: its policy; 422 with the form when somebody else was faster."""
    visit = entry.change(request)
    grant = await run_in_threadpool(_grant, visit, visit.named())
    form = await forms.sent(request, _change_fields(visit, grant))

    def act() -> None:
        unchanged = etags.unchanged(visit.plane, form.text("version"))
        administration.change_grant(
            visit.books, visit.actor, grant.id, policy_forms.changes(form), unchanged
        )

    form = await entry.attempt(visit, form, act)
    if form.refused:
        return await run_in_threadpool(_shown, visit, form)
    return entry.leads_to(f"/admin/grants/{grant.id}", "changed")


async def leaving(request: Request) -> Response:
    """GET /admin/grants/revoke?id=…: what would go, before anything does."""
    visit = entry.look(request)
    form = forms.filled(REVOKE, {"id": request.query_params.getlist("id")})
    return await run_in_threadpool(_leaving, visit, form)


async def revoke(request: Request) -> Response:
    """POST /admin/grants/revoke: all of them, or none."""
    visit, form = entry.change(request), await forms.sent(request, REVOKE)

    def act() -> None:
        found = form.content()
        administration.revoke(
            visit.books, visit.actor, found["id"], keep_running=found["keep_running"]
        )

    form = await entry.attempt(visit, form, act)
    if form.refused:
        return await run_in_threadpool(_leaving, visit, form)
    return entry.leads_to("/admin/grants", "removed")


def _listed(visit: entry.Visit) -> Response:
    asked = lists.wanted(visit.request.query_params, *_FILTERS)
    shown = lists.listed(asked, _wanted(visit, asked), COLUMNS, _text)
    images = answers.images(visit.plane)
    rows = [_row(visit, one, images) for one in shown.rows]
    groups = _groups(visit)
    context = {"list": shown, "rows": rows, "applications": _applications(visit), "groups": groups}
    return visit.page("admin/grants.html", context)


def _wanted(visit: entry.Visit, asked: lists.Wanted) -> Sequence[Grant]:
    """Return the grants that the filters leave; of a user, also those by groups and as everyone."""
    more, accounting = asked.more or {}, visit.plane.accounting
    found = accounting.grants_of(more["user"]) if more["user"] else accounting.grants()
    group, application = more["group"], more["application"]
    return [
        one
        for one in found
        if (not group or one.grantee == Grantee("group", group))
        and application in ("", one.application.id, one.application.image)
        and (not more["everyone"] or one.grantee.kind == "everyone")
    ]


def _row(visit: entry.Visit, one: Grant, images: answers.Images) -> Row:
    image = (images or {}).get(one.application.image)
    said = policy_forms.said(one.policy, visit.plane.site.limits)
    known = answers.application(visit.plane, one.application, images)
    missing = known.warnings[:1] if image is None else []
    problem = answers.grant(visit.plane, one, images).problem or "".join(missing)
    return Row(one, catalogue.name_of(one.application, image), said, problem)


def _new(visit: entry.Visit, form: Form | None) -> Response:
    query = visit.request.query_params
    content = {
        "users": query.getlist("user"),
        "groups": query.getlist("group"),
        "everyone": bool(query.get("everyone")),
        "applications": query.getlist("application"),
        "policy": {"allow_home": True},
    }
    context = {"rare": policy_forms.RARE, "applications": _applications(visit)}
    shown = form or forms.filled(_fields(visit), content)
    shown = forms.choosing(shown, "groups", _groups(visit))
    return visit.page("admin/grants_new.html", context, shown)


def _shown(visit: entry.Visit, form: Form | None) -> Response:
    grant = _grant(visit, visit.named())
    images = answers.images(visit.plane)
    version = {"version": etags.tag(visit.plane, grant)}
    context = {
        "one": grant,
        "row": _row(visit, grant, images),
        "warnings": answers.grant(visit.plane, grant, images).warnings,
        "sessions": granting.running(visit.plane, {grant.id}),
        "rare": policy_forms.RARE,
    }
    content = policy_forms.shown(grant.policy) | version
    shown = form or forms.filled(_change_fields(visit, grant), content)
    return visit.page("admin/grants_one.html", context, shown)


def _leaving(visit: entry.Visit, form: Form) -> Response:
    ids = dict.fromkeys(form.content()["id"])
    found = [one for one in map(visit.plane.accounting.grant, ids) if one]
    images = answers.images(visit.plane)
    context = {
        "rows": [_row(visit, one, images) for one in found],
        "gone": len(ids) - len(found),
        "sessions": granting.running(visit.plane, {one.id for one in found}),
    }
    return visit.page("admin/grants_revoke.html", context, form)


def _fields(visit: entry.Visit) -> Sequence[Field]:
    choices = [(one.id, name) for one, name in _applications(visit)]
    return (
        Field("applications", "Applications", "lines", "", choices, optional=False),
        Field("users", "Users", "lines", "One sign-in name a line.", longest=60_000),
        Field("groups", "Groups", "lines", "One name a line.", longest=60_000),
        Field("everyone", "Everyone", "check", "Whoever is a user here, now and later."),
        *policy_forms.fields(visit.plane.site.limits),
    )


def _groups(visit: entry.Visit) -> Sequence[str]:
    return [one.name for one in visit.plane.accounting.groups()]


def _change_fields(visit: entry.Visit, grant: Grant) -> Sequence[Field]:
    return (*policy_forms.change_fields(visit.plane.site.limits, grant.policy), _VERSION)


def _grantees(form: Form) -> list[Grantee]:
    found = form.content()
    users = [Grantee("user", name) for name in found["users"]]
    groups = [Grantee("group", name) for name in found["groups"]]
    return [*users, *groups, *([Grantee("everyone")] if found["everyone"] else [])]


def _place(form: Form) -> str:
    """Return the list of what was granted, as near as one filter comes to it."""
    chosen = form.content()["applications"]
    return f"/admin/grants?application={chosen[0]}" if len(set(chosen)) == 1 else "/admin/grants"


def _applications(visit: entry.Visit) -> Sequence[tuple[Application, str]]:
    """Return every application with its name, by name."""
    images = answers.images(visit.plane) or {}
    known = visit.plane.accounting.applications()
    named = [(one, catalogue.name_of(one, images.get(one.image))) for one in known]
    return sorted(named, key=lambda pair: (pair[1].casefold(), pair[0].image))


def _grant(visit: entry.Visit, grant_id: str) -> Grant:
    grant = visit.plane.accounting.grant(grant_id)
    if grant is None:
        raise NotFoundError("There is no such grant.", "Somebody may have revoked it.")
    return grant


def _called(grant: Grant) -> str:
    return grant.application.display_name or grant.application.image


def _text(grant: Grant) -> str:
    return f"{grant.grantee.name} {_called(grant)} {grant.application.image}"
