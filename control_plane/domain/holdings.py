"""All of accounting as plain data, and two states of it compared.

Invariant: what is compared or written as plain data and read again is the same; a difference that
people are shown holds no licence.
"""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from control_plane.domain import applications, policy
from control_plane.domain.entities import Application, Grant, Holdings, Policy, User
from control_plane.domain.names import shown

Thing = User | Application | Grant | str  # a group is its name
HIDDEN = "***"
_NO_POLICY = policy.as_fields(Policy())
_NO_APPLICATION = applications.as_fields(Application("", ""))


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that comes (`before` is None), goes (`after` is None) or becomes another."""

    before: Thing | None
    after: Thing | None

    @property
    def thing(self) -> Thing:
        """What it is about, as it is to be."""
        found = self.before if self.after is None else self.after
        assert found is not None  # noqa: S101 - one of the two is there
        return found

    def __str__(self) -> str:
        """Return it as a line: `+ user alice`, `~ application desk: port 80 -> 8080`."""
        if self.before is None or self.after is None:
            return f"{'-' if self.after is None else '+'} {named(self.thing)}"
        was, now = _fields(self.before), _fields(self.after)
        parts = [
            f"{key} {_word(key, was[key])} -> {_word(key, now[key])}"
            for key in was
            if was[key] != now[key]
        ]
        return f"~ {named(self.before)}: {', '.join(parts)}"


def named(thing: Thing) -> str:
    """Return what people read of it: `user alice`, `grant of desk to group lab`."""
    if isinstance(thing, User):
        return f"user {shown(thing.name)}"
    if isinstance(thing, Application):
        return f"application {shown(thing.image)}"
    if isinstance(thing, Grant):
        return f"grant of {shown(thing.application.image)} to {thing.grantee}"
    return f"group {shown(thing)}"


def triple(grant: Grant) -> tuple[object, str, Policy]:
    """Return what no two grants have in common."""
    return grant.grantee, grant.application.image, grant.policy


def as_document(holdings: Holdings) -> dict[str, list[Any]]:
    """Return everything as lists of plain data, without uids; what is as by default is left out.

    A licence stands in it.
    """
    return {
        "users": [_user(one) for one in holdings.users],
        "groups": list(holdings.groups),
        "applications": [_application(one) for one in holdings.applications],
        "grants": [_grant(one) for one in holdings.grants],
    }


def matched(present: Holdings, wanted: Holdings, uids: Mapping[str, int]) -> Holdings:
    """Return what is wanted with the uids and ids of what is there already.

    In `wanted` no user has a uid, no application an id, and a grant one only where it was given.
    `uids` are those of new virtual users. A grant without an id is the one that is there for the
    same grantee, image and policy, else a new one.
    """
    known = {one.name: one.uid for one in present.users}
    ids = {one.image: one.id for one in present.applications}
    made = {
        one.image: replace(one, id=ids.get(one.image) or secrets.token_hex(16))
        for one in wanted.applications
    }
    given = {one.id for one in wanted.grants}
    free = {triple(one): one.id for one in present.grants if one.id not in given}
    return Holdings(
        users=tuple(
            _with_uid(one, known.get(one.name, uids.get(one.name))) for one in wanted.users
        ),
        groups=wanted.groups,
        applications=tuple(made.values()),
        grants=tuple(
            replace(
                one,
                id=one.id or free.get(triple(one)) or secrets.token_hex(16),
                application=made[one.application.image],
            )
            for one in wanted.grants
        ),
    )


def differences(present: Holdings, after: Holdings) -> list[Change]:
    """Return what is to change: groups, users, applications, grants, each kind by name."""
    return [
        *_compared({one: one for one in present.groups}, {one: one for one in after.groups}),
        *_compared({u.name: u for u in present.users}, {u.name: u for u in after.users}),
        *_compared(
            {one.image: one for one in present.applications},
            {one.image: one for one in after.applications},
        ),
        *sorted(
            _compared({g.id: g for g in present.grants}, {g.id: g for g in after.grants}),
            key=lambda one: named(one.thing),
        ),
    ]


def _compared(was: Mapping[str, Thing], now: Mapping[str, Thing]) -> Iterator[Change]:
    for key in sorted(was.keys() | now.keys()):
        before, after = was.get(key), now.get(key)
        if before is None or after is None or _fields(before) != _fields(after):
            yield Change(before, after)


def _fields(thing: Thing) -> dict[str, Any]:
    """Return what two states of one thing may differ in."""
    if isinstance(thing, User):
        return {**asdict(thing), "groups": list(thing.groups)}
    if isinstance(thing, Application):
        return applications.as_fields(thing)
    if isinstance(thing, Grant):
        whom = {"grantee": str(thing.grantee), "image": thing.application.image}
        return whom | policy.as_fields(thing.policy)
    return {"name": thing}


def _word(key: str, value: object) -> str:
    if key == "app_license":
        return HIDDEN if value else "none"
    if key == "environment" and isinstance(value, Mapping):
        return ", ".join(sorted(value)) or "none"
    if isinstance(value, list):
        return ", ".join(shown(str(one)) for one in value) or "none"
    return "none" if value in (None, "") else shown(str(value))


def _user(user: User) -> dict[str, Any]:
    plain: dict[str, Any] = {"name": user.name, "kind": user.kind}
    if not user.enabled:
        plain["enabled"] = False
    if user.admin:
        plain["admin"] = True
    return plain | ({"groups": list(user.groups)} if user.groups else {})


def _application(application: Application) -> dict[str, Any]:
    return _unlike(applications.as_fields(application), _NO_APPLICATION)


def _grant(grant: Grant) -> dict[str, Any]:
    kind, name = grant.grantee.kind, grant.grantee.name
    plain: dict[str, Any] = {kind: True if kind == "everyone" else name}
    plain["image"] = grant.application.image
    if fields := _unlike(policy.as_fields(grant.policy), _NO_POLICY):
        plain["policy"] = fields
    return plain | {"id": grant.id}


def _unlike(fields: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value != defaults[name]}


def _with_uid(user: User, uid: int | None) -> User:
    return replace(user, uid=uid, gid=uid)
