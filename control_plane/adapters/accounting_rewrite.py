"""Accounting made anew as a whole: what differs between two holdings, and only that written.

Invariant: what is wanted is known to be complete and without doubles before the first statement.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import peewee

from control_plane.adapters.accounting_read import (
    by_image_and_grantee,
    no_application,
    no_group,
    no_user,
    row_of,
)
from control_plane.adapters.accounting_rows import ApplicationRow, GrantRow, GroupRow, UserRow
from control_plane.adapters.accounting_write import (
    add,
    give_uids,
    grantee_columns,
    parts,
    policy_keys,
    remove_orphans,
    write_memberships,
)
from control_plane.adapters.database import delete
from control_plane.domain.entities import Application, Grant, Holdings, User
from control_plane.domain.names import shown
from control_plane.errors import ConflictError

T = TypeVar("T", str, User, Application, Grant)


def tidy(wanted: Holdings) -> Holdings:
    """Return it in order, each grant with the application of its id.

    ConflictError for what is there twice, NotFoundError for what a user or a grant names and
    what is not there.
    """
    _check_doubles(wanted)
    groups = frozenset(wanted.groups)
    for user in wanted.users:
        for group in user.groups:
            if group not in groups:
                raise no_group(group)
    users = (replace(user, groups=tuple(sorted(set(user.groups)))) for user in wanted.users)
    return Holdings(
        users=tuple(sorted(users, key=lambda one: one.name)),
        groups=tuple(sorted(groups)),
        applications=tuple(sorted(wanted.applications, key=lambda one: one.image)),
        grants=_tidy_grants(wanted),
    )


def rewrite(db: peewee.Database, was: Holdings, now: Holdings) -> None:
    """Write what differs; both are in order, and `was` is what is there."""
    _write_groups(db, _differ(was.groups, now.groups, str))
    _write_users(db, was.users, now.users)
    _write_memberships(db, was, now)
    _write_applications(db, was.applications, now.applications)
    _write_grants(db, _differ(was.grants, now.grants, lambda one: one.id))
    remove_orphans(db)


@dataclass(frozen=True, slots=True)
class _Difference(Generic[T]):
    """Keys that go, and what comes in or has changed."""

    gone: list[str]
    new: list[T]
    changed: list[T]


def _differ(was: Sequence[T], now: Sequence[T], key: Callable[[T], str]) -> _Difference[T]:
    old = {key(one): one for one in was}
    new = {key(one): one for one in now}
    return _Difference(
        gone=[name for name in old if name not in new],
        new=[one for name, one in new.items() if name not in old],
        changed=[one for name, one in new.items() if name in old and one != old[name]],
    )


def _write_groups(db: peewee.Database, groups: _Difference[str]) -> None:
    for some in parts(groups.gone):
        delete(db, GroupRow, GroupRow.name.in_(some))
    add(db, GroupRow, ({"name": name} for name in groups.new))


def _write_users(db: peewee.Database, was: Sequence[User], now: Sequence[User]) -> None:
    users = _differ(was, now, lambda one: one.name)
    for some in parts(users.gone):
        delete(db, UserRow, UserRow.name.in_(some))
    for some in parts(one.name for one in users.changed):  # else two could not change their uids
        UserRow.update(uid=None).where(UserRow.name.in_(some)).execute(db)
    give_uids(db, (one.uid for one in (*users.new, *users.changed)))
    add(db, UserRow, map(row_of, users.new))
    for user in users.changed:
        UserRow.update(row_of(user)).where(UserRow.name == user.name).execute(db)


def _write_memberships(db: peewee.Database, was: Holdings, now: Holdings) -> None:
    users, groups = {user.name for user in now.users}, set(now.groups)
    left = {pair for pair in _pairs(was) if pair[0] in users and pair[1] in groups}
    write_memberships(db, left, _pairs(now))


def _pairs(holdings: Holdings) -> set[tuple[str, str]]:
    return {(user.name, group) for user in holdings.users for group in user.groups}


def _write_applications(
    db: peewee.Database, was: Sequence[Application], now: Sequence[Application]
) -> None:
    applications = _differ(was, now, lambda one: one.id)
    for some in parts(applications.gone):
        delete(db, ApplicationRow, ApplicationRow.id.in_(some))
    for one in applications.changed:  # else two could not change their images
        ApplicationRow.update(image=f"#{one.id}").where(ApplicationRow.id == one.id).execute(db)
    add(db, ApplicationRow, map(row_of, applications.new))
    for one in applications.changed:
        ApplicationRow.update(row_of(one)).where(ApplicationRow.id == one.id).execute(db)


def _write_grants(db: peewee.Database, grants: _Difference[Grant]) -> None:
    for some in parts([*grants.gone, *(one.id for one in grants.changed)]):
        delete(db, GrantRow, GrantRow.id.in_(some))
    new = [*grants.new, *grants.changed]
    policies = policy_keys(db, {one.policy for one in new})
    grantees = grantee_columns(db, {one.grantee for one in new})
    rows = (
        {"id": one.id, "application": one.application.id, "policy": policies[one.policy]}
        | grantees[one.grantee]
        for one in new
    )
    add(db, GrantRow, rows)


def _tidy_grants(wanted: Holdings) -> tuple[Grant, ...]:
    applications = {one.id: one for one in wanted.applications}
    users, groups = {user.name for user in wanted.users}, set(wanted.groups)
    for grant in wanted.grants:
        grantee = grant.grantee
        if grant.application.id not in applications:
            raise no_application(grant.application.id)
        if grantee.kind == "user" and grantee.name not in users:
            raise no_user(grantee.name)
        if grantee.kind == "group" and grantee.name not in groups:
            raise no_group(grantee.name)
    found = (replace(one, application=applications[one.application.id]) for one in wanted.grants)
    return tuple(sorted(found, key=by_image_and_grantee))


def _check_doubles(wanted: Holdings) -> None:
    _check_single("user", (one.name for one in wanted.users))
    _check_single("uid", (one.uid for one in wanted.users if one.uid is not None))
    _check_single("group", wanted.groups)
    _check_single("application", (one.id for one in wanted.applications))
    _check_single("image", (one.image for one in wanted.applications))
    _check_single("grant", (one.id for one in wanted.grants))
    grants = ((one.grantee, one.application.id, one.policy) for one in wanted.grants)
    for (grantee, application_id, _), count in Counter(grants).items():
        if count > 1:
            raise ConflictError(
                f"The application {application_id} is granted to {shown(str(grantee))} twice"
                " under the same policy."
            )


def _check_single(what: str, values: Iterable[Any]) -> None:
    for value, count in Counter(values).items():
        if count > 1:
            raise ConflictError(f"The {what} {shown(str(value))} is there twice.")
