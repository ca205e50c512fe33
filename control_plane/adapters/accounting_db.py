"""Accounting in a database: who may run what, under which policy.

Invariant: a policy lives as long as a grant has it, and a uid is given once, for ever.
"""

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import peewee

from control_plane.adapters import accounting_read as read
from control_plane.adapters.accounting_rewrite import rewrite, tidy
from control_plane.adapters.accounting_rows import ApplicationRow, GrantRow, GroupRow, UserRow
from control_plane.adapters.accounting_write import (
    add,
    give_uids,
    given,
    grantee_columns,
    parts,
    policy_keys,
    remove_orphans,
    write_memberships,
)
from control_plane.adapters.database import Database, delete
from control_plane.domain.entities import (
    Application,
    Grant,
    Grantee,
    Group,
    Holdings,
    Policy,
    User,
)
from control_plane.domain.names import shown
from control_plane.domain.stores import (
    ApplicationChange,
    GroupChange,
    PolicyChange,
    Rewriting,
    UserChange,
)
from control_plane.errors import ConflictError

T = TypeVar("T")


class PeeweeAccounting:
    """The port `Accounting` on one database, whose schema is up to date."""

    def __init__(self, database: Database) -> None:
        """Keep the database; nothing is read yet."""
        self._database = database

    @property
    def writable(self) -> bool:
        """It is always."""
        return True

    def user(self, name: str) -> User | None:
        """Return the user of that name, with the groups."""
        with self._database.reading() as db:
            return _only(read.users(db, name))

    def users(self) -> Sequence[User]:
        """Return every user, by name, in one query."""
        with self._database.reading() as db:
            return read.users(db)

    def group(self, name: str) -> Group | None:
        """Return the group of that name, with its members."""
        with self._database.reading() as db:
            return _only(read.groups(db, name))

    def groups(self) -> Sequence[Group]:
        """Return every group, by name, in one query."""
        with self._database.reading() as db:
            return read.groups(db)

    def applications(self) -> Sequence[Application]:
        """Return every application, by image."""
        with self._database.reading() as db:
            return read.applications(db)

    def application(self, application_id: str) -> Application | None:
        """Return one application."""
        with self._database.reading() as db:
            return _only(read.applications(db, application_id))

    def grant(self, grant_id: str) -> Grant | None:
        """Return one grant with its application and policy."""
        with self._database.reading() as db:
            return _only(read.grants(db, [grant_id]))

    def grants(self) -> Sequence[Grant]:
        """Return every grant, by image and grantee, in one query."""
        with self._database.reading() as db:
            return read.grants(db)

    def grants_of(self, user: str) -> Sequence[Grant]:
        """Return what a user holds by name, by a group or as everyone, by image, in one query."""
        with self._database.reading() as db:
            return read.grants_of(db, user)

    def holds(self, pairs: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Grant]:
        """Return those (user, grant id) that hold, with the grant, in two queries."""
        if not pairs:
            return {}
        with self._database.reading_at_once() as db:
            standing = read.standing(db, {user for user, _ in pairs})
            found = {one.id: one for one in read.grants(db, {grant_id for _, grant_id in pairs})}
        return {
            (user, grant_id): found[grant_id]
            for user, grant_id in pairs
            if grant_id in found and found[grant_id].grantee in standing.get(user, ())
        }

    def holdings(self) -> Holdings:
        """Return everything, as it is at one moment."""
        with self._database.reading_at_once() as db:
            return read.holdings(db)

    def reserve_uids(
        self, count: int, first: int, last: int, taken: Callable[[int], bool]
    ) -> Sequence[int]:
        """Reserve uids that were never given before; ConflictError when too few are left."""
        while True:  # until no other process was faster
            chosen = self._free_uids(count, first, last, taken)
            if self._reserve(chosen):
                return chosen

    def add_user(self, user: User) -> None:
        """Add a user; ConflictError when the name or uid is taken, NotFoundError for a group."""
        with self._database.writing() as db:
            if read.users(db, user.name):
                raise ConflictError(f"There is a user {shown(user.name)} already.")
            give_uids(db, [user.uid])
            add(db, UserRow, [read.row_of(user)])
            write_memberships(db, set(), _memberships(user))

    def change_user(self, name: str, change: UserChange) -> User:
        """Change a user and the groups; NotFoundError. The name stays."""
        with self._database.writing() as db:
            was = _only(read.users(db, name))
            if was is None:
                raise read.no_user(name)
            now = replace(change(was), name=name)
            give_uids(db, [now.uid])
            UserRow.update(read.row_of(now)).where(UserRow.name == name).execute(db)
            write_memberships(db, _memberships(was), _memberships(now))
            return read.users(db, name)[0]

    def remove_user(self, name: str) -> None:
        """Remove a user, the grants and the memberships; NotFoundError when there is none."""
        with self._database.writing() as db:
            if not delete(db, UserRow, UserRow.name == name):
                raise read.no_user(name)
            remove_orphans(db)

    def add_group(self, group: Group) -> None:
        """Add a group; ConflictError when the name is taken, NotFoundError for a member."""
        with self._database.writing() as db:
            if read.groups(db, group.name):
                raise ConflictError(f"There is a group {shown(group.name)} already.")
            add(db, GroupRow, [{"name": group.name}])
            write_memberships(db, set(), {(user, group.name) for user in group.members})

    def change_group(self, name: str, change: GroupChange) -> Group:
        """Change who is in it; NotFoundError for the group or a member. The name stays."""
        with self._database.writing() as db:
            was = _only(read.groups(db, name))
            if was is None:
                raise read.no_group(name)
            members = change(was).members
            write_memberships(
                db, {(user, name) for user in was.members}, {(user, name) for user in members}
            )
            return read.groups(db, name)[0]

    def remove_group(self, name: str) -> None:
        """Remove a group and its grants; NotFoundError when there is none."""
        with self._database.writing() as db:
            if not delete(db, GroupRow, GroupRow.name == name):
                raise read.no_group(name)
            remove_orphans(db)

    def add_application(self, application: Application) -> None:
        """Add an application; ConflictError when the image is known already."""
        with self._database.writing() as db:
            _check_image(db, application)
            add(db, ApplicationRow, [read.row_of(application)])

    def change_application(self, application_id: str, change: ApplicationChange) -> Application:
        """Change it; NotFoundError, ConflictError when the new image is known. The id stays."""
        with self._database.writing() as db:
            was = _only(read.applications(db, application_id))
            if was is None:
                raise read.no_application(application_id)
            now = replace(change(was), id=application_id)
            _check_image(db, now)
            row = read.row_of(now)
            ApplicationRow.update(row).where(ApplicationRow.id == application_id).execute(db)
        return now

    def remove_application(self, application_id: str) -> None:
        """Remove an application and its grants; NotFoundError when there is none."""
        with self._database.writing() as db:
            if not delete(db, ApplicationRow, ApplicationRow.id == application_id):
                raise read.no_application(application_id)
            remove_orphans(db)

    def add_grant(self, grantee: Grantee, application_id: str, policy: Policy) -> Grant:
        """Grant; the same grantee, application and policy again returns the grant that exists.

        NotFoundError names the user, the group or the application that is unknown.
        """
        with self._database.writing() as db:
            columns = grantee_columns(db, [grantee])[grantee]
            if not read.applications(db, application_id):
                raise read.no_application(application_id)
            same = {"application": application_id, "policy": policy_keys(db, [policy])[policy]}
            found = _grant_with(db, columns["grantee"], same)
            if found is None:
                found = secrets.token_hex(16)
                add(db, GrantRow, [{"id": found} | columns | same])
            return read.grants(db, [found])[0]

    def change_grant(self, grant_id: str, change: PolicyChange) -> Grant:
        """Put another policy on a grant; NotFoundError, ConflictError when that exists."""
        with self._database.writing() as db:
            was = _only(read.grants(db, [grant_id]))
            if was is None:
                raise read.no_grant(grant_id)
            now = replace(was, policy=change(was))
            key = policy_keys(db, [now.policy])[now.policy]
            grantee = grantee_columns(db, [was.grantee])[was.grantee]["grantee"]
            same = {"application": was.application.id, "policy": key}
            if _grant_with(db, grantee, same) not in {None, grant_id}:
                raise ConflictError(
                    f"{shown(str(was.grantee))} has another grant of {was.application.image}"
                    " with this policy already.",
                    "Remove one of the two.",
                )
            GrantRow.update(policy=key).where(GrantRow.id == grant_id).execute(db)
            remove_orphans(db)
            return now

    def remove_grants(self, grant_ids: Collection[str]) -> int:
        """Remove grants; return how many there were."""
        with self._database.writing() as db:
            gone = sum(delete(db, GrantRow, GrantRow.id.in_(some)) for some in parts(grant_ids))
            remove_orphans(db)
        return gone

    def rewrite(self, change: Rewriting) -> Holdings:
        """Make everything as `change` returns it, in one transaction; return the result.

        Users, groups, applications and grants are matched by name, name, id and id. Nothing is
        written when nothing differs.
        """
        with self._database.writing() as db:
            was = read.holdings(db)
            now = tidy(change(was))
            if now == was:
                db.rollback()  # else a server's watchers would hear of a write
            else:
                rewrite(db, was, now)
        return now

    def _free_uids(
        self, count: int, first: int, last: int, taken: Callable[[int], bool]
    ) -> list[int]:
        with self._database.reading() as db:
            known = given(db, first, last)
        chosen: list[int] = []
        for uid in range(first, last + 1):
            if len(chosen) == count:
                break
            if uid not in known and not taken(uid):
                chosen.append(uid)
        if len(chosen) < count:
            raise ConflictError(
                f"Of the uids from {first} to {last} only {len(chosen)} were never given.",
                "Widen [auth] virtual_uids in the settings.",
            )
        return chosen

    def _reserve(self, uids: Sequence[int]) -> bool:
        with self._database.writing() as db:
            if uids and not given(db, uids[0], uids[-1]).isdisjoint(uids):
                return False
            give_uids(db, uids)
        return True


def _only(found: Sequence[T]) -> T | None:
    return found[0] if found else None


def _memberships(user: User) -> set[tuple[str, str]]:
    return {(user.name, group) for group in user.groups}


def _check_image(db: peewee.Database, application: Application) -> None:
    same = ApplicationRow.image == application.image
    query = ApplicationRow.select().where(same, ApplicationRow.id != application.id)
    if query.get_or_none(db):
        raise ConflictError(
            f"There is an application of the image {shown(application.image)} already."
        )


def _grant_with(db: peewee.Database, grantee: str, same: Mapping[str, Any]) -> str | None:
    wanted = [getattr(GrantRow, name) == value for name, value in same.items()]
    row: Any = GrantRow.select().where(GrantRow.grantee == grantee, *wanted).get_or_none(db)
    return row.id if row else None
