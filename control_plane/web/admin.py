"""The endpoints of administration: users, groups, applications, grants.

Invariant: an object's id stands in the path, an unknown one is 404, and what a caller has seen
before somebody else's change is not what they change.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any, cast
from urllib.parse import quote

from pydantic import BaseModel
from starlette.responses import Response

from control_plane import administration, enforcement
from control_plane.domain import applications as fields_of_applications
from control_plane.domain import policy as policies
from control_plane.domain.entities import Application, Grant, Grantee, Group, User
from control_plane.errors import (
    FieldError,
    InvalidError,
    NotFoundError,
)
from control_plane.web import admin_answers as answers
from control_plane.web import admin_schemas as schemas
from control_plane.web import etags, render
from control_plane.web.operations import Call
from control_plane.web.paging import part

_POLICY = "policy"


# users


def users(call: Call) -> Response:
    """GET /admin/users."""
    wanted = cast("schemas.UserFilter", call.query)
    found = [one for one in call.plane.accounting.users() if _is_wanted_user(wanted, one)]
    items = [_user(one) for one in part(wanted, found)]
    return render.answer(schemas.UserList(items=items, total=len(found)))


def create_user(call: Call) -> Response:
    """POST /admin/users."""
    body = cast("schemas.CreateUser", call.body)
    user = User(body.name, body.kind, body.enabled, body.admin, groups=tuple(body.groups))
    made = administration.create_user(call.plane.books, call.actor, user, body.password)
    return _created(call, "users", made.name, made, _user(made))


def show_user(call: Call) -> Response:
    """GET /admin/users/{id}."""
    user = call.plane.accounting.user(call.path["id"])
    if user is None:
        raise NotFoundError("There is no such user.")
    return _shown(call, user, _user(user))


def change_user(call: Call) -> Response:
    """PATCH /admin/users/{id}."""
    changes = _sent(call)
    if "groups" in changes:
        changes["groups"] = tuple(changes["groups"])
    changed = administration.change_user(
        call.plane.books, call.actor, call.path["id"], changes, etags.precondition(call)
    )
    if changes.get("password") is not None:
        enforcement.cut_connections(call.plane, changed.name)
    return _shown(call, changed, _user(changed))


def remove_user(call: Call) -> Response:
    """DELETE /admin/users/{id}: the report of what went, or would go."""
    wanted = cast("schemas.RemoveUser", call.query)
    report = administration.remove_user(
        call.plane.books,
        call.actor,
        call.path["id"],
        home=wanted.home,
        keep_running=wanted.keep_running,
        dry_run=wanted.dry_run,
    )
    return render.answer(schemas.DepartureAnswer.model_validate(asdict(report)))


# groups


def groups(call: Call) -> Response:
    """GET /admin/groups."""
    wanted = cast("schemas.GroupFilter", call.query)
    found = [one for one in call.plane.accounting.groups() if _is_wanted_group(wanted, one)]
    items = [_group(one) for one in part(wanted, found)]
    return render.answer(schemas.GroupList(items=items, total=len(found)))


def create_group(call: Call) -> Response:
    """POST /admin/groups."""
    body = cast("schemas.CreateGroup", call.body)
    group = Group(body.name, tuple(body.members))
    made = administration.create_group(call.plane.books, call.actor, group)
    return _created(call, "groups", made.name, made, _group(made))


def show_group(call: Call) -> Response:
    """GET /admin/groups/{id}."""
    group = call.plane.accounting.group(call.path["id"])
    if group is None:
        raise NotFoundError("There is no such group.")
    return _shown(call, group, _group(group))


def change_group(call: Call) -> Response:
    """PATCH /admin/groups/{id}."""
    members = tuple(cast("schemas.ChangeGroup", call.body).members)
    changed = administration.change_group(
        call.plane.books, call.actor, call.path["id"], members, etags.precondition(call)
    )
    return _shown(call, changed, _group(changed))


def remove_group(call: Call) -> Response:
    """DELETE /admin/groups/{id}."""
    administration.remove_group(call.plane.books, call.actor, call.path["id"])
    return Response(status_code=204)


# applications


def admin_applications(call: Call) -> Response:
    """GET /admin/applications."""
    wanted = cast("schemas.AdminApplicationFilter", call.query)
    known = call.plane.accounting.applications()
    found = [one for one in known if _is_wanted_application(wanted, one)]
    images = answers.images(call.plane)
    items = [answers.application(call.plane, one, images) for one in part(wanted, found)]
    return render.answer(schemas.AdminApplicationList(items=items, total=len(found)))


def create_application(call: Call) -> Response:
    """POST /admin/applications."""
    application = fields_of_applications.parse(_sent(call))
    made = administration.create_application(call.plane.books, call.actor, application)
    return _created(call, "applications", made.id, made, _answer(call, made))


def show_application(call: Call) -> Response:
    """GET /admin/applications/{id}."""
    application = call.plane.accounting.application(call.path["id"])
    if application is None:
        raise NotFoundError("There is no such application.")
    return _shown(call, application, _answer(call, application))


def change_application(call: Call) -> Response:
    """PATCH /admin/applications/{id}."""
    changes = _sent(call)
    changed = administration.change_application(
        call.plane.books, call.actor, call.path["id"], changes, etags.precondition(call)
    )
    return _shown(call, changed, _answer(call, changed))


def remove_application(call: Call) -> Response:
    """DELETE /admin/applications/{id}."""
    administration.remove_application(call.plane.books, call.actor, call.path["id"])
    return Response(status_code=204)


# grants


def grants(call: Call) -> Response:
    """GET /admin/grants."""
    wanted = cast("schemas.GrantFilter", call.query)
    found = [one for one in call.plane.accounting.grants() if _is_wanted_grant(wanted, one)]
    images = answers.images(call.plane)
    items = [answers.grant(call.plane, one, images) for one in part(wanted, found)]
    return render.answer(schemas.GrantList(items=items, total=len(found)))


def create_grant(call: Call) -> Response:
    """POST /admin/grants."""
    body = cast("schemas.CreateGrant", call.body)
    grantee, fields = _grantee(body), _sent(call).get(_POLICY, {})
    with _naming_policy():
        made = administration.grant(
            call.plane.books, call.actor, grantee, body.application, policies.parse(fields)
        )
    return _created(
        call, "grants", made.id, made, answers.grant(call.plane, made, answers.images(call.plane))
    )


def show_grant(call: Call) -> Response:
    """GET /admin/grants/{id}."""
    grant = call.plane.accounting.grant(call.path["id"])
    if grant is None:
        raise NotFoundError("There is no such grant.")
    return _shown(call, grant, answers.grant(call.plane, grant, answers.images(call.plane)))


def change_grant(call: Call) -> Response:
    """PATCH /admin/grants/{id}."""
    fields = _sent(call)[_POLICY]
    with _naming_policy():
        changed = administration.change_grant(
            call.plane.books, call.actor, call.path["id"], fields, etags.precondition(call)
        )
    return _shown(call, changed, answers.grant(call.plane, changed, answers.images(call.plane)))


def revoke_grant(call: Call) -> Response:
    """DELETE /admin/grants/{id}."""
    keep_running = cast("schemas.RevokeGrant", call.query).keep_running
    ids = [call.path["id"]]
    if not administration.revoke(call.plane.books, call.actor, ids, keep_running=keep_running):
        raise NotFoundError("There is no such grant.")
    return Response(status_code=204)


# what is wanted


def _sent(call: Call) -> dict[str, Any]:
    """Return the fields of the body that were sent."""
    return cast("BaseModel", call.body).model_dump(exclude_unset=True)


def _is_wanted_user(wanted: schemas.UserFilter, user: User) -> bool:
    told = (wanted.kind, user.kind), (wanted.enabled, user.enabled), (wanted.admin, user.admin)
    fits = all(one is None or one == value for one, value in told)
    in_group = not wanted.group or wanted.group in user.groups
    return fits and in_group and wanted.q.casefold() in user.name.casefold()


def _is_wanted_group(wanted: schemas.GroupFilter, group: Group) -> bool:
    has_member = not wanted.member or wanted.member in group.members
    return has_member and wanted.q.casefold() in group.name.casefold()


def _answer(call: Call, application: Application) -> schemas.AdminApplicationAnswer:
    return answers.application(call.plane, application, answers.images(call.plane))


def _is_wanted_application(wanted: schemas.AdminApplicationFilter, one: Application) -> bool:
    words = f"{one.image}\n{one.display_name}\n{one.category}".casefold()
    return wanted.q.casefold() in words and wanted.image in ("", one.image)


def _is_wanted_grant(wanted: schemas.GrantFilter, grant: Grant) -> bool:
    kind, name = grant.grantee.kind, grant.grantee.name
    everyone = wanted.everyone is None or wanted.everyone == (kind == "everyone")
    user = not wanted.user or (kind, name) == ("user", wanted.user)
    group = not wanted.group or (kind, name) == ("group", wanted.group)
    application = wanted.application in ("", grant.application.id, grant.application.image)
    return everyone and user and group and application


def _grantee(body: schemas.CreateGrant) -> Grantee:
    named = [("user", body.user), ("group", body.group), ("everyone", body.everyone or None)]
    given = [kind for kind, value in named if value is not None]
    if len(given) != 1:
        problem = FieldError("user", "exactly one of user, group, and everyone: true is needed")
        raise InvalidError("The body has bad fields.", [problem])
    if body.user is not None:
        return Grantee("user", body.user)
    return Grantee("everyone") if body.group is None else Grantee("group", body.group)


@contextmanager
def _naming_policy() -> Iterator[None]:
    """Name the bad fields of a policy as they stand in the body."""
    try:
        yield
    except InvalidError as error:
        errors = [replace(one, field=f"{_POLICY}.{one.field}") for one in error.errors]
        raise InvalidError(error.message, errors, error.hint) from error


# what is answered


def _created(
    call: Call, collection: str, name: str, entity: etags.Tagged, model: BaseModel
) -> Response:
    location = f"/api/v1/admin/{collection}/{quote(name, safe='')}"
    headers = {"Location": location, "ETag": etags.tag(call.plane, entity)}
    return render.answer(model, 201, headers)


def _shown(call: Call, entity: etags.Tagged, model: BaseModel) -> Response:
    return render.answer(model, 200, {"ETag": etags.tag(call.plane, entity)})


def _user(user: User) -> schemas.UserAnswer:
    return schemas.UserAnswer.model_validate({**asdict(user), "id": user.name})


def _group(group: Group) -> schemas.GroupAnswer:
    return schemas.GroupAnswer.model_validate({**asdict(group), "id": group.name})
