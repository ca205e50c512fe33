"""What accounting's tables say, as entities, and the errors that say what they lack.

Invariant: every order is made here and not by the database, since databases sort text by rules
of their own.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any

import peewee

from control_plane.adapters.accounting_rows import (
    EVERYONE,
    ApplicationRow,
    GrantRow,
    GroupRow,
    MembershipRow,
    PolicyRow,
    UserRow,
)
from control_plane.domain.entities import (
    Application,
    Grant,
    Grantee,
    Group,
    Holdings,
    Policy,
    User,
    Volume,
)
from control_plane.domain.names import shown
from control_plane.errors import NotFoundError

_MANY = 5000  # how many values a query compares with at most; databases end at 32 766 or 65 535
_USER = [field.name for field in fields(User) if field.name != "groups"]
_APPLICATION = [field.name for field in fields(Application)]
_POLICY = [field.name for field in fields(Policy)]


def users(db: peewee.Database, name: str | None = None) -> list[User]:
    """Return every user, or the one of that name, by name; one query."""
    query = (
        UserRow.select(*_columns(UserRow, _USER), GroupRow.name)
        .join_from(UserRow, MembershipRow, peewee.JOIN.LEFT_OUTER)
        .join_from(MembershipRow, GroupRow, peewee.JOIN.LEFT_OUTER)
    )
    if name is not None:
        query = query.where(UserRow.name == name)
    rows = list(query.tuples().execute(db))
    groups = _gathered((row[0], row[-1]) for row in rows)
    single = {row[0]: row for row in rows}
    return [_user(single[name], groups[name]) for name in sorted(single)]


def groups(db: peewee.Database, name: str | None = None) -> list[Group]:
    """Return every group, or the one of that name, by name; one query."""
    query: Any = (
        GroupRow.select(GroupRow.name, UserRow.name)
        .join_from(GroupRow, MembershipRow, peewee.JOIN.LEFT_OUTER)
        .join_from(MembershipRow, UserRow, peewee.JOIN.LEFT_OUTER)
    )
    if name is not None:
        query = query.where(GroupRow.name == name)
    members = _gathered(query.tuples().execute(db))
    return [Group(name, members[name]) for name in sorted(members)]


def applications(db: peewee.Database, application_id: str | None = None) -> list[Application]:
    """Return every application, or the one of that id, by image."""
    query: Any = ApplicationRow.select(*_columns(ApplicationRow, _APPLICATION))
    if application_id is not None:
        query = query.where(ApplicationRow.id == application_id)
    found = [_application(row) for row in _fetched(db, query)]
    return sorted(found, key=lambda one: one.image)


def grants(db: peewee.Database, grant_ids: Collection[str] | None = None) -> list[Grant]:
    """Return every grant, or those of these ids, by image and grantee; one query."""
    query = _grants()
    if grant_ids is not None and len(grant_ids) <= _MANY:
        query = query.where(GrantRow.id.in_(list(grant_ids)))
    found = _entities(_fetched(db, query))
    if grant_ids is not None:
        wanted = frozenset(grant_ids)
        found = [grant for grant in found if grant.id in wanted]
    return sorted(found, key=by_image_and_grantee)


def grants_of(db: peewee.Database, user: str) -> list[Grant]:
    """Return what a user holds by name, by a group or as everyone, by image; one query."""
    # A union of three searches: no database uses its indexes for the same said with OR.
    mine = GrantRow.select(GrantRow.id).join(UserRow).where(UserRow.name == user)
    by_group = (
        GrantRow.select(GrantRow.id)
        .join(MembershipRow, on=GrantRow.group == MembershipRow.group)
        .join(UserRow)
        .where(UserRow.name == user)
    )
    as_everyone = (
        GrantRow.select(GrantRow.id)
        .join(UserRow, on=(UserRow.name == user))
        .where(GrantRow.grantee == EVERYONE)
    )
    held = mine.union_all(by_group).union_all(as_everyone).alias("held")
    query = _grants().join_from(GrantRow, held, on=(GrantRow.id == held.c.id))
    found = _entities(_fetched(db, query))
    return sorted(found, key=lambda grant: (grant.application.image, grant.id))


def holdings(db: peewee.Database) -> Holdings:
    """Return everything; the caller sees to it that it is of one moment."""
    return Holdings(
        users=tuple(users(db)),
        groups=tuple(group.name for group in groups(db)),
        applications=tuple(applications(db)),
        grants=tuple(grants(db)),
    )


def standing(db: peewee.Database, names: Collection[str]) -> dict[str, frozenset[Grantee]]:
    """Return as what each of these names holds grants; a name that is no user's is left out."""
    query: Any = (
        UserRow.select(UserRow.name, GroupRow.name)
        .join_from(UserRow, MembershipRow, peewee.JOIN.LEFT_OUTER)
        .join_from(MembershipRow, GroupRow, peewee.JOIN.LEFT_OUTER)
    )
    if len(names) <= _MANY:
        query = query.where(UserRow.name.in_(list(names)))
    found = _gathered(query.tuples().execute(db))
    return {name: grantees(name, found[name]) for name in names if name in found}


def grantees(user: str, groups: Iterable[str]) -> frozenset[Grantee]:
    """Return as what a user of these groups holds grants."""
    own = {Grantee("user", user), Grantee("everyone")}
    return frozenset(own | {Grantee("group", name) for name in groups})


def by_image_and_grantee(grant: Grant) -> tuple[str, str, str, str]:
    """Return what grants are ordered by."""
    return grant.application.image, grant.grantee.kind, grant.grantee.name, grant.id


def row_of(entity: User | Application) -> dict[str, Any]:
    """Return the values of a user's or an application's own row."""
    return {name: value for name, value in asdict(entity).items() if name != "groups"}


def no_user(name: str) -> NotFoundError:
    """Return the error for a user who is not there."""
    return NotFoundError(f"There is no user {shown(name)}.", "See remoteappdb user list.")


def no_group(name: str) -> NotFoundError:
    """Return the error for a group that is not there."""
    return NotFoundError(f"There is no group {shown(name)}.", "See remoteappdb group list.")


def no_application(application_id: str) -> NotFoundError:
    """Return the error for an application that is not there."""
    return NotFoundError(
        f"There is no application {shown(application_id)}.", "See remoteappdb app list."
    )


def no_grant(grant_id: str) -> NotFoundError:
    """Return the error for a grant that is not there."""
    return NotFoundError(f"There is no grant {shown(grant_id)}.", "It may have been revoked.")


def _fetched(db: Any, query: Any) -> list[Any]:
    return list(db.execute(query).fetchall())


def _columns(model: type[peewee.Model], names: Iterable[str]) -> list[Any]:
    return [getattr(model, name) for name in names]


def _grants() -> Any:
    return (
        GrantRow.select(
            GrantRow.id,
            GrantRow.grantee,
            UserRow.name,
            GroupRow.name,
            PolicyRow.id,
            *_columns(ApplicationRow, _APPLICATION),
            *_columns(PolicyRow, _POLICY),
        )
        .join_from(GrantRow, UserRow, peewee.JOIN.LEFT_OUTER)
        .join_from(GrantRow, GroupRow, peewee.JOIN.LEFT_OUTER)
        .join_from(GrantRow, ApplicationRow)
        .join_from(GrantRow, PolicyRow)
    )


def _entities(rows: Iterable[Any]) -> list[Grant]:
    # Many grants share an application and a policy, and to read one takes its time.
    applications: dict[str, Application] = {}
    policies: dict[int, Policy] = {}
    found = []
    for grant_id, grantee, user, group, policy, *rest in rows:
        application = rest[0]
        if application not in applications:
            applications[application] = _application(rest[: len(_APPLICATION)])
        if policy not in policies:
            policies[policy] = _policy(rest[len(_APPLICATION) :])
        whose = _grantee(grantee, user, group)
        found.append(Grant(grant_id, whose, applications[application], policies[policy]))
    return found


def _grantee(key: str, user: str | None, group: str | None) -> Grantee:
    if key == EVERYONE:
        return Grantee("everyone")
    return Grantee("user", user) if user is not None else Grantee("group", group or "")


def _user(row: Any, groups: tuple[str, ...]) -> User:
    return User(**dict(zip(_USER, row[:-1], strict=True)), groups=groups)


def _application(row: Sequence[Any]) -> Application:
    values = _values(ApplicationRow, _APPLICATION, row)
    return Application(**values | {"command": tuple(values["command"])})


def _policy(row: Sequence[Any]) -> Policy:
    values = _values(PolicyRow, _POLICY, row)
    return Policy(**values | {"volumes": tuple(Volume(**one) for one in values["volumes"])})


def _values(model: type[peewee.Model], names: list[str], row: Sequence[Any]) -> dict[str, Any]:
    return {
        name: getattr(model, name).python_value(value)
        for name, value in zip(names, row, strict=True)
    }


def _gathered(pairs: Iterable[tuple[str, str | None]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for key, value in pairs:
        found.setdefault(key, []).extend([] if value is None else [value])
    return {key: tuple(sorted(values)) for key, values in found.items()}
