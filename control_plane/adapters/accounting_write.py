"""The rows that several changes of accounting write: many at once, policies, memberships, uids.

Invariant: each works inside the transaction of its caller, which holds the write lock.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from typing import Any, TypeVar

import peewee

from control_plane.adapters.accounting_read import no_group, no_user
from control_plane.adapters.accounting_rows import (
    EVERYONE,
    GivenUidRow,
    GrantRow,
    GroupRow,
    MembershipRow,
    PolicyRow,
    UserRow,
)
from control_plane.adapters.database import delete, insert
from control_plane.domain.entities import Grantee, Policy
from control_plane.errors import NotFoundError

_AT_ONCE = 500  # rows in one statement: databases bound how many values it may have
_USUAL = asdict(Policy())
Pairs = Collection[tuple[str, str]]
T = TypeVar("T")


def add(db: peewee.Database, model: type[peewee.Model], rows: Iterable[dict[str, Any]]) -> None:
    """Write these rows, which name the same columns, however many they are."""
    for some in parts(rows):
        insert(db, model, some)


def parts(values: Iterable[T]) -> Iterator[list[T]]:
    """Yield the values in lists that one statement can take."""
    left = iter(values)
    while some := list(islice(left, _AT_ONCE)):
        yield some


def keys(
    db: peewee.Database,
    model: type[UserRow] | type[GroupRow],
    names: Iterable[str],
    missing: Callable[[str], NotFoundError],
) -> dict[str, int]:
    """Return the key of each name; the error of `missing` for the first that is not there."""
    wanted = sorted(set(names))
    found: dict[str, int] = {}
    for some in parts(wanted):
        query: Any = model.select(model.name, model.id).where(model.name.in_(some))
        found.update(query.tuples().execute(db))
    for name in wanted:
        if name not in found:
            raise missing(name)
    return found


def grantee_columns(
    db: peewee.Database, grantees: Collection[Grantee]
) -> dict[Grantee, dict[str, Any]]:
    """Return what a grant's row says of each grantee; NotFoundError for one who is not there."""
    users = keys(db, UserRow, (one.name for one in grantees if one.kind == "user"), no_user)
    groups = keys(db, GroupRow, (one.name for one in grantees if one.kind == "group"), no_group)
    return {one: _columns(one, users, groups) for one in grantees}


def policy_keys(db: peewee.Database, policies: Collection[Policy]) -> dict[Policy, int]:
    """Return the key of each policy's row; the rows that lack are written."""
    digests = {policy: digest(policy) for policy in policies}
    found = _policies_by_digest(db, digests.values())
    new = {one: policy for policy, one in digests.items() if one not in found}
    if new:
        add(db, PolicyRow, (asdict(policy) | {"digest": new_} for new_, policy in new.items()))
        found = _policies_by_digest(db, digests.values())
    return {policy: found[one] for policy, one in digests.items()}


def digest(policy: Policy) -> str:
    """Return what two policies share when they are equal, and only then.

    What is as usual does not count: a field that a later version adds leaves it as it is.
    """
    said = {name: value for name, value in asdict(policy).items() if value != _USUAL[name]}
    if policy.cpus is not None:
        said["cpus"] = float(policy.cpus)
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def remove_orphans(db: peewee.Database) -> None:
    """Remove the policies that no grant has."""
    delete(db, PolicyRow, PolicyRow.id.not_in(GrantRow.select(GrantRow.policy)))


def write_memberships(db: peewee.Database, was: Pairs, now: Pairs) -> None:
    """Turn the memberships `was` into `now`: pairs of a user's and a group's name."""
    gone, new = set(was) - set(now), set(now) - set(was)
    users = keys(db, UserRow, (user for user, _ in gone | new), no_user)
    groups = keys(db, GroupRow, (group for _, group in gone | new), no_group)
    for name in {group for _, group in gone}:
        for some in parts(users[user] for user, group in gone if group == name):
            delete(
                db,
                MembershipRow,
                (MembershipRow.group == groups[name]) & MembershipRow.user.in_(some),
            )
    rows = ({"user": users[user], "group": groups[group]} for user, group in sorted(new))
    add(db, MembershipRow, rows)


def give_uids(db: peewee.Database, uids: Iterable[int | None]) -> None:
    """Note that these uids were given; again is no error."""
    wanted = {uid for uid in uids if uid is not None}
    if wanted:
        new = wanted - given(db, min(wanted), max(wanted))
        add(db, GivenUidRow, ({"uid": uid} for uid in sorted(new)))


def given(db: peewee.Database, first: int, last: int) -> set[int]:
    """Return the uids from `first` to `last` that were given."""
    query: Any = GivenUidRow.select(GivenUidRow.uid).where(GivenUidRow.uid.between(first, last))
    return {uid for (uid,) in query.tuples().execute(db)}


def _columns(
    grantee: Grantee, users: Mapping[str, int], groups: Mapping[str, int]
) -> dict[str, Any]:
    if grantee.kind == "everyone":
        return {"grantee": EVERYONE, "user": None, "group": None}
    key = (users if grantee.kind == "user" else groups)[grantee.name]
    of: dict[str, Any] = {"user": None, "group": None} | {str(grantee.kind): key}
    return {"grantee": f"{grantee.kind}:{key}"} | of


def _policies_by_digest(db: peewee.Database, digests: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in parts(digests):
        query: Any = PolicyRow.select(PolicyRow.digest, PolicyRow.id)
        found.update(query.where(PolicyRow.digest.in_(some)).tuples().execute(db))
    return found
