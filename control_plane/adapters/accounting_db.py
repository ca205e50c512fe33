"""Accounting in a database: who may run what, under which policy.

Invariant: a policy lives as long as a grant has it, and a uid is given once, for ever.
"""

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, fields, replace
from typing import Any, TypeVar

import peewee

from control_plane.adapters.accounting_rows import (
    ApplicationRow,
    GivenUidRow,
    GrantRow,
    PolicyRow,
    UserRow,
)
from control_plane.adapters.database import Database, delete
from control_plane.domain.entities import Application, Grant, Policy, User
from control_plane.domain.names import shown
from control_plane.errors import ConflictError, NotFoundError

T = TypeVar("T", User, Application, Policy)


class PeeweeAccounting:
    """The port `Accounting` on one database, whose schema is up to date."""

    def __init__(self, database: Database) -> None:
        """Keep the database; nothing is read yet."""
        self._database = database

    def user(self, name: str) -> User | None:
        """Return the user of that name."""
        with self._database.reading() as db:
            row = _users().where(UserRow.name == name).get_or_none(db)
        return _entity(User, row) if row else None

    def users(self) -> Sequence[User]:
        """Return every user, by name."""
        with self._database.reading() as db:
            rows = list(_users().order_by(UserRow.name).execute(db))
        return [_entity(User, row) for row in rows]

    def add_user(self, user: User) -> None:
        """Add a user; ConflictError when the name or the uid is taken."""
        with self._database.writing() as db:
            if _users().where(UserRow.name == user.name).get_or_none(db):
                raise ConflictError(f"There is a user {shown(user.name)} already.")
            if user.uid is not None:
                GivenUidRow.insert(uid=user.uid).on_conflict_ignore().execute(db)
            UserRow.insert(asdict(user)).execute(db)

    def change_user(self, user: User) -> None:
        """Replace the user of that name; NotFoundError when there is none."""
        with self._database.writing() as db:
            changed = UserRow.update(asdict(user)).where(UserRow.name == user.name).execute(db)
            if not changed:
                raise _no_user(user.name)

    def remove_user(self, name: str) -> None:
        """Remove a user and the grants; NotFoundError when there is none."""
        with self._database.writing() as db:
            if not delete(db, UserRow, UserRow.name == name):
                raise _no_user(name)
            _remove_orphans(db)

    def next_uid(self, first: int, last: int, taken: Callable[[int], bool]) -> int:
        """Reserve a uid that was never given before; ConflictError when none is left."""
        for uid in range(first, last + 1):
            if uid not in self._given(first, last) and not taken(uid) and self._give(uid):
                return uid
        raise ConflictError(
            f"Every uid from {first} to {last} was given before.",
            "Widen [auth] virtual_uids in the settings.",
        )

    def applications(self) -> Sequence[Application]:
        """Return every application, by image."""
        with self._database.reading() as db:
            rows = list(ApplicationRow.select().order_by(ApplicationRow.image).execute(db))
        return [_application(row) for row in rows]

    def add_application(self, application: Application) -> None:
        """Add an application; ConflictError when the image is known already."""
        with self._database.writing() as db:
            image = application.image
            if ApplicationRow.select().where(ApplicationRow.image == image).get_or_none(db):
                raise ConflictError(f"There is an application of the image {shown(image)} already.")
            ApplicationRow.insert(asdict(application)).execute(db)

    def remove_application(self, image: str) -> None:
        """Remove an application and its grants; NotFoundError when there is none."""
        with self._database.writing() as db:
            if not delete(db, ApplicationRow, ApplicationRow.image == image):
                raise _no_application(image)
            _remove_orphans(db)

    def grant(self, grant_id: str) -> Grant | None:
        """Return one grant with its application and policy."""
        with self._database.reading() as db:
            row = _grants().where(GrantRow.id == grant_id).get_or_none(db)
        return _grant(row) if row else None

    def granted(self, grant_ids: Collection[str]) -> set[str]:
        """Return those of the ids that are still grants."""
        with self._database.reading() as db:
            query = GrantRow.select(GrantRow.id).where(GrantRow.id.in_(list(grant_ids)))
            return {row.id for row in query.execute(db)}

    def grants_of(self, user: str) -> Sequence[Grant]:
        """Return the user's grants by image, with applications and policies, in one query."""
        query = _grants().where(UserRow.name == user).order_by(ApplicationRow.image, GrantRow.id)
        with self._database.reading() as db:
            rows = list(query.execute(db))
        return [_grant(row) for row in rows]

    def add_grant(self, image: str, user: str, policy: Policy) -> Grant:
        """Grant; the same user, application and policy again returns the grant that exists."""
        with self._database.writing() as db:
            keys = {
                "user": _user_key(db, user),
                "application": _application_key(db, image),
                "policy": _policy_key(db, policy),
            }
            row = _grants().where(*_equal(GrantRow, keys)).get_or_none(db)
            if not row:
                grant_id = secrets.token_hex(16)
                GrantRow.insert(keys | {"id": grant_id}).execute(db)
                row = _grants().where(GrantRow.id == grant_id).get(db)
        return _grant(row)

    def revoke(self, image: str, user: str, policy: Policy | None) -> int:
        """Remove the grants of that policy (None: of any); return how many."""
        wanted = _grants().where(ApplicationRow.image == image, UserRow.name == user)
        if policy is not None:
            wanted = wanted.where(*_equal(PolicyRow, asdict(policy)))
        with self._database.writing() as db:
            ids = [row.id for row in wanted.execute(db)]
            delete(db, GrantRow, GrantRow.id.in_(ids))
            _remove_orphans(db)
        return len(ids)

    def _given(self, first: int, last: int) -> set[int]:
        query = GivenUidRow.select().where(GivenUidRow.uid.between(first, last))
        with self._database.reading() as db:
            return {row.uid for row in query.execute(db)}

    def _give(self, uid: int) -> bool:
        with self._database.writing() as db:
            if GivenUidRow.select().where(GivenUidRow.uid == uid).get_or_none(db):
                return False  # another process was faster
            GivenUidRow.insert(uid=uid).execute(db)
        return True


def _users() -> Any:
    return UserRow.select()


def _grants() -> Any:
    return (
        GrantRow.select(GrantRow, UserRow, ApplicationRow, PolicyRow)
        .join_from(GrantRow, UserRow)
        .join_from(GrantRow, ApplicationRow)
        .join_from(GrantRow, PolicyRow)
    )


def _user_key(db: peewee.Database, name: str) -> int:
    row = _users().where(UserRow.name == name).get_or_none(db)
    if row is None:
        raise _no_user(name)
    return int(row.id)


def _application_key(db: peewee.Database, image: str) -> str:
    row = ApplicationRow.select().where(ApplicationRow.image == image).get_or_none(db)
    if row is None:
        raise _no_application(image)
    return row.id


def _policy_key(db: peewee.Database, policy: Policy) -> int:
    values = asdict(policy)
    row: Any = PolicyRow.select().where(*_equal(PolicyRow, values)).get_or_none(db)
    return int(row.id if row else PolicyRow.insert(values).execute(db))


def _equal(model: type[peewee.Model], values: dict[str, Any]) -> list[Any]:
    return [getattr(model, name) == value for name, value in values.items()]


def _remove_orphans(db: peewee.Database) -> None:
    delete(db, PolicyRow, PolicyRow.id.not_in(GrantRow.select(GrantRow.policy)))


def _grant(row: Any) -> Grant:
    policy = _entity(Policy, row.policy)
    return Grant(row.id, row.user.name, _application(row.application), policy)


def _application(row: Any) -> Application:
    application = _entity(Application, row)
    return replace(application, command=tuple(application.command))


def _entity(kind: type[T], row: Any) -> T:
    names = [field.name for field in fields(kind)]
    return kind(**{name: getattr(row, name) for name in names})


def _no_user(name: str) -> NotFoundError:
    return NotFoundError(f"There is no user {shown(name)}.", "See remoteappdb user list.")


def _no_application(image: str) -> NotFoundError:
    return NotFoundError(
        f"There is no application of the image {shown(image)}.", "See remoteappdb app list."
    )
