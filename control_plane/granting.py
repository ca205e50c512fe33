"""Several grants at once: several applications to several users, groups, or everyone.

Invariant: all of them come to be, in one transaction, or none does and everything that bars one
is told.
"""

import secrets
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from control_plane import acts, rules
from control_plane.domain.entities import Grant, Grantee, Holdings, Policy, Session
from control_plane.domain.names import shown
from control_plane.domain.ports import Books, Plane
from control_plane.domain.roles import Actor
from control_plane.errors import FieldError, InvalidError, NotSupportedError

MOST = 10_000
_FIELDS = {"user": "users", "group": "groups"}


@dataclass(frozen=True, slots=True)
class Granted:
    """The grants that are new, and how many were there already, the very same."""

    new: tuple[Grant, ...]
    present: int


def grant(
    books: Books,
    actor: Actor,
    grantees: Collection[Grantee],
    applications: Collection[str],
    policy: Policy,
) -> Granted:
    """Grant each of these applications, by their ids, to each of these grantees.

    InvalidError names in `users`, `groups`, `everyone` and `applications` all that is unknown, too
    much or too little, and in `volumes` what may not be mounted.
    """
    to, of = list(dict.fromkeys(grantees)), list(dict.fromkeys(applications))
    _refuse([*_counted(to, of), *_volumes(books, policy)])
    if not books.accounting.writable:
        raise NotSupportedError("Grants are kept in a place that is only read here.")
    new: list[Grant] = []

    def changed(present: Holdings) -> Holdings:
        _refuse([*_unknown(present, to, of)])
        new[:] = _lacking(present, to, of, policy)
        return replace(present, grants=(*present.grants, *new))

    books.accounting.rewrite(changed)
    made = [acts.Act("grant", one.id, after=acts.of_grant(one)) for one in new]
    acts.note_all(books, actor, made)
    return Granted(tuple(new), len(to) * len(of) - len(new))


def running(plane: Plane, grants: Collection[str]) -> Sequence[Session]:
    """Return what runs by these grants, which are named by their ids."""
    known = list(plane.access.sessions.values())
    return [one for one in known if one.living and one.grant_id in grants]


def _lacking(
    present: Holdings, grantees: Sequence[Grantee], applications: Sequence[str], policy: Policy
) -> list[Grant]:
    """Return the grants that are not there yet."""
    known = {one.id: one for one in present.applications}
    there = {(one.grantee, one.application.id, one.policy) for one in present.grants}
    return [
        Grant(secrets.token_hex(16), grantee, known[one], policy)
        for one in applications
        for grantee in grantees
        if (grantee, one, policy) not in there
    ]


def _counted(grantees: Sequence[Grantee], applications: Sequence[str]) -> Iterator[FieldError]:
    kinds = {one.kind for one in grantees}
    if not applications:
        yield FieldError("applications", "choose one at least")
    if not grantees:
        yield FieldError("users", "name a user or a group, or choose everyone")
    elif "everyone" in kinds and len(kinds) > 1:
        yield FieldError("everyone", "goes alone: leave the users and the groups empty")
    if len(grantees) * len(applications) > MOST:
        yield FieldError("applications", f"these are more than {MOST} grants at once")


def _unknown(
    present: Holdings, grantees: Sequence[Grantee], applications: Sequence[str]
) -> Iterator[FieldError]:
    users, groups = {one.name for one in present.users}, set(present.groups)
    known = {"user": users, "group": groups}
    for one in grantees:
        if one.kind != "everyone" and one.name not in known[one.kind]:
            yield FieldError(_FIELDS[one.kind], f"There is no {one.kind} {shown(one.name)}.")
    if not {one.id for one in present.applications}.issuperset(applications):
        yield FieldError("applications", "one of them is not there any more")


def _volumes(books: Books, policy: Policy) -> Sequence[FieldError]:
    try:
        rules.check_volumes(books, policy)
    except InvalidError as error:
        return error.errors
    return ()


def _refuse(errors: Sequence[FieldError]) -> None:
    if errors:
        raise InvalidError("Nothing was granted.", errors)
