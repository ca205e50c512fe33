"""How an act of administration stands in the audit log.

Invariant: no secret stands there: of a licence only that there is one, of an application's
variables only their names, of a password only that it was set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from control_plane.domain import applications, policy
from control_plane.domain.entities import Application, AuditRow, Grant, Group, Policy, User
from control_plane.domain.holdings import HIDDEN, Thing
from control_plane.domain.ports import Books
from control_plane.domain.roles import Actor

Told = Mapping[str, Any] | None
_DEFAULTS = policy.as_fields(Policy())


@dataclass(frozen=True, slots=True)
class Act:
    """What was done to what: as it was before and is after, None where there is nothing."""

    action: str
    target: str
    before: Told = None
    after: Told = None
    detail: str = ""


def note(  # noqa: PLR0913, PLR0917 - one argument a column
    books: Books,
    actor: Actor,
    action: str,
    target: str,
    before: Told = None,
    after: Told = None,
    detail: str = "",
) -> None:
    """Write one act."""
    note_all(books, actor, [Act(action, target, before, after, detail)])


def note_all(books: Books, actor: Actor, acts: Sequence[Act]) -> None:
    """Write acts in their order, all or none."""
    at, who, address = books.clock(), actor.name, actor.address
    rows = [
        AuditRow(at, who, one.action, one.target, address, one.detail, one.before, one.after)
        for one in acts
    ]
    books.records.add_audits(rows)


def note_lost(books: Books, actor: Actor, grants: Sequence[Grant], detail: str) -> None:
    """Write for each of these grants that it is one no more."""
    lost = [Act("revoke", one.id, before=of_grant(one), detail=detail) for one in grants]
    note_all(books, actor, lost)


def target_of(thing: Thing) -> str:
    """Return what the audit log calls it."""
    if isinstance(thing, User):
        return thing.name
    if isinstance(thing, Grant):
        return thing.id
    return thing.image if isinstance(thing, Application) else thing


def of(thing: Thing) -> Told:
    """Return anything of accounting as the audit log shows it."""
    if isinstance(thing, User):
        return of_user(thing)
    if isinstance(thing, Grant):
        return of_grant(thing)
    return of_application(thing) if isinstance(thing, Application) else {}


def of_user(user: User) -> Told:
    """Return a user as the audit log shows one."""
    told: dict[str, Any] = {"kind": user.kind, "enabled": user.enabled, "admin": user.admin}
    if user.uid is not None:
        told["uid"] = user.uid
    return told | {"groups": list(user.groups)}


def of_group(group: Group) -> Told:
    """Return a group as the audit log shows one."""
    return {"members": list(group.members)}


def of_application(application: Application) -> Told:
    """Return what is known of an application, without the values of its variables."""
    fields = applications.as_fields(application)
    told = {name: value for name, value in fields.items() if value not in (None, "", [], {})}
    return told | (
        {"environment": sorted(application.environment)} if "environment" in told else {}
    )


def of_grant(grant: Grant) -> Told:
    """Return whom a grant is for, what of, and what its policy says, without the licence."""
    return {
        "grantee": str(grant.grantee),
        "image": grant.application.image,
        "policy": of_policy(grant.policy),
    }


def of_policy(allowed: Policy) -> dict[str, Any]:
    """Return the fields that differ from the default, without the licence."""
    fields = policy.as_fields(allowed)
    told = {name: value for name, value in fields.items() if value != _DEFAULTS[name]}
    return told | ({"app_license": HIDDEN} if allowed.app_license else {})
